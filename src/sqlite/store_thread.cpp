// The loop of the store's thread: group commit, retries, damage, room.

#include "store_thread.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <utility>

#include <sqlite3.h>
#include <sys/stat.h>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/log.hpp>

namespace holdfast::sqlite {
namespace {

constexpr Milliseconds kIdleBeforeCheckpoint{500};
constexpr Milliseconds kAfterFailedCheckpoint{1'000};
constexpr Milliseconds kBetweenReports{1'000};
constexpr Milliseconds kFirstRetry{10};
constexpr Milliseconds kLongestRetry{1'000};
constexpr std::uint32_t kAttempts = 10;
constexpr std::size_t kLargeBatch = 8;
constexpr Milliseconds kLongestGather{1};
constexpr Seconds kLongestTurn{3'600};
constexpr std::size_t kRetriesPerTurn = 64;
constexpr std::size_t kReadsPerTurn = 256;
constexpr std::int64_t kFrameHeaderBytes = 24;
// The log's length, in checkpoints, that is kept when it begins anew.
constexpr std::int64_t kLogsKept = 2;
constexpr Milliseconds kBetweenLooksAtDisk{100};
// Limits the sleep of an idle thread, because other programs may fill the disk.
constexpr Milliseconds kLongestSleep{1'000};
constexpr Milliseconds kToldFull{1'000};
// Refuses all messages, even short ones, when there is less room.
constexpr std::int64_t kLeastRoom = std::int64_t{128} << 10;
// Limits how often a batch runs again without the operation at the damage. Then it is cut into
// parts.
constexpr int kRounds = 8;
// The first pause before stuck dead letters are tried again.
constexpr Milliseconds kFirstEvictionPause{100};
constexpr Milliseconds kLongestEvictionPause{60'000};

// After a failed fsync the kernel may have dropped the pages and marked them clean. It is unknown
// then what was synced, and a second fsync proves nothing.
bool is_sync_failure(int code) {
  return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

// Returns whether a commit has certainly failed. Only a failed write proves it: the commit frame is
// the last write, and the sync comes later. Any other error of COMMIT may have come after it.
bool is_known_not_committed(int code) {
  return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE;
}

bool is_damage(int code) {
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

bool is_full(int code) { return (code & 0xff) == SQLITE_FULL; }

std::int64_t size_of(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_size : 0;
}

// Returns the size of the disk. A disk that does not report it counts as a large one.
std::int64_t disk_bytes(const std::string& path) {
  const auto disk = look_at_disk(path);
  return disk ? disk->bytes : std::numeric_limits<std::int64_t>::max();
}

class OnDisk {
 public:
  OnDisk(StoreWaits& waits, SteadyTime now) : waits_(waits) { waits_.on_disk_since = now; }
  ~OnDisk() { waits_.on_disk_since = kNothingWaits; }
  OnDisk(const OnDisk&) = delete;
  OnDisk& operator=(const OnDisk&) = delete;

 private:
  StoreWaits& waits_;
};

}  // namespace

StoreThread::Control::Control(Database& database)
    : begin_write(database, "BEGIN IMMEDIATE"),
      begin_read(database, "BEGIN"),
      commit(database, "COMMIT"),
      roll_back(database, "ROLLBACK"),
      page_count(database, "PRAGMA page_count"),
      free_count(database, "PRAGMA freelist_count") {}

StoreThread::StoreThread(std::unique_ptr<Database> database, std::unique_ptr<Tables> tables,
                         OperationQueue& queue, StoreThreadOptions options)
    : database_(std::move(database)),
      tables_(std::move(tables)),
      queue_(queue),
      options_(std::move(options)),
      control_(std::make_unique<Control>(*database_)),
      page_bytes_(database_->integer("PRAGMA page_size")),
      disk_free_min_(options_.disk_free_min),
      plan_(plan_room(disk_bytes(options_.path), options_.disk_free_min,
                      static_cast<std::int64_t>(options_.wal_checkpoint_bytes))),
      ballast_(options_.path, plan_.ballast_bytes) {
  // A transaction must fit into the log of a small disk.
  options_.batch_bytes =
      std::min(options_.batch_bytes, static_cast<std::size_t>(plan_.checkpoint_bytes));
  const std::string limit =
      "PRAGMA journal_size_limit = " + std::to_string(kLogsKept * plan_.checkpoint_bytes);
  database_->execute(limit.c_str());
  sqlite3_wal_hook(
      database_->handle(),
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<StoreThread*>(self)->wal_frames_ = frames;
        return SQLITE_OK;
      },
      this);
  last_write_ = next_checkpoint_ = next_report_ = next_operation_report_ = next_eviction_ =
      next_look_ = full_until_ = steady_now();
  measure();
}

void StoreThread::run() {
  while (turn(steady_now() + kLongestTurn)) {
  }
}

bool StoreThread::turn(SteadyTime deadline) {
  gather(deadline);
  const SteadyTime began = steady_now();
  run_eviction();
  run_writes();
  run_retries();
  run_reads();
  note_answered(began);
  step_backup();
  checkpoint_if_due();
  if (steady_now() >= next_look_) measure();
  if (!stopping_ || !writes_.empty() || !reads_.empty()) return true;
  finish();
  return false;
}

void StoreThread::gather(SteadyTime deadline) {
  const SteadyTime now = steady_now();
  take(std::min(deadline, has_work(now) ? now : next_deadline(now)));
  const std::size_t enough = expected_ - expected_ / 8;
  if (expected_ < kLargeBatch || writes_.empty() || writes_.size() >= enough || stopping_) return;
  if (deadline <= now) return;  // the taker of the turns does not wait
  const Microseconds longest = std::min<Microseconds>(last_batch_took_ / 4, kLongestGather);
  queue_.linger(enough - writes_.size(), steady_now() + longest);
  take(now);
}

void StoreThread::take(SteadyTime deadline) {
  queue_.take(taken_, deadline);
  stopping_ = taken_.stopping;
  std::ranges::move(taken_.writes, std::back_inserter(writes_));
  std::ranges::move(taken_.reads, std::back_inserter(reads_));
  taken_.writes.clear();
  taken_.reads.clear();
  waits_.in_hand_since = std::min(waits_.in_hand_since.load(), taken_.oldest);
}

// Older operations were there when the turn began; their own times are not kept.
void StoreThread::note_answered(SteadyTime began) {
  waits_.in_hand_since = writes_.empty() && reads_.empty() ? kNothingWaits : began;
}

SteadyTime StoreThread::next_deadline(SteadyTime now) const {
  SteadyTime deadline = now + kLongestSleep;
  if (wal_frames_ > checkpointed_frames_) {
    deadline = std::min(deadline, std::max(last_write_ + kIdleBeforeCheckpoint, next_checkpoint_));
  }
  if (bytes_since_look_ > 0) deadline = std::min(deadline, next_look_);
  for (const auto& operation : retries_) deadline = std::min(deadline, operation->due);
  if (tables_->dead_letters.over()) deadline = std::min(deadline, next_eviction_);
  return deadline;
}

bool StoreThread::has_work(SteadyTime now) const {
  return !writes_.empty() || !reads_.empty() || backup_goes_on_ || has_loads(now);
}

// Sweeps wait while too many dead letters make room.
bool StoreThread::has_loads(SteadyTime now) const {
  const bool makes_room = tables_->dead_letters.over() && !stopping_ && !is_eviction_stuck();
  const bool sweeps = makes_room ? evicts(now) : !sweeps_.empty();
  return sweeps || !removals_.empty();
}

// The excess is removed in transactions of its own when nothing else commits.
bool StoreThread::evicts(SteadyTime now) const {
  return tables_->dead_letters.over() && now >= next_eviction_ && !stopping_;
}

bool StoreThread::is_eviction_stuck() const {
  return tables_->dead_letters.over() && tables_->dead_letters.stuck() && !stopping_;
}

// Moves deletes and sweeps aside. They may run after later operations, but not before earlier ones,
// which have all been taken by then.
void StoreThread::fill_batch() {
  HOLDFAST_ASSERT(batch_.empty(), "batch.begins_empty");
  std::size_t bytes = 0;
  while (!writes_.empty() && batch_.size() < options_.batch_operations) {
    OperationPtr& next = writes_.front();
    if (next->load() != Load::light) {
      (next->load() == Load::removal ? removals_ : sweeps_).push_back(std::move(next));
      writes_.pop_front();
      continue;
    }
    bytes += next->bytes();
    if (bytes > options_.batch_bytes && !batch_.empty()) break;
    batch_.push_back(std::move(next));
    writes_.pop_front();
  }
}

// Evicts in a transaction that does nothing else.
void StoreThread::run_eviction() {
  if (!is_eviction_stuck() || !evicts(steady_now())) return;
  tables_->dead_letters.try_again();
  transact(batch_, Mode::alone);
}

// Fails sweeps whose users would wait for as long as the dead letters are damaged.
void StoreThread::fail_sweeps() {
  for (OperationPtr& operation : std::exchange(sweeps_, {})) {
    if (operation->counts_for() == nullptr) {
      sweeps_.push_back(std::move(operation));  // it forgets rows, and adds no dead letter
    } else {
      retry_or_fail(std::move(operation));
    }
  }
  post_completions();
}

void StoreThread::run_writes() {
  fill_batch();
  if (is_eviction_stuck()) fail_sweeps();
  if (batch_.empty() && !has_loads(steady_now())) return;
  const std::size_t operations = batch_.size();
  const SteadyTime start = steady_now();
  transact(batch_, Mode::write);
  last_write_ = steady_now();
  last_batch_took_ = last_write_ - start;
  expected_ = std::max(operations, expected_ - (expected_ + 15) / 16);
}

// Runs reads in the order of arrival. That is round-robin, because a mailbox has at most one page
// read waiting.
void StoreThread::run_reads() {
  std::size_t bytes = 0;
  while (!reads_.empty() && batch_.size() < kReadsPerTurn) {
    bytes += reads_.front()->bytes();
    if (bytes > options_.page_bytes_per_batch && !batch_.empty()) break;
    batch_.push_back(std::move(reads_.front()));
    reads_.pop_front();
  }
  if (!batch_.empty()) transact(batch_, Mode::read);
}

// Runs failed operations again: first together, since the cause has often gone, and later each
// alone. Then one that keeps failing fails no other.
void StoreThread::run_retries() {
  if (retries_.empty()) return;
  const SteadyTime now = steady_now();
  Batch alone;
  const std::size_t waiting = retries_.size();
  for (std::size_t i = 0; i < waiting; ++i) {
    OperationPtr operation = std::move(retries_.front());
    retries_.pop_front();
    const bool is_first = operation->attempts == 1;
    if (operation->due > now ||
        (is_first ? batch_.size() >= options_.batch_operations : alone.size() >= kRetriesPerTurn)) {
      retries_.push_back(std::move(operation));
    } else {
      (is_first ? batch_ : alone).push_back(std::move(operation));
    }
  }
  if (!batch_.empty()) transact(batch_, Mode::write);
  for (OperationPtr& operation : alone) {
    batch_.push_back(std::move(operation));
    transact(batch_, Mode::alone);
  }
}

void StoreThread::transact(Batch& batch, Mode mode) {
  HOLDFAST_ASSERT(!database_->in_transaction(), "transaction.begins_after_the_last");
  const SteadyTime start = steady_now();
  const OnDisk waiting(waits_, start);
  const bool was_stuck = tables_->dead_letters.stuck();
  left_out_.assign(batch.size(), false);
  Part all{.begin = 0, .end = batch.size()};
  const std::size_t culprit = run_part(batch, all, mode);
  Outcome failure = commit();
  if (failure && is_full(failure->code)) {
    failure = commit_without_room(batch, mode, std::move(*failure));
  } else if (failure) {
    failure = commit_in_parts(batch, mode, culprit, std::move(*failure));
  }
  if (!failure || std::ranges::count(left_out_, false) > 0) {
    count(mode, std::chrono::duration_cast<Microseconds>(steady_now() - start));
    measure();
  }
  if (failure) {
    metrics_.writable.set(0);
    next_eviction_ = steady_now() + kAfterFailedCheckpoint;
  }
  note_eviction(was_stuck);
  deliver(batch, mode);
}

void StoreThread::note_eviction(bool was_stuck) {
  const DeadLetterTable& letters = tables_->dead_letters;
  if (!letters.stuck()) {
    if (!letters.over()) eviction_pause_ = {};
  } else if (!was_stuck) {
    eviction_pause_ = std::clamp(2 * eviction_pause_, kFirstEvictionPause, kLongestEvictionPause);
    next_eviction_ = steady_now() + eviction_pause_;
    log::error("dead_letters_not_removed", {{"effect", "none is added while there are too many"},
                                            {"again_in_ms", eviction_pause_.count()}});
  }
}

bool StoreThread::run(Operation& operation) {
  operation.run(*tables_);
  return !database_->failed();
}

void StoreThread::count(Mode mode, Microseconds took) {
  const auto done = static_cast<std::uint64_t>(std::ranges::count(left_out_, false));
  if (done == 0 && !left_out_.empty()) return;
  metrics_.transactions.add();
  metrics_.operations.add(done);
  if (mode == Mode::read || done == 0) return;
  metrics_.writable.set(1);
  metrics_.batch.record(static_cast<std::int64_t>(done));
  metrics_.commit.record(took.count());
}

// Commits what still fits when the disk is full. Inserts alone take room for good. All else returns
// some, or needs room for a moment, which the ballast has.
StoreThread::Outcome StoreThread::commit_without_room(Batch& batch, Mode mode, Failure full) {
  full_until_ = steady_now() + kToldFull;
  files_.disk_full.set(1);
  files_.disk_low.set(1);
  bool has_inserts = false;
  bool has_others = batch.empty();  // an eviction belongs to no operation
  for (std::size_t i = 0; i < batch.size(); ++i) {
    left_out_[i] = batch[i]->inserts_for() != nullptr;
    (left_out_[i] ? has_inserts : has_others) = true;
  }
  if (!has_others) return std::nullopt;
  Outcome failure = std::move(full);
  std::size_t culprit = 0;
  const auto again = [&] {
    Part all{.begin = 0, .end = batch.size()};
    culprit = run_part(batch, all, mode == Mode::write ? Mode::alone : mode);
    return commit();
  };
  if (has_inserts) failure = again();
  if (failure && is_full(failure->code)) {
    const bool has_room = let_go_of_ballast();
    const bool is_moved = move_log(LogLength::keep) == SQLITE_OK;
    if (has_room || is_moved) failure = again();
  }
  if (!failure) return std::nullopt;
  if (!is_full(failure->code)) return commit_in_parts(batch, mode, culprit, std::move(*failure));
  left_out_.assign(batch.size(), true);
  return failure;
}

// Isolates the operation that met a damaged page. It fails alone, with the operations that must not
// overtake it. All others run again, because SQLite accepts nothing more in such a transaction. A
// failure without a known culprit fails everything that is not committed yet.
StoreThread::Outcome StoreThread::commit_in_parts(Batch& batch, Mode mode, std::size_t culprit,
                                                  Failure failure) {
  std::vector<Part> waiting;  // the next one last
  Part part{.begin = 0, .end = batch.size()};
  Outcome last = std::move(failure);
  bool is_committed = false;
  for (int round = 0;; ++round) {
    if (last) {
      report_failure("store_operation_failed", last->code, last->message, next_operation_report_);
      const bool is_known = last->evicting || (culprit < part.end && round < kRounds);
      if (!is_damage(last->code) && !is_known) {
        std::fill(left_out_.begin() + static_cast<std::ptrdiff_t>(part.begin), left_out_.end(),
                  true);
        return last;
      }
      narrow(batch, part, waiting, culprit, *last, round);
    } else {
      is_committed = true;
      part.begin = part.end;
    }
    while (is_empty(part)) {
      if (waiting.empty()) {
        return is_committed || !last || is_damage(last->code) ? std::nullopt : last;
      }
      part = waiting.back();
      waiting.pop_back();
    }
    culprit = run_part(batch, part, mode);
    last = commit();
  }
}

void StoreThread::narrow(const Batch& batch, Part& part, std::vector<Part>& waiting,
                         std::size_t culprit, const Failure& failure, int round) {
  if (failure.evicting) return;  // it is not retried
  if (culprit < part.end) {
    leave_out(batch, culprit, failure);
    // All before it succeeded.
    if (round >= kRounds) waiting.push_back({.begin = culprit + 1, .end = part.end});
    if (round >= kRounds) part.end = culprit;
    return;
  }
  const bool is_found = failure.user && leave_out(batch, part, failure);
  if (is_found && round < kRounds) return;
  if (part.end - part.begin == 1) {
    leave_out(batch, part.begin, failure);
    return;
  }
  const std::size_t middle = part.begin + (part.end - part.begin) / 2;
  waiting.push_back({.begin = middle, .end = part.end});
  part.end = middle;
}

bool StoreThread::is_empty(const Part& part) const {
  const auto first = left_out_.begin();
  return std::all_of(first + static_cast<std::ptrdiff_t>(part.begin),
                     first + static_cast<std::ptrdiff_t>(part.end),
                     [](bool is_left_out) { return is_left_out; });
}

std::size_t StoreThread::run_part(Batch& batch, Part& part, Mode mode) {
  HOLDFAST_ASSERT(part.begin <= part.end && part.end <= batch.size(), "batch.has_its_parts");
  HOLDFAST_ASSERT(left_out_.size() == batch.size(), "batch.knows_what_is_left_out");
  begin(mode);
  for (std::size_t i = part.begin; i < part.end; ++i) {
    if (!left_out_[i] && !run(*batch[i])) return i;
  }
  if (mode != Mode::write || part.end != batch.size()) return part.end;
  const std::size_t culprit = run_loads(batch);
  left_out_.resize(batch.size(), false);
  part.end = batch.size();
  return culprit;
}

void StoreThread::begin(Mode mode) {
  (mode == Mode::read ? control_->begin_read : control_->begin_write).run();
  tables_->begin();
}

// A user's later message must not be stored when an earlier one was not.
void StoreThread::leave_out(const Batch& batch, std::size_t index, const Failure& failure) {
  HOLDFAST_ASSERT(index < left_out_.size(), "batch.leaves_out_what_it_has");
  left_out_[index] = true;
  if (is_damage(failure.code)) batch[index]->on_damage();
  const UserId* const user = batch[index]->inserts_for();
  if (user == nullptr) return;
  for (std::size_t i = index + 1; i < batch.size(); ++i) {
    const UserId* const other = batch[i]->inserts_for();
    if (other != nullptr && *other == *user) left_out_[i] = true;
  }
}

bool StoreThread::leave_out(const Batch& batch, const Part& part, const Failure& failure) {
  bool is_found = false;
  for (std::size_t i = part.begin; i < batch.size(); ++i) {
    const UserId* const other = batch[i]->counts_for();
    if (left_out_[i] || other == nullptr || *other != *failure.user) continue;
    left_out_[i] = true;
    if (is_damage(failure.code)) batch[i]->on_damage();
    is_found = is_found || i < part.end;
  }
  return is_found;
}

StoreThread::Outcome StoreThread::commit() {
  if (!database_->failed()) tables_->flush();
  if (!database_->failed()) {
    control_->commit.run();
    if (database_->failed() && !is_known_not_committed(database_->code())) {
      die("the outcome of a commit is unknown: " + database_->message());
    }
  }
  if (database_->failed()) return roll_back();
  HOLDFAST_ASSERT(!database_->in_transaction(), "transaction.ends_with_its_commit");
  tables_->committed();
  return std::nullopt;
}

std::size_t StoreThread::run_loads(Batch& batch) {
  const bool sweeps_first = std::exchange(sweeps_first_, !sweeps_first_);
  for (const bool sweeps : {sweeps_first, !sweeps_first}) {
    if (sweeps && tables_->dead_letters.over() && !is_eviction_stuck() && !stopping_) continue;
    std::deque<OperationPtr>& waiting = sweeps ? sweeps_ : removals_;
    while (!waiting.empty() && tables_->budget.left() && !database_->failed()) {
      batch.push_back(std::move(waiting.front()));
      waiting.pop_front();
      if (!run(*batch.back())) return batch.size() - 1;
    }
  }
  return batch.size();
}

StoreThread::Failure StoreThread::roll_back() {
  Failure failure{.code = database_->code(),
                  .message = database_->message(),
                  .evicting = tables_->dead_letters.evicting(),
                  .user = tables_->pending.failed()};
  if (is_sync_failure(failure.code)) die("a sync failed: " + failure.message);
  tables_->discard();
  database_->clear_failure();
  // Some errors end the transaction by themselves, others leave it open.
  if (database_->in_transaction()) control_->roll_back.run();
  if (database_->failed() || database_->in_transaction()) {
    die("a transaction cannot be rolled back: " + database_->message());
  }
  metrics_.failed_transactions.add();
  report_failure("store_transaction_failed", failure.code, failure.message, next_report_);
  return failure;
}

void StoreThread::retry_or_fail(OperationPtr operation) {
  const bool retries =
      operation->on_rollback() == OnRollback::retry_always ||
      (operation->on_rollback() == OnRollback::retry && operation->attempts + 1 < kAttempts);
  if (!retries || stopping_) {
    operation->fail();
    complete(std::move(operation));
    return;
  }
  const auto factor = 1 << std::min<std::uint32_t>(operation->attempts, 10);
  operation->due = steady_now() + std::min(kFirstRetry * factor, kLongestRetry);
  ++operation->attempts;
  retries_.push_back(std::move(operation));
}

void StoreThread::deliver(Batch& batch, Mode mode) {
  HOLDFAST_ASSERT(left_out_.size() == batch.size(), "batch.judges_each_operation");
  for (std::size_t i = 0; i < batch.size(); ++i) {
    OperationPtr operation = std::move(batch[i]);
    if (left_out_[i]) {
      retry_or_fail(std::move(operation));
    } else if (operation->committed() && !ends_with_store(*operation)) {
      (mode == Mode::read ? reads_ : writes_).push_back(std::move(operation));
    } else {
      if (operation->inserts_for() != nullptr) {
        bytes_since_look_ += static_cast<std::int64_t>(operation->bytes());
      }
      complete(std::move(operation));
    }
  }
  batch.clear();
  post_completions();
}

// The next start finds the rest of these sweeps again, so they need not delay the end.
bool StoreThread::ends_with_store(const Operation& operation) const {
  return stopping_ && operation.load() == Load::sweep &&
         operation.on_rollback() == OnRollback::fail;
}

void StoreThread::complete(OperationPtr operation) {
  Channel* const channel = operation->channel;
  if (channel == nullptr) return;
  if (channel->completed.empty()) touched_.push_back(channel);
  channel->completed.push_back(std::move(operation));
}

void StoreThread::post_completions() {
  for (Channel* const channel : touched_) {
    HOLDFAST_ASSERT(!channel->completed.empty(), "channel.is_touched_with_answers");
    channel->executor.post([completed = std::exchange(channel->completed, {})] {
      for (const auto& operation : completed) operation->answer();
    });
  }
  touched_.clear();
}

void StoreThread::set_backup(std::shared_ptr<BackupJob> job) {
  const std::lock_guard lock(backup_mutex_);
  if (backup_ended_) {
    job->abandon();
  } else {
    backup_ = std::move(job);
  }
}

void StoreThread::step_backup() {
  const std::lock_guard lock(backup_mutex_);
  const OnDisk waiting(waits_, steady_now());
  backup_goes_on_ = backup_ != nullptr && backup_->step(*database_);
}

void StoreThread::checkpoint_if_due() {
  if (wal_frames_ < checkpointed_frames_) checkpointed_frames_ = 0;  // the log began anew
  const int waiting = wal_frames_ - checkpointed_frames_;
  const bool is_too_long =
      files_.disk_low.read() != 0 && log_file_bytes_ > kLogsKept * plan_.checkpoint_bytes;
  if (waiting == 0 && !is_too_long) return;
  const SteadyTime now = steady_now();
  if (now < next_checkpoint_) return;
  const std::int64_t bytes = waiting * (page_bytes_ + kFrameHeaderBytes);
  const bool is_idle =
      !has_work(now) && queue_.size() == 0 && now >= last_write_ + kIdleBeforeCheckpoint;
  if (is_idle || is_too_long || bytes >= plan_.checkpoint_bytes)
    checkpoint(is_too_long ? LogLength::cut : LogLength::keep);
}

void StoreThread::checkpoint(LogLength length) {
  const OnDisk waiting(waits_, steady_now());
  int code = move_log(length);
  if (is_full(code) && let_go_of_ballast()) code = move_log(length);
  if (code != SQLITE_OK) {
    report_failure("store_checkpoint_failed", code, sqlite3_errmsg(database_->handle()),
                   next_report_);
  }
  const bool is_whole = code == SQLITE_OK && wal_frames_ == checkpointed_frames_;
  if (!is_whole) next_checkpoint_ = steady_now() + kAfterFailedCheckpoint;
}

// Moves the log into the file. A log that begins anew keeps its length, which blocks that room for
// others; `cut` frees all of it.
int StoreThread::move_log(LogLength length) {
  int frames = 0;
  int done = 0;
  const int mode =
      length == LogLength::cut ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, mode, &frames, &done);
  if (is_sync_failure(code)) die("the sync of a checkpoint failed");
  if (code == SQLITE_OK) {
    HOLDFAST_ASSERT(done <= frames, "log.moves_what_it_has");
    wal_frames_ = frames;
    checkpointed_frames_ = done;
    if (length == LogLength::cut) log_file_bytes_ = 0;
  }
  return code;
}

bool StoreThread::let_go_of_ballast() {
  if (!ballast_.let_go()) return false;
  log::warn("store_ballast_let_go", {{"bytes", ballast_.bytes()}});
  return true;
}

void StoreThread::measure() {
  control_->page_count.step();
  const std::int64_t pages = control_->page_count.integer(0);
  control_->page_count.reset();
  control_->free_count.step();
  const std::int64_t free_pages = control_->free_count.integer(0);
  control_->free_count.reset();
  delivery::PendingTotals dead = {metrics_.dead_letters.read(), metrics_.dead_letter_bytes.read()};
  if (tables_->dead_letters.changed_since_asked()) dead = tables_->dead_letters.totals();
  if (database_->failed()) {
    database_->clear_failure();
    return;
  }
  const auto damaged = static_cast<std::uint64_t>(tables_->messages.damaged());
  HOLDFAST_ASSERT(damaged >= files_.damaged.read(), "store.counts_damaged_messages");
  files_.damaged.add(damaged - files_.damaged.read());
  files_.missing.set(tables_->messages.missing());
  metrics_.dead_letters.set(dead.messages);
  metrics_.dead_letter_bytes.set(dead.bytes);
  const std::int64_t used = (pages - free_pages) * page_bytes_;
  queue_.slots()->set_database_bytes(used);
  files_.database_bytes.set(pages * page_bytes_);
  files_.used_bytes.set(used);
  files_.log_bytes.set(wal_frames_ * (page_bytes_ + kFrameHeaderBytes));
  measure_room(pages, free_pages);
}

// Measures the room for messages: the disk's free space beyond the limit, and the free pages of the
// file, which never shrinks. A whole log must fit beside it.
void StoreThread::measure_room(std::int64_t pages, std::int64_t free_pages) {
  const SteadyTime now = steady_now();
  if (now >= next_look_) look_at_room(now);
  storage::Slots& slots = *queue_.slots();
  if (plan_.free_min == 0) {
    slots.set_room(storage::Slots::kAnyRoom);
    files_.disk_full.set(now < full_until_ ? 1 : 0);
    files_.disk_low.set(now < full_until_ ? 1 : 0);
    return;
  }
  // The log's contents need room in the file, too. Changes since the look may be counted in both.
  const std::int64_t grows_by = std::max<std::int64_t>(pages * page_bytes_ - file_bytes_, 0);
  // The ballast's room is not for messages, or it would never be made anew.
  const std::int64_t ballast = ballast_.is_there() ? 0 : ballast_.bytes();
  const std::int64_t left = disk_.free_bytes - ballast - grows_by - 2 * bytes_since_look_;
  std::int64_t room = std::max<std::int64_t>(left - plan_.free_min, 0);
  const std::int64_t beyond_low = room - plan_.free_min / 2;
  std::int64_t reusable = 0;
  if (left + log_rest() >= plan_.free_min / 2) reusable = free_pages * page_bytes_ / 2;
  if (room + reusable < kLeastRoom) {
    room = reusable = 0;
  }
  slots.set_room(room + reusable);
  const bool is_full = room + reusable == 0 || now < full_until_;
  const bool is_low = is_full || (beyond_low < 0 && reusable < plan_.free_min / 2);
  const bool was_low = files_.disk_low.read() != 0;
  files_.disk_low.set(is_low ? 1 : 0);
  if (is_low != was_low) {
    log::write(is_low ? log::Level::warn : log::Level::info, is_low ? "disk_low" : "disk_has_room",
               {{"free_bytes", disk_.free_bytes}, {"free_min_bytes", plan_.free_min}});
  }
  files_.disk_full.set(is_full ? 1 : 0);
}

std::int64_t StoreThread::log_rest() const {
  const int frames = wal_frames_ > checkpointed_frames_ ? wal_frames_ : 0;
  return std::max<std::int64_t>(log_file_bytes_ - frames * (page_bytes_ + kFrameHeaderBytes), 0);
}

void StoreThread::look_at_room(SteadyTime now) {
  next_look_ = now + kBetweenLooksAtDisk;
  const auto disk = look_at_disk(options_.path);
  if (!disk) return;
  disk_ = *disk;
  plan_.free_min = plan_room(disk_.bytes, disk_free_min_, plan_.checkpoint_bytes).free_min;
  files_.disk_free_min.set(plan_.free_min);
  file_bytes_ = size_of(options_.path);
  log_file_bytes_ = size_of(options_.path + "-wal");
  bytes_since_look_ = 0;
  const std::int64_t spare = disk_.free_bytes - ballast_.bytes();
  if (!ballast_.is_there() && now >= full_until_ && spare + log_rest() >= plan_.free_min / 2 &&
      ballast_.make()) {
    disk_.free_bytes = spare;
  }
}

void StoreThread::finish() {
  {
    const std::lock_guard lock(backup_mutex_);
    backup_ended_ = true;
    if (backup_ != nullptr) backup_->abandon();
    backup_.reset();
    backup_goes_on_ = false;
  }
  queue_.close(taken_);
  std::ranges::move(taken_.writes, std::back_inserter(writes_));
  std::ranges::move(taken_.reads, std::back_inserter(reads_));
  for (auto& operation : retries_) operation->due = {};
  while (has_work(steady_now()) || !retries_.empty()) {
    run_writes();
    run_retries();
    run_reads();
  }
  checkpoint(LogLength::keep);
  control_.reset();
  tables_.reset();
  database_.reset();
}

void StoreThread::report_failure(const char* event, int code, const std::string& message,
                                 SteadyTime& next) {
  const SteadyTime now = steady_now();
  if (now < next) return;
  next = now + kBetweenReports;
  log::error(event, {{"code", code}, {"reason", message}});
}

void StoreThread::die(const std::string& what) {
  metrics_.writable.set(0);
  log::error("store_fatal", {{"reason", what}});
  if (options_.on_fatal) options_.on_fatal(what);
  std::abort();
}

}  // namespace holdfast::sqlite
