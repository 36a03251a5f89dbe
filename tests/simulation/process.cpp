#include "simulation/process.hpp"

#include <stdexcept>
#include <utility>

namespace holdfast::simulation {
namespace {

// Pages are few, so that statements read in the middle of a transaction and changed pages spill.
constexpr std::int64_t kCacheKib = 40;
constexpr std::size_t kCheckpointBytes = 64 << 10;

/// Keeps broken stores until the program ends: their databases are in the middle of something that
/// cannot be taken back.
void set_aside(std::unique_ptr<sqlite::SteppedStore> store) {
  static std::vector<std::unique_ptr<sqlite::SteppedStore>>* const graves =
      new std::vector<std::unique_ptr<sqlite::SteppedStore>>();
  graves->push_back(std::move(store));
}

}  // namespace

Process::Process(ProcessOptions options, const Clock& clock) : clock_(clock) {
  sqlite::Options store;
  store.path = options.folder + "/holdfast.db";
  store.batch_operations = options.batch_operations;
  store.wal_checkpoint_bytes = kCheckpointBytes;
  store.cache_kib = kCacheKib;
  store.dead_letters_max = options.dead_letters_max;
  store.disk_free_min = options.disk_free_min;
  store.on_fatal = [](const std::string& why) { throw ProcessEnded{why}; };
  auto opened = sqlite::open_stepped_store(std::move(store), clock);
  if (!opened) throw std::runtime_error(opened.error().message);
  store_ = std::move(*opened);
  const delivery::StartState begin = store_->take_start_state();
  std::vector<delivery::Router::Shard> routed;
  for (std::size_t i = 0; i < options.shards; ++i) {
    auto shard = std::make_unique<Shard>();
    shard->handles = &store_->handles(shard->executor);
    delivery::MailboxesOptions mine;
    mine.limits = options.limits;
    mine.shard = i;
    mine.shards = options.shards;
    mine.known_time = begin.known_time;
    mine.listeners = {&shard->events};
    mine.counter_start = begin.counter_start;
    mine.ceiling = begin.ceiling;
    for (const auto& [user, totals] : begin.pending) {
      if (delivery::home_shard(user, options.shards) == i) mine.pending.emplace_back(user, totals);
    }
    for (const auto& record : begin.deduplication) {
      if (delivery::home_shard(record.user, options.shards) == i) {
        mine.deduplication.push_back(record);
      }
    }
    for (const delivery::PendingPurge& purge : begin.pending_purges) {
      if (delivery::home_shard(purge.user, options.shards) == i)
        mine.pending_purges.push_back(purge);
    }
    shard->mailboxes = make_mailboxes(std::move(mine), clock, shard->executor,
                                      *shard->handles->messages, *shard->handles->connections);
    routed.push_back({&shard->executor, shard->mailboxes.get()});
    shards_.push_back(std::move(shard));
  }
  router_ = std::make_unique<delivery::Router>(std::move(routed));
}

Process::~Process() {
  if (abandoned_) {
    set_aside(std::move(store_));
  } else {
    store_->stop();
  }
  // Completions that nobody runs any more may hold reservations of each other's shards.
  for (const auto& shard : shards_) shard->executor = {};
  router_.reset();
  for (const auto& shard : shards_) shard->mailboxes.reset();
  for (const auto& shard : shards_) shard->executor = {};
}

void Process::begin_stop(Milliseconds spread, Milliseconds longest) {
  spread_ = spread;
  deadline_ = clock_.steady_now() + longest;
  enter(Stage::leaving);
}

void Process::enter(Stage stage) {
  stage_ = stage;
  waiting_ = std::make_shared<std::size_t>(shards_.size());
  // A quarter of the time is for what comes after the gradual closing.
  stage_deadline_ = stage == Stage::leaving ? clock_.steady_now() + spread_ * 3 / 2 : deadline_;
  for (const auto& shard : shards_) {
    delivery::Mailboxes* const mailboxes = shard->mailboxes.get();
    shard->executor.post([this, mailboxes, stage, waiting = waiting_] {
      const auto done = [waiting] { --*waiting; };
      if (stage == Stage::leaving) mailboxes->close_gradually(spread_, done);
      if (stage == Stage::draining) mailboxes->drain(done);
      if (stage == Stage::closing) mailboxes->close_connections(done);
    });
  }
}

bool Process::continue_stop() {
  if (stage_ == Stage::stopped) return true;
  if (*waiting_ > 0 && clock_.steady_now() < stage_deadline_) return false;
  if (stage_ == Stage::leaving) {
    enter(Stage::draining);
  } else if (stage_ == Stage::draining) {
    enter(Stage::closing);
  } else {
    // The shards have a moment for the last stage, and run until the store has stopped.
    for (const auto& shard : shards_) shard->executor.run();
    store_->stop();
    for (const auto& shard : shards_) shard->executor.run();
    stage_ = Stage::stopped;
    return true;
  }
  return false;
}

}  // namespace holdfast::simulation
