// Counts of connections that end at one message.

#include "delivery/failed_attempts.hpp"

#include <gtest/gtest.h>

#include "delivery/longest_taken.hpp"

namespace holdfast::delivery {
namespace {

const UserId kClient("u");

EndedAt ended(Sequence first, Sequence last, std::uint16_t code = 1006) {
  return {.first = first, .last = last, .code = code};
}

TEST(FailedAttemptTable, CountsEndsAtOneMessageUntilItIsAcknowledged) {
  FailedAttemptTable table(10);
  EXPECT_EQ(table.find(kClient), nullptr);
  for (std::uint32_t i = 1; i <= 20; ++i) EXPECT_EQ(table.add(kClient, ended(5, 5)).count, i);
  table.settle(kClient, 4);
  EXPECT_NE(table.find(kClient), nullptr);
  table.settle(kClient, 5);
  EXPECT_TRUE(table.empty());
}

TEST(FailedAttemptTable, GoesOnCountingAtWhatStoodBehindOnce) {
  FailedAttemptTable table(10);
  table.add(kClient, ended(5, 9));
  EXPECT_EQ(table.add(kClient, ended(5, 9)).count, 2U);
  EXPECT_EQ(table.add(kClient, ended(7, 7)).count, 3U) << "it was under way at both ends";
  EXPECT_EQ(table.add(kClient, ended(7, 12)).last, 7);
  EXPECT_EQ(table.add(kClient, ended(8, 9)).count, 1U) << "there was progress twice: another row";
}

TEST(FailedAttemptTable, BeginsAnewAtWhatWasNotUnderWay) {
  FailedAttemptTable table(10);
  table.add(kClient, ended(5, 9));
  EXPECT_EQ(table.add(kClient, ended(10, 12)).count, 1U);
  EXPECT_EQ(table.add(kClient, ended(10, 10)).count, 2U);
}

TEST(FailedAttemptTable, TakesOneBackForEachEndOfTheNetwork) {
  FailedAttemptTable table(10);
  table.add(kClient, ended(5, 5));
  table.add(kClient, ended(5, 5));
  table.take_back(kClient);
  EXPECT_EQ(table.find(kClient)->count, 1U);
  table.take_back(kClient);
  EXPECT_TRUE(table.empty());
  table.take_back(kClient);
  EXPECT_TRUE(table.empty());
}

TEST(FailedAttemptTable, RemembersHowManyWereGivenUpUntilOneIsAcknowledged) {
  FailedAttemptTable table(10);
  table.add(kClient, ended(5, 5));
  table.give_up(kClient);
  EXPECT_EQ(table.find(kClient)->count, 0U);
  EXPECT_EQ(table.add(kClient, ended(6, 6)).given_up, 1U);
  table.settle(kClient, 6);
  EXPECT_EQ(table.add(kClient, ended(7, 7)).given_up, 0U);
}

TEST(FailedAttemptTable, CountsWhateverEndsAtOneMessageBesides) {
  FailedAttemptTable table(3);
  for (std::uint32_t i = 1; i <= 20; ++i) EXPECT_EQ(table.count_end(kClient, 5), i);
  table.settle(kClient, 4);
  EXPECT_EQ(table.count_end(kClient, 5), 21U);
  EXPECT_EQ(table.count_end(kClient, 6), 1U);
  table.settle(kClient, 6);
  EXPECT_TRUE(table.empty());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(table.count_end(UserId(std::to_string(i)), 7), 1U);
  int kept = 0;
  for (int i = 0; i < 100; ++i) {
    if (table.count_end(UserId(std::to_string(i)), 7) == 2) ++kept;
  }
  EXPECT_LE(kept, 3);
}

TEST(FailedAttemptTable, KnowsWhoWasThereAtTheFirstOne) {
  FailedAttemptTable table(10);
  EndedAt end = ended(5, 5);
  end.next_serial = 40;
  table.add(kClient, end);
  end.next_serial = 50;
  EXPECT_EQ(table.add(kClient, end).next_serial, 40U);
  end.first = end.last = 6;
  EXPECT_EQ(table.add(kClient, end).next_serial, 50U) << "another row";
}

TEST(LongestTaken, IsNeverTooLittle) {
  LongestTaken longest(8);
  const auto user = [](std::uint32_t i) { return UserId("user-" + std::to_string(i)); };
  EXPECT_EQ(longest.of(user(1)), 0U);
  longest.raise(user(1), 500);
  longest.raise(user(1), 30);
  EXPECT_EQ(longest.of(user(1)), 500U);
  for (std::uint32_t i = 0; i < 1'000; ++i) longest.raise(user(i), i);
  for (std::uint32_t i = 0; i < 1'000; ++i) EXPECT_GE(longest.of(user(i)), i);
}

TEST(LongestTaken, HoldsFewUsersForMoreThanTheyTook) {
  LongestTaken longest(4'000);
  for (int i = 0; i < 1'000; ++i) longest.raise(UserId("user-" + std::to_string(i)), 90'000);
  int wrong = 0;
  for (int i = 1'000; i < 2'000; ++i) {
    wrong += longest.of(UserId("user-" + std::to_string(i))) > 0 ? 1 : 0;
  }
  EXPECT_LT(wrong, 100);
}

TEST(FailedAttemptTable, TellsTheLastEndsTheOldestFirst) {
  FailedAttemptTable table(10);
  table.add(kClient, ended(5, 5, 1009));
  table.add(kClient, ended(5, 5, 0));
  EXPECT_EQ(table.find(kClient)->ends(), "1009, silent");
  EXPECT_EQ(table.find(kClient)->last_code(), 0);
  for (std::uint16_t code = 4000; code < 4010; ++code) table.add(kClient, ended(5, 5, code));
  EXPECT_EQ(table.find(kClient)->ends(), "4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009");
}

TEST(FailedAttemptTable, KeepsSoManyUsersAndNoMore) {
  FailedAttemptTable table(3);
  for (int i = 0; i < 100; ++i) {
    table.add(UserId(std::to_string(i)), ended(1, 1));
    EXPECT_NE(table.find(UserId(std::to_string(i))), nullptr);
    EXPECT_LE(table.size(), 3U);
  }
}

}  // namespace
}  // namespace holdfast::delivery
