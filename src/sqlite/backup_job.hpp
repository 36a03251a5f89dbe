#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <holdfast/base/clock.hpp>
#include <holdfast/storage/file_store.hpp>

#include "sqlite.hpp"

struct sqlite3_backup;

namespace holdfast::sqlite {

/// Copies the store's database while the store goes on.
///
/// The store's own connection is the source, a few pages at a time between its transactions. SQLite
/// then carries later changes over into the copy by itself, and the copy is the database as of the
/// last step (https://www.sqlite.org/backup.html). Waiting for the copy's disk and reading all of
/// the copy happen on a thread of the job's own.
class BackupJob {
 public:
  /// Called with the outcome, once, on the job's thread.
  using OnEnd = std::function<void(const storage::BackupStatus&)>;
  BackupJob(std::string path, OnEnd on_end);
  ~BackupJob();
  BackupJob(const BackupJob&) = delete;
  BackupJob& operator=(const BackupJob&) = delete;

  /// Starts the job. `wake`, called on the job's thread, makes the store's thread call `step` until
  /// it returns false. `unavailable` if the system gives no more threads; then the job has failed.
  [[nodiscard]] Result<void> start(std::function<void()> wake);
  /// Copies some pages, for about `kStepTime`. On the store's thread, outside of a transaction.
  /// Returns false when there is nothing to do for now, or for good.
  bool step(Database& source);
  /// Ends the calls of `step`. On the store's thread.
  void abandon();
  /// Cancels the job. Any thread.
  void cancel() noexcept { cancelled_ = true; }
  /// Cancels the job, and waits for its end. Not on the store's thread.
  void stop();
  [[nodiscard]] storage::BackupStatus status() const;

 private:
  struct FinishBackup {
    void operator()(sqlite3_backup* backup) const noexcept;
  };
  enum class Turn : std::uint8_t { none, copying, over };

  void run();
  [[nodiscard]] Result<void> make();
  [[nodiscard]] Result<void> open_target();
  [[nodiscard]] Result<void> copy();
  [[nodiscard]] Result<void> seal() const;
  void end_copying(std::optional<Error> error);
  void set_stage(storage::BackupStage stage);

  const std::string path_;
  const OnEnd on_end_;
  std::function<void()> wake_;
  std::atomic<bool> cancelled_{false};
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  storage::BackupStatus status_;
  Turn turn_ = Turn::none;
  bool abandoned_ = false;
  std::optional<Error> copy_error_;

  // The job's thread makes it; the store's thread uses it while `turn_` is copying.
  std::unique_ptr<Database> target_;
  std::unique_ptr<sqlite3_backup, FinishBackup> backup_;
  int pages_per_step_ = 0;
  std::int64_t page_bytes_ = 0;
};

}  // namespace holdfast::sqlite
