// Shards: threads with their event loops, and the tasks between them.

#include "shards.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include <boost/asio/post.hpp>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/process.hpp>

namespace holdfast::net {
namespace {

constexpr std::size_t kScratchBytes = 64 << 10;
constexpr std::size_t kBuffersKept = 64;
constexpr std::size_t kBufferBytesKept = 64 << 10;
constexpr std::size_t kBufferBytes = 1 << 10;
// Limits the turns for which a stop waits, because tasks may post tasks to each other for ever.
constexpr int kSettleRounds = 16;

thread_local ShardLoop* t_current = nullptr;

}  // namespace

struct ShardLoop::Periodic {
  Periodic(asio::io_context& context, Milliseconds every, Task work)
      : timer(context.get_executor()), period(every), task(std::move(work)) {}

  Timer timer;
  Milliseconds period;
  Task task;
};

ShardLoop::ShardLoop(ShardSet& set, std::size_t index, std::size_t count)
    : set_(set),
      index_(index),
      work_(context_.get_executor()),
      scratch_(kScratchBytes),
      outboxes_(count) {}

ShardLoop::~ShardLoop() = default;

void ShardLoop::post(Task task) {
  ShardLoop* const from = t_current;
  if (from == this) {
    local_.push_back(std::move(task));
    end_turn_later();
    return;
  }
  if (from != nullptr && &from->set_ == &set_) {
    from->outboxes_[index_].push_back(std::move(task));
    from->end_turn_later();
    return;
  }
  bool wake = false;
  {
    const std::lock_guard lock(inbox_mutex_);
    if (stopped_) return;
    inbox_.push_back(std::move(task));
    wake = !std::exchange(signalled_, true);
  }
  if (wake) asio::post(context_, [this] { take_inbox(); });
}

void ShardLoop::deliver(std::vector<Task>& batch) {
  std::vector<Task> dropped;
  bool wake = false;
  {
    const std::lock_guard lock(inbox_mutex_);
    if (stopped_) {
      dropped.swap(batch);
    } else {
      if (inbox_.empty()) {
        inbox_.swap(batch);
      } else {
        std::move(batch.begin(), batch.end(), std::back_inserter(inbox_));
      }
      wake = !std::exchange(signalled_, true);
    }
  }
  batch.clear();
  if (wake) asio::post(context_, [this] { take_inbox(); });
}

void ShardLoop::take_inbox() {
  {
    const std::lock_guard lock(inbox_mutex_);
    running_.swap(inbox_);
    signalled_ = false;
  }
  run_all(running_);
}

void ShardLoop::run_all(std::vector<Task>& tasks) {
  tasks_run_ += tasks.size();
  for (Task& task : tasks) {
    // Moving it out frees the task when it has run, not when all have.
    Task(std::move(task))();
  }
  tasks.clear();
}

// Posts the end of the turn. Asio runs it after the handlers that are ready already.
void ShardLoop::end_turn_later() {
  if (std::exchange(turn_end_due_, true)) return;
  asio::post(context_, [this] { end_turn(); });
}

void ShardLoop::end_turn() {
  std::vector<Task> tasks;
  tasks.swap(local_);
  turn_end_due_ = false;
  run_all(tasks);
  if (local_.empty()) local_.swap(tasks);  // keeps its room
  for (std::size_t i = 0; i < outboxes_.size(); ++i) {
    if (!outboxes_[i].empty()) set_.at(i).deliver(outboxes_[i]);
  }
}

bool ShardLoop::is_mine() const noexcept { return t_current == this || !thread_.joinable(); }

void ShardLoop::every(Milliseconds period, Task task) {
  HOLDFAST_ASSERT(is_mine(), "shard.timer_is_armed_by_its_shard");
  arm(std::make_shared<Periodic>(context_, period, std::move(task)));
}

void ShardLoop::arm(std::shared_ptr<Periodic> periodic) {
  Periodic& p = *periodic;
  p.timer.expires_after(p.period);
  p.timer.async_wait([this, periodic = std::move(periodic)](ErrorCode ec) mutable {
    if (ec) return;
    const auto late = std::chrono::steady_clock::now() - periodic->timer.expiry();
    lag_.record(std::chrono::floor<Microseconds>(late).count());
    periodic->task();
    arm(std::move(periodic));
  });
}

void ShardLoop::at_stop(Task task) {
  HOLDFAST_ASSERT(is_mine(), "shard.end_is_planned_by_its_shard");
  at_stop_.push_back(std::move(task));
}

std::string ShardLoop::take_buffer() {
  HOLDFAST_ASSERT(is_mine(), "shard.buffer_is_taken_by_its_shard");
  if (buffers_.empty()) {
    std::string fresh;
    fresh.reserve(kBufferBytes);
    return fresh;
  }
  std::string buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void ShardLoop::give_buffer(std::string&& buffer) {
  std::string mine = std::move(buffer);
  buffer = std::string();
  if (mine.capacity() < kBufferBytes || mine.capacity() > kBufferBytesKept ||
      buffers_.size() >= kBuffersKept) {
    return;
  }
  mine.clear();
  buffers_.push_back(std::move(mine));
}

void ShardLoop::start() {
  thread_ = start_thread("hf-shard-" + std::to_string(index_), [this] { run(); });
}

void ShardLoop::run() {
  t_current = this;
  poller_.start();
  context_.run();
  t_current = nullptr;
}

bool ShardLoop::settle(Settle settle) {
  std::promise<bool> promise;
  std::future<bool> busy = promise.get_future();
  post([this, settle, &promise] {
    if (settle == Settle::first) {
      std::vector<Task> tasks;
      tasks.swap(at_stop_);
      run_all(tasks);
    }
    // The question itself is one task.
    const bool others = tasks_run_ - tasks_run_at_settle_ > 1;
    tasks_run_at_settle_ = tasks_run_;
    promise.set_value(others);
  });
  return busy.get();
}

void ShardLoop::stop() {
  std::vector<Task> dropped;
  {
    const std::lock_guard lock(inbox_mutex_);
    stopped_ = true;
    dropped.swap(inbox_);
  }
  work_.reset();
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

ShardSet::ShardSet(std::size_t count) {
  for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i) {
    loops_.push_back(std::make_unique<ShardLoop>(*this, i, std::max<std::size_t>(count, 1)));
  }
}

ShardSet::~ShardSet() { stop(); }

void ShardSet::start() {
  // All loops must run before any is asked whether it has settled.
  for (const auto& loop : loops_) loop->start();
  running_ = true;
}

void ShardSet::stop() {
  if (std::exchange(running_, false)) {
    // A task may be between two shards in one round, and run in the next. Only two quiet rounds in
    // a row prove that there is none.
    int quiet = 0;
    for (int round = 0; round < kSettleRounds && quiet < 2; ++round) {
      bool busy = false;
      for (const auto& loop : loops_)
        busy |= loop->settle(round == 0 ? ShardLoop::Settle::first : ShardLoop::Settle::again);
      quiet = busy ? 0 : quiet + 1;
    }
  }
  for (const auto& loop : loops_) loop->stop();
}

std::unique_ptr<Shards> make_shards(std::size_t count) { return std::make_unique<ShardSet>(count); }

}  // namespace holdfast::net
