#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class MailboxTest : public ShardFixture {};

TEST_F(MailboxTest, DeliversToAConnectedUserWithoutTouchingTheDisk) {
  start();
  auto& client = connect();
  run();
  const auto answer = send("hello");
  EXPECT_FALSE(*answer);
  run();
  EXPECT_THAT(client.texts, ElementsAre("hello"));
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
  EXPECT_EQ(store->calls(Kind::insert), 0U);
  EXPECT_EQ(mailboxes->stats().elided, 1U);
  EXPECT_EQ(store->reserved(), 0U);
  EXPECT_EQ(caller->in_flight, 0U);
}

TEST_F(MailboxTest, StoresForAUserWhoIsAwayAndDeliversInOrderOnReconnect) {
  start();
  std::vector<Answer> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(send(std::to_string(i)));
  run();
  for (const auto& answer : answers) EXPECT_EQ(status(answer), DeliveryStatus::stored);
  EXPECT_EQ(rows(), 5U);
  EXPECT_EQ(mailboxes->stats().mailboxes, 0U);
  EXPECT_EQ(mailboxes->pending(user).messages, 5);

  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
}

TEST_F(MailboxTest, KeepsStoredMessagesAcrossAKill) {
  start();
  send("a");
  send("b");
  run();
  restart();
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("a", "b"));
  const auto answer = send("c");
  run();
  EXPECT_THAT(client.texts, ElementsAre("a", "b", "c"));
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
}

}  // namespace
}  // namespace holdfast::delivery
