// The state machine of a connection that catches up.

#include "delivery/send_unsent_messages.hpp"

#include <map>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace holdfast::delivery::send_unsent_messages_test {
namespace {

using State = SendUnsentMessages::State;
using Event = SendUnsentMessages::Event;
using Action = SendUnsentMessages::Action;
using Expected = std::pair<State, Action>;

/// Every pair that means something; in all others nothing happens.
std::map<std::pair<State, Event>, Expected> table() {
  std::map<std::pair<State, Event>, Expected> out = {
      {{State::caught_up, Event::fell_behind}, {State::reading_page, Action::begin_and_read}},
      {{State::caught_up, Event::closed}, {State::connection_closed, Action::none}},
      {{State::reading_page, Event::page_arrived}, {State::sending_page, Action::send_page}},
      {{State::reading_page, Event::read_failed}, {State::reading_page, Action::read_later}},
      {{State::sending_page, Event::page_sent}, {State::reading_page, Action::read}},
      {{State::sending_page, Event::credit_used_up}, {State::awaiting_page_ack, Action::none}},
      {{State::awaiting_page_ack, Event::acknowledged}, {State::deleting, Action::erase}},
      {{State::deleting, Event::deletes_handed}, {State::reading_page, Action::read}},
  };
  for (const State running :
       {State::reading_page, State::sending_page, State::awaiting_page_ack, State::deleting}) {
    out[{running, Event::reached_tail}] = {State::caught_up, Action::finish};
    out[{running, Event::closed}] = {State::connection_closed, Action::finish};
  }
  return out;
}

TEST(SendUnsentMessages, FollowsTheTableForEveryStateAndEvent) {
  const auto expectations = table();
  for (std::size_t s = 0; s < SendUnsentMessages::kStates; ++s) {
    for (std::size_t e = 0; e < SendUnsentMessages::kEvents; ++e) {
      const auto state = static_cast<State>(s);
      const auto event = static_cast<Event>(e);
      const auto found = expectations.find({state, event});
      const Expected expected =
          found == expectations.end() ? Expected{state, Action::none} : found->second;
      SendUnsentMessages machine(state);
      const Action action = machine.on(event);
      EXPECT_EQ(machine.state(), expected.first) << "state " << s << ", event " << e;
      EXPECT_EQ(action, expected.second) << "state " << s << ", event " << e;
    }
  }
}

TEST(SendUnsentMessages, ShowsItsStatesUnderTheirDocumentedNames) {
  const std::map<State, std::string> names = {
      {State::caught_up, "CaughtUp"},       {State::reading_page, "ReadingPage"},
      {State::sending_page, "SendingPage"}, {State::awaiting_page_ack, "AwaitingPageAck"},
      {State::deleting, "Deleting"},        {State::connection_closed, "ConnectionClosed"},
  };
  ASSERT_EQ(names.size(), SendUnsentMessages::kStates);
  for (const auto& [state, name] : names) {
    EXPECT_EQ(to_string(SendUnsentMessages(state).shown()), name);
  }
}

}  // namespace
}  // namespace holdfast::delivery::send_unsent_messages_test
