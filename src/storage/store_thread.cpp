#include "storage/store_thread.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include <sqlite3.h>

#include <holdfast/base/log.hpp>

namespace holdfast::storage {
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

// After a failed fsync the kernel may have dropped the pages and marked them clean, so that neither
// what was synced is known nor would a second fsync tell.
bool is_sync_failure(int code) {
  return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

// The commit frame is the last write of a commit, and the sync comes after it: only a failed write
// proves that there is no whole commit frame. Any other error of COMMIT may have come later.
bool is_known_not_committed(int code) {
  return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE;
}

class OnDisk {
 public:
  explicit OnDisk(StoreCounters& counters) : counters_(counters) { counters_.on_disk = true; }
  ~OnDisk() { counters_.on_disk = false; }
  OnDisk(const OnDisk&) = delete;
  OnDisk& operator=(const OnDisk&) = delete;

 private:
  StoreCounters& counters_;
};

}  // namespace

StoreThread::Control::Control(Database& database)
    : begin_write(database, "BEGIN IMMEDIATE"),
      begin_read(database, "BEGIN"),
      commit(database, "COMMIT"),
      roll_back(database, "ROLLBACK"),
      page_count(database, "PRAGMA page_count"),
      free_count(database, "PRAGMA freelist_count") {}

StoreThread::StoreThread(std::unique_ptr<Database> database, std::unique_ptr<Session> session,
                         OperationQueue& queue, StoreThreadOptions options)
    : database_(std::move(database)),
      session_(std::move(session)),
      queue_(queue),
      options_(std::move(options)),
      control_(std::make_unique<Control>(*database_)),
      page_bytes_(database_->integer("PRAGMA page_size")) {
  sqlite3_wal_hook(
      database_->handle(),
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<StoreThread*>(self)->wal_frames_ = frames;
        return SQLITE_OK;
      },
      this);
  last_write_ = next_checkpoint_ = next_report_ = next_eviction_ = steady_now();
  measure();
}

void StoreThread::run() {
  while (turn(steady_now() + kLongestTurn)) {
  }
}

bool StoreThread::turn(SteadyTime deadline) {
  gather(deadline);
  run_writes();
  run_retries();
  run_reads();
  step_backup();
  checkpoint_if_due();
  if (!stopping_ || !writes_.empty() || !reads_.empty()) return true;
  finish();
  return false;
}

void StoreThread::gather(SteadyTime deadline) {
  const SteadyTime now = steady_now();
  take(std::min(deadline, has_work(now) ? now : next_deadline(now)));
  const std::size_t enough = expected_ - expected_ / 8;
  if (expected_ < kLargeBatch || writes_.empty() || writes_.size() >= enough || stopping_) return;
  if (deadline <= now) return;  // whoever takes the turns waits for nobody
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
}

SteadyTime StoreThread::next_deadline(SteadyTime now) const {
  SteadyTime deadline = now + kLongestTurn;
  if (wal_frames_ > checkpointed_frames_) {
    deadline = std::max(last_write_ + kIdleBeforeCheckpoint, next_checkpoint_);
  }
  for (const auto& operation : retries_) deadline = std::min(deadline, operation->due);
  if (session_->dead_letters.over()) deadline = std::min(deadline, next_eviction_);
  return deadline;
}

bool StoreThread::has_work(SteadyTime now) const {
  return !writes_.empty() || !reads_.empty() || backup_goes_on_ || has_loads(now);
}

// While there are too many dead letters they make room first, and no sweep adds to them.
bool StoreThread::has_loads(SteadyTime now) const {
  const bool sweeps = session_->dead_letters.over() && !stopping_ ? evicts(now) : !sweeps_.empty();
  return sweeps || !removals_.empty();
}

// What is too much goes in transactions of its own when nothing else commits.
bool StoreThread::evicts(SteadyTime now) const {
  return session_->dead_letters.over() && now >= next_eviction_ && !stopping_;
}

// Deletes and sweeps step aside. They may run later than what was called after them, but not before
// what was called before them; all of that has been taken when it is their turn.
void StoreThread::fill_batch() {
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

void StoreThread::run_writes() {
  fill_batch();
  if (batch_.empty() && !has_loads(steady_now())) return;
  const std::size_t operations = batch_.size();
  const SteadyTime start = steady_now();
  transact(batch_, Mode::write);
  last_write_ = steady_now();
  last_batch_took_ = last_write_ - start;
  expected_ = std::max(operations, expected_ - (expected_ + 15) / 16);
}

// In order of their coming: as no mailbox has more than one page read waiting, that is round-robin.
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

void StoreThread::run_retries() {
  if (retries_.empty()) return;
  const SteadyTime now = steady_now();
  const std::size_t waiting = retries_.size();
  std::size_t run = 0;
  for (std::size_t i = 0; i < waiting && run < kRetriesPerTurn; ++i) {
    OperationPtr operation = std::move(retries_.front());
    retries_.pop_front();
    if (operation->due > now) {
      retries_.push_back(std::move(operation));
      continue;
    }
    ++run;
    // Alone: if it is what fails, it fails nobody else.
    batch_.push_back(std::move(operation));
    transact(batch_, Mode::alone);
  }
}

void StoreThread::transact(Batch& batch, Mode mode) {
  const OnDisk waiting(counters_);
  const SteadyTime start = steady_now();
  (mode == Mode::read ? control_->begin_read : control_->begin_write).run();
  session_->begin();
  for (const auto& operation : batch) {
    if (database_->failed()) break;
    operation->run(*session_);
  }
  if (mode == Mode::write) run_loads(batch);
  if (!database_->failed()) session_->flush();
  if (!database_->failed()) {
    control_->commit.run();
    if (database_->failed() && !is_known_not_committed(database_->code())) {
      die("the outcome of a commit is unknown: " + database_->message());
    }
  }
  if (database_->failed()) {
    roll_back(batch);
    return;
  }
  counters_.transactions.fetch_add(1, std::memory_order_relaxed);
  counters_.operations.fetch_add(batch.size(), std::memory_order_relaxed);
  if (mode != Mode::read && !batch.empty()) {
    counters_.writable.store(true, std::memory_order_relaxed);
    counters_.batch.record(static_cast<std::int64_t>(batch.size()));
    counters_.commit.record((steady_now() - start).count());
  }
  measure();
  deliver(batch, mode);
}

void StoreThread::run_loads(Batch& batch) {
  const bool sweeps_first = std::exchange(sweeps_first_, !sweeps_first_);
  for (const bool sweeps : {sweeps_first, !sweeps_first}) {
    if (sweeps && session_->dead_letters.over() && !stopping_) continue;
    std::deque<OperationPtr>& waiting = sweeps ? sweeps_ : removals_;
    while (!waiting.empty() && session_->budget.left() && !database_->failed()) {
      batch.push_back(std::move(waiting.front()));
      waiting.pop_front();
      batch.back()->run(*session_);
    }
  }
}

void StoreThread::roll_back(Batch& batch) {
  const int code = database_->code();
  const std::string message = database_->message();
  if (is_sync_failure(code)) die("a sync failed: " + message);
  database_->clear_failure();
  session_->discard();
  // Some errors end the transaction by themselves, others leave it open.
  if (database_->in_transaction()) control_->roll_back.run();
  if (database_->failed() || database_->in_transaction()) {
    die("a transaction cannot be rolled back: " + database_->message());
  }
  counters_.failed_transactions.fetch_add(1, std::memory_order_relaxed);
  counters_.writable.store(false, std::memory_order_relaxed);
  report_failure("store_transaction_failed", code, message);
  next_eviction_ = steady_now() + kAfterFailedCheckpoint;
  for (auto& operation : batch) retry_or_fail(std::move(operation));
  batch.clear();
  post_completions();
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
  for (auto& operation : batch) {
    if (operation->committed()) {
      (mode == Mode::read ? reads_ : writes_).push_back(std::move(operation));
    } else {
      complete(std::move(operation));
    }
  }
  batch.clear();
  post_completions();
}

void StoreThread::complete(OperationPtr operation) {
  Channel* const channel = operation->channel;
  if (channel == nullptr) return;
  if (channel->completed.empty()) touched_.push_back(channel);
  channel->completed.push_back(std::move(operation));
}

void StoreThread::post_completions() {
  for (Channel* const channel : touched_) {
    channel->executor.post([completed = std::exchange(channel->completed, {})] {
      for (const auto& operation : completed) operation->complete();
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
  const OnDisk waiting(counters_);
  backup_goes_on_ = backup_ != nullptr && backup_->step(*database_);
}

void StoreThread::checkpoint_if_due() {
  if (wal_frames_ < checkpointed_frames_) checkpointed_frames_ = 0;  // the log was begun anew
  const int waiting = wal_frames_ - checkpointed_frames_;
  if (waiting == 0) return;
  const SteadyTime now = steady_now();
  if (now < next_checkpoint_) return;
  const std::int64_t bytes = waiting * (page_bytes_ + kFrameHeaderBytes);
  const bool is_idle =
      !has_work(now) && queue_.size() == 0 && now >= last_write_ + kIdleBeforeCheckpoint;
  if (is_idle || bytes >= static_cast<std::int64_t>(options_.wal_checkpoint_bytes)) checkpoint();
}

void StoreThread::checkpoint() {
  const OnDisk waiting(counters_);
  int frames = 0;
  int done = 0;
  const int code = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr,
                                             SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
  if (is_sync_failure(code)) die("the sync of a checkpoint failed");
  if (code == SQLITE_OK) {
    wal_frames_ = frames;
    checkpointed_frames_ = done;
    if (done == frames) return;
  } else {
    report_failure("store_checkpoint_failed", code, sqlite3_errmsg(database_->handle()));
  }
  next_checkpoint_ = steady_now() + kAfterFailedCheckpoint;
}

void StoreThread::measure() {
  control_->page_count.step();
  const std::int64_t pages = control_->page_count.integer(0);
  control_->page_count.reset();
  control_->free_count.step();
  const std::int64_t free_pages = control_->free_count.integer(0);
  control_->free_count.reset();
  delivery::PendingTotals dead = {counters_.dead_letters, counters_.dead_letter_bytes};
  if (session_->dead_letters.changed_since_asked()) dead = session_->dead_letters.totals();
  if (database_->failed()) {
    database_->clear_failure();
    return;
  }
  counters_.dead_letters.store(dead.messages, std::memory_order_relaxed);
  counters_.dead_letter_bytes.store(dead.bytes, std::memory_order_relaxed);
  const std::int64_t used = (pages - free_pages) * page_bytes_;
  queue_.slots()->set_database_bytes(used);
  counters_.file_bytes.store(pages * page_bytes_, std::memory_order_relaxed);
  counters_.used_bytes.store(used, std::memory_order_relaxed);
  counters_.wal_bytes.store(wal_frames_ * (page_bytes_ + kFrameHeaderBytes),
                            std::memory_order_relaxed);
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
  checkpoint();
  control_.reset();
  session_.reset();
  database_.reset();
}

void StoreThread::report_failure(const char* event, int code, const std::string& message) {
  const SteadyTime now = steady_now();
  if (now < next_report_) return;
  next_report_ = now + kBetweenReports;
  log::error(event, {{"code", code}, {"error", message}});
}

void StoreThread::die(const std::string& what) {
  counters_.writable.store(false, std::memory_order_relaxed);
  log::error("store_fatal", {{"error", what}});
  if (options_.on_fatal) options_.on_fatal(what);
  std::abort();
}

}  // namespace holdfast::storage
