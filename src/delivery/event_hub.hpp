#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <holdfast/delivery/delivery_events.hpp>
#include <holdfast/delivery/mailboxes.hpp>

#include "execution_ring.hpp"
#include "failed_attempts.hpp"
#include "send_message.hpp"

namespace holdfast::delivery {

class Cursor;
struct Run;

/// Tells what happens in a shard's mailboxes: to the ring of executions, the numbers and the log,
/// and to those who listen. The mailboxes say each thing once, here.
class EventHub {
 public:
  /// `now` is the time of the turn.
  EventHub(std::vector<DeliveryEvents*> listeners, ExecutionRing& executions,
           MailboxMetrics& metrics, const WallTime& now)
      : listeners_(std::move(listeners)), executions_(executions), metrics_(metrics), now_(now) {}

  /// Somebody wants to know of each message: whoever has to look for its id asks first.
  [[nodiscard]] bool is_heard() const noexcept { return !listeners_.empty(); }

  // ---- a message on its way to its producer's answer
  void accepted(Run& run);
  /// Its run has left this state for another.
  void moved_on(Run& run, SendMessage::State before);
  /// It has its outcome.
  void answered(const Run& run);

  // ---- acknowledgements
  /// What was pending in (above, up_to] is acknowledged.
  void settled(const UserId& user, Sequence above, Sequence up_to, const Cursor& cursor);
  /// One of these, for those who listen. `run`: while its producer has no answer.
  void acknowledged(const Cursor& cursor, const MessageId& id, Sequence sequence, const Run* run);

  // ---- dead letters
  void expired(const UserId& user, const Moved& moved);
  void damaged(const UserId& user, const Moved& moved);
  void deleted(const UserId& user, const Moved& moved);
  void access_ended(const UserId& user, const Moved& moved, std::string_view reason);
  void undeliverable(const UserId& user, const Moved& moved);

  // ---- a connection that catches up
  void begins_to_catch_up(Cursor& cursor);
  void moved_on(const Cursor& cursor);
  void sent_from_page(const Cursor& cursor, Sequence sequence);
  void caught_up(Cursor& cursor);

  // ---- connections
  void attached(const Cursor& cursor);
  void detached(const Cursor& cursor, const ConnectionEnd& end);
  void displaced(const Cursor& oldest, const Cursor& by, std::size_t connections_per_user);
  void broke_rules(const Cursor& cursor, std::string_view text);
  void timed_out(const Cursor& cursor);

  // ---- messages at which connections end
  /// So many connections in a row have ended at it.
  void is_stuck(const UserId& user, const MessageId& id, Sequence sequence, std::uint32_t ends,
                std::uint16_t last_end);
  /// Messages of this user are not given up any more.
  void client_takes_nothing(const UserId& user, const FailedAttempts& attempts);
  void gave_up(const UserId& user, const MessageId& id, Sequence sequence, std::int64_t bytes,
               std::uint32_t attempts, std::string_view ends);

 private:
  [[nodiscard]] MessageEvent event_of(const Run& run) const;
  template <class Tell>
  void tell_moved(const UserId& user, const Moved& moved, const Tell& tell);

  const std::vector<DeliveryEvents*> listeners_;
  ExecutionRing& executions_;
  MailboxMetrics& metrics_;
  const WallTime& now_;
};

}  // namespace holdfast::delivery
