#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <holdfast/base/error.hpp>
#include <holdfast/storage/store.hpp>

namespace holdfast::storage {

/// How far the copy of a running store's database has come.
struct BackupStatus {
  enum class Stage : std::uint8_t {
    copying,
    checking,  ///< copied; now all of the copy is read
    done,      ///< checked, and on the disk for good
    failed,    ///< `error` says why; the file is gone
  };
  Stage stage{};
  std::string path;
  std::int64_t bytes_done = 0;  ///< of `copying`
  std::int64_t bytes_total = 0;
  std::optional<Error> error;
};

/// A store whose database is in files of this machine: somebody has to copy them, and to see that
/// there is room for them. A store on a server leaves both to that server.
class FileStore : public Store {
 public:
  [[nodiscard]] virtual const FileMetrics& file_metrics() const noexcept = 0;

  /// Begins a copy of the database into a new file of mode 0600, in the place of what is there:
  /// everything that is committed when this is called, and some of what is later. The store goes on
  /// meanwhile. `conflict` while another one is being made, `unavailable` when the system gives no
  /// thread for it. `on_end` is told how it ended, on that thread.
  [[nodiscard]] virtual Result<void> begin_backup(
      const std::string& path, std::function<void(const BackupStatus&)> on_end = {}) = 0;
  /// Of the last one; nullopt when there was none. Any thread.
  [[nodiscard]] virtual std::optional<BackupStatus> backup_status() const = 0;
  /// Ends one that is being made; it fails soon. Any thread.
  virtual void cancel_backup() = 0;

  /// Limits the pages in use from now on; 0: no limit. Any thread.
  virtual void set_database_bytes_max(std::int64_t bytes) = 0;
  /// Sets what inserts leave free on the disk from now on; 0: the disk is not watched. Any thread.
  virtual void set_disk_free_min(std::int64_t bytes) = 0;
};

}  // namespace holdfast::storage
