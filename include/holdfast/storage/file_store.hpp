#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <holdfast/base/error.hpp>
#include <holdfast/storage/store.hpp>

namespace holdfast::storage {

/// The steps of a backup, in their order. It ends as `done` or `failed`.
enum class BackupStage : std::uint8_t {
  copying,
  checking,  ///< copied; now the whole copy is read
  done,      ///< checked and synced to the disk
  failed,    ///< `error` says why; the file is gone
};

/// The progress of a backup: the copy of a running store's database.
struct BackupStatus {
  BackupStage stage{};
  std::string path;
  std::int64_t bytes_done = 0;  ///< of `copying`
  std::int64_t bytes_total = 0;
  std::optional<Error> error;
};

/// A store whose database is in files of this machine. The operator copies them and watches their
/// disk. A store on a server leaves both to that server.
class FileStore : public Store {
 public:
  [[nodiscard]] virtual const FileMetrics& file_metrics() const noexcept = 0;

  /// Begins a copy of the database into a new file of mode 0600, replacing an existing one. The
  /// copy has everything that is committed now, and some later changes. The store goes on
  /// meanwhile. `on_end` gets the outcome, on the copying thread. Errors: `conflict` while another
  /// copy is being made, `unavailable` if the system gives no thread.
  [[nodiscard]] virtual Result<void> begin_backup(
      const std::string& path, std::function<void(const BackupStatus&)> on_end = {}) = 0;
  /// Returns the state of the last backup; nullopt if there was none. Any thread.
  [[nodiscard]] virtual std::optional<BackupStatus> backup_status() const = 0;
  /// Cancels the running backup, which soon fails. Any thread.
  virtual void cancel_backup() = 0;

  /// Limits the pages in use from now on, in bytes; 0: no limit. Any thread.
  virtual void set_database_bytes_max(std::int64_t bytes) = 0;
  /// Sets the bytes that inserts leave free on the disk; 0: the disk is not watched. Any thread.
  virtual void set_disk_free_min(std::int64_t bytes) = 0;
};

}  // namespace holdfast::storage
