#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/identity/user_pool.hpp>

#include "support/base/manual_clock.hpp"

namespace holdfast::identity {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class LockoutTest : public testing::Test {
 protected:
  void fail_times(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(lockout_.begin("name"));
  }
  test::ManualClock clock_;
  Lockout lockout_{clock_, 3};
};

TEST_F(LockoutTest, LocksAfterFiveFailuresForTwiceAsLongEachTime) {
  fail_times(5);
  int expected = 1;
  for (int failures = 5; failures < 20; ++failures) {
    EXPECT_FALSE(lockout_.begin("name"));
    clock_.advance(seconds(expected) - Microseconds(1));
    ASSERT_FALSE(lockout_.begin("name")) << failures;
    clock_.advance(Microseconds(1));
    ASSERT_TRUE(lockout_.begin("name")) << failures;
    expected *= 2;
    if (expected > 512) break;
  }
  // 2^10 s would be over 15 minutes.
  clock_.advance(minutes(15) - Microseconds(1));
  EXPECT_FALSE(lockout_.begin("name"));
  clock_.advance(Microseconds(1));
  EXPECT_TRUE(lockout_.begin("name"));
}

TEST_F(LockoutTest, DoesNotCountAttemptsWhileLocked) {
  fail_times(5);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(lockout_.begin("name"));
  clock_.advance(seconds(1));
  EXPECT_TRUE(lockout_.begin("name"));
}

TEST_F(LockoutTest, ForgetsOnSuccess) {
  fail_times(4);
  lockout_.succeeded("name");
  fail_times(5);
  EXPECT_FALSE(lockout_.begin("name"));
}

TEST_F(LockoutTest, ForgetsAfterFifteenIdleMinutes) {
  fail_times(4);
  clock_.advance(minutes(15) - Microseconds(1));
  fail_times(1);
  EXPECT_FALSE(lockout_.begin("name"));
  clock_.advance(minutes(15));
  fail_times(5);
  EXPECT_FALSE(lockout_.begin("name"));
}

TEST_F(LockoutTest, DoesNotCountWhatWasNeverTried) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(lockout_.begin("name"));
    lockout_.withdrawn("name");
  }
  fail_times(5);
  EXPECT_FALSE(lockout_.begin("name"));
  lockout_.withdrawn("name");
  EXPECT_TRUE(lockout_.begin("name"));
}

TEST_F(LockoutTest, KeepsNamesApart) {
  fail_times(5);
  EXPECT_FALSE(lockout_.begin("name"));
  EXPECT_TRUE(lockout_.begin("other"));
}

TEST_F(LockoutTest, IgnoresTheWallClock) {
  fail_times(5);
  clock_.step_wall(std::chrono::hours(24));
  EXPECT_FALSE(lockout_.begin("name"));
}

TEST_F(LockoutTest, TurnsNewNamesAwayWhenItIsFullRatherThanForgettingOne) {
  fail_times(5);
  ASSERT_TRUE(lockout_.begin("b"));
  ASSERT_TRUE(lockout_.begin("c"));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(lockout_.begin("d" + std::to_string(i)));
  EXPECT_FALSE(lockout_.begin("name"));
  EXPECT_TRUE(lockout_.begin("b"));
  lockout_.succeeded("b");
  EXPECT_TRUE(lockout_.begin("d"));
  clock_.advance(minutes(15));
  for (const char* name : {"e", "f", "g"}) EXPECT_TRUE(lockout_.begin(name));
}

TEST_F(LockoutTest, GivesABurstFromManyThreadsNoMoreThanFiveTries) {
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) admitted += lockout_.begin("name") ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, 5);
}

TEST_F(LockoutTest, ToleratesOutcomesOfNamesThatItDoesNotKnow) {
  lockout_.succeeded("nobody");
  lockout_.withdrawn("nobody");
  EXPECT_TRUE(lockout_.begin("nobody"));
}

}  // namespace
}  // namespace holdfast::identity
