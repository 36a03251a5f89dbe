#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <holdfast/base/audit.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/histogram.hpp>
#include <holdfast/delivery/message_store.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/identity/stores.hpp>
#include <holdfast/storage/backup.hpp>

namespace holdfast::storage {

struct StoreOptions {
  std::string path;                     ///< the database file; its folder exists
  std::size_t queue_slots = 16'384;     ///< inserts and records waiting or in a transaction
  std::size_t queue_bytes = 256 << 20;  ///< payload of those, at most
  /// Of pages in use, what is queued included; beyond it nothing is reserved. 0: no bound but the
  /// disk.
  std::int64_t database_bytes_max = 0;
  /// What inserts leave free on the disk, so that all else goes on: below it nothing is reserved. A
  /// disk smaller than eight times as much keeps an eighth of itself. 0: the disk is not watched.
  std::int64_t disk_free_min = std::int64_t{256} << 20;
  std::size_t page_bytes_per_batch = 4 << 20;
  std::size_t batch_operations = 4'096;
  std::int64_t dead_letters_max = 100'000;
  std::int64_t dead_letters_bytes_max = std::int64_t{1} << 30;
  std::size_t wal_checkpoint_bytes = 16 << 20;
  std::int64_t cache_kib = 64 << 10;  ///< of the database's pages, in memory
  /// A commit's outcome is unknown: called on the store thread with what happened; must not return.
  std::function<void(const std::string&)> on_fatal;
};

struct StoreStats {
  std::size_t queued = 0;   ///< slots taken: inserts and records from reservation to completion
  std::size_t slots = 0;    ///< in all
  std::size_t waiting = 0;  ///< operations that the thread has not taken yet
  std::uint64_t transactions = 0;
  std::uint64_t operations = 0;
  std::uint64_t failed_transactions = 0;
  std::int64_t database_bytes = 0;  ///< the file's size
  std::int64_t used_bytes = 0;      ///< without free pages: what is held against the bound
  std::int64_t bytes_max = 0;       ///< that bound; 0: none
  std::int64_t wal_bytes = 0;
  std::int64_t disk_free_min = 0;  ///< what messages leave free; 0: the disk is not watched
  bool disk_low = false;           ///< there is little more room than that
  bool disk_full = false;          ///< no message is taken for want of room on the disk
  std::int64_t damaged = 0;        ///< messages that were not as they were written
  std::int64_t missing = 0;        ///< pending ones that could not be read, by the last look
  bool writable = true;            ///< the last commit succeeded
  bool on_disk = false;            ///< its thread waits for the disk at this moment
  /// How long the operation waits that has waited longest, or the disk has been waited for.
  Milliseconds oldest_wait{0};
  delivery::PendingTotals dead_letters;  ///< that are kept
  BatchHistogram batch;     ///< operations of each transaction that wrote and was committed
  LatencyHistogram commit;  ///< its time from BEGIN to the end of COMMIT, in microseconds
};

/// Port: facts of this instance that are made once and never change (`user_pool_id`, `client_id`).
/// Completions on the handle's executor, after the commit. Errors: `unavailable`.
class InstanceStore {
 public:
  virtual ~InstanceStore() = default;
  /// The value of `name`, which becomes `value` when there is none yet: answers what is kept.
  virtual void get_or_set(std::string name, std::string value,
                          Completion<Result<std::string>> done) = 0;
  /// nullopt when there is none.
  virtual void find(std::string name, Completion<Result<std::optional<std::string>>> done) = 0;
};

/// The handles of one executor. The store owns them.
struct StoreHandles {
  std::unique_ptr<delivery::MessageStore> messages;
  std::unique_ptr<delivery::ConnectionStore> connections;
  std::unique_ptr<identity::UserStore> users;
  std::unique_ptr<identity::TokenStore> tokens;
  std::unique_ptr<identity::RefreshTokenStore> refresh_tokens;
  std::unique_ptr<identity::CodeStore> codes;
  std::unique_ptr<identity::AttemptStore> attempts;
  std::unique_ptr<identity::KnownAddressStore> known_addresses;
  std::unique_ptr<identity::KeyStore> keys;
  std::unique_ptr<iam::AccessKeyStore> access_keys;
  std::unique_ptr<InstanceStore> instance;
  std::unique_ptr<AuditStore> audit;
};

/// The SQLite store: one thread, one connection, group commit. Teardown: `stop` the store, stop the
/// shards, destroy the mailboxes, then the store.
class Store {
 public:
  virtual ~Store() = default;
  /// What the mailboxes start from, of the moment when the store was opened. Handed over: it is
  /// empty from then on, as it may be as large as all users who have something pending.
  [[nodiscard]] virtual delivery::StartState take_start_state() = 0;
  /// New handles for `executor`, which outlives the store's run. Before any use of another handle,
  /// or on no shard.
  [[nodiscard]] virtual StoreHandles& handles(Executor& executor) = 0;
  [[nodiscard]] virtual StoreStats stats() const = 0;
  /// Runs `answered` on the store's thread, when it next looks at its queue, or drops it when the
  /// store stops: whether the thread is alive. Any thread.
  virtual void beat(Task answered) = 0;

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

  /// Bound on the pages in use from now on; 0: none. Any thread.
  virtual void set_database_bytes_max(std::int64_t bytes) = 0;

  /// What inserts leave free on the disk from now on, as in the options. Any thread.
  virtual void set_disk_free_min(std::int64_t bytes) = 0;

  /// Runs what is queued, checkpoints, closes the file and ends the thread. Not on an executor that
  /// a completion needs.
  virtual void stop() = 0;
};
/// Opens or creates the database, also on a full disk when there is one already, commits a ceiling
/// 60 s ahead, applies the migrations, clears the connections table, and starts the thread. Errors
/// name the file: `io` (cannot open, corrupt, truncated), `conflict` (a newer schema, in use by
/// another process).
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(StoreOptions options, const Clock& clock);

}  // namespace holdfast::storage
