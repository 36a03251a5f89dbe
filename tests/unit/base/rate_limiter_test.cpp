// Tests the rate limiter.

#include <cstdint>

#include <gtest/gtest.h>

#include <holdfast/base/rate_limiter.hpp>

namespace holdfast {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

int take_all(RateLimiter& limiter, const Rate& rate, std::int64_t now_us) {
  int taken = 0;
  while (taken < 1'000 && limiter.try_take(rate, now_us)) ++taken;
  return taken;
}

TEST(RateLimiterTest, AllowsABurstAndThenTheRate) {
  const Rate rate = Rate::per_second(4, 3);
  RateLimiter limiter;
  std::int64_t now = 7 * kSecondUs;
  EXPECT_EQ(take_all(limiter, rate, now), 3);
  now += kSecondUs / 4 - 1;
  EXPECT_EQ(take_all(limiter, rate, now), 0);
  now += 1;
  EXPECT_EQ(take_all(limiter, rate, now), 1);
  // However long nobody came, no more than the burst.
  EXPECT_EQ(take_all(limiter, rate, now + 100 * kSecondUs), 3);
}

TEST(RateLimiterTest, AllowsAPeriodsWorthAtOnce) {
  const Rate rate = Rate::per_period(60 * kSecondUs, 5);
  RateLimiter limiter;
  EXPECT_EQ(take_all(limiter, rate, kSecondUs), 5);
  EXPECT_EQ(take_all(limiter, rate, 13 * kSecondUs), 1);
}

TEST(RateLimiterTest, CountsNothingThatItRefuses) {
  const Rate rate = Rate::per_second(1, 1);
  RateLimiter limiter;
  EXPECT_TRUE(limiter.try_take(rate, kSecondUs));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limiter.try_take(rate, 2 * kSecondUs - 1));
  EXPECT_TRUE(limiter.try_take(rate, 2 * kSecondUs));
}

TEST(RateLimiterTest, TakesTheLastBack) {
  const Rate rate = Rate::per_second(1, 2);
  RateLimiter limiter;
  EXPECT_EQ(take_all(limiter, rate, kSecondUs), 2);
  limiter.give_back(rate);
  EXPECT_EQ(take_all(limiter, rate, kSecondUs), 1);
}

TEST(RateLimiterTest, FollowsARateThatChanges) {
  RateLimiter limiter;
  EXPECT_EQ(take_all(limiter, Rate::per_second(1, 1), kSecondUs), 1);
  EXPECT_EQ(take_all(limiter, Rate::per_second(10, 20), kSecondUs), 10);
}

TEST(RateLimiterTest, HasLimitsForRatesBeyondItsUnits) {
  // An interval of nothing would let everything through, and a burst of nothing would let nothing.
  const Rate fast = Rate::per_second(3'000'000'000U, 2);
  EXPECT_EQ(fast.interval_us, 1);
  RateLimiter limiter;
  EXPECT_EQ(take_all(limiter, fast, kSecondUs), 2);
  EXPECT_EQ(Rate::per_second(1, 0).burst, 1);
  const Rate wide = Rate::per_period(std::int64_t{3'650} * 86'400 * kSecondUs, 4'000'000'000U);
  RateLimiter other;
  EXPECT_TRUE(other.try_take(wide, kSecondUs));
  EXPECT_GT(other.due_us(), kSecondUs);
}

}  // namespace
}  // namespace holdfast
