#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <holdfast/delivery/mailboxes.hpp>

#include "cursor.hpp"
#include "gate.hpp"
#include "message_log.hpp"
#include "row_access.hpp"
#include "runs.hpp"
#include "shard_context.hpp"

namespace holdfast::delivery {

/// Says what a turn has to do about a mailbox when it ends.
enum class InTurn : std::uint8_t {
  untouched,
  perhaps_idle,
  changed,  ///< `after_change`, and then it may be idle
};

/// One message to accept, with what it already holds.
struct Acceptance {
  SendRequest request;
  MessageId id;
  Microseconds lifetime{0};
  Reservation reservation;
  std::unique_ptr<Remembered> remembered;
  bool redrive = false;
  Completion<SendOutcome> done;
};

/// One user's log of pending messages with its cursors. It exists while the user has a connection,
/// or messages on their way; what is pending meanwhile is the store's.
class Mailbox {
 public:
  Mailbox(ShardContext& shard, const UserId& user, PendingTotals rows);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();

  // ---- accepting
  /// Whether one more of this size is within the user's bounds.
  [[nodiscard]] Result<void> has_room(std::size_t payload_bytes) const;
  /// Appends to the log. `dispatch` must follow, once for all that were accepted together.
  /// Refuses only while no sequence number may be given out; then `acceptance` is untouched.
  [[nodiscard]] Result<void> accept(Acceptance& acceptance);
  /// Sends what was accepted, and decides for each whether to wait for its acknowledgement.
  void dispatch();

  // ---- connections
  void attach(Cursor& cursor);
  void start_delivery(Cursor& cursor);
  /// Closes it once its fence is back: it receives no more.
  void close_after_fence(Cursor& cursor, CloseReason reason, std::string_view text);
  /// It is gone, or is not waited for.
  void detach(Cursor& cursor, const ConnectionEnd& end);
  void acknowledge(Cursor& cursor, Sequence sequence);
  /// Its protocol has begun, or ceased, to take messages.
  void on_delivers(Cursor& cursor);

  // ---- timers and sweeps
  /// The first of its runs has waited long enough, and so have all that were sent with it.
  void on_ack_wait_over();
  void on_last_ack_wait_over(Run& run);
  void retry();
  /// Moves what is past its lifetime to the dead letters, if nobody is connected; `done` hears when
  /// that is over. False when there is nothing to move now; then `done` hears nothing.
  bool expire(Task done);
  /// Moves some of what is pending up to `up_to` to the dead letters, if nobody is connected and
  /// nothing else is being moved; `done` hears whether none is left. False when it is too early.
  bool move_to_dead_letters(Sequence up_to, const std::string& reason,
                            std::move_only_function<void(bool)> done);
  /// Moves some of what page reads passed over to the dead letters.
  void move_passed_over();
  /// Moves what is pending in (above, up_to] to the dead letters, but for what is under delivery:
  /// sent to a connection that is there, or not committed. Some at a time, until none is left. A
  /// range of one message that is under delivery, or acknowledged, is refused.
  void delete_pending(Sequence above, Sequence up_to, DeathCause cause,
                      Completion<Result<Deletion>> done);
  /// It is accepted, and neither answered as stored nor as delivered yet.
  [[nodiscard]] bool is_sending(const MessageId& id) const noexcept;
  /// The newest that was accepted.
  [[nodiscard]] Sequence newest() const noexcept { return log_.newest(); }
  /// Stores or refuses what is unanswered.
  void store_everything();

  /// Does what follows from a change, at the end of a turn in which `changed` was told of it.
  void after_change();
  [[nodiscard]] bool idle();
  [[nodiscard]] Gate& gate() noexcept { return gate_; }
  /// Nothing that was acknowledged still has to be removed from the store, but for what the store
  /// was told already.
  [[nodiscard]] bool deletes_handed() const noexcept;
  /// Hands the store what is left to remove now, and not after a while, where a delete failed.
  void hand_deletes();
  [[nodiscard]] const UserId& user() const noexcept { return user_; }
  [[nodiscard]] PendingTotals rows() const noexcept { return rows_; }
  [[nodiscard]] PendingTotals pending() const noexcept;
  [[nodiscard]] const std::vector<Cursor*>& cursors() const noexcept { return cursors_; }
  [[nodiscard]] std::size_t tail_size() const noexcept { return log_.tail_size(); }

 private:
  // ---- runs
  void drive(Run& run, SendMessage::Event event);
  void act(Run& run, SendMessage::Action action);
  [[nodiscard]] SendMessage::Event sent_how(Sequence sequence) const noexcept;
  void store_now();
  void on_inserted(const SequenceRange& range, PendingTotals handed, bool ok);
  void record(Run& run);
  void on_recorded(Run& run, bool ok);
  void finish(Run& run);
  [[nodiscard]] SendOutcome outcome_of(const Run& run);
  [[nodiscard]] Insert make_insert(Run& run);
  [[nodiscard]] DeduplicationRecord make_record(Run& run, DeliveryStatus status);
  void store_unacked_by_none();
  void reject_unacked_by_none();
  void tell_acknowledged(const Cursor& cursor, Sequence sequence);
  void acknowledge_failed(const Cursor& cursor, Sequence sequence);

  // ---- the log
  [[nodiscard]] bool receives(const Cursor& cursor) const noexcept;
  [[nodiscard]] Cursor* newest_open() const noexcept;
  [[nodiscard]] bool is_unacked(Sequence sequence) const noexcept;
  [[nodiscard]] bool can_send_at_once() const noexcept;
  void promote_newest();
  [[nodiscard]] Pass<Mailbox> enter() noexcept { return Pass<Mailbox>(*this); }
  void pump();
  void walk(Cursor& cursor);
  void catch_up(Cursor& cursor);
  /// The result of a page read, with where the floor was when it was called.
  struct ArrivedPage {
    Sequence mark;
    const Page& page;
  };
  /// `page` with `page_arrived`.
  void advance(Cursor& cursor, SendUnsentMessages::Event event, const ArrivedPage* page = nullptr);
  void read_later();
  void request_page(Cursor& cursor);
  void on_page(std::uint64_t serial, Sequence mark, Result<Page> result);
  void send_page(Cursor& cursor, const ArrivedPage& arrived);
  void trim();
  /// A connection is gone: counts the attempt, when it ended at a message.
  void count_attempt(const Cursor& cursor, const ConnectionEnd& end);
  /// Connections end at one message again and again: an operator has to see that, also when it is
  /// not given up.
  void report_waiting(const Cursor& cursor, Sequence first, const ConnectionEnd& end);
  [[nodiscard]] bool gives_up(const Cursor& cursor, const FailedAttempts& attempts,
                              const EndedAt& end) const;
  void give_up(Sequence sequence, const MessageId& id, const FailedAttempts& attempts);
  /// It has had long enough to take what others fail at, and did not fail.
  [[nodiscard]] bool may_take(const Cursor& cursor, const FailedAttempts& attempts) const noexcept;
  [[nodiscard]] bool has_it_last(const Cursor& cursor, const LastChance& chance) const noexcept;
  void give_last_chance(Sequence sequence, const MessageId& id);
  [[nodiscard]] const LastChance* last_chance() const noexcept;
  /// Ends it, when it is over.
  void judge_last_chance();
  /// The next connection is sent one suspected message at a time.
  [[nodiscard]] bool needs_care(const FailedAttempts& attempts) const noexcept;
  using OnPurged = std::move_only_function<void(const Result<Moved>&)>;
  void purge(const SequenceRange& range, const DeathCause& cause, OnPurged done);
  [[nodiscard]] Completion<Result<Moved>> on_purged(OnPurged done);
  void continue_deletion();
  void on_deleted(const Result<Moved>& moved);
  void end_deletion(Result<void> result);
  [[nodiscard]] PendingDeletion* deletion() noexcept;
  [[nodiscard]] bool deletion_under_way() const noexcept;
  [[nodiscard]] Sequence furthest_position() const noexcept;
  [[nodiscard]] PassedOverRows* passed_over() noexcept;
  [[nodiscard]] bool was_passed_over(Sequence sequence) noexcept;
  void pass_over(const Page& page);
  void on_passed_over_moved(const SequenceRange& range, const Result<Moved>& moved);
  void erase_settled();
  /// `removed` is what is gone; unless `is_whole`, some of the range may still be there.
  struct Erased {
    PendingTotals removed;
    bool is_whole = true;
  };
  void erase_around_passed_over(const SequenceRange& range, bool is_another);
  void on_erased(Sequence up_to, const Erased& erased);
  void retry_later();

  ShardContext& shard_;
  const UserId& user_;
  MessageLog log_;
  Runs runs_;
  std::vector<Cursor*> cursors_;  ///< the oldest first

  PendingTotals rows_;  ///< committed
  Gate gate_;
  RowAccess row_access_;
  bool has_lost_cursor_ = false;  ///< since `after_change`
  bool has_unsent_ = false;       ///< runs whose message `dispatch` is to send

 public:
  // Here, where there is room beside the other flags: a mailbox is kept for every idle user.
  InTurn in_turn = InTurn::untouched;
  bool in_retry_list = false;
};
static_assert(sizeof(void*) != 8 || sizeof(Mailbox) <= 200, "there is one for every idle user");

}  // namespace holdfast::delivery
