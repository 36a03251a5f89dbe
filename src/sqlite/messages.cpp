// The operations of delivery's port on messages.

#include "messages.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/delivery/router.hpp>

#include "tables.hpp"

namespace holdfast::sqlite {
namespace {

using delivery::Moved;
using delivery::Page;
using delivery::PageQuery;
using delivery::PendingTotals;

bool tells_each(const Moved& moved) {
  return moved.bytes >= 0 && moved.messages == static_cast<std::int64_t>(moved.each.size());
}

class InsertOperation final : public Operation {
 public:
  InsertOperation(std::vector<delivery::Insert> inserts, Completion<Result<void>> done)
      : Operation(OnRollback::fail), inserts_(std::move(inserts)), done_(std::move(done)) {
    HOLDFAST_ASSERT(!inserts_.empty(), "insert.has_rows");
    const delivery::Message* last = nullptr;
    for (const auto& insert : inserts_) {
      const delivery::Message& message = *insert.message;
      HOLDFAST_ASSERT(last == nullptr || message.sequence > last->sequence, "insert.rises");
      HOLDFAST_ASSERT(last == nullptr || message.user == last->user, "insert.is_of_one_user");
      last = &message;
      bytes_ += message.payload.size();
    }
  }

  void run(Tables& tables) override {
    for (const auto& insert : inserts_) {
      tables.messages.insert(*insert.message);
      if (insert.record) tables.deduplication.put(*insert.record);
      if (insert.redrive) static_cast<void>(tables.dead_letters.remove(insert.message->id));
    }
  }
  void fail() override { result_ = store_unavailable(); }
  void complete() override {
    inserts_.clear();  // the slots first: `done` may need one
    done_(std::move(result_));
  }
  [[nodiscard]] std::size_t bytes() const override { return bytes_; }
  [[nodiscard]] const UserId* inserts_for() const override {
    return &inserts_.front().message->user;
  }

 private:
  std::vector<delivery::Insert> inserts_;
  Completion<Result<void>> done_;
  Result<void> result_;
  std::size_t bytes_ = 0;
};

class RecordOperation final : public Operation {
 public:
  RecordOperation(std::optional<delivery::DeduplicationRecord> record,
                  std::optional<MessageId> dead_letter, delivery::Reservation reservation,
                  Completion<Result<void>> done)
      : Operation(OnRollback::fail),
        record_(std::move(record)),
        dead_letter_(dead_letter),
        reservation_(std::move(reservation)),
        done_(std::move(done)) {
    HOLDFAST_ASSERT(record_ || dead_letter_, "record.has_something_to_record");
  }

  void run(Tables& tables) override {
    if (record_) tables.deduplication.put(*record_);
    if (dead_letter_) static_cast<void>(tables.dead_letters.remove(*dead_letter_));
  }
  void fail() override { result_ = store_unavailable(); }
  void complete() override {
    reservation_.reset();
    done_(std::move(result_));
  }

 private:
  std::optional<delivery::DeduplicationRecord> record_;
  std::optional<MessageId> dead_letter_;
  delivery::Reservation reservation_;
  Completion<Result<void>> done_;
  Result<void> result_;
};

class ReadPageOperation final : public Operation {
 public:
  ReadPageOperation(PageQuery query, Completion<Result<Page>> done)
      : Operation(query.until_read ? OnRollback::retry_always : OnRollback::retry),
        query_(std::move(query)),
        done_(std::move(done)) {}

  // Damaged dead letters must not keep other messages from being delivered.
  void run(Tables& tables) override { result_ = tables.messages.read(query_, moves_, passed_); }
  void on_damage() override { moves_ = false; }
  // One transaction expires only some rows. The read goes on until it has a row, or none are left.
  [[nodiscard]] bool committed() override {
    expired_ += result_->expired;
    damaged_ += result_->damaged;
    auto& passed_over = result_->passed_over;
    if (result_->messages.empty() && !result_->end) {
      HOLDFAST_ASSERT(passed_over.size() <= 1, "page.passes_over_one_range_before_its_messages");
      if (!passed_over.empty()) {
        if (!passed_over_) passed_over_ = passed_over.front();
        passed_over_->up_to = passed_over.front().up_to;
      }
      query_.above = passed_;
      return true;
    }
    if (passed_over_) passed_over.insert(passed_over.begin(), *passed_over_);
    result_->expired = std::move(expired_);
    result_->damaged = std::move(damaged_);
    HOLDFAST_ASSERT(result_->messages.size() <= std::max<std::size_t>(query_.messages, 1),
                    "page.keeps_its_limit");
    HOLDFAST_ASSERT(tells_each(result_->expired) && tells_each(result_->damaged),
                    "page.tells_each_that_it_moved");
    return false;
  }
  void fail() override { result_ = store_unavailable(); }
  void complete() override { done_(std::move(result_)); }
  [[nodiscard]] std::size_t bytes() const override { return query_.bytes; }
  [[nodiscard]] const UserId* counts_for() const override { return &query_.user; }

 private:
  PageQuery query_;
  bool moves_ = true;
  Sequence passed_ = 0;
  Moved expired_;
  Moved damaged_;
  std::optional<delivery::SequenceRange> passed_over_;
  Completion<Result<Page>> done_;
  Result<Page> result_;
};

class EraseOperation final : public Operation {
 public:
  EraseOperation(UserId user, Sequence above, Sequence up_to,
                 Completion<Result<PendingTotals>> done)
      : Operation(OnRollback::retry, Load::removal),
        user_(std::move(user)),
        above_(above),
        up_to_(up_to),
        done_(std::move(done)) {}

  void run(Tables& tables) override {
    next_ = walk_;
    tables.messages.erase(user_, above_, up_to_, next_);
  }
  [[nodiscard]] bool committed() override {
    walk_ = next_;
    if (walk_.end) return false;
    never_give_up();
    return true;
  }
  void fail() override { result_ = store_unavailable(); }
  void complete() override {
    HOLDFAST_ASSERT(!result_ || walk_.end, "erase.answers_at_its_end");
    HOLDFAST_ASSERT(walk_.taken.messages >= 0 && walk_.taken.bytes >= 0,
                    "erase.removes_no_less_than_nothing");
    if (result_) result_ = walk_.taken;
    done_(std::move(result_));
  }
  [[nodiscard]] const UserId* counts_for() const override { return &user_; }

 private:
  UserId user_;
  Sequence above_;
  Sequence up_to_;
  RowWalk walk_;  ///< as committed
  RowWalk next_;
  Completion<Result<PendingTotals>> done_;
  Result<PendingTotals> result_;
};

class ExpireOperation final : public Operation {
 public:
  ExpireOperation(UserId user, Sequence above, Sequence up_to, WallTime now,
                  Completion<Result<Moved>> done)
      : Operation(OnRollback::fail, Load::sweep),
        user_(std::move(user)),
        above_(above),
        up_to_(up_to),
        now_(now),
        done_(std::move(done)) {}

  void run(Tables& tables) override {
    next_ = walk_;
    tables.messages.expire(user_, above_, up_to_, now_, next_);
  }
  [[nodiscard]] bool committed() override {
    walk_ = next_;
    return !walk_.end;
  }
  void fail() override { failed_ = true; }
  // Rows that earlier transactions moved stay moved, whatever became of the last one.
  void complete() override {
    HOLDFAST_ASSERT(tells_each(walk_.taken), "expire.tells_each_that_it_moved");
    if (failed_ && walk_.taken.messages == 0) return done_(store_unavailable());
    done_(walk_.taken);
  }
  [[nodiscard]] const UserId* counts_for() const override { return &user_; }

 private:
  UserId user_;
  Sequence above_;
  Sequence up_to_;
  WallTime now_;
  RowWalk walk_;  ///< as committed
  RowWalk next_;
  bool failed_ = false;
  Completion<Result<Moved>> done_;
};

class MoveToDeadLettersOperation final : public Operation {
 public:
  MoveToDeadLettersOperation(UserId user, Sequence above, Sequence up_to,
                             delivery::DeathCause cause, WallTime now,
                             Completion<Result<Moved>> done)
      : Operation(OnRollback::fail, Load::sweep),
        user_(std::move(user)),
        above_(above),
        up_to_(up_to),
        cause_(std::move(cause)),
        now_(now),
        done_(std::move(done)) {}

  void run(Tables& tables) override {
    result_ = tables.messages.move_to_dead_letters(user_, above_, up_to_, cause_, now_);
  }
  void fail() override { result_ = store_unavailable(); }
  void complete() override {
    HOLDFAST_ASSERT(!result_ || tells_each(*result_), "deletion.tells_each_that_it_moved");
    done_(std::move(result_));
  }
  [[nodiscard]] const UserId* counts_for() const override { return &user_; }

 private:
  UserId user_;
  Sequence above_;
  Sequence up_to_;
  delivery::DeathCause cause_;
  WallTime now_;
  Completion<Result<Moved>> done_;
  Result<Moved> result_;
};

class DeleteDeadLettersOperation final : public Operation {
 public:
  DeleteDeadLettersOperation(std::vector<MessageId> ids,
                             Completion<Result<std::vector<MessageId>>> done)
      : Operation(OnRollback::fail, Load::removal), ids_(std::move(ids)), done_(std::move(done)) {}

  void run(Tables& tables) override {
    next_ = at_;
    removed_.clear();
    while (next_ < ids_.size() && tables.budget.left()) {
      const MessageId& id = ids_[next_++];
      const auto bytes = tables.dead_letters.remove(id);
      tables.budget.spend(WorkBudget::of_eviction(bytes.value_or(0)));
      if (bytes) removed_.push_back(id);
    }
  }
  [[nodiscard]] bool committed() override {
    at_ = next_;
    deleted_.insert(deleted_.end(), removed_.begin(), removed_.end());
    HOLDFAST_ASSERT(deleted_.size() <= at_, "letters.deletes_what_it_looked_for");
    return at_ < ids_.size();
  }
  void fail() override { failed_ = true; }
  // Rows that earlier transactions deleted stay deleted, whatever became of the last one.
  void complete() override {
    if (failed_ && deleted_.empty()) return done_(store_unavailable());
    done_(std::move(deleted_));
  }

 private:
  std::vector<MessageId> ids_;
  std::size_t at_ = 0;  ///< the first that no committed transaction has looked for
  std::size_t next_ = 0;
  std::vector<MessageId> removed_;  ///< by the running transaction
  std::vector<MessageId> deleted_;
  bool failed_ = false;
  Completion<Result<std::vector<MessageId>>> done_;
};

class FindExpiredOperation final : public Operation {
 public:
  FindExpiredOperation(delivery::ExpiryQuery query, Completion<Result<delivery::ExpiryPage>> done)
      : Operation(OnRollback::retry), query_(std::move(query)), done_(std::move(done)) {}

  // Finds the users who are due behind a damaged page of the index without it.
  void run(Tables& tables) override {
    if (is_index_damaged_ && !is_by_user()) {
      query_.after = delivery::ExpiryPlace{.next_expiry = {}, .user = {}, .by_user = true};
    }
    result_ =
        is_by_user() ? tables.pending.list_due_by_user(query_) : tables.pending.list_due(query_);
  }
  void on_damage() override { is_index_damaged_ = true; }
  void fail() override { result_ = store_unavailable(); }
  void complete() override { done_(std::move(result_)); }

 private:
  [[nodiscard]] bool is_by_user() const { return query_.after && query_.after->by_user; }

  delivery::ExpiryQuery query_;
  bool is_index_damaged_ = false;
  Completion<Result<delivery::ExpiryPage>> done_;
  Result<delivery::ExpiryPage> result_;
};

class MoveLifetimesOperation final : public Operation {
 public:
  MoveLifetimesOperation(delivery::LifetimeMove move, Completion<Result<void>> done)
      : Operation(OnRollback::retry_always, Load::removal), move_(move), done_(std::move(done)) {}

  void run(Tables& tables) override {
    next_ = at_;
    step(tables);
    if (tables.met_damage()) pass_damage();
  }
  [[nodiscard]] bool committed() override {
    at_ = std::move(next_);
    return !at_.end;
  }
  void fail() override { result_ = store_unavailable(); }
  void complete() override { done_(std::move(result_)); }

 private:
  static constexpr std::size_t kUsersAtOnce = 256;

  struct Place {
    bool begun = false;
    bool end = false;
    std::deque<UserId> users;  ///< the next ones
    UserId last;               ///< of those that were listed
    RowWalk walk;              ///< over the first user's rows
    bool by_rows = false;      ///< users are listed by their rows, because their totals are damaged
  };

  void step(Tables& tables) {
    // Users whose first message is in the first transaction are listed only after its end.
    if (at_.end) {
      next_.end = true;
      return;
    }
    if (!std::exchange(next_.begun, true)) return;
    while (tables.budget.left()) {
      if (next_.users.empty() && !list_users(tables)) return;
      const UserId& user = next_.users.front();
      if (delivery::home_shard(user, move_.shards) == move_.shard && !passed_.contains(user)) {
        tables.messages.move_lifetimes(user, move_, next_.walk);
        if (!next_.walk.end || tables.met_damage()) return;
      }
      tables.budget.spend(WorkBudget::of_look());
      next_.walk = {};
      next_.users.pop_front();
    }
  }
  bool list_users(Tables& tables) {
    if (next_.by_rows) {
      std::ranges::move(tables.messages.users_after(next_.last, kUsersAtOnce),
                        std::back_inserter(next_.users));
    } else {
      for (auto& [user, totals] : tables.pending.list(next_.last, kUsersAtOnce)) {
        next_.users.push_back(std::move(user));
      }
    }
    if (tables.met_damage()) {
      next_.users.clear();
      return false;
    }
    next_.end = next_.users.empty();
    if (!next_.end) next_.last = next_.users.back();
    return !next_.end;
  }
  // Skips the user at the damage. Nothing of this attempt is committed, and the next one begins at
  // the same place.
  void pass_damage() {
    attempts = 0;
    if (!next_.users.empty()) {
      const UserId& user = next_.users.front();
      log::error("lifetimes_not_moved", {{"user_id", user.str()}});
      passed_.insert(user);
    } else if (!std::exchange(at_.by_rows, true)) {
      log::warn("pending_totals_damaged");
    } else {
      log::error("lifetimes_not_moved", {{"behind_user", next_.last.str()}});
      at_.end = true;
    }
  }

  delivery::LifetimeMove move_;
  std::set<UserId> passed_;  ///< their rows are on a damaged page
  Place at_;                 ///< as committed
  Place next_;
  Completion<Result<void>> done_;
  Result<void> result_;
};

class SqliteMessageStore final : public delivery::MessageStore {
 public:
  SqliteMessageStore(OperationQueue& queue, Channel& channel) : queue_(queue), channel_(channel) {}

  std::optional<delivery::Reservation> reserve(std::size_t payload_bytes) override {
    return storage::Slots::reserve(queue_.slots(), payload_bytes);
  }
  std::size_t capacity() const override { return queue_.slots()->limits().slots; }
  std::size_t capacity_bytes() const override { return queue_.slots()->limits().payload_bytes; }

  void insert(std::vector<delivery::Insert> inserts, Completion<Result<void>> done) override {
    queue_.submit(Lane::reserved, &channel_,
                  std::make_unique<InsertOperation>(std::move(inserts), std::move(done)));
  }
  void record(std::optional<delivery::DeduplicationRecord> record,
              std::optional<MessageId> dead_letter, delivery::Reservation reservation,
              Completion<Result<void>> done) override {
    queue_.submit(Lane::reserved, &channel_,
                  std::make_unique<RecordOperation>(std::move(record), dead_letter,
                                                    std::move(reservation), std::move(done)));
  }
  void erase(const UserId& user, Sequence above, Sequence up_to,
             Completion<Result<PendingTotals>> done) override {
    queue_.submit(Lane::reserved, &channel_,
                  std::make_unique<EraseOperation>(user, above, up_to, std::move(done)));
  }
  void read_page(PageQuery query, Completion<Result<Page>> done) override {
    queue_.submit(Lane::read, &channel_,
                  std::make_unique<ReadPageOperation>(std::move(query), std::move(done)));
  }
  void expire(const UserId& user, Sequence above, Sequence up_to, WallTime now,
              Completion<Result<Moved>> done) override {
    queue_.submit(Lane::reserved, &channel_,
                  std::make_unique<ExpireOperation>(user, above, up_to, now, std::move(done)));
  }
  void move_to_dead_letters(const UserId& user, Sequence above, Sequence up_to,
                            delivery::DeathCause cause, WallTime now,
                            Completion<Result<Moved>> done) override {
    queue_.submit(Lane::reserved, &channel_,
                  std::make_unique<MoveToDeadLettersOperation>(user, above, up_to, std::move(cause),
                                                               now, std::move(done)));
  }
  void find_expired(delivery::ExpiryQuery query,
                    Completion<Result<delivery::ExpiryPage>> done) override {
    queue_.submit(Lane::read, &channel_,
                  std::make_unique<FindExpiredOperation>(std::move(query), std::move(done)));
  }
  void end_purge(const UserId& user, Sequence up_to, Completion<Result<void>> done) override {
    submit<void>(
        Lane::reserved, OnRollback::retry,
        [user, up_to](Tables& tables) { tables.pending_purges.remove(user, up_to); },
        std::move(done));
  }
  void move_lifetimes(delivery::LifetimeMove move, Completion<Result<void>> done) override {
    queue_.submit(Lane::reserved, &channel_,
                  std::make_unique<MoveLifetimesOperation>(move, std::move(done)));
  }
  void remember_time(WallTime now, Completion<Result<void>> done) override {
    submit<void>(
        Lane::reserved, OnRollback::fail, [now](Tables& tables) { tables.meta.remember_time(now); },
        std::move(done));
  }
  void extend_ceiling(Sequence ceiling, Completion<Result<void>> done) override {
    submit<void>(
        Lane::reserved, OnRollback::fail,
        [ceiling](Tables& tables) { tables.meta.raise_ceiling(ceiling); }, std::move(done));
  }
  void forget_deduplication(WallTime before, Completion<Result<void>> done) override {
    const auto forget = [before](Tables& tables) { return tables.deduplication.sweep(before); };
    queue_.submit(Lane::reserved, &channel_, make_sweep(forget, std::move(done)));
  }
  void list_pending(
      const UserId& after, std::size_t limit,
      Completion<Result<std::vector<std::pair<UserId, PendingTotals>>>> done) override {
    submit<PendingTable::Totals>(
        Lane::read, OnRollback::retry,
        [after, limit](Tables& tables) { return tables.pending.list(after, limit); },
        std::move(done));
  }
  void find_pending(const UserId& user, const MessageId& id,
                    Completion<Result<std::optional<Sequence>>> done) override {
    submit<std::optional<Sequence>>(
        Lane::read, OnRollback::retry,
        [user, id](Tables& tables) { return tables.messages.find(user, id); }, std::move(done));
  }
  void list_dead_letters(delivery::DeadLetterQuery query,
                         Completion<Result<delivery::DeadLetterPage>> done) override {
    submit<delivery::DeadLetterPage>(
        Lane::read, OnRollback::retry,
        [query = std::move(query)](Tables& tables) { return tables.dead_letters.list(query); },
        std::move(done));
  }
  void find_dead_letter(const MessageId& id,
                        Completion<Result<std::optional<delivery::DeadLetter>>> done) override {
    submit<std::optional<delivery::DeadLetter>>(
        Lane::read, OnRollback::retry,
        [id](Tables& tables) { return tables.dead_letters.find(id); }, std::move(done));
  }
  void delete_dead_letters(std::vector<MessageId> ids,
                           Completion<Result<std::vector<MessageId>>> done) override {
    queue_.submit(Lane::other, &channel_,
                  std::make_unique<DeleteDeadLettersOperation>(std::move(ids), std::move(done)));
  }

 private:
  template <class T, class Work>
  void submit(Lane lane, OnRollback on_rollback, Work work, Completion<Result<T>> done,
              Load load = Load::light) {
    queue_.submit(lane, &channel_,
                  make_operation<T>(on_rollback, std::move(work), std::move(done), load));
  }

  OperationQueue& queue_;
  Channel& channel_;
};

}  // namespace

std::unique_ptr<delivery::MessageStore> make_message_store(OperationQueue& queue,
                                                           Channel& channel) {
  return std::make_unique<SqliteMessageStore>(queue, channel);
}

}  // namespace holdfast::sqlite
