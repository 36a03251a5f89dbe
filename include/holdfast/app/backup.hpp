#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::app {

/// The handling of a file in the place of a backup.
enum class Existing : std::uint8_t { keep, replace };

/// Checks that a backup may be written to `file`: nothing is there, or a regular file that may be
/// replaced. Errors: `already_exists`, `invalid_argument`.
[[nodiscard]] Result<void> check_backup_target(const std::string& file, Existing existing);

/// Options for keeping the finished copy that a running gateway has made in its data directory.
struct KeepOptions {
  std::string data_dir;  ///< its `backup.partial` is the copy, and is gone afterwards
  std::string file;
  Existing existing = Existing::keep;
  /// Also writes `FILE.key`, the gateway's master key: `master_key` (the value of
  /// `HOLDFAST_MASTER_KEY`), or else that of `data_dir`.
  bool with_master_key = false;
  std::optional<std::string> master_key;
};
struct KeepReport {
  /// True if `FILE.mac` was written, a MAC of the file under a key derived from the master key.
  /// False without a master key.
  bool authenticated = false;
};
/// Copies it, checks the copy, and puts it in place. The data directory may be another user's. So
/// the copy must be a regular file of the folder's owner with one name, and no name of the
/// gateway's choice is followed. The files have mode 0600, are written aside, synced and renamed.
/// The copy is checked against the master key. Errors: those of `check_backup_target`, `io`, and
/// those of the master key.
[[nodiscard]] Result<KeepReport> keep_backup(const KeepOptions& options);

/// The contents of a database, and its faults.
struct DatabaseReport {
  std::int64_t schema = 0;
  std::int64_t known_schema = 0;  ///< the newest that this program knows
  std::int64_t bytes = 0;
  std::int64_t users = 0;
  std::int64_t pending_users = 0;
  std::int64_t pending_messages = 0;
  std::int64_t dead_letters = 0;
  std::int64_t rows_without_checksum = 0;  ///< without those of `added`
  std::vector<std::string> problems;       ///< none: the database is sound
  struct AddedChecksums {
    std::int64_t messages = 0;
    std::int64_t dead_letters = 0;
  };
  std::optional<AddedChecksums> added;  ///< if asked for, and the database is sound
};
struct CheckOptions {
  std::string data_dir;
  std::string file;  ///< a file to check instead of the data directory's database; may be empty
  std::optional<std::string> master_key;  ///< the value of `HOLDFAST_MASTER_KEY`
  /// Adds checksums to rows from before there were any, in the data directory's database.
  bool add_checksums = false;
};
/// Reads a whole database. `conflict` if a gateway has the directory.
[[nodiscard]] Result<DatabaseReport> check_data(const CheckOptions& options);

struct RestoreOptions {
  std::string file;  ///< a backup; it is only read
  std::string data_dir = "./data";
  /// Restores over an existing database, which is kept beside the new one.
  bool replace = false;
  /// The file of the master key. Empty: `master_key`, else `FILE.key`, else the data directory's.
  std::string master_key_file;
  std::optional<std::string> master_key;  ///< the value of `HOLDFAST_MASTER_KEY`
  /// Keeps logins. Without the replaced database, those that ended since the backup are valid
  /// again.
  bool keep_logins = false;
  /// Disables all access keys. Without the replaced database it is unknown which were deleted since
  /// the backup.
  bool disable_access_keys = false;
  /// Accepts a file without its `FILE.mac`, which another writer may have changed.
  bool unauthenticated = false;
  const Clock* clock = nullptr;  ///< nullptr: the machine's
};
struct RestoreReport {
  DatabaseReport database;
  std::string key_from;       ///< the source of the key that opened the database, for people
  std::string kept_database;  ///< the file of the replaced database; empty: there was none
  std::string kept_key;       ///< the file of the replaced key; empty: there was none
  struct AccessKey {
    std::string id;
    std::string name;
  };
  std::vector<AccessKey> enabled_keys;   ///< those that sign requests from now on
  std::vector<AccessKey> disabled_keys;  ///< by this restore
  std::int64_t disabled_users = 0;       ///< by this restore
  /// True if the replaced database says what was revoked since the backup.
  bool revocations_known = false;
};
/// Puts a backup into a data directory on which no gateway runs. A failure before the last steps
/// leaves the directory as it was. An interruption during them leaves a directory without a
/// database, on which no gateway starts; another run completes it. Sequence numbers go on above
/// those that clients may have seen. Errors: `conflict` (in use, a newer schema), `already_exists`
/// (there is a database), `io` (damaged, cannot be read or written), `not_found` (no master key, no
/// `FILE.mac`), `invalid_argument` (a key that does not open it, a changed file).
[[nodiscard]] Result<RestoreReport> restore_backup(const RestoreOptions& options);

}  // namespace holdfast::app
