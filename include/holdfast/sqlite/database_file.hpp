#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/identity/stores.hpp>

namespace holdfast::sqlite {

/// The contents of a database, and its faults.
struct DatabaseCheck {
  std::int64_t schema = 0;        ///< its version
  std::int64_t known_schema = 0;  ///< the newest that this program knows
  std::int64_t bytes = 0;
  std::int64_t users = 0;
  std::int64_t pending_users = 0;
  std::int64_t pending_messages = 0;
  std::int64_t dead_letters = 0;
  std::int64_t rows_without_checksum = 0;  ///< of messages and dead letters
  Sequence ceiling = 0;
  std::vector<identity::KeyStore::Row> data_keys;  ///< wrapped
  std::vector<std::string> problems;               ///< none: the database is sound
};

/// Reads a whole database that no process has open, without changing it. Runs SQLite's integrity
/// check, and checks the schema and Holdfast's own rules between the tables. Blocks for as long as
/// the disk takes. Ends early with `unavailable` once `cancelled` (may be null) is set. A damaged
/// database is no error: the result has problems. Errors: `io` (cannot be read, is no Holdfast
/// database), `conflict` (a newer schema).
[[nodiscard]] Result<DatabaseCheck> check_database(const std::string& path,
                                                   std::atomic<bool>* cancelled = nullptr);

/// The rows that were given a checksum.
struct AddedChecksums {
  std::int64_t messages = 0;
  std::int64_t dead_letters = 0;
};
/// Adds a checksum of the present contents to older rows without one. The database is sound and no
/// process has it open. Works in transactions of limited size, so an interruption leaves some rows
/// done. Errors: `io`, `conflict` (an older schema).
[[nodiscard]] Result<AddedChecksums> add_checksums(const std::string& path);

/// Moves the log of a database that no process has open into its file. Returns the ceiling of its
/// sequence numbers; nullopt if the database cannot be used.
[[nodiscard]] std::optional<Sequence> settle_database(const std::string& path);

/// Rules for turning a copy of a backup into the database of a gateway.
struct RestoreRules {
  Sequence ceiling = 0;  ///< of sequence numbers: at least this
  WallTime now;
  /// Ends all logins, because some may have ended since the backup.
  bool end_logins = true;
  /// The replaced database, which no process uses; empty: none can be read. Access keys and users
  /// that it lacks or has disabled are disabled in the copy. Its sign-outs, ended logins and newer
  /// passwords are taken over.
  std::string previous;
  bool disable_access_keys = false;  ///< all of them
  std::string actor{};               ///< the restoring user, for the audit log
};
/// The access that a restored database gives.
struct RestoredAccess {
  struct Key {
    std::string id;
    std::string name;
  };
  std::vector<Key> enabled_keys;
  std::vector<Key> disabled_keys;   ///< by this restore
  std::int64_t disabled_users = 0;  ///< by this restore
  /// True if the revocations of the replaced database are known. False if there is none, it cannot
  /// be read, or it is another gateway's.
  bool took_over = false;
};
/// Prepares a restored database, in one transaction. Updates the schema, raises the ceiling, and
/// removes connections, temporary tokens and confirmation codes, which may have been used since.
/// Tokens that are stored nowhere no longer open (see `KeyRing::seal_token`).
[[nodiscard]] Result<RestoredAccess> prepare_restored(const std::string& path,
                                                      const RestoreRules& rules);

}  // namespace holdfast::sqlite
