#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/storage/store_metrics.hpp>

#include "backup_job.hpp"
#include "queue.hpp"
#include "room.hpp"
#include "sqlite.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {

struct StoreThreadOptions {
  std::string path;                ///< the database file
  std::int64_t disk_free_min = 0;  ///< as configured; 0: the disk is not watched
  std::size_t batch_operations = 0;
  std::size_t batch_bytes = 8 << 20;  ///< of payload in one transaction
  std::size_t page_bytes_per_batch = 0;
  std::size_t wal_checkpoint_bytes = 0;
  std::function<void(const std::string&)> on_fatal;
  /// Times waits and measurements. It is the machine's clock, unless the caller takes the turns.
  const Clock* clock = &system_clock();
};

/// Since when the store's thread, and those who wait for it, have waited. Written on that thread,
/// read by any thread.
struct StoreWaits {
  /// For the disk, which may be slow for as long as it likes.
  std::atomic<SteadyTime> on_disk_since{kNothingWaits};
  /// The first of the operations that the thread has taken and not answered.
  std::atomic<SteadyTime> in_hand_since{kNothingWaits};
};

/// Runs the store's one thread over its one connection: group commit.
///
/// While a transaction commits, the next batch gathers in the queue. A lone operation runs at once.
/// After a large batch, the thread waits a small part of that batch's time, because its callers
/// come back one by one. Without this wait, the first would get a commit of its own and all others
/// would wait for two.
/// own, and all others wait for two.
class StoreThread {
 public:
  StoreThread(std::unique_ptr<Database> database, std::unique_ptr<Tables> tables,
              OperationQueue& queue, StoreThreadOptions options);

  /// Takes turns until there is none left.
  void run();
  /// Takes one turn. Runs a transaction of writes, the retries that are due, and a transaction of
  /// reads. Then takes a step of a copy and a checkpoint, if there is one to do. Waits for
  /// operations until `deadline`, or until something is due. Returns false once the queue is
  /// stopped and empty; the database is closed then.
  [[nodiscard]] bool turn(SteadyTime deadline);
  /// Takes the steps of this copy between its transactions. Any thread; the caller wakes the
  /// store's.
  void set_backup(std::shared_ptr<BackupJob> job);
  /// Sets the bytes that inserts leave free on the disk; 0: none. Any thread.
  void set_disk_free_min(std::int64_t bytes) noexcept { disk_free_min_ = bytes; }
  [[nodiscard]] const StoreWaits& waits() const noexcept { return waits_; }
  [[nodiscard]] const storage::StoreMetrics& metrics() const noexcept { return metrics_; }
  [[nodiscard]] const storage::FileMetrics& file_metrics() const noexcept { return files_; }

 private:
  using Batch = std::vector<OperationPtr>;
  enum class Mode : std::uint8_t {
    write,  ///< with as many waiting loads as a transaction's budget allows
    alone,  ///< retries, without loads
    read,
  };

  [[nodiscard]] SteadyTime steady_now() const { return options_.clock->steady_now(); }
  void gather(SteadyTime deadline);
  void take(SteadyTime deadline);
  void note_answered(SteadyTime began);
  [[nodiscard]] SteadyTime next_deadline(SteadyTime now) const;
  void fill_batch();
  void run_writes();
  void run_eviction();
  void fail_sweeps();
  /// Runs loads; returns as `run_part` does.
  [[nodiscard]] std::size_t run_loads(Batch& batch);
  void run_reads();
  void run_retries();
  void finish();

  /// Returns whether the next turn has work without being woken.
  [[nodiscard]] bool has_work(SteadyTime now) const;
  [[nodiscard]] bool has_loads(SteadyTime now) const;
  [[nodiscard]] bool evicts(SteadyTime now) const;
  /// Returns whether there are too many dead letters and none can be removed. Then none may be
  /// added.
  [[nodiscard]] bool is_eviction_stuck() const;
  struct Failure {
    int code = 0;
    std::string message;
    bool evicting = false;       ///< it was an eviction, and no operation's work
    std::optional<UserId> user;  ///< the user whose totals could not be written
  };
  /// The failure, if there was one. Nothing of a failed transaction remains.
  using Outcome = std::optional<Failure>;

  void transact(Batch& batch, Mode mode);
  void begin(Mode mode);
  /// A range of a batch's operations.
  struct Part {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  [[nodiscard]] Outcome commit_without_room(Batch& batch, Mode mode, Failure full);
  [[nodiscard]] Outcome commit_in_parts(Batch& batch, Mode mode, std::size_t culprit,
                                        Failure failure);
  /// Removes the failed operation from `part`, or cuts it. The rest goes on top of `waiting`.
  void narrow(const Batch& batch, Part& part, std::vector<Part>& waiting, std::size_t culprit,
              const Failure& failure, int round);
  /// Returns the index of the failed operation; past the end if none failed.
  std::size_t run_part(Batch& batch, Part& part, Mode mode);
  [[nodiscard]] bool run(Operation& operation);
  void leave_out(const Batch& batch, std::size_t index, const Failure& failure);
  /// Leaves out all operations of the user whose totals failed. Returns whether there were any in
  /// the part.
  bool leave_out(const Batch& batch, const Part& part, const Failure& failure);
  [[nodiscard]] bool is_empty(const Part& part) const;
  void note_eviction(bool was_stuck);
  [[nodiscard]] Outcome commit();
  Failure roll_back();
  void count(Mode mode, Microseconds took);
  void deliver(Batch& batch, Mode mode);
  void retry_or_fail(OperationPtr operation);
  [[nodiscard]] bool ends_with_store(const Operation& operation) const;
  void complete(OperationPtr operation);
  void post_completions();

  void step_backup();
  void checkpoint_if_due();
  enum class LogLength : std::uint8_t { keep, cut };
  void checkpoint(LogLength length);
  [[nodiscard]] int move_log(LogLength length);
  [[nodiscard]] bool let_go_of_ballast();
  void measure();
  void measure_room(std::int64_t pages, std::int64_t free_pages);
  void look_at_room(SteadyTime now);
  /// Returns how much of the log's file can be written without taking room.
  [[nodiscard]] std::int64_t log_rest() const;
  void report_failure(const char* event, int code, const std::string& message, SteadyTime& next);
  [[noreturn]] void die(const std::string& what);

  std::unique_ptr<Database> database_;
  std::unique_ptr<Tables> tables_;
  OperationQueue& queue_;
  StoreThreadOptions options_;
  StoreWaits waits_;
  storage::StoreMetrics metrics_;
  storage::FileMetrics files_;

  struct Control {
    explicit Control(Database& database);
    Statement begin_write;
    Statement begin_read;
    Statement commit;
    Statement roll_back;
    Statement page_count;
    Statement free_count;
  };
  std::unique_ptr<Control> control_;
  std::int64_t page_bytes_ = 0;

  OperationQueue::Taken taken_;
  std::deque<OperationPtr> writes_;
  std::deque<OperationPtr> removals_;  ///< taken from `writes_`, with all that was before them
  std::deque<OperationPtr> sweeps_;    ///< taken from `writes_`, with all that was before them
  bool sweeps_first_ = false;          ///< each kind comes first in every other transaction
  std::deque<OperationPtr> reads_;
  std::deque<OperationPtr> retries_;
  Batch batch_;
  std::vector<bool> left_out_;  ///< the operations of the batch that its transaction leaves out
  std::vector<Channel*> touched_;
  bool stopping_ = false;
  std::size_t expected_ = 0;  ///< operations of a batch, as estimated from earlier ones
  Microseconds last_batch_took_{0};

  std::mutex backup_mutex_;
  std::shared_ptr<BackupJob> backup_;
  bool backup_ended_ = false;    ///< the copy takes no more steps
  bool backup_goes_on_ = false;  ///< its next step is due

  std::atomic<std::int64_t> disk_free_min_;
  RoomPlan plan_;
  Ballast ballast_;
  DiskSpace disk_;
  std::int64_t file_bytes_ = 0;      ///< of the database, on the disk
  std::int64_t log_file_bytes_ = 0;  ///< of the log, on the disk
  std::int64_t bytes_since_look_ = 0;
  SteadyTime next_look_;
  SteadyTime full_until_;  ///< a commit failed because the disk was full

  int wal_frames_ = 0;           ///< in the log, as of the last commit
  int checkpointed_frames_ = 0;  ///< of those, in the database file too
  SteadyTime last_write_;
  SteadyTime next_checkpoint_;
  SteadyTime next_report_;
  SteadyTime next_eviction_;
  Milliseconds eviction_pause_{0};
  SteadyTime next_operation_report_;
};

}  // namespace holdfast::sqlite
