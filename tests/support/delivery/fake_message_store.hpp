#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

#include "support/delivery/fake_database.hpp"

namespace holdfast::test {

/// The message store's port over maps. `automatic` commits each operation at once; `manual` lets
/// the test take a batch, commit it, fail it, or stop in the middle. Completions are posted to the
/// executor. Destroying it with work inside is a crash: nothing of it is ever answered.
class FakeMessageStore final : public delivery::MessageStore {
 public:
  enum class Mode { automatic, manual };
  enum class Kind {
    insert,
    record,
    ceiling,
    erase,
    read,
    expire,
    find_expired,
    forget,
    other,
  };

  FakeMessageStore(std::shared_ptr<FakeDatabase> database, Executor& executor,
                   Mode mode = Mode::automatic, std::size_t slots = 1024)
      : database_(std::move(database)), executor_(executor), mode_(mode), slots_(slots) {}

  std::optional<delivery::Reservation> reserve(std::size_t payload_bytes) override;
  std::size_t capacity() const override { return slots_; }
  std::size_t capacity_bytes() const override { return bytes_; }
  void insert(std::vector<delivery::Insert> inserts, Completion<Result<void>> done) override;
  void record(std::optional<delivery::DeduplicationRecord> record,
              std::optional<MessageId> dead_letter, delivery::Reservation reservation,
              Completion<Result<void>> done) override;
  void erase(const UserId& user, Sequence above, Sequence up_to,
             Completion<Result<delivery::PendingTotals>> done) override;
  void read_page(delivery::PageQuery query, Completion<Result<delivery::Page>> done) override;
  void expire(const UserId& user, Sequence above, Sequence up_to, WallTime now,
              Completion<Result<delivery::Moved>> done) override;
  void move_to_dead_letters(const UserId& user, Sequence above, Sequence up_to,
                            delivery::DeathCause cause, WallTime now,
                            Completion<Result<delivery::Moved>> done) override;
  void find_expired(delivery::ExpiryQuery query,
                    Completion<Result<delivery::ExpiryPage>> done) override;
  void end_purge(const UserId& user, Sequence up_to, Completion<Result<void>> done) override;
  void move_lifetimes(delivery::LifetimeMove move, Completion<Result<void>> done) override;
  void remember_time(WallTime now, Completion<Result<void>> done) override;
  void extend_ceiling(Sequence ceiling, Completion<Result<void>> done) override;
  void forget_deduplication(WallTime before, Completion<Result<void>> done) override;
  void list_pending(
      const UserId& after, std::size_t limit,
      Completion<Result<std::vector<std::pair<UserId, delivery::PendingTotals>>>> done) override;
  void find_pending(const UserId& user, const MessageId& id,
                    Completion<Result<std::optional<Sequence>>> done) override;
  void list_dead_letters(delivery::DeadLetterQuery query,
                         Completion<Result<delivery::DeadLetterPage>> done) override;
  void find_dead_letter(const MessageId& id,
                        Completion<Result<std::optional<delivery::DeadLetter>>> done) override;
  void delete_dead_letters(std::vector<MessageId> ids,
                           Completion<Result<std::vector<MessageId>>> done) override;

  // ---- the test's side

  /// `manual` from here on, or `automatic` again, which commits what waits.
  void set_mode(Mode mode);
  /// Reservations fail, as with a full disk or queue.
  void refuse_reservations(bool refuse) { refuse_reservations_ = refuse; }
  /// In automatic mode: every transaction fails while this is set.
  void fail_transactions(bool fail) { fail_transactions_ = fail; }
  /// Nothing becomes a dead letter while this is set, as when those are damaged.
  void refuse_dead_letters(bool refuse) { refuse_dead_letters_ = refuse; }
  /// Fails every erase for good.
  void fail_erases(bool fail) { fail_erases_ = fail; }

  /// Begins a transaction with what waits; with `late_reads`, page reads stay for a later one.
  /// False when there is nothing, or one is open.
  bool take(bool late_reads = false);
  /// Begins a transaction with the page reads alone, before writes that were called earlier: the
  /// real store has a lane for them. False when there is none, or a transaction is open.
  bool take_reads();
  /// Commits the open transaction and posts its completions; false when none is open.
  bool commit();
  /// The open transaction is rolled back: inserts, records, expiries and the like fail, reads and
  /// erases wait for `retry` (erases fail too when `give_up_erases`, reads when `give_up_reads`, as
  /// when the store stops). False when none is open.
  bool fail(bool give_up_erases = false, bool give_up_reads = false);
  /// Queues again what a rolled back transaction left, behind or before what came since.
  bool retry(bool behind = true);
  /// The commit's outcome is unknown: its effects are there or not, and nobody is answered. What a
  /// process does then is to end.
  bool commit_unanswered(bool durable);

  [[nodiscard]] std::size_t queued() const noexcept { return queue_.size(); }
  [[nodiscard]] bool transaction_open() const noexcept { return !batch_.empty(); }
  [[nodiscard]] bool retry_waits() const noexcept { return !again_.empty(); }
  /// Nothing waits, nothing is open.
  [[nodiscard]] bool idle() const noexcept {
    return queue_.empty() && batch_.empty() && again_.empty();
  }
  /// Slots taken.
  [[nodiscard]] std::size_t reserved() const noexcept { return *reserved_; }
  /// Bytes that it holds at most.
  void set_capacity_bytes(std::size_t bytes) { bytes_ = bytes; }
  /// Operations of a kind that were called so far.
  [[nodiscard]] std::size_t calls(Kind kind) const {
    const auto found = calls_.find(kind);
    return found == calls_.end() ? 0 : found->second;
  }
  /// Page reads called and not completed.
  [[nodiscard]] std::size_t open_reads() const noexcept { return open_reads_; }
  [[nodiscard]] const std::optional<delivery::PageQuery>& last_read() const { return last_read_; }
  [[nodiscard]] FakeDatabase& database() noexcept { return *database_; }

  /// Called with an insert, with its result just before its completion, and with expired rows at
  /// their commit.
  std::function<void(const delivery::Message&)> on_insert;
  std::function<void(const delivery::Message&, bool ok)> on_insert_result;
  std::function<void(const delivery::Message&)> on_expired;
  std::function<void(const delivery::Message&)> on_moved;

 private:
  using Tables = FakeDatabase::Tables;
  struct Operation {
    Kind kind;
    /// Runs against the tables at commit, or fails (nullptr); answers what to post.
    std::move_only_function<Task(Tables*)> finish;
  };

  void enqueue(Kind kind, std::move_only_function<Task(Tables*)> finish);
  delivery::Moved expire_rows(Tables& tables, const UserId& user, Sequence above, Sequence up_to,
                              WallTime now);

  std::shared_ptr<FakeDatabase> database_;
  Executor& executor_;
  Mode mode_;
  std::size_t slots_;
  std::size_t bytes_ = 64 << 20;
  std::shared_ptr<std::atomic<std::size_t>> reserved_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  std::shared_ptr<std::atomic<std::size_t>> reserved_bytes_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  std::atomic<bool> refuse_reservations_ = false;
  std::atomic<bool> fail_transactions_ = false;
  bool fail_erases_ = false;
  bool refuse_dead_letters_ = false;
  std::deque<Operation> queue_;
  std::deque<Operation> batch_;
  std::deque<Operation> again_;
  std::map<Kind, std::size_t> calls_;
  std::size_t open_reads_ = 0;
  std::optional<delivery::PageQuery> last_read_;
};

/// The connections table as a map.
class FakeConnectionStore final : public delivery::ConnectionStore {
 public:
  void opened(const delivery::ConnectionInfo& info) override { open.emplace(info.id, info); }
  void closed(const ConnectionId& id) override { open.erase(id); }

  std::map<ConnectionId, delivery::ConnectionInfo> open;
};

}  // namespace holdfast::test
