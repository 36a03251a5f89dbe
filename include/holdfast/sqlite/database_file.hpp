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

/// What is in a database, and what is wrong with it.
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
  std::vector<std::string> problems;               ///< none: it is sound
};

/// Reads all of a database that nobody else has open: SQLite's integrity check, the schema, and
/// what Holdfast itself holds true between its tables. Leaves the file as it is. Blocks for as long
/// as the disk takes; ends early, with `unavailable`, once `cancelled` (may be null) is set.
/// Errors: `io` (cannot be read, is no Holdfast database), `conflict` (a newer schema). A damaged
/// one is no error: it has problems.
[[nodiscard]] Result<DatabaseCheck> check_database(const std::string& path,
                                                   std::atomic<bool>* cancelled = nullptr);

/// How many rows were given a checksum.
struct AddedChecksums {
  std::int64_t messages = 0;
  std::int64_t dead_letters = 0;
};
/// Gives the rows that have no checksum, as they are from before there were any, one of what they
/// hold now. Of a database that nobody else has open and that was found sound. In transactions of
/// bounded size: cut short, it leaves a part of the rows summed. Errors: `io`, `conflict` (an older
/// schema).
[[nodiscard]] Result<AddedChecksums> add_checksums(const std::string& path);

/// Moves the log of a database that nobody else has open into it, so that its file is all of it,
/// and answers its ceiling of sequence numbers; nullopt when it cannot be used.
[[nodiscard]] std::optional<Sequence> settle_database(const std::string& path);

/// How a copy of a backup becomes what a gateway may start with.
struct RestoreRules {
  Sequence ceiling = 0;  ///< of sequence numbers: at least that
  WallTime now;
  /// Ends all logins: some may have been ended since the backup.
  bool end_logins = true;
  /// The database that was in its place and that nobody uses; empty: there is none that can be
  /// read. What it lacks or has disabled is disabled in the copy: access keys and users. Its
  /// sign-outs, its ends of logins and its newer passwords are taken over.
  std::string previous;
  bool disable_access_keys = false;  ///< all of them
  std::string actor{};               ///< who restores, for the audit log
};
/// What access a restored database gives.
struct RestoredAccess {
  struct Key {
    std::string id;
    std::string name;
  };
  std::vector<Key> enabled_keys;
  std::vector<Key> disabled_keys;   ///< by this restore
  std::int64_t disabled_users = 0;  ///< likewise
  /// What was revoked by the database before is known. False without one, with one that cannot be
  /// read, and with that of another gateway.
  bool took_over = false;
};
/// Brings the schema up to date, raises the ceiling, and removes what was of the moment:
/// connections, and the temporary tokens and confirmation codes, which may have been used since.
/// Tokens that are kept nowhere no longer open (see `KeyRing::seal_token`). All in one transaction.
[[nodiscard]] Result<RestoredAccess> prepare_restored(const std::string& path,
                                                      const RestoreRules& rules);

}  // namespace holdfast::sqlite
