// The history of runs.

#include "delivery/execution_ring.hpp"

#include <gtest/gtest.h>

namespace holdfast::delivery {
namespace {

const UserId kRingUser("user");

MessageId id(std::uint8_t n) { return MessageId({n}); }

TEST(ExecutionRing, KeepsStepsWithTheirTimes) {
  ExecutionRing ring(4);
  const auto run = ring.begin(Workflow::send_message, id(1), kRingUser, 17);
  ring.step(run, ExecutionState::received, wall_from_micros(100));
  ring.step(run, ExecutionState::storing, wall_from_micros(200));
  ring.step(run, ExecutionState::storing, wall_from_micros(250));
  ring.step(run, ExecutionState::stored, wall_from_micros(300));
  ring.finish(run);
  const auto listed = ring.list({}, 10);
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].id, id(1));
  EXPECT_EQ(listed[0].user, kRingUser);
  EXPECT_EQ(listed[0].sequence, 17);
  EXPECT_TRUE(listed[0].finished);
  ASSERT_EQ(listed[0].step_count, 3U);
  EXPECT_EQ(listed[0].steps[1].state, ExecutionState::storing);
  EXPECT_EQ(listed[0].steps[1].at_us, 200);
  EXPECT_EQ(listed[0].steps[2].at_us, 300);
}

TEST(ExecutionRing, ForgetsTheOldestAndIgnoresTheirLateSteps) {
  ExecutionRing ring(2);
  const auto first = ring.begin(Workflow::send_message, id(1), kRingUser, 1);
  (void)ring.begin(Workflow::send_message, id(2), kRingUser, 2);
  (void)ring.begin(Workflow::send_message, id(3), kRingUser, 3);
  ring.step(first, ExecutionState::stored, wall_from_micros(1));
  ring.finish(first);
  const auto listed = ring.list({}, 10);
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].id, id(3));
  EXPECT_EQ(listed[1].id, id(2));
  EXPECT_EQ(listed[0].step_count, 0U);
  EXPECT_FALSE(listed[0].finished);
}

TEST(ExecutionRing, KeepsTheFirstStepsAndTheLastOfALongRun) {
  ExecutionRing ring(1);
  const auto run = ring.begin(Workflow::send_unsent_messages, id(1), kRingUser, 0);
  for (int i = 0; i < 100; ++i) {
    ring.step(run, i % 2 == 0 ? ExecutionState::reading_page : ExecutionState::sending_page,
              wall_from_micros(i));
  }
  ring.step(run, ExecutionState::caught_up, wall_from_micros(100));
  const auto listed = ring.list({}, 1);
  EXPECT_EQ(listed[0].step_count, 101U);
  EXPECT_EQ(listed[0].steps[10].at_us, 10);
  EXPECT_EQ(listed[0].steps[11].state, ExecutionState::caught_up);
}

TEST(ExecutionRing, FindsByUserAndById) {
  ExecutionRing ring(8);
  (void)ring.begin(Workflow::send_message, id(1), kRingUser, 1);
  (void)ring.begin(Workflow::send_message, id(2), UserId("other"), 2);
  (void)ring.begin(Workflow::send_message, id(3), kRingUser, 3);
  EXPECT_EQ(ring.list({.user = kRingUser, .id = {}}, 10).size(), 2U);
  EXPECT_EQ(ring.list({.user = kRingUser, .id = {}}, 1)[0].id, id(3));
  EXPECT_EQ(ring.list({.user = {}, .id = id(2)}, 10)[0].user, UserId("other"));
  EXPECT_TRUE(ring.list({.user = kRingUser, .id = id(2)}, 10).empty());
}

TEST(ExecutionRing, KeepsTheLongestUserId) {
  ExecutionRing ring(1);
  const UserId longest(std::string(128, 'u'));
  (void)ring.begin(Workflow::send_message, id(1), longest, 1);
  EXPECT_EQ(ring.list({.user = longest, .id = {}}, 1).size(), 1U);
}

TEST(ExecutionRing, MayBeSwitchedOff) {
  ExecutionRing ring(0);
  const auto run = ring.begin(Workflow::send_message, id(1), kRingUser, 1);
  ring.step(run, ExecutionState::received, wall_from_micros(1));
  EXPECT_TRUE(ring.list({}, 10).empty());
}

// The end of a stored message is the business of another run.
TEST(ExecutionRing, ListsWithAStoredMessageTheRunsThatWentOverIt) {
  ExecutionRing ring(8);
  const auto accept = [&](std::uint8_t n, Sequence sequence, ExecutionState end) {
    const auto run = ring.begin(Workflow::send_message, id(n), kRingUser, sequence);
    ring.step(run, end, wall_from_micros(sequence));
    ring.finish(run);
  };
  accept(1, 10, ExecutionState::stored);
  accept(2, 20, ExecutionState::delivered);
  accept(3, 30, ExecutionState::stored);
  const auto other = ring.begin(Workflow::send_unsent_messages, id(8), UserId("other"), 0);
  ring.add_message(other, 30);
  const auto over = ring.begin(Workflow::send_unsent_messages, id(9), kRingUser, 0);
  EXPECT_EQ(ring.list({.user = {}, .id = id(3)}, 10).size(), 1U);  // it has sent nothing yet
  ring.add_message(over, 15);
  ring.add_message(over, 30);
  EXPECT_EQ(ring.list({.user = {}, .id = id(1)}, 10).size(), 1U);
  EXPECT_EQ(ring.list({.user = {}, .id = id(2)}, 10).size(), 1U);
  const auto listed = ring.list({.user = {}, .id = id(3)}, 10);
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].id, id(9));
  EXPECT_EQ(listed[0].messages, 2U);
  EXPECT_EQ(listed[0].sequence, 30);
  EXPECT_EQ(listed[1].id, id(3));
}

TEST(ExecutionRing, TellsWhenAMessageWasAcknowledgedAndByWhichConnection) {
  ExecutionRing ring(4);
  const auto accept = [&](std::uint8_t n, const UserId& user, Sequence sequence) {
    const auto run = ring.begin(Workflow::send_message, id(n), user, sequence);
    ring.step(run, ExecutionState::stored, wall_from_micros(sequence));
    ring.finish(run);
  };
  const auto acknowledged = [&](std::uint8_t n) {
    return ring.list({.user = {}, .id = id(n)}, 1).at(0).acknowledged;
  };
  accept(1, kRingUser, 10);
  accept(2, UserId("other"), 15);
  accept(3, kRingUser, 20);
  EXPECT_FALSE(acknowledged(1));
  ring.acknowledge(kRingUser, 0, 15, "connection-7", wall_from_micros(99));
  ASSERT_TRUE(acknowledged(1));
  EXPECT_EQ(acknowledged(1)->at_us, 99);
  EXPECT_EQ(acknowledged(1)->by.str(), "connection-7");
  EXPECT_FALSE(acknowledged(2)) << "another user's";
  EXPECT_FALSE(acknowledged(3)) << "not reached yet";
  ring.acknowledge(kRingUser, 15, 20, "connection-8", wall_from_micros(100));
  EXPECT_EQ(acknowledged(3)->by.str(), "connection-8");
  EXPECT_EQ(acknowledged(1)->by.str(), "connection-7");
  for (Sequence i = 0; i < 4; ++i) {
    ring.acknowledge(UserId("third"), i, i + 1, "c", wall_from_micros(101));
  }
  EXPECT_FALSE(acknowledged(1)) << "as many are kept as runs";
}

}  // namespace
}  // namespace holdfast::delivery
