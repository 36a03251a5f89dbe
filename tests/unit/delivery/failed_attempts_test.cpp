#include "delivery/failed_attempts.hpp"

#include <gtest/gtest.h>

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
