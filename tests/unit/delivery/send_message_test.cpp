// The state machine of one message.

#include "delivery/send_message.hpp"

#include <map>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace holdfast::delivery::send_message_test {
namespace {

using State = SendMessage::State;
using Event = SendMessage::Event;
using Action = SendMessage::Action;
using Expected = std::pair<State, Action>;
using Table = std::map<std::pair<State, Event>, Expected>;

/// Every pair that means something; in all others nothing happens.
Table plain() {
  return {
      {{State::received, Event::accepted}, {State::look_up_connection, Action::look_up}},
      {{State::look_up_connection, Event::connection_ready}, {State::sending, Action::send}},
      {{State::look_up_connection, Event::no_connection}, {State::storing, Action::store}},
      {{State::sending, Event::sent}, {State::awaiting_ack, Action::await_ack}},
      {{State::sending, Event::sent_slowly}, {State::storing, Action::store}},
      {{State::sending, Event::not_sent}, {State::storing, Action::store}},
      {{State::awaiting_ack, Event::overtaken}, {State::storing, Action::store}},
      {{State::awaiting_ack, Event::connection_lost}, {State::storing, Action::store}},
      {{State::awaiting_ack, Event::timed_out}, {State::storing, Action::store}},
      {{State::awaiting_ack, Event::acknowledged}, {State::delivered, Action::answer_delivered}},
      {{State::storing, Event::acknowledged}, {State::delivered, Action::answer_delivered}},
      {{State::storing, Event::committed}, {State::stored, Action::answer_stored}},
      {{State::storing, Event::commit_failed}, {State::failed, Action::await_last_ack}},
      {{State::acked_storing, Event::committed}, {State::stored, Action::answer_stored}},
      {{State::acked_storing, Event::commit_failed}, {State::recording, Action::record}},
      {{State::recording, Event::recorded}, {State::delivered, Action::answer_delivered}},
      {{State::recording, Event::record_failed}, {State::recording, Action::record}},
      {{State::failed, Event::acknowledged}, {State::delivered, Action::answer_delivered}},
      {{State::failed, Event::connection_lost}, {State::rejected, Action::reject}},
      {{State::failed, Event::timed_out}, {State::rejected, Action::reject}},
  };
}

/// With a deduplicationId, or as a redrive, an acknowledgement answers nobody by itself.
Table remembered() {
  Table table = plain();
  table[{State::awaiting_ack, Event::acknowledged}] = {State::recording, Action::record};
  table[{State::storing, Event::acknowledged}] = {State::acked_storing, Action::none};
  table[{State::failed, Event::acknowledged}] = {State::recording, Action::record};
  return table;
}

void check_every_pair(bool is_remembered, const Table& table) {
  for (std::size_t s = 0; s < SendMessage::kStates; ++s) {
    for (std::size_t e = 0; e < SendMessage::kEvents; ++e) {
      const auto state = static_cast<State>(s);
      const auto event = static_cast<Event>(e);
      const auto found = table.find({state, event});
      const Expected expected =
          found == table.end() ? Expected{state, Action::none} : found->second;
      SendMessage machine(is_remembered, state);
      const Action action = machine.on(event);
      EXPECT_EQ(machine.state(), expected.first) << "state " << s << ", event " << e;
      EXPECT_EQ(action, expected.second) << "state " << s << ", event " << e;
    }
  }
}

TEST(SendMessage, FollowsTheTableForEveryStateAndEvent) { check_every_pair(false, plain()); }

TEST(SendMessage, FollowsTheTableWhenItsOutcomeMustBeRemembered) {
  check_every_pair(true, remembered());
}

TEST(SendMessage, EndsOnlyInAnswers) {
  for (std::size_t s = 0; s < SendMessage::kStates; ++s) {
    const auto state = static_cast<State>(s);
    const bool answered =
        state == State::delivered || state == State::stored || state == State::rejected;
    EXPECT_EQ(SendMessage(false, state).finished(), answered) << s;
  }
}

TEST(SendMessage, ShowsItsStatesUnderTheirDocumentedNames) {
  const std::map<State, std::string> names = {
      {State::received, "Received"},   {State::look_up_connection, "LookUpConnection"},
      {State::sending, "Sending"},     {State::awaiting_ack, "AwaitingAck"},
      {State::storing, "Storing"},     {State::acked_storing, "Storing"},
      {State::recording, "Storing"},   {State::failed, "AwaitingAck"},
      {State::delivered, "Delivered"}, {State::stored, "Stored"},
      {State::rejected, "Rejected"},
  };
  ASSERT_EQ(names.size(), SendMessage::kStates);
  for (const auto& [state, name] : names) {
    EXPECT_EQ(to_string(SendMessage(false, state).shown()), name);
  }
}

}  // namespace
}  // namespace holdfast::delivery::send_message_test
