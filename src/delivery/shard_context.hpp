#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/delivery/mailboxes.hpp>

#include "clock_agreement.hpp"
#include "deduplication.hpp"
#include "event_hub.hpp"
#include "execution_ring.hpp"
#include "failed_attempts.hpp"
#include "frame.hpp"
#include "longest_taken.hpp"
#include "passed_over.hpp"
#include "run.hpp"
#include "sequence_counter.hpp"

namespace holdfast::delivery {

class Cursor;
class Mailbox;

/// The steps of a shutdown.
enum class Phase : std::uint8_t {
  open,
  leaving,   ///< refuses work; connections close one by one, and receive until they do
  draining,  ///< writes no more; fences in flight may still come back
  storing,   ///< unanswered messages go to the store, or are refused
  closing,   ///< every connection gets its Close
};

/// A deletion by an operator that is under way, or the removal of a message that cannot be taken.
struct PendingDeletion {
  Sequence above = 0;
  Sequence up_to = 0;
  DeathCause cause = "";
  /// It stands in nobody's way: what is on its way to the store is waited for.
  bool undeliverable = false;
  PendingTotals moved;
  Completion<Result<Deletion>> done;
};

/// A message that cannot be taken, as far as its user's earlier connections tell: those that have
/// it may still take it.
struct LastChance {
  Sequence sequence = 0;
  MessageId id;
  std::uint64_t next_serial = 0;  ///< connections from here on are sent nothing meanwhile
  SteadyTime until;
};

/// The rows of one user that page reads passed over: they become dead letters as soon as they can.
struct PassedOverRows {
  PassedOver ranges;
  SteadyTime due;          ///< of the next attempt
  bool is_moving = false;  ///< an attempt is under way
};

/// State that the mailboxes of a shard share. A turn is one call from outside, with everything that
/// follows from it: answers to producers and flushes happen at its end, when no mailbox is in the
/// middle of anything.
class ShardContext {
 public:
  ShardContext(MailboxesOptions& options, const Clock& clock, Executor& executor,
               MessageStore& messages);

  /// Keeps a turn open; turns nest.
  class Turn {
   public:
    explicit Turn(ShardContext& shard) : shard_(shard) { shard_.begin_turn(); }
    ~Turn() { shard_.end_turn(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    ShardContext& shard_;
  };

  [[nodiscard]] WallTime wall_now() const noexcept { return wall_now_; }
  [[nodiscard]] SteadyTime steady_now() const noexcept { return steady_now_; }
  [[nodiscard]] BootTime boot_now() const noexcept { return boot_now_; }
  [[nodiscard]] bool clocks_agree() const noexcept { return clock_agreement_.agree(); }
  [[nodiscard]] const ClockAgreement& clock_agreement() const noexcept { return clock_agreement_; }
  /// Lifetimes may be judged: the clock is believed, and what was accepted by another time has been
  /// set right.
  [[nodiscard]] bool may_expire() const noexcept {
    return clock_agreement_.agree() && accepted_wrong.empty();
  }

  /// At the end of the turn.
  void answer(Completion<SendOutcome> done, SendOutcome outcome) {
    HOLDFAST_ASSERT(done, "turn.answers_once");
    answers_.emplace_back(std::move(done), std::move(outcome));
  }
  /// To be flushed once in this loop turn of the shard.
  void flush_later(Cursor& cursor);
  void flush_now();
  void forget_flush(Cursor& cursor);
  /// Lets the end of the turn do what follows from a change of the mailbox.
  void changed(Mailbox& mailbox);
  /// The mailbox may have nothing left to do: it is looked at when the turn ends.
  void may_be_idle(Mailbox& mailbox);
  /// Calls the mailbox's `retry` in a while.
  void retry_later(Mailbox& mailbox);
  [[nodiscard]] std::vector<Mailbox*> due_retries();
  /// A Close by the server, after waiting briefly for the fence.
  void close_after_fence(Cursor& cursor, CloseReason reason, std::string_view text);
  /// The fence of a cursor with a pending Close is back, or is not waited for any longer.
  void send_close(Cursor& cursor);
  void cancel_close(Cursor& cursor);
  [[nodiscard]] std::vector<Cursor*> due_closes() const;

  /// Asks the store for a higher ceiling when it is time.
  void extend_ceiling();
  void add_rows(PendingTotals& totals, std::int64_t messages, std::int64_t bytes) noexcept;

  /// A sweep or page read that judges lifetimes is over.
  void end_judging() noexcept {
    HOLDFAST_ASSERT(judging > 0, "shard.counts_who_judges");
    --judging;
  }
  /// One user's or one key's share was used up.
  void count_refusal(Bound bound) const noexcept {
    if (refusals) refusals->add(bound, BoundScope::share);
  }

  /// Returns whether pending messages may still be sent.
  [[nodiscard]] bool sends() const noexcept { return phase <= Phase::leaving; }

  Limits limits;
  MessageStore& store;
  const std::shared_ptr<BoundRefusals> refusals;  ///< may be null
  SequenceCounter counter;
  DeduplicationTable deduplication;
  ExecutionRing executions;
  FailedAttemptTable failed_attempts;
  LongestTaken longest_taken;
  FrameEncoder encoder;
  MailboxMetrics metrics;
  EventHub events;
  Phase phase = Phase::open;
  /// Seldom any: here, since a mailbox is kept for every idle user.
  std::map<const Mailbox*, PendingDeletion> deletions;
  std::map<const Mailbox*, LastChance> last_chances;  ///< seldom any, too
  /// In the order of users, who have their turns in it.
  std::map<UserId, PassedOverRows> passed_over;
  RunTimer ack_waits;       ///< until `ack_wait` after they were sent
  RunTimer last_ack_waits;  ///< until `ack_timeout` after their commit failed
  /// Times that are still to be set right in the store.
  std::vector<AcceptedWrong> accepted_wrong;
  /// Sweeps and page reads under way that judge lifetimes by the time of their call.
  std::size_t judging = 0;
  std::size_t runs = 0;
  std::uint64_t next_serial = 1;

  /// Steps of the mailboxes' owner.
  std::move_only_function<void(Mailbox*)> destroy_if_idle;
  std::move_only_function<void(Cursor*)> on_connection_gone;

 private:
  struct PendingClose {
    Cursor* cursor;
    CloseReason reason;
    std::string text;
    SteadyTime deadline;
  };
  struct Retry {
    SteadyTime due;
    Mailbox* mailbox;
  };

  void begin_turn();
  void end_turn();

  const Clock& clock_;
  Executor& executor_;
  WallTime wall_now_;
  SteadyTime steady_now_;
  BootTime boot_now_;
  ClockAgreement clock_agreement_;
  AcceptanceTimes acceptance_times_;
  int depth_ = 0;
  bool flush_posted_ = false;
  std::vector<std::pair<Completion<SendOutcome>, SendOutcome>> answers_;
  std::vector<Cursor*> dirty_;
  std::vector<Mailbox*> touched_;  ///< in this turn: changed, or perhaps idle
  // Lists that the end of a turn takes from there; kept, so that a turn allocates none.
  std::vector<std::pair<Completion<SendOutcome>, SendOutcome>> answering_;
  std::vector<Mailbox*> leaving_turn_;
  std::vector<PendingClose> pending_closes_;
  std::deque<Retry> retries_;
};

}  // namespace holdfast::delivery
