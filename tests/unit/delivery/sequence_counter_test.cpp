// Sequence numbers and their ceiling.

#include "delivery/sequence_counter.hpp"

#include <gtest/gtest.h>

namespace holdfast::delivery {
namespace {

constexpr Seconds kAhead{60};
constexpr std::int64_t kAheadUs = 60'000'000;

TEST(SequenceCounter, FollowsTheClockAndNeverRepeats) {
  SequenceCounter counter(1'000, 1'000 + kAheadUs, kAhead);
  EXPECT_EQ(counter.next(wall_from_micros(5'000)), 5'000);
  EXPECT_EQ(counter.next(wall_from_micros(5'000)), 5'001);
  EXPECT_EQ(counter.next(wall_from_micros(6'000)), 6'000);
}

TEST(SequenceCounter, RisesWhenTheClockStepsBack) {
  SequenceCounter counter(1'000, 1'000 + kAheadUs, kAhead);
  EXPECT_EQ(counter.next(wall_from_micros(9'000)), 9'000);
  EXPECT_EQ(counter.next(wall_from_micros(10)), 9'001);
}

TEST(SequenceCounter, StartsAboveWhereItsPredecessorsMayHaveBeen) {
  SequenceCounter counter(50'000, 50'000 + kAheadUs, kAhead);
  EXPECT_EQ(counter.next(wall_from_micros(7)), 50'001);
}

TEST(SequenceCounter, StopsAtTheCommittedCeiling) {
  SequenceCounter counter(10, 12, kAhead);
  EXPECT_EQ(counter.next(wall_from_micros(0)), 11);
  EXPECT_EQ(counter.next(wall_from_micros(0)), 12);
  EXPECT_FALSE(counter.next(wall_from_micros(0)));
  counter.extended(true, 13);
  EXPECT_EQ(counter.next(wall_from_micros(0)), 13);
}

TEST(SequenceCounter, DoesNotFollowAClockBeyondTheCeiling) {
  SequenceCounter counter(10, 1'000, kAhead);
  EXPECT_EQ(counter.next(wall_from_micros(3'600'000'000)), 11);
  EXPECT_EQ(counter.next(wall_from_micros(3'600'000'000)), 12);
}

TEST(SequenceCounter, AsksOnceForAnExtensionWhenHalfIsUsedUp) {
  SequenceCounter counter(0, kAheadUs, kAhead);
  EXPECT_FALSE(counter.extension(wall_from_micros(kAheadUs / 2)));
  const auto asked = counter.extension(wall_from_micros(kAheadUs / 2 + 1));
  ASSERT_TRUE(asked);
  EXPECT_EQ(*asked, kAheadUs / 2 + 1 + kAheadUs);
  EXPECT_FALSE(counter.extension(wall_from_micros(kAheadUs)));
}

TEST(SequenceCounter, AsksAgainAfterAFailureAndKeepsItsCeiling) {
  SequenceCounter counter(0, 2, kAhead);
  ASSERT_TRUE(counter.extension(wall_from_micros(0)));
  counter.extended(false, kAheadUs);
  EXPECT_EQ(counter.next(wall_from_micros(0)), 1);
  EXPECT_EQ(counter.next(wall_from_micros(0)), 2);
  EXPECT_FALSE(counter.next(wall_from_micros(0)));
  EXPECT_TRUE(counter.extension(wall_from_micros(0)));
}

}  // namespace
}  // namespace holdfast::delivery
