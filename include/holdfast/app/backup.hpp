#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::app {

/// Whether a backup may be written to `file`: nothing is there, or, with `replace`, a regular file.
/// Errors: `already_exists`, `invalid_argument`.
[[nodiscard]] Result<void> check_backup_target(const std::string& file, bool replace);

/// Takes the finished copy that a running gateway has made in its data directory.
struct KeepOptions {
  std::string data_dir;  ///< its `backup.partial` is the copy, and is gone afterwards
  std::string file;
  bool replace = false;  ///< what is there already
  /// Also writes `FILE.key`: the gateway's master key, of `master_key` (the value of
  /// `HOLDFAST_MASTER_KEY`) or else of `data_dir`.
  bool with_master_key = false;
  std::optional<std::string> master_key;
};
struct KeepReport {
  /// `FILE.mac` was written: a MAC of the file under a key that is derived from the master key. Not
  /// so where the master key is not at hand.
  bool authenticated = false;
};
/// Copies it, checks what was copied, and puts that in place. The data directory may be another
/// user's: the copy must be a regular file of the folder's owner with one name, and no name that
/// the gateway could choose is followed. The files have mode 0600, are written aside, synced and
/// renamed. Errors: those of `check_backup_target`, `io`, and those of the master key, which is
/// held against the copy.
[[nodiscard]] Result<KeepReport> keep_backup(const KeepOptions& options);

/// What a database holds.
struct DatabaseReport {
  std::int64_t schema = 0;
  std::int64_t known_schema = 0;  ///< the newest that this program knows
  std::int64_t bytes = 0;
  std::int64_t users = 0;
  std::int64_t pending_users = 0;
  std::int64_t pending_messages = 0;
  std::int64_t dead_letters = 0;
  std::int64_t rows_without_checksum = 0;  ///< those of `added` are no more among them
  std::vector<std::string> problems;       ///< none: it is sound
  struct AddedChecksums {
    std::int64_t messages = 0;
    std::int64_t dead_letters = 0;
  };
  std::optional<AddedChecksums> added;  ///< where it was asked for, and the database is sound
};
struct CheckOptions {
  std::string data_dir;
  std::string file;  ///< that one in the place of the data directory's database; may be empty
  std::optional<std::string> master_key;  ///< the value of `HOLDFAST_MASTER_KEY`
  /// Gives rows from before there were checksums one, in the data directory's database.
  bool add_checksums = false;
};
/// Reads all of a database. `conflict` when a gateway has the directory.
[[nodiscard]] Result<DatabaseReport> check_data(const CheckOptions& options);

struct RestoreOptions {
  std::string file;  ///< a backup; it is only read
  std::string data_dir = "./data";
  /// Restores over a database that is there, which is kept beside the new one.
  bool replace = false;
  /// Where the master key is; empty: `master_key`, else `FILE.key`, else the data directory's.
  std::string master_key_file;
  std::optional<std::string> master_key;  ///< the value of `HOLDFAST_MASTER_KEY`
  /// Logins go on. Those that were ended since the backup are good again where the database before
  /// is gone.
  bool keep_logins = false;
  /// Disables all access keys: for where the database before is gone, and nobody knows which were
  /// deleted since the backup.
  bool disable_access_keys = false;
  /// Takes a file without its `FILE.mac`: whoever could write to it may have changed it.
  bool unauthenticated = false;
  const Clock* clock = nullptr;  ///< nullptr: the machine's
};
struct RestoreReport {
  DatabaseReport database;
  std::string key_from;       ///< what opened the database's keys, for people
  std::string kept_database;  ///< where the one before is; empty: there was none
  std::string kept_key;       ///< likewise
  struct AccessKey {
    std::string id;
    std::string name;
  };
  std::vector<AccessKey> enabled_keys;   ///< those that sign requests from now on
  std::vector<AccessKey> disabled_keys;  ///< by this restore
  std::int64_t disabled_users = 0;       ///< likewise
  /// What was revoked since the backup was taken from the database before.
  bool revocations_known = false;
};
/// Puts a backup into a data directory that no gateway runs on. Whatever goes wrong before the last
/// steps leaves the directory as it was. Cut short in the middle of those, it leaves a directory
/// without a database, which no gateway starts on; running it again completes it. Sequence numbers
/// go on above those that clients may have seen. Errors: `conflict` (in use, a newer schema),
/// `already_exists` (there is a database), `io` (damaged, cannot be read or written), `not_found`
/// (no master key, no `FILE.mac`), `invalid_argument` (a key that does not open it, a file that is
/// not as it was made).
[[nodiscard]] Result<RestoreReport> restore_backup(const RestoreOptions& options);

}  // namespace holdfast::app
