// Copies the database of a running store.

#include "backup_job.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/process.hpp>
#include <holdfast/sqlite/database_file.hpp>

namespace holdfast::sqlite {
namespace {

using std::chrono::steady_clock;
using storage::BackupStage;

// Limits the time that a delivery waits for one step of a copy.
constexpr std::chrono::microseconds kStepTime{2'000};
constexpr int kFirstPages = 64;
constexpr int kFewestPages = 8;
constexpr int kMostPages = 2'048;
// Reserves this for the database beside the copy, since a full disk refuses messages.
constexpr std::int64_t kRoomLeftBytes = std::int64_t{64} << 20;

std::unexpected<Error> failed_at(const std::string& doing, const std::string& path) {
  const int code = errno;
  return fail(Errc::io, "cannot " + doing + " " + path + ": " + std::strerror(code), path);
}

void remove_copy(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    ::unlink((path + suffix).c_str());
  }
}

Result<void> sync_path(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return failed_at("open", path);
  const bool synced = ::fsync(file) == 0;
  const int code = errno;
  ::close(file);
  errno = code;
  if (!synced) return failed_at("sync", path);
  return {};
}

}  // namespace

void BackupJob::FinishBackup::operator()(sqlite3_backup* backup) const noexcept {
  sqlite3_backup_finish(backup);
}

BackupJob::BackupJob(std::string path, OnEnd on_end)
    : path_(std::move(path)), on_end_(std::move(on_end)), pages_per_step_(kFirstPages) {
  status_.path = path_;
}

BackupJob::~BackupJob() { stop(); }

Result<void> BackupJob::start(std::function<void()> wake) {
  wake_ = std::move(wake);
  try {
    thread_ = start_thread("hf-backup", [this] { run(); });
  } catch (const std::system_error& error) {
    const std::lock_guard lock(mutex_);
    status_.stage = BackupStage::failed;
    status_.error = Error(Errc::unavailable, error.what(), path_);
    return std::unexpected(*status_.error);
  }
  return {};
}

void BackupJob::stop() {
  cancelled_ = true;
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

storage::BackupStatus BackupJob::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void BackupJob::run() {
  auto made = make();
  if (!made) remove_copy(path_);
  {
    const std::lock_guard lock(mutex_);
    status_.stage = made ? BackupStage::done : BackupStage::failed;
    if (!made) status_.error = std::move(made.error());
  }
  if (on_end_) on_end_(status());
}

Result<void> BackupJob::make() {
  if (auto opened = open_target(); !opened) return opened;
  if (auto copied = copy(); !copied) return copied;
  set_stage(BackupStage::checking);
  if (auto sealed = seal(); !sealed) return sealed;
  const auto check = check_database(path_, &cancelled_);
  if (!check) return std::unexpected(check.error());
  if (!check->problems.empty()) {
    return fail(Errc::io, "the copy is damaged, and so may be the database: " + check->problems[0],
                path_);
  }
  // `done` must hold, also after a power cut.
  if (auto synced = sync_path(path_, O_RDWR); !synced) return synced;
  return sync_path(std::filesystem::path(path_).parent_path().string(), O_RDONLY | O_DIRECTORY);
}

Result<void> BackupJob::open_target() {
  remove_copy(path_);
  const int file = ::open(path_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return failed_at("create", path_);
  ::close(file);
  auto target = Database::open(path_);
  if (!target) return std::unexpected(target.error());
  // The copy needs no journal: an interrupted one is dropped, and a whole one is synced at its end.
  (*target)->execute(
      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096;");
  if ((*target)->failed()) return std::unexpected((*target)->error(path_));
  target_ = std::move(*target);
  return {};
}

Result<void> BackupJob::copy() {
  std::unique_lock lock(mutex_);
  if (abandoned_) return fail(Errc::unavailable, "the store has stopped", path_);
  HOLDFAST_ASSERT(turn_ != Turn::copying && target_ != nullptr, "backup.copies_once");
  turn_ = Turn::copying;
  lock.unlock();
  wake_();
  lock.lock();
  changed_.wait(lock, [this] { return turn_ == Turn::over; });
  target_.reset();
  if (copy_error_) return std::unexpected(*copy_error_);
  return {};
}

// Takes the copy out of WAL mode, which it has from its source. A file that is whole by itself can
// be moved, and read from a read-only medium.
Result<void> BackupJob::seal() const {
  auto database = Database::open(path_);
  if (!database) return std::unexpected(database.error());
  const std::string mode = (*database)->text("PRAGMA journal_mode = DELETE");
  if ((*database)->failed()) return std::unexpected((*database)->error(path_));
  if (mode != "delete") return fail(Errc::io, "the copy keeps its write-ahead log", path_);
  return {};
}

bool BackupJob::step(Database& source) {
  {
    const std::lock_guard lock(mutex_);
    if (turn_ != Turn::copying) return false;
  }
  if (cancelled_) {
    end_copying(Error(Errc::unavailable, "the backup was cancelled", path_));
    return false;
  }
  if (backup_ == nullptr) {
    page_bytes_ = source.integer("PRAGMA page_size");
    const std::int64_t bytes = source.integer("PRAGMA page_count") * page_bytes_;
    struct statvfs room{};
    if (::statvfs(path_.c_str(), &room) == 0 &&
        static_cast<std::int64_t>(room.f_bavail * room.f_frsize) < bytes + kRoomLeftBytes) {
      end_copying(
          Error(Errc::io, "no room for a copy of " + std::to_string(bytes) + " bytes", path_));
      return false;
    }
    backup_.reset(sqlite3_backup_init(target_->handle(), "main", source.handle(), "main"));
    if (backup_ == nullptr) {
      end_copying(Error(Errc::io, sqlite3_errmsg(target_->handle()), path_));
      return false;
    }
  }
  const auto before = steady_clock::now();
  const int code = sqlite3_backup_step(backup_.get(), pages_per_step_);
  const auto took = steady_clock::now() - before;
  if (took > kStepTime) pages_per_step_ = std::max(kFewestPages, pages_per_step_ / 2);
  if (took < kStepTime / 2) pages_per_step_ = std::min(kMostPages, pages_per_step_ * 2);
  const std::int64_t pages = sqlite3_backup_pagecount(backup_.get());
  const std::int64_t left = sqlite3_backup_remaining(backup_.get());
  {
    const std::lock_guard lock(mutex_);
    status_.bytes_total = pages * page_bytes_;
    status_.bytes_done = (pages - left) * page_bytes_;
  }
  if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) return true;
  std::optional<Error> error;
  if (code != SQLITE_DONE) {
    error = Error(Errc::io, std::string("copying failed: ") + sqlite3_errstr(code), path_);
  }
  end_copying(std::move(error));
  return false;
}

void BackupJob::end_copying(std::optional<Error> error) {
  backup_.reset();
  const std::lock_guard lock(mutex_);
  HOLDFAST_ASSERT(turn_ == Turn::copying, "backup.ends_what_it_copies");
  copy_error_ = std::move(error);
  turn_ = Turn::over;
  changed_.notify_all();
}

void BackupJob::abandon() {
  std::unique_lock lock(mutex_);
  abandoned_ = true;
  if (turn_ != Turn::copying) return;
  lock.unlock();
  end_copying(Error(Errc::unavailable, "the store has stopped", path_));
}

void BackupJob::set_stage(BackupStage stage) {
  const std::lock_guard lock(mutex_);
  status_.stage = stage;
}

}  // namespace holdfast::sqlite
