// The table of deduplication keys.

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

  void begin(const DeduplicationKey& under) {
    ASSERT_TRUE(table.begin(under, hash, receipt.id, "caller"));
  }

  DeduplicationTable table{24, kWindow};
  DeduplicationKey key = deduplication_key("caller", kUser, "id");
  Digest hash = sha256("message");
  Receipt receipt{MessageId({7}), 70, DeliveryStatus::stored};
};

TEST_F(DeduplicationTableTest, AnswersARepeatForFiveMinutes) {
  EXPECT_EQ(table.find(key, hash, at(0), false).found, Found::nothing);
  begin(key);
  answer(key, receipt, 0);
  const auto hit = table.find(key, hash, at(299), false);
  EXPECT_EQ(hit.found, Found::answered);
  EXPECT_EQ(hit.receipt.sequence, 70);
  EXPECT_EQ(table.find(key, hash, at(300), false).found, Found::nothing);
}

TEST_F(DeduplicationTableTest, DoesNotEndAWindowWhileTheClocksDisagree) {
  begin(key);
  answer(key, receipt, 0);
  EXPECT_EQ(table.find(key, hash, at(100'000), true).found, Found::answered);
}

TEST_F(DeduplicationTableTest, RefusesAnotherMessageUnderTheKey) {
  begin(key);
  EXPECT_EQ(table.find(key, sha256("other"), at(0), false).found, Found::other);
  answer(key, receipt, 0);
  EXPECT_EQ(table.find(key, sha256("other"), at(0), false).found, Found::other);
}

TEST_F(DeduplicationTableTest, GivesWaitersTheFirstOnesOutcome) {
  begin(key);
  EXPECT_EQ(table.find(key, hash, at(0), false).found, Found::in_flight);
  std::optional<SendOutcome> heard;
  Completion<SendOutcome> waiter = [&](SendOutcome outcome) { heard = std::move(outcome); };
  ASSERT_TRUE(table.wait(key, waiter));
  answer(key, fail(Errc::unavailable, "no"), 0);
  ASSERT_TRUE(heard);
  EXPECT_FALSE(*heard);
}

TEST_F(DeduplicationTableTest, RemembersOnlySuccess) {
  begin(key);
  answer(key, fail(Errc::unavailable, "no"), 0);
  EXPECT_EQ(table.find(key, hash, at(0), false).found, Found::nothing);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(DeduplicationTableTest, BoundsWhoWaitsForOneKey) {
  begin(key);
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    Completion<SendOutcome> waiter = [](const SendOutcome&) {};
    taken += table.wait(key, waiter) ? 1 : 0;
  }
  EXPECT_EQ(taken, 64);
}

TEST_F(DeduplicationTableTest, LetsOneCallerHoldAnEighthAndHasRoomAgainWhenKeysEnd) {
  const auto refusals = std::make_shared<BoundRefusals>();
  table = DeduplicationTable(24, kWindow, refusals);
  std::int64_t second = 0;
  const auto fill = [&](const std::string& caller) {
    int taken = 0;
    for (int i = 0; i < 10; ++i) {
      const auto other = deduplication_key(caller, kUser, std::to_string(i));
      if (const auto begun = table.begin(other, hash, receipt.id, caller); !begun) {
        EXPECT_EQ(begun.error(), BoundScope::share);
        continue;
      }
      ++taken;
      answer(other, receipt, second++);
    }
    return taken;
  };
  EXPECT_EQ(fill("a"), 3);
  EXPECT_EQ(refusals->read(Bound::deduplication, BoundScope::share), 7U);
  for (const char* caller : {"b", "c", "d", "e", "f", "g", "h"}) EXPECT_EQ(fill(caller), 3);
  EXPECT_EQ(table.begin(key, hash, receipt.id, "i").error(), BoundScope::all);
  EXPECT_EQ(refusals->read(Bound::deduplication, BoundScope::all), 1U);
  table.forget_before(at(1), 99);
  EXPECT_EQ(table.size(), 23U);
  EXPECT_TRUE(table.begin(key, hash, receipt.id, "a"));
  EXPECT_EQ(table.begin(deduplication_key("a", kUser, "z"), hash, receipt.id, "a").error(),
            BoundScope::share);
}

TEST_F(DeduplicationTableTest, GivesItsPlaceBackWhenTheMessageFails) {
  for (int i = 0; i < 100; ++i) {
    begin(key);
    answer(key, fail(Errc::unavailable, "no"), 0);
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(table.find(key, hash, at(i * 400), false).found, Found::nothing);
    begin(key);
    answer(key, receipt, i * 400);
  }
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(DeduplicationTableTest, RestoresWhatTheStoreHasWhateverTheBounds) {
  for (int i = 0; i < 30; ++i) {
    table.restore({"caller", kUser, std::to_string(i), hash, receipt, {}}, at(i));
  }
  EXPECT_EQ(table.size(), 30U);
  EXPECT_FALSE(table.begin(key, hash, receipt.id, "caller"));
  table.forget_before(at(29), 99);
  EXPECT_TRUE(table.begin(key, hash, receipt.id, "caller"));
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
  begin(key);
  answer(key, receipt, 0);
  EXPECT_EQ(table.find(key, hash, at(400), false).found, Found::nothing);
  begin(key);
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
  begin(key);
  answer(key, fail(Errc::unavailable, "no"), 0);
  EXPECT_EQ(table.find(key, hash, at(299), false).tried, receipt.id);
  EXPECT_EQ(table.find(key, sha256("other"), at(299), false).tried, std::nullopt)
      << "the key is free for another message, which is no repeat";
  EXPECT_EQ(table.find(key, hash, at(300), false).tried, std::nullopt);
  EXPECT_EQ(table.find(key, hash, at(300), true).tried, receipt.id);
  begin(key);
  answer(key, fail(Errc::unavailable, "no"), 290);
  EXPECT_EQ(table.find(key, hash, at(580), false).tried, receipt.id) << "from the last attempt on";
  table.forget_before(at(290), 9);
  EXPECT_EQ(table.find(key, hash, at(580), false).tried, receipt.id);
  table.forget_before(at(291), 9);
  EXPECT_EQ(table.find(key, hash, at(580), true).tried, std::nullopt);
}

TEST_F(DeduplicationTableTest, BoundsTheAttemptsThatItKnowsInAllAndOfEachCaller) {
  const auto known = [this](const std::string& caller) {
    int count = 0;
    for (int i = 0; i < 10; ++i) {
      const auto other = deduplication_key(caller, kUser, std::to_string(i));
      count += table.find(other, hash, at(10), false).tried ? 1 : 0;
    }
    return count;
  };
  const auto fail_all = [&](const std::string& caller) {
    for (int i = 0; i < 10; ++i) {
      const auto other = deduplication_key(caller, kUser, std::to_string(i));
      ASSERT_TRUE(table.begin(other, hash, receipt.id, caller));
      answer(other, fail(Errc::unavailable, "no"), i);
    }
  };
  for (const char* caller : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    fail_all(caller);
    EXPECT_EQ(known(caller), 3) << caller;
  }
  fail_all("late");
  EXPECT_EQ(known("late"), 0);
  EXPECT_EQ(table.size(), 0U) << "they take no key's place";
  table.forget_before(at(99), 99);
  fail_all("late");
  EXPECT_EQ(known("late"), 3) << "there is room again";
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
