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
#include <holdfast/delivery/message_store.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/identity/stores.hpp>
#include <holdfast/storage/store_metrics.hpp>

namespace holdfast::storage {

/// Options that every engine takes.
struct StoreOptions {
  std::size_t queue_slots = 16'384;     ///< inserts and records that wait or are in a transaction
  std::size_t queue_bytes = 256 << 20;  ///< payload of those, at most
  std::size_t page_bytes_per_batch = 4 << 20;
  std::size_t batch_operations = 4'096;
  std::int64_t dead_letters_max = 100'000;
  std::int64_t dead_letters_bytes_max = std::int64_t{1} << 30;
};

/// Called on the store's thread when a commit's outcome is unknown, with the reason. Must not
/// return.
using OnFatal = std::function<void(const std::string&)>;

/// A store's work at this moment.
struct StoreStats {
  std::size_t queued = 0;  ///< slots taken: inserts and records from reservation to completion
  std::size_t slots = 0;   ///< in all
  bool writable = true;    ///< the last commit succeeded
  /// True while its thread waits for the disk.
  bool blocked = false;
  /// The longest wait of an operation, or of the thread for the disk.
  Milliseconds oldest_wait{0};
};

/// Port: facts of this instance that never change (`user_pool_id`, `client_id`). Completions on the
/// handle's executor, after the commit. Errors: `unavailable`.
class InstanceStore {
 public:
  virtual ~InstanceStore() = default;
  /// Stores `value` under `name` unless there is a value already. Answers the stored value.
  virtual void get_or_set(std::string name, std::string value,
                          Completion<Result<std::string>> done) = 0;
  /// Answers the value; nullopt if there is none.
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

/// Implements the ports of delivery, identity and iam, whatever the engine. Commits in the order of
/// its calls. Teardown: `stop` the store, stop the shards, destroy the mailboxes, then the store.
class Store {
 public:
  virtual ~Store() = default;
  /// Returns the state from which the mailboxes start, as of the opening of the store. It is handed
  /// over once, and empty later, because it grows with the users who have pending messages.
  [[nodiscard]] virtual delivery::StartState take_start_state() = 0;
  /// Makes handles for `executor`, which outlives the store's run. Call it before any use of
  /// another handle, or on no shard.
  [[nodiscard]] virtual StoreHandles& handles(Executor& executor) = 0;
  [[nodiscard]] virtual StoreStats stats() const = 0;
  [[nodiscard]] virtual const StoreMetrics& metrics() const noexcept = 0;
  /// Reads all metrics of the store, its engine's own included. Any thread.
  virtual void collect(MetricCollector& out) const = 0;
  /// Proves that the store's thread is alive: runs `answered` there, the next time it looks at its
  /// queue. Drops it when the store stops. Any thread.
  virtual void probe(Task answered) = 0;

  /// Runs the queued operations, leaves a database that opens quickly, and ends the thread. Not on
  /// an executor that a completion needs.
  virtual void stop() = 0;
};

}  // namespace holdfast::storage
