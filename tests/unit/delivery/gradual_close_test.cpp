// The gradual close of connections before a shutdown.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

class GradualClose : public ShardFixture {
 protected:
  GradualClose() { start(); }
  std::size_t closed() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        clients, [](const auto& client) { return client->connection().closing; }));
  }
};

TEST_F(GradualClose, SpreadsTheClosesOverTheWholeWindow) {
  constexpr int kClients = 200;
  for (int i = 0; i < kClients; ++i) connect(raw_protocol, UserId("user-" + std::to_string(i)));
  run();
  bool done = false;
  mailboxes->close_gradually(Seconds(10), [&] { done = true; });
  std::vector<std::size_t> each_second;
  std::size_t before = closed();
  EXPECT_LT(before, 5u) << "at once";
  for (int second = 0; second < 10; ++second) {
    pass(Seconds(1));
    each_second.push_back(closed() - before);
    before = closed();
  }
  EXPECT_THAT(each_second, testing::Each(testing::AllOf(testing::Ge(15u), testing::Le(25u))));
  EXPECT_EQ(before, static_cast<std::size_t>(kClients));
  for (const auto& client : clients) {
    EXPECT_EQ(client->connection().close_reason, CloseReason::shutting_down);
  }
  pass(Seconds(1));
  EXPECT_TRUE(done);
}

TEST_F(GradualClose, RefusesWorkAndStillDeliversWhatIsHeld) {
  for (int i = 0; i < 40; ++i) ASSERT_EQ(send("held " + std::to_string(i))->has_value(), false);
  pass(Seconds(1));
  ASSERT_EQ(rows(), 40u);
  test::ScriptedClient& client = connect();
  mailboxes->close_gradually(Seconds(10), [] {});
  // Its page is still on its way from the store.
  EXPECT_EQ(error(send("new")), Errc::unavailable);
  pass(Seconds(11));
  EXPECT_EQ(client.texts.size(), 40u);
  EXPECT_TRUE(client.connection().closing);
  EXPECT_EQ(client.connection().close_reason, CloseReason::shutting_down);
  EXPECT_EQ(rows(), 0u);
}

TEST_F(GradualClose, IsDoneAtOnceWithoutConnections) {
  bool done = false;
  mailboxes->close_gradually(Seconds(10), [&] { done = true; });
  executor.run();
  EXPECT_TRUE(done);
}

TEST_F(GradualClose, WaitsForTheFenceOfEachAndNoLongerThanTheCloseWait) {
  test::ScriptedClient& client = connect();
  run();
  const auto answer = send("m");
  pass(Milliseconds(50), false);  // sent, and not answered
  bool done = false;
  mailboxes->close_gradually(Milliseconds(100), [&] { done = true; });
  pass(Milliseconds(500), false);
  EXPECT_FALSE(client.connection().closing);
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
  run();
  pass(Milliseconds(50));
  EXPECT_TRUE(client.connection().closing);
  EXPECT_EQ(client.connection().close_reason, CloseReason::shutting_down);
  EXPECT_EQ(rows(), 0u) << "its Pong came before the Close";
  pass(Milliseconds(50));
  EXPECT_TRUE(done);
}

TEST_F(GradualClose, GivesWayToTheRestOfTheShutdown) {
  for (int i = 0; i < 10; ++i) connect(raw_protocol, UserId("user-" + std::to_string(i)));
  run();
  bool gone = false;
  mailboxes->close_gradually(Seconds(60), [&] { gone = true; });
  pass(Seconds(1));
  bool drained = false;
  mailboxes->drain([&] { drained = true; });
  pass(Milliseconds(50));
  EXPECT_TRUE(drained);
  bool closed_all = false;
  mailboxes->close_connections([&] { closed_all = true; });
  pass(Milliseconds(50));
  EXPECT_TRUE(closed_all);
  EXPECT_EQ(closed(), 10u);
  EXPECT_FALSE(gone) << "what was given up for the next phase is not reported";
}

class ChangedLimits : public GradualClose {};

TEST_F(ChangedLimits, TakeEffectOnMailboxesThatAreThere) {
  ASSERT_FALSE(send("one")->has_value());
  pass(Seconds(1));
  Limits fewer = limits;
  fewer.pending_messages = 1;
  mailboxes->change_limits(fewer);
  EXPECT_EQ(error(send("two")), Errc::limit_exceeded);
  mailboxes->change_limits(limits);
  const auto answer = send("two");
  pass(Seconds(1));
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
}

}  // namespace
}  // namespace holdfast::delivery
