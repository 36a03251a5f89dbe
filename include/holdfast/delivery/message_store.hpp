#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

/// A place in the store's bounded queue, taken before anything is sent so that nothing can block
/// later. Given back when it is destroyed; an insert or record carries it until it completes.
class Reservation {
 public:
  Reservation() = default;
  /// `release` runs exactly once, on whatever thread ends the reservation.
  explicit Reservation(Task release) : release_(std::move(release)) {}
  Reservation(Reservation&& other) noexcept : release_(std::exchange(other.release_, nullptr)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    if (this != &other) {
      reset();
      release_ = std::exchange(other.release_, nullptr);
    }
    return *this;
  }
  ~Reservation() { reset(); }

  void reset() {
    if (auto release = std::exchange(release_, nullptr)) release();
  }
  [[nodiscard]] explicit operator bool() const { return static_cast<bool>(release_); }

 private:
  Task release_;
};

/// A message that was pending and is a dead letter.
struct MovedMessage {
  MessageId id;
  Sequence sequence = 0;
  /// It was not as it was written, and has the reason `damaged`. So `id` and `sequence` may be
  /// others than it was accepted with.
  bool is_damaged = false;
};

/// The messages that were moved to the dead letters: their totals, and each of them.
struct Moved : PendingTotals {
  std::vector<MovedMessage> each;

  void add(const MovedMessage& message, std::int64_t payload_bytes) {
    *this += PendingTotals{.messages = 1, .bytes = payload_bytes};
    each.push_back(message);
  }
  using PendingTotals::operator+=;
  Moved& operator+=(const Moved& more) {
    PendingTotals::operator+=(more);
    each.insert(each.end(), more.each.begin(), more.each.end());
    return *this;
  }
};

/// The result of a page read.
struct Page {
  std::vector<MessagePtr> messages;  ///< rising by sequence
  bool end = true;                   ///< there is no further row in the range that was asked for
  Moved expired;                     ///< to the dead letters, by this read
  Moved damaged;                     ///< moved by this read: they were not as they were written
  /// Rows that are not brought and could not become dead letters: they stay. Rising; no message of
  /// the page lies in one of these ranges.
  std::vector<SequenceRange> passed_over;

  /// Adds a row behind those that were read so far.
  void pass_over(Sequence sequence);
};

inline void Page::pass_over(Sequence sequence) {
  const bool joins = !passed_over.empty() &&
                     (messages.empty() || messages.back()->sequence < passed_over.back().up_to);
  if (joins) {
    passed_over.back().up_to = sequence;
  } else {
    passed_over.push_back({.above = sequence - 1, .up_to = sequence});
  }
}

/// Selects the rows of a page read.
struct PageQuery {
  UserId user;
  Sequence above = 0;        ///< exclusive
  Sequence up_to = 0;        ///< inclusive
  std::size_t messages = 0;  ///< at most; at least one row comes if there is one
  std::size_t bytes = 0;     ///< at most, but for the first row
  /// Rows above this that are past their lifetime move to the dead letters; nullopt expires
  /// nothing. Where they cannot be moved they are passed over: they are not brought.
  std::optional<Sequence> expire_above;
  WallTime now;
  /// Tried again until it succeeds or the store stops; false gives up after some attempts.
  bool until_read = true;
};

/// Where a walk over users by the earliest end of a lifetime stands.
struct ExpiryPlace {
  WallTime next_expiry;
  UserId user;
  /// The walk is in the order of users, since the index by end of lifetime is damaged.
  bool by_user = false;
};
/// Selects the users of a walk.
struct ExpiryQuery {
  WallTime now;
  std::optional<ExpiryPlace> after;  ///< exclusive; nullopt: from the earliest
  std::size_t shard = 0;             ///< users of this home alone
  std::size_t shards = 1;            ///< of so many
  std::size_t limit = 0;
};
struct ExpiryPage {
  std::vector<UserId> users;
  /// The `after` of the next page; nullopt when there is none. A page may bring fewer than `limit`,
  /// or nobody, and have a next one: a read looks at so many users and no more.
  std::optional<ExpiryPlace> next;
};

/// A user's pending messages when their access ended: to be moved to the dead letters.
struct PendingPurge {
  UserId user;
  Sequence up_to = 0;
  std::string reason;
};

/// A correction of the times of messages that were accepted by a clock that was wrong.
struct LifetimeMove {
  std::size_t shard = 0;  ///< of users of this home alone
  std::size_t shards = 1;
  Sequence above = 0;
  Sequence up_to = 0;
  Microseconds by{0};
};

/// The state that the mailboxes begin with.
struct StartState {
  Sequence counter_start = 0;  ///< every counter begins above this: the old ceiling or the clock
  Sequence ceiling = 0;        ///< committed already: no counter may pass it yet
  std::vector<std::pair<UserId, PendingTotals>> pending;
  std::vector<DeduplicationRecord> deduplication;  ///< all there are; the reader drops the old
  std::vector<PendingPurge> pending_purges;
  /// The last `remember_time`; nullopt when there was none.
  std::optional<WallTime> known_time;
};

/// One message to commit.
struct Insert {
  MessagePtr message;
  /// Committed with it, status STORED.
  std::optional<DeduplicationRecord> record;
  /// It was a dead letter (of the same id), which goes in the same transaction.
  bool redrive = false;
  Reservation reservation;
};

/// Why messages become dead letters.
struct DeathCause {
  DeathCause(std::string why, std::string more = {})
      : reason(std::move(why)), detail(std::move(more)) {}
  DeathCause(const char* why) : reason(why) {}

  std::string reason;  ///< one of the words that are documented: `expired`, `user_deleted`, …
  std::string detail;  ///< for people; may be empty
};

/// A message that was not delivered in its lifetime, or whose user is gone.
struct DeadLetter {
  MessagePtr message;
  std::string reason;  ///< as in `DeathCause`, and so is `detail`
  WallTime died_at;
  std::string detail = {};
  bool damaged = false;  ///< it is not as it was written: never to be sent
};

/// A dead letter as operators see it: everything but the text.
struct DeadLetterInfo {
  MessageId id;
  UserId user;
  Sequence sequence = 0;
  std::int64_t bytes = 0;  ///< of the text
  WallTime accepted_at;
  WallTime expires_at;
  std::string reason;
  WallTime died_at;
  std::string detail;
};
/// Selects the dead letters of a list, by id.
struct DeadLetterQuery {
  std::optional<UserId> user;         ///< nullopt: of all
  std::optional<std::string> reason;  ///< nullopt: any
  std::optional<MessageId> after;     ///< exclusive; nullopt: from the first
  std::size_t limit = 0;
};
struct DeadLetterPage {
  std::vector<DeadLetterInfo> letters;
  /// The `after` of the next page; nullopt when there is none. A page may bring fewer than `limit`
  /// and have a next one: a read looks at so many letters and no more.
  std::optional<MessageId> next;
};

/// Where messages rest. One handle per shard: calls are made on that shard, completions run on it,
/// and only after the commit that they report.
///
/// Inserts, records and `extend_ceiling` take effect and complete in the order of the calls;
/// everything else may take effect and complete later than what was called after it. A page read
/// may also run before inserts and deletes that were called before it: a reader steps over rows
/// that it knows to be settled, and asks only for those whose commit it has seen. What deletes,
/// moves or reads many rows takes as many transactions as it needs, each so small that others'
/// commits need not wait long. A transaction that fails before its commit, or is known to be rolled
/// back, fails its inserts, records and `expire`s with `unavailable`; erases and page reads are
/// tried again by the store (an erase may be given up on, when nothing of it was done:
/// `unavailable`). A commit with an unknown outcome completes nothing, ever: the process ends.
class MessageStore {
 public:
  virtual ~MessageStore() = default;

  /// A slot for one insert or record; nullopt when the queue is full, or the database too large.
  /// Its release may run on any thread, and after the store has stopped.
  [[nodiscard]] virtual std::optional<Reservation> reserve(std::size_t payload_bytes) = 0;
  /// Slots in all; a user or a key may hold an eighth.
  [[nodiscard]] virtual std::size_t capacity() const = 0;
  /// Bytes of payload in all; a user or a key may hold an eighth, or one message.
  [[nodiscard]] virtual std::size_t capacity_bytes() const = 0;

  /// Adds rows of one user, rising by sequence, with their part of the user's totals, in one
  /// transaction: all of them or none.
  virtual void insert(std::vector<Insert> inserts, Completion<Result<void>> done) = 0;

  /// Commits the record of a message that was acknowledged before it was stored, and removes the
  /// dead letter that it was, in one transaction. An empty reservation is legal, for repeats.
  virtual void record(std::optional<DeduplicationRecord> record,
                      std::optional<MessageId> dead_letter, Reservation reservation,
                      Completion<Result<void>> done) = 0;

  /// Removes the user's rows in (above, up_to]; answers what was removed.
  virtual void erase(const UserId& user, Sequence above, Sequence up_to,
                     Completion<Result<PendingTotals>> done) = 0;

  virtual void read_page(PageQuery query, Completion<Result<Page>> done) = 0;

  /// Moves the user's rows in (above, up_to] that are past their lifetime at `now` to the dead
  /// letters; answers what was moved, which may be some of them when a transaction fails. Never run
  /// again by the store.
  virtual void expire(const UserId& user, Sequence above, Sequence up_to, WallTime now,
                      Completion<Result<Moved>> done) = 0;

  /// Moves rows in (above, up_to] to the dead letters, whatever their lifetime, with this cause:
  /// some of them, so that others' commits need not wait long. Nothing was moved when none is left.
  virtual void move_to_dead_letters(const UserId& user, Sequence above, Sequence up_to,
                                    DeathCause cause, WallTime now,
                                    Completion<Result<Moved>> done) = 0;

  /// Users who may have rows past their lifetime at `now`, by the earliest end of a lifetime. A
  /// user whose rows were removed otherwise than by `expire` may still be among them; `expire` sees
  /// to that too.
  virtual void find_expired(ExpiryQuery query, Completion<Result<ExpiryPage>> done) = 0;

  /// Raises the committed ceiling of sequence numbers to at least `ceiling`.
  virtual void extend_ceiling(Sequence ceiling, Completion<Result<void>> done) = 0;

  /// Ends a purge whose rows up to here are gone, or which is given up on: it is not in the next
  /// start's state.
  virtual void end_purge(const UserId& user, Sequence up_to, Completion<Result<void>> done) = 0;

  /// Moves the times of pending messages in (above, up_to]: when they were accepted and when their
  /// lifetime ends. In as many transactions as it takes; given up on only when the store stops. A
  /// user whose rows lie on a damaged page is stepped over.
  virtual void move_lifetimes(LifetimeMove move, Completion<Result<void>> done) = 0;

  /// Remembers that this was the time, for the next start.
  virtual void remember_time(WallTime now, Completion<Result<void>> done) = 0;

  /// Forgets deduplication records committed before `before`.
  virtual void forget_deduplication(WallTime before, Completion<Result<void>> done) = 0;

  /// Users with pending messages, by user id above `after`, with their totals: for operators.
  virtual void list_pending(
      const UserId& after, std::size_t limit,
      Completion<Result<std::vector<std::pair<UserId, PendingTotals>>>> done) = 0;

  /// The sequence of a user's pending message by its id; nullopt when none is committed. Looks at
  /// the user's messages one by one: they are bounded, and an index over ids would cost every
  /// insert.
  virtual void find_pending(const UserId& user, const MessageId& id,
                            Completion<Result<std::optional<Sequence>>> done) = 0;

  virtual void list_dead_letters(DeadLetterQuery query,
                                 Completion<Result<DeadLetterPage>> done) = 0;
  /// nullopt when there is none of that id.
  virtual void find_dead_letter(const MessageId& id,
                                Completion<Result<std::optional<DeadLetter>>> done) = 0;
  /// All of them in one transaction; answers which there were.
  virtual void delete_dead_letters(std::vector<MessageId> ids,
                                   Completion<Result<std::vector<MessageId>>> done) = 0;
};

/// An open connection, as operators and the connections table see it.
struct ConnectionInfo {
  ConnectionId id;
  UserId user;
  std::string username;
  std::string remote_address;
  std::string user_agent;
  std::string login{};  ///< through which it was opened, by its id; empty when that is not known
  WallTime connected_at;
  WallTime last_active_at;  ///< when it last said something or was sent something
  std::size_t shard = 0;
};

/// The connections table: written beside the hot path, cleared at start. Nobody waits for it.
class ConnectionStore {
 public:
  virtual ~ConnectionStore() = default;
  virtual void opened(const ConnectionInfo& info) = 0;
  virtual void closed(const ConnectionId& id) = 0;
};

}  // namespace holdfast::delivery
