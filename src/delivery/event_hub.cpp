// Tells executions, numbers, the log and listeners what happens.

#include "event_hub.hpp"

#include <string>

#include <holdfast/base/log.hpp>

#include "cursor.hpp"
#include "mailbox.hpp"
#include "run.hpp"

namespace holdfast::delivery {
namespace {

constexpr std::string_view kDamaged = "damaged";
constexpr std::string_view kUndeliverable = "undeliverable";

std::uint64_t count_of(const Moved& moved) noexcept {
  return static_cast<std::uint64_t>(moved.messages);
}

}  // namespace

MessageEvent EventHub::event_of(const Run& run) const {
  return {.user = run.message->user,
          .id = run.message->id,
          .sequence = run.sequence(),
          .at = now_,
          .caller = run.caller ? std::string_view(run.caller->id) : std::string_view()};
}

// ---- a message on its way to its producer's answer

void EventHub::accepted(Run& run) {
  run.execution =
      executions_.begin(Workflow::send_message, run.message->id, run.message->user, run.sequence());
  executions_.step(run.execution, ExecutionState::received, now_);
  metrics_.accepted.add();
  for (DeliveryEvents* const listener : listeners_) {
    run.redrive ? listener->redriven(event_of(run)) : listener->accepted(event_of(run));
  }
}

void EventHub::moved_on(Run& run, SendMessage::State before) {
  using State = SendMessage::State;
  executions_.step(run.execution, run.machine.shown(), now_);
  if (!is_heard()) return;
  const State state = run.machine.state();
  for (DeliveryEvents* const listener : listeners_) {
    if (state == State::stored && before == State::storing) listener->stored(event_of(run));
    if (state == State::rejected) listener->rejected(event_of(run));
  }
}

void EventHub::answered(const Run& run) {
  executions_.finish(run.execution);
  switch (run.machine.state()) {
    case SendMessage::State::delivered:
      metrics_.delivered.add();
      if (!run.handed && !run.remembered && !run.redrive) metrics_.elided.add();
      break;
    case SendMessage::State::stored:
      metrics_.stored.add();
      break;
    default:
      metrics_.rejected.add();
      break;
  }
}

// ---- acknowledgements

void EventHub::settled(const UserId& user, Sequence above, Sequence up_to, const Cursor& cursor) {
  executions_.acknowledge(user, above, up_to, cursor.id(), now_);
}

void EventHub::acknowledged(const Cursor& cursor, const MessageId& id, Sequence sequence,
                            const Run* run) {
  const bool has_caller = run != nullptr && run->caller;
  const MessageEvent event{
      .user = cursor.user(),
      .id = id,
      .sequence = sequence,
      .at = now_,
      .caller = has_caller ? std::string_view(run->caller->id) : std::string_view()};
  for (DeliveryEvents* const listener : listeners_) {
    listener->acknowledged(event, cursor.proof(), cursor.id());
  }
}

// ---- dead letters

// A row of those that were to move may have turned out damaged.
template <class Tell>
void EventHub::tell_moved(const UserId& user, const Moved& moved, const Tell& tell) {
  if (!is_heard()) return;
  for (const MovedMessage& message : moved.each) {
    const MessageEvent event{
        .user = user, .id = message.id, .sequence = message.sequence, .at = now_};
    for (DeliveryEvents* const listener : listeners_) {
      message.is_damaged ? listener->dead(event, kDamaged) : tell(*listener, event);
    }
  }
}

void EventHub::expired(const UserId& user, const Moved& moved) {
  metrics_.expired.add(count_of(moved));
  tell_moved(user, moved, [](DeliveryEvents& to, const MessageEvent& it) { to.expired(it); });
}

void EventHub::damaged(const UserId& user, const Moved& moved) {
  tell_moved(user, moved,
             [](DeliveryEvents& to, const MessageEvent& it) { to.dead(it, kDamaged); });
}

void EventHub::deleted(const UserId& user, const Moved& moved) {
  metrics_.deleted.add(count_of(moved));
  tell_moved(user, moved, [](DeliveryEvents& to, const MessageEvent& it) { to.deleted(it); });
}

void EventHub::access_ended(const UserId& user, const Moved& moved, std::string_view reason) {
  metrics_.buried.add(count_of(moved));
  tell_moved(user, moved,
             [reason](DeliveryEvents& to, const MessageEvent& it) { to.dead(it, reason); });
}

void EventHub::undeliverable(const UserId& user, const Moved& moved) {
  metrics_.undeliverable.add(count_of(moved));
  tell_moved(user, moved,
             [](DeliveryEvents& to, const MessageEvent& it) { to.dead(it, kUndeliverable); });
}

// ---- a connection that catches up

void EventHub::begins_to_catch_up(Cursor& cursor) {
  cursor.execution = executions_.begin(Workflow::send_unsent_messages, MessageId::generate(now_),
                                       cursor.user(), 0);
}

void EventHub::moved_on(const Cursor& cursor) {
  executions_.step(cursor.execution, cursor.unsent.shown(), now_);
}

void EventHub::sent_from_page(const Cursor& cursor, Sequence sequence) {
  executions_.add_message(cursor.execution, sequence);
  metrics_.flushed.add();
}

void EventHub::caught_up(Cursor& cursor) {
  executions_.finish(cursor.execution);
  cursor.execution = {};
}

// ---- connections

void EventHub::attached(const Cursor& cursor) {
  for (DeliveryEvents* const listener : listeners_) {
    listener->attached({.user = cursor.user(), .connection = cursor.id(), .at = now_});
  }
}

void EventHub::detached(const Cursor& cursor, const ConnectionEnd& end) {
  for (DeliveryEvents* const listener : listeners_) {
    listener->detached({.user = cursor.user(), .connection = cursor.id(), .at = now_}, end);
  }
}

void EventHub::displaced(const Cursor& oldest, const Cursor& by, std::size_t connections_per_user) {
  log::info("connection_displaced", {{"connection_id", oldest.id()},
                                     {"user_id", oldest.user().str()},
                                     {"by", by.id()},
                                     {"connections_per_user", connections_per_user}});
}

void EventHub::broke_rules(const Cursor& cursor, std::string_view text) {
  log::info("connection_closed", {{"connection_id", cursor.id()}, {"reason", text}});
}

void EventHub::timed_out(const Cursor& cursor) {
  metrics_.timeouts.add();
  log::info("connection_timed_out", {{"connection_id", cursor.id()}});
}

// ---- messages at which connections end

void EventHub::is_stuck(const UserId& user, const MessageId& id, Sequence sequence,
                        std::uint32_t ends, std::uint16_t last_end) {
  log::warn("message_stuck", {{"message_id", id.str()},
                              {"user_id", user.str()},
                              {"sequence", sequence},
                              {"ends", ends},
                              {"last_end", last_end}});
}

void EventHub::client_takes_nothing(const UserId& user, const FailedAttempts& attempts) {
  log::warn("client_takes_nothing", {{"user_id", user.str()},
                                     {"given_up", attempts.given_up},
                                     {"attempts", attempts.count},
                                     {"ends", attempts.ends()}});
}

void EventHub::gave_up(const UserId& user, const MessageId& id, Sequence sequence,
                       std::int64_t bytes, std::uint32_t attempts, std::string_view ends) {
  log::warn("message_undeliverable", {{"message_id", id.str()},
                                      {"user_id", user.str()},
                                      {"sequence", sequence},
                                      {"bytes", bytes},
                                      {"attempts", attempts},
                                      {"ends", ends}});
}

}  // namespace holdfast::delivery
