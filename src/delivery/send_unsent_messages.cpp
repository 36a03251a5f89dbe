// The state machine of a connection that catches up.

#include "send_unsent_messages.hpp"

namespace holdfast::delivery {

SendUnsentMessages::Action SendUnsentMessages::on(Event event) noexcept {
  if (state_ == State::connection_closed) return Action::none;
  if (event == Event::closed) {
    return to(State::connection_closed, running() ? Action::finish : Action::none);
  }
  if (event == Event::reached_tail) {
    return running() ? to(State::caught_up, Action::finish) : Action::none;
  }
  switch (state_) {
    case State::caught_up:
      if (event == Event::fell_behind) return to(State::reading_page, Action::begin_and_read);
      break;
    case State::reading_page:
      if (event == Event::page_arrived) return to(State::sending_page, Action::send_page);
      if (event == Event::read_failed) return to(State::reading_page, Action::read_later);
      break;
    case State::sending_page:
      if (event == Event::page_sent) return to(State::reading_page, Action::read);
      if (event == Event::credit_used_up) return to(State::awaiting_page_ack, Action::none);
      break;
    case State::awaiting_page_ack:
      if (event == Event::acknowledged) return to(State::deleting, Action::erase);
      break;
    case State::deleting:
      if (event == Event::deletes_handed) return to(State::reading_page, Action::read);
      break;
    case State::connection_closed:
      break;
  }
  return Action::none;
}

ExecutionState SendUnsentMessages::shown() const noexcept {
  switch (state_) {
    case State::caught_up:
      return ExecutionState::caught_up;
    case State::reading_page:
      return ExecutionState::reading_page;
    case State::sending_page:
      return ExecutionState::sending_page;
    case State::awaiting_page_ack:
      return ExecutionState::awaiting_page_ack;
    case State::deleting:
      return ExecutionState::deleting;
    case State::connection_closed:
      break;
  }
  return ExecutionState::connection_closed;
}

}  // namespace holdfast::delivery
