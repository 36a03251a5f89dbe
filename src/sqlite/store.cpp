// The store over SQLite: its handles, its thread, its backups.

#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <holdfast/base/log.hpp>
#include <holdfast/base/process.hpp>
#include <holdfast/sqlite/store.hpp>

#include "backup_job.hpp"
#include "data_file.hpp"
#include "messages.hpp"
#include "migrations.hpp"
#include "room.hpp"
#include "stepped_store.hpp"
#include "store_thread.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {
namespace {

constexpr Seconds kCeilingAhead{60};
// Each message is in the log and in the file, both times with its row.
constexpr std::int64_t kCopies = 2;
constexpr std::int64_t kRowBytes = 256;

/// Changes nothing in the database. Reports that its turn came, whatever became of the others'
/// transaction.
class Probe final : public Operation {
 public:
  explicit Probe(Task answered) : Operation(OnRollback::fail), answered_(std::move(answered)) {}
  void run(Tables& /*tables*/) override { answer(); }
  void fail() override { answer(); }
  void complete() override {}

 private:
  void answer() {
    if (Task answered = std::exchange(answered_, nullptr)) answered();
  }
  Task answered_;
};

class SqliteStore final : public SteppedStore {
 public:
  SqliteStore(DirectoryLock lock, delivery::StartState start_state, storage::SlotLimits limits,
              std::unique_ptr<Database> database, std::unique_ptr<Tables> tables,
              StoreThreadOptions options)
      : lock_(std::move(lock)),
        start_state_(std::move(start_state)),
        clock_(*options.clock),
        queue_(limits, clock_),
        loop_(std::move(database), std::move(tables), queue_, std::move(options)) {
    declare_queue_metrics();
  }
  ~SqliteStore() override { stop(); }

  delivery::StartState take_start_state() override { return std::exchange(start_state_, {}); }

  storage::StoreHandles& handles(Executor& executor) override {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_.emplace_back(executor);
    entry.handles.messages = make_message_store(queue_, entry.channel);
    entry.handles.connections = make_connection_store(queue_);
    entry.handles.users = make_user_store(queue_, entry.channel);
    entry.handles.tokens = make_token_store(queue_, entry.channel);
    entry.handles.refresh_tokens = make_refresh_token_store(queue_, entry.channel);
    entry.handles.codes = make_code_store(queue_, entry.channel);
    entry.handles.attempts = make_attempt_store(queue_, entry.channel);
    entry.handles.known_addresses = make_known_address_store(queue_, entry.channel);
    entry.handles.keys = make_key_store(queue_, entry.channel);
    entry.handles.access_keys = make_access_key_store(queue_, entry.channel);
    entry.handles.instance = make_instance_store(queue_, entry.channel);
    entry.handles.audit = make_audit_store(queue_, entry.channel);
    return entry.handles;
  }

  storage::StoreStats stats() const override {
    const storage::Slots& slots = *queue_.slots();
    return {.queued = slots.taken(),
            .slots = slots.limits().slots,
            .writable = metrics().writable.read() != 0,
            .blocked = loop_.waits().on_disk_since.load() != kNothingWaits,
            .oldest_wait = oldest_wait()};
  }
  const storage::StoreMetrics& metrics() const noexcept override { return loop_.metrics(); }
  const storage::FileMetrics& file_metrics() const noexcept override {
    return loop_.file_metrics();
  }
  void collect(MetricCollector& out) const override {
    metrics().collect(out);
    file_metrics().collect(out);
    of_queue_.collect(out);
  }

  void probe(Task answered) override {
    queue_.submit(Lane::read, nullptr, std::make_unique<Probe>(std::move(answered)));
  }

  Result<void> begin_backup(const std::string& path,
                            std::function<void(const storage::BackupStatus&)> on_end) override {
    const std::lock_guard lock(backup_mutex_);
    if (backup_ != nullptr) {
      using storage::BackupStage;
      const BackupStage stage = backup_->status().stage;
      if (stage == BackupStage::copying || stage == BackupStage::checking) {
        return fail(Errc::conflict, "a backup is being made", path);
      }
    }
    backup_ = std::make_shared<BackupJob>(path, std::move(on_end));
    loop_.set_backup(backup_);
    return backup_->start([this] { wake(); });
  }
  std::optional<storage::BackupStatus> backup_status() const override {
    const std::lock_guard lock(backup_mutex_);
    if (backup_ == nullptr) return std::nullopt;
    return backup_->status();
  }
  void cancel_backup() override {
    const std::lock_guard lock(backup_mutex_);
    if (backup_ == nullptr) return;
    backup_->cancel();
    wake();
  }

  void set_database_bytes_max(std::int64_t bytes) override {
    queue_.slots()->set_database_bytes_max(bytes);
  }

  /// Starts the thread that takes the turns.
  void start() {
    thread_ = start_thread("hf-store", [this] { loop_.run(); });
  }
  bool turn() override { return loop_.turn(SteadyTime()); }

  void set_disk_free_min(std::int64_t bytes) override { loop_.set_disk_free_min(bytes); }

  void stop() override {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    queue_.stop();
    if (thread_.joinable()) {
      thread_.join();
    } else {
      while (turn()) {
      }
    }
    const std::lock_guard backup_lock(backup_mutex_);
    if (backup_ != nullptr) backup_->stop();
  }

 private:
  void declare_queue_metrics() {
    const auto gauge = [this](const char* name, const char* help, MetricReader read) {
      of_queue_.add(MetricType::gauge, {name, help}, {}, std::move(read));
    };
    gauge("holdfast_store_queue_depth",
          "Messages that have a slot of the store's queue, from acceptance to commit or "
          "acknowledgement.",
          [this] { return static_cast<double>(queue_.slots()->taken()); });
    gauge("holdfast_store_queue_slots",
          "Slots of the store's queue; beyond them messages are refused.",
          [this] { return static_cast<double>(queue_.slots()->limits().slots); });
    gauge("holdfast_store_waiting_operations", "Operations that wait for the store's thread.",
          [this] { return static_cast<double>(queue_.size()); });
    gauge("holdfast_store_oldest_wait_seconds",
          "Time that the oldest waiting operation has waited for the store, or the store for its "
          "disk.",
          [this] { return std::chrono::duration<double>(oldest_wait()).count(); });
    gauge("holdfast_store_limit_bytes",
          "Limit of the used bytes, beyond which messages are refused; 0 means no limit.",
          [this] { return static_cast<double>(queue_.slots()->database_bytes_max()); });
  }
  Milliseconds oldest_wait() const {
    const StoreWaits& waits = loop_.waits();
    const SteadyTime since =
        std::min({queue_.oldest(), waits.in_hand_since.load(), waits.on_disk_since.load()});
    const SteadyTime now = clock_.steady_now();
    return since < now ? std::chrono::floor<Milliseconds>(now - since) : Milliseconds(0);
  }
  void wake() {
    probe([] {});
  }

  struct Entry {
    explicit Entry(Executor& executor) : channel(executor) {}
    Channel channel;
    storage::StoreHandles handles;
  };

  DirectoryLock lock_;
  delivery::StartState start_state_;
  const Clock& clock_;
  OperationQueue queue_;
  StoreThread loop_;
  MetricSet of_queue_;  ///< computed when they are read, from what any thread may read
  std::mutex mutex_;
  std::deque<Entry> entries_;
  mutable std::mutex backup_mutex_;
  std::shared_ptr<BackupJob> backup_;
  std::thread thread_;
  bool stopped_ = false;
};

Result<delivery::StartState> begin(Database& database, Tables& tables, const Clock& clock,
                                   const std::string& path) {
  delivery::StartState state;
  database.execute("BEGIN IMMEDIATE");
  tables.connections.clear();
  state.counter_start = std::max(tables.meta.ceiling(), unix_micros(clock.wall_now()));
  state.ceiling = state.counter_start + Microseconds(kCeilingAhead).count();
  tables.meta.raise_ceiling(state.ceiling);
  state.pending = tables.pending.list(UserId(), SIZE_MAX);
  state.deduplication = tables.deduplication.load();
  state.pending_purges = tables.pending_purges.load();
  state.known_time = tables.meta.known_time();
  database.execute("COMMIT");
  if (database.failed()) return std::unexpected(database.error(path));
  return state;
}

/// Returns the ballast beside the database, for a start that finds no room.
Ballast ballast_of(const Options& options) {
  const auto disk = look_at_disk(options.path);
  const auto log = static_cast<std::int64_t>(options.wal_checkpoint_bytes);
  const RoomPlan plan = plan_room(disk ? disk->bytes : INT64_MAX, options.disk_free_min, log);
  return {options.path, plan.ballast_bytes};
}

/// Opens the database. The store has no thread yet.
Result<std::unique_ptr<SqliteStore>> open_sqlite_store(Options options, const Clock& clock,
                                                       const Clock& thread_clock) {
  auto lock = DirectoryLock::acquire(options.path);
  if (!lock) return std::unexpected(lock.error());
  Ballast ballast = ballast_of(options);
  const auto make_room = [&ballast] {
    if (!ballast.let_go()) return false;
    log::warn("store_ballast_let_go", {{"bytes", ballast.bytes()}});
    return true;
  };
  auto database = open_data_file(options.path, embedded_migrations(), {}, make_room);
  if (!database) return std::unexpected(database.error());
  (*database)->execute(("PRAGMA cache_size = -" + std::to_string(options.cache_kib)).c_str());
  auto tables = std::make_unique<Tables>(**database,
                                         DeadLetterBounds{.messages = options.dead_letters_max,
                                                          .bytes = options.dead_letters_bytes_max});
  if ((*database)->failed()) return std::unexpected((*database)->error(options.path));
  auto state = begin(**database, *tables, clock, options.path);
  if (!state && (*database)->is_full() && make_room()) {
    (*database)->clear_failure();
    if ((*database)->in_transaction()) (*database)->execute("ROLLBACK");
    state = begin(**database, *tables, clock, options.path);
  }
  if (!state) return std::unexpected(state.error());
  const storage::SlotLimits limits{.slots = options.queue_slots,
                                   .payload_bytes = options.queue_bytes,
                                   .database_bytes = options.database_bytes_max,
                                   .copies = kCopies,
                                   .row_bytes = kRowBytes};
  return std::make_unique<SqliteStore>(
      std::move(*lock), std::move(*state), limits, std::move(*database), std::move(tables),
      StoreThreadOptions{.path = options.path,
                         .disk_free_min = options.disk_free_min,
                         .batch_operations = options.batch_operations,
                         .page_bytes_per_batch = options.page_bytes_per_batch,
                         .wal_checkpoint_bytes = options.wal_checkpoint_bytes,
                         .on_fatal = std::move(options.on_fatal),
                         .clock = &thread_clock});
}

}  // namespace

Result<std::unique_ptr<storage::FileStore>> open_store(Options options, const Clock& clock) {
  auto store = open_sqlite_store(std::move(options), clock, system_clock());
  if (!store) return std::unexpected(std::move(store.error()));
  (*store)->start();
  return std::move(*store);
}

Result<std::unique_ptr<SteppedStore>> open_stepped_store(Options options, const Clock& clock) {
  auto store = open_sqlite_store(std::move(options), clock, clock);
  if (!store) return std::unexpected(std::move(store.error()));
  return std::move(*store);
}

}  // namespace holdfast::sqlite
