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
  std::size_t queue_slots = 16'384;     ///< inserts and records waiting or in a transaction
  std::size_t queue_bytes = 256 << 20;  ///< payload of those, at most
  std::size_t page_bytes_per_batch = 4 << 20;
  std::size_t batch_operations = 4'096;
  std::int64_t dead_letters_max = 100'000;
  std::int64_t dead_letters_bytes_max = std::int64_t{1} << 30;
  /// A commit's outcome is unknown: called on the store's thread with what happened; must not
  /// return.
  std::function<void(const std::string&)> on_fatal;
};

/// A store's work at this moment.
struct StoreStats {
  std::size_t queued = 0;  ///< slots taken: inserts and records from reservation to completion
  std::size_t slots = 0;   ///< in all
  bool writable = true;    ///< the last commit succeeded
  /// Its thread waits at this moment for what the database lies on.
  bool blocked = false;
  /// How long the operation waits that has waited longest, or the thread has been blocked.
  Milliseconds oldest_wait{0};
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

/// What implements the ports of delivery, identity and iam, whatever engine is behind it. Commits
/// in the order of its calls. Teardown: `stop` the store, stop the shards, destroy the mailboxes,
/// then the store.
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
  [[nodiscard]] virtual const StoreMetrics& metrics() const noexcept = 0;
  /// Reads all metrics of the store, its engine's own included. Any thread.
  virtual void collect(MetricCollector& out) const = 0;
  /// Runs `answered` on the store's thread, when it next looks at its queue, or drops it when the
  /// store stops: whether the thread is alive. Any thread.
  virtual void probe(Task answered) = 0;

  /// Runs what is queued, leaves the database so that it opens quickly, and ends the thread. Not on
  /// an executor that a completion needs.
  virtual void stop() = 0;
};

}  // namespace holdfast::storage
