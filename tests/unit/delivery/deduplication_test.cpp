#include "delivery/deduplication.hpp"

#include <gtest/gtest.h>

namespace holdfast::delivery {
namespace {

using Found = DeduplicationTable::Found;

const UserId kUser("user");
constexpr Seconds kWindow{300};

BootTime at(std::int64_t seconds) { return BootTime(Seconds(seconds)); }

TEST(DeduplicationKey, DependsOnEveryPartAndItsBounds) {
  const auto key = deduplication_key("caller", kUser, "id");
  EXPECT_EQ(key, deduplication_key("caller", kUser, "id"));
  EXPECT_NE(key, deduplication_key("other", kUser, "id"));
  EXPECT_NE(key, deduplication_key("caller", UserId("other"), "id"));
  EXPECT_NE(key, deduplication_key("caller", kUser, "other"));
  EXPECT_NE(deduplication_key("ab", UserId("c"), "d"), deduplication_key("a", UserId("bc"), "d"));
  EXPECT_NE(deduplication_key("a", UserId("bc"), "d"), deduplication_key("a", UserId("b"), "cd"));
}

class DeduplicationTableTest : public testing::Test {
 protected:
  void answer(const DeduplicationKey& key, SendOutcome outcome, std::int64_t seconds) {
    for (auto& waiter : table.end(key, outcome, at(seconds))) waiter(outcome);
  }

  DeduplicationTable table{3, kWindow};
  DeduplicationKey key = deduplication_key("caller", kUser, "id");
  Digest hash = sha256("message");
  Receipt receipt{MessageId({7}), 70, DeliveryStatus::stored};
};

TEST_F(DeduplicationTableTest, AnswersARepeatForFiveMinutes) {
  EXPECT_EQ(table.find(key, hash, at(0), false).found, Found::nothing);
  table.begin(key, hash, receipt.id);
  answer(key, receipt, 0);
  const auto hit = table.find(key, hash, at(299), false);
  EXPECT_EQ(hit.found, Found::answered);
  EXPECT_EQ(hit.receipt.sequence, 70);
  EXPECT_EQ(table.find(key, hash, at(300), false).found, Found::nothing);
}

TEST_F(DeduplicationTableTest, DoesNotEndAWindowWhileTheClocksDisagree) {
  table.begin(key, hash, receipt.id);
  answer(key, receipt, 0);
  EXPECT_EQ(table.find(key, hash, at(100'000), true).found, Found::answered);
}

TEST_F(DeduplicationTableTest, RefusesAnotherMessageUnderTheKey) {
  table.begin(key, hash, receipt.id);
  EXPECT_EQ(table.find(key, sha256("other"), at(0), false).found, Found::other);
  answer(key, receipt, 0);
  EXPECT_EQ(table.find(key, sha256("other"), at(0), false).found, Found::other);
}

TEST_F(DeduplicationTableTest, GivesWaitersTheFirstOnesOutcome) {
  table.begin(key, hash, receipt.id);
  EXPECT_EQ(table.find(key, hash, at(0), false).found, Found::in_flight);
  std::optional<SendOutcome> heard;
  Completion<SendOutcome> waiter = [&](SendOutcome outcome) { heard = std::move(outcome); };
  ASSERT_TRUE(table.wait(key, waiter));
  answer(key, fail(Errc::unavailable, "no"), 0);
  ASSERT_TRUE(heard);
  EXPECT_FALSE(*heard);
}

TEST_F(DeduplicationTableTest, RemembersOnlySuccess) {
  table.begin(key, hash, receipt.id);
  answer(key, fail(Errc::unavailable, "no"), 0);
  EXPECT_EQ(table.find(key, hash, at(0), false).found, Found::nothing);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(DeduplicationTableTest, BoundsWhoWaitsForOneKey) {
  table.begin(key, hash, receipt.id);
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    Completion<SendOutcome> waiter = [](const SendOutcome&) {};
    taken += table.wait(key, waiter) ? 1 : 0;
  }
  EXPECT_EQ(taken, 64);
}

TEST_F(DeduplicationTableTest, IsFullAtItsBoundAndHasRoomAgainWhenKeysEnd) {
  for (int i = 0; i < 3; ++i) {
    const auto other = deduplication_key("caller", kUser, std::to_string(i));
    table.begin(other, hash, receipt.id);
    answer(other, receipt, i);
  }
  EXPECT_EQ(table.find(key, hash, at(0), false).found, Found::full);
  table.forget_before(at(1), 9);
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.find(key, hash, at(0), false).found, Found::nothing);
}

TEST_F(DeduplicationTableTest, ForgetsSoManyInOneCallAndNoMore) {
  for (int i = 0; i < 10; ++i) {
    table.restore({"caller", kUser, std::to_string(i), hash, receipt, {}}, at(i));
  }
  table.forget_before(at(9), 4);
  EXPECT_EQ(table.size(), 6U);
  table.forget_before(at(9), 4);
  EXPECT_EQ(table.size(), 2U);
  table.forget_before(at(9), 4);
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(DeduplicationTableTest, DoesNotForgetAKeyThatWasUsedAgain) {
  table.begin(key, hash, receipt.id);
  answer(key, receipt, 0);
  EXPECT_EQ(table.find(key, hash, at(400), false).found, Found::nothing);
  table.begin(key, hash, receipt.id);
  answer(key, receipt, 400);
  table.forget_before(at(100), 9);
  EXPECT_EQ(table.find(key, hash, at(401), false).found, Found::answered);
}

TEST_F(DeduplicationTableTest, KnowsWhatWasLoadedFromTheStore) {
  table.restore({"caller", kUser, "id", hash, receipt, {}}, at(0));
  EXPECT_EQ(table.find(key, hash, at(10), false).found, Found::answered);
}

// ---- ids

TEST_F(DeduplicationTableTest, KnowsTheIdOfAnAttemptThatWasRefused) {
  table.begin(key, hash, receipt.id);
  answer(key, fail(Errc::unavailable, "no"), 0);
  EXPECT_EQ(table.find(key, hash, at(299), false).tried, receipt.id);
  EXPECT_EQ(table.find(key, sha256("other"), at(299), false).tried, std::nullopt)
      << "the key is free for another message, which is no repeat";
  EXPECT_EQ(table.find(key, hash, at(300), false).tried, std::nullopt);
  EXPECT_EQ(table.find(key, hash, at(300), true).tried, receipt.id);
  table.begin(key, hash, receipt.id);
  answer(key, fail(Errc::unavailable, "no"), 290);
  EXPECT_EQ(table.find(key, hash, at(580), false).tried, receipt.id) << "from the last attempt on";
  table.forget_before(at(290), 9);
  EXPECT_EQ(table.find(key, hash, at(580), false).tried, receipt.id);
  table.forget_before(at(291), 9);
  EXPECT_EQ(table.find(key, hash, at(580), true).tried, std::nullopt);
}

TEST_F(DeduplicationTableTest, BoundsTheAttemptsThatItKnows) {
  for (int i = 0; i < 10; ++i) {
    const auto other = deduplication_key("caller", kUser, std::to_string(i));
    table.begin(other, hash, receipt.id);
    answer(other, fail(Errc::unavailable, "no"), i);
  }
  int known = 0;
  for (int i = 0; i < 10; ++i) {
    const auto other = deduplication_key("caller", kUser, std::to_string(i));
    known += table.find(other, hash, at(10), false).tried ? 1 : 0;
  }
  EXPECT_EQ(known, 3);
  EXPECT_EQ(table.size(), 0U) << "they take no key's place";
}

TEST(DerivedMessageId, IsOneForEachRepeatInAWindowAndForNothingElse) {
  const auto key = deduplication_key("caller", kUser, "id");
  const Digest hash = sha256("message");
  const WallTime noon = wall_from_micros(1'769'076'000'000'000);  // a window's start
  const auto id = [&](std::string_view secret, const DeduplicationKey& under, const Digest& message,
                      Seconds after) {
    return derive_message_id(secret, under, message, noon + after, kWindow);
  };
  const MessageId first = id("secret", key, hash, Seconds(0));
  EXPECT_EQ(id("secret", key, hash, Seconds(299)), first);
  EXPECT_NE(id("secret", key, hash, Seconds(300)), first);
  EXPECT_NE(id("another", key, hash, Seconds(0)), first);
  EXPECT_NE(id("secret", deduplication_key("caller", UserId("v"), "id"), hash, Seconds(0)), first);
  EXPECT_NE(id("secret", key, sha256("other"), Seconds(0)), first);
  EXPECT_NE(derive_message_id("secret", key, hash, noon, kWindow, 1), first);
  EXPECT_EQ(first.str()[14], '8');
  EXPECT_NE(std::string("89ab").find(first.str()[19]), std::string::npos);
  EXPECT_EQ(first.str().substr(0, 13), MessageId::generate(noon).str().substr(0, 13));
}

}  // namespace
}  // namespace holdfast::delivery
