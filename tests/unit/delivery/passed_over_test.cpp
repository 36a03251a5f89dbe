// Rows that a page read may not bring and that cannot become dead letters yet.

#include "delivery/passed_over.hpp"

#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(PassedOverTest, JoinsRangesThatTouch) {
  PassedOver rows;
  rows.add({.above = 10, .up_to = 12});
  rows.add({.above = 4, .up_to = 6});
  rows.add({.above = 6, .up_to = 10});
  EXPECT_EQ(rows.first(), (SequenceRange{.above = 4, .up_to = 12}));
  EXPECT_FALSE(rows.contains(4));
  EXPECT_TRUE(rows.contains(5));
  EXPECT_TRUE(rows.contains(12));
  EXPECT_FALSE(rows.contains(13));
}

TEST(PassedOverTest, AnswersTheRestOfARange) {
  PassedOver rows;
  rows.add({.above = 2, .up_to = 4});
  rows.add({.above = 6, .up_to = 7});
  EXPECT_THAT(
      rows.rest_of({.above = 0, .up_to = 9}),
      ElementsAre(SequenceRange{.above = 0, .up_to = 2}, SequenceRange{.above = 4, .up_to = 6},
                  SequenceRange{.above = 7, .up_to = 9}));
  EXPECT_THAT(rows.rest_of({.above = 2, .up_to = 4}), IsEmpty());
  EXPECT_THAT(rows.rest_of({.above = 3, .up_to = 5}),
              ElementsAre(SequenceRange{.above = 4, .up_to = 5}));
}

TEST(PassedOverTest, JoinsWhatHasNothingLeftBetween) {
  PassedOver rows;
  for (const Sequence at : {1, 5, 9}) rows.add({.above = at, .up_to = at + 1});
  rows.join_up_to(6);
  EXPECT_EQ(rows.first(), (SequenceRange{.above = 1, .up_to = 6}));
  EXPECT_TRUE(rows.contains(4));
  EXPECT_FALSE(rows.contains(7));
  EXPECT_TRUE(rows.contains(10));
}

TEST(PassedOverTest, KeepsTheSameRowsAsASetDoes) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    PassedOver rows;
    std::set<Sequence> expected;
    for (int i = 0; i < 12; ++i) {
      const auto above = static_cast<Sequence>(random() % 40);
      const auto up_to = above + 1 + static_cast<Sequence>(random() % 5);
      rows.add({.above = above, .up_to = up_to});
      for (Sequence at = above + 1; at <= up_to; ++at) expected.insert(at);
    }
    std::set<Sequence> rest;
    for (const SequenceRange& range : rows.rest_of({.above = 5, .up_to = 40})) {
      for (Sequence at = range.above + 1; at <= range.up_to; ++at) rest.insert(at);
    }
    for (Sequence at = 6; at <= 40; ++at) {
      ASSERT_EQ(rows.contains(at), expected.contains(at)) << at;
      ASSERT_NE(rest.contains(at), expected.contains(at)) << at;
    }
  }
}

/// A user whose first messages have expired while they were away, and cannot become dead letters.
class PassedOverMessageTest : public ShardFixture {
 protected:
  void SetUp() override {
    start();
    send(request("lives 1"));
    send(request("dies 1", {}, Seconds(60)));
    send(request("dies 2", {}, Seconds(60)));
    send(request("lives 2"));
    run();
    store->refuse_dead_letters(true);
    pass(Seconds(61));
    ASSERT_EQ(rows(), 4U);
  }
  std::size_t letters() const { return database->tables.dead_letters.size(); }
};

TEST_F(PassedOverMessageTest, StaysWhenWhatIsBehindItIsAcknowledged) {
  const test::ScriptedClient& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("lives 1", "lives 2"));
  EXPECT_EQ(rows(), 2U);
  EXPECT_EQ(mailboxes->pending(user).messages, 2);
}

TEST_F(PassedOverMessageTest, BecomesADeadLetterWhileItsUserIsConnected) {
  connect();
  run();
  pass(Seconds(20));
  EXPECT_EQ(letters(), 0U);
  store->refuse_dead_letters(false);
  pass(Seconds(6));
  EXPECT_EQ(letters(), 2U);
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
}

TEST_F(PassedOverMessageTest, IsTriedAgainNowAndThenOnly) {
  connect();
  run();
  const std::size_t before = store->calls(Kind::expire);
  pass(Seconds(20));
  EXPECT_GE(store->calls(Kind::expire), before + 3);
  EXPECT_LE(store->calls(Kind::expire), before + 4);
}

TEST_F(PassedOverMessageTest, IsNotSentToAConnectionThatComesLater) {
  test::ScriptedClient& first = connect();
  // It takes what is sent, and acknowledges nothing: what was sent stays.
  executor.run();
  ASSERT_FALSE(first.connection().sent.empty());
  const test::ScriptedClient& second = connect();
  executor.run();
  run();
  EXPECT_THAT(first.texts, ElementsAre("lives 1", "lives 2"));
  EXPECT_THAT(second.texts, ElementsAre("lives 1", "lives 2"));
}

TEST_F(PassedOverMessageTest, IsReadAgainForTheNextConnectionAfterAll) {
  connect();
  run();
  clients.back()->connection().end({.by = ConnectionEnd::By::client});
  run();
  store->refuse_dead_letters(false);
  const test::ScriptedClient& again = connect();
  run();
  EXPECT_THAT(again.texts, IsEmpty());
  EXPECT_EQ(letters(), 2U);
}

TEST_F(PassedOverMessageTest, DoesNotKeepALaterMessageFromItsUser) {
  connect();
  run();
  for (int i = 0; i < 5; ++i) send(request("more " + std::to_string(i)));
  run();
  EXPECT_EQ(clients.back()->texts.size(), 7U);
  EXPECT_EQ(rows(), 2U);
}

TEST_F(PassedOverMessageTest, StaysWhenTheProcessEndsOrderly) {
  connect();
  run();
  bool closed = false;
  mailboxes->drain([&] { mailboxes->close_connections([&] { closed = true; }); });
  pass(Seconds(20));
  EXPECT_TRUE(closed);
  EXPECT_EQ(rows(), 2U);
}

using ManyPassedOverTest = ShardFixture;

// Each range is bounded by messages that were sent: they join as those are acknowledged.
TEST_F(ManyPassedOverTest, JoinsRangesAsMessagesBetweenThemAreAcknowledged) {
  start();
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    send(request("dies", {}, Seconds(60)));
    expected.push_back("lives " + std::to_string(i));
    send(request(expected.back()));
    run();
  }
  ASSERT_EQ(rows(), 400U);
  store->refuse_dead_letters(true);
  pass(Seconds(61));
  const test::ScriptedClient& client = connect();
  run();
  EXPECT_EQ(client.texts, expected);
  EXPECT_EQ(rows(), 200U);
  store->refuse_dead_letters(false);
  pass(Seconds(30));
  EXPECT_EQ(database->tables.dead_letters.size(), 200U);
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
}

}  // namespace
}  // namespace holdfast::delivery
