// The state machine of one message, from its acceptance to the answer.

#include "send_message.hpp"

namespace holdfast::delivery {

using Action = SendMessage::Action;

Action SendMessage::on(Event event) noexcept {
  switch (state_) {
    case State::received:
      if (event == Event::accepted) return to(State::look_up_connection, Action::look_up);
      break;
    case State::look_up_connection:
      if (event == Event::connection_ready) return to(State::sending, Action::send);
      if (event == Event::no_connection) return to(State::storing, Action::store);
      break;
    case State::sending:
      if (event == Event::sent) return to(State::awaiting_ack, Action::await_ack);
      if (event == Event::sent_slowly || event == Event::not_sent) {
        return to(State::storing, Action::store);
      }
      break;
    case State::awaiting_ack:
      return in_awaiting_ack(event);
    case State::storing:
      return in_storing(event);
    case State::acked_storing:
      if (event == Event::committed) return to(State::stored, Action::answer_stored);
      if (event == Event::commit_failed) return to(State::recording, Action::record);
      break;
    case State::recording:
      if (event == Event::recorded) return to(State::delivered, Action::answer_delivered);
      if (event == Event::record_failed) return to(State::recording, Action::record);
      break;
    case State::failed:
      return in_failed(event);
    case State::delivered:
    case State::stored:
    case State::rejected:
      break;
  }
  return Action::none;
}

Action SendMessage::in_awaiting_ack(Event event) noexcept {
  switch (event) {
    case Event::acknowledged:
      return on_acknowledged();
    case Event::overtaken:
    case Event::connection_lost:
    case Event::timed_out:
      return to(State::storing, Action::store);
    default:
      return Action::none;
  }
}

Action SendMessage::in_storing(Event event) noexcept {
  switch (event) {
    case Event::acknowledged:
      if (remembered_) return to(State::acked_storing, Action::none);
      return to(State::delivered, Action::answer_delivered);
    case Event::committed:
      return to(State::stored, Action::answer_stored);
    case Event::commit_failed:
      return to(State::failed, Action::await_last_ack);
    default:
      return Action::none;
  }
}

Action SendMessage::in_failed(Event event) noexcept {
  switch (event) {
    case Event::acknowledged:
      return on_acknowledged();
    case Event::connection_lost:
    case Event::timed_out:
      return to(State::rejected, Action::reject);
    default:
      return Action::none;
  }
}

Action SendMessage::on_acknowledged() noexcept {
  if (remembered_) return to(State::recording, Action::record);
  return to(State::delivered, Action::answer_delivered);
}

ExecutionState SendMessage::shown() const noexcept {
  switch (state_) {
    case State::received:
      return ExecutionState::received;
    case State::look_up_connection:
      return ExecutionState::look_up_connection;
    case State::sending:
      return ExecutionState::sending;
    case State::awaiting_ack:
    case State::failed:
      return ExecutionState::awaiting_ack;
    case State::storing:
    case State::acked_storing:
    case State::recording:
      return ExecutionState::storing;
    case State::delivered:
      return ExecutionState::delivered;
    case State::stored:
      return ExecutionState::stored;
    case State::rejected:
      break;
  }
  return ExecutionState::rejected;
}

}  // namespace holdfast::delivery
