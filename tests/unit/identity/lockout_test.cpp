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
using Attempt = Lockout::Attempt;

class LockoutTest : public testing::Test {
 protected:
  void fail_times(int count) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(lockout_.begin("name"), Attempt::admitted);
  }
  test::ManualClock clock_;
  Lockout lockout_{clock_, 3};
};

TEST_F(LockoutTest, LocksAfterFiveFailuresForTwiceAsLongEachTime) {
  fail_times(5);
  int expected = 1;
  for (int failures = 5; failures < 20; ++failures) {
    EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
    clock_.advance(seconds(expected) - Microseconds(1));
    ASSERT_EQ(lockout_.begin("name"), Attempt::locked) << failures;
    clock_.advance(Microseconds(1));
    ASSERT_EQ(lockout_.begin("name"), Attempt::admitted) << failures;
    expected *= 2;
    if (expected > 512) break;
  }
  // 2^10 s would be over 15 minutes.
  clock_.advance(minutes(15) - Microseconds(1));
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  clock_.advance(Microseconds(1));
  EXPECT_EQ(lockout_.begin("name"), Attempt::admitted);
}

TEST_F(LockoutTest, DoesNotCountAttemptsWhileLocked) {
  fail_times(5);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  clock_.advance(seconds(1));
  EXPECT_EQ(lockout_.begin("name"), Attempt::admitted);
}

TEST_F(LockoutTest, ForgetsOnSuccess) {
  fail_times(4);
  lockout_.succeeded("name");
  fail_times(5);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
}

TEST_F(LockoutTest, ForgetsAfterFifteenIdleMinutes) {
  fail_times(4);
  clock_.advance(minutes(15) - Microseconds(1));
  fail_times(1);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  clock_.advance(minutes(15));
  fail_times(5);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
}

TEST_F(LockoutTest, DoesNotCountWhatWasNeverTried) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(lockout_.begin("name"), Attempt::admitted);
    lockout_.withdrawn("name");
  }
  fail_times(5);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  lockout_.withdrawn("name");
  EXPECT_EQ(lockout_.begin("name"), Attempt::admitted);
}

TEST_F(LockoutTest, KeepsNamesApart) {
  fail_times(5);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  EXPECT_EQ(lockout_.begin("other"), Attempt::admitted);
}

TEST_F(LockoutTest, IgnoresTheWallClock) {
  fail_times(5);
  clock_.step_wall(std::chrono::hours(24));
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
}

TEST_F(LockoutTest, TurnsNewNamesAwayWhenItIsFullRatherThanForgettingOne) {
  fail_times(5);
  ASSERT_EQ(lockout_.begin("b"), Attempt::admitted);
  ASSERT_EQ(lockout_.begin("c"), Attempt::admitted);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(lockout_.begin("d" + std::to_string(i)), Attempt::full);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  EXPECT_EQ(lockout_.begin("b"), Attempt::admitted);
  lockout_.succeeded("b");
  EXPECT_EQ(lockout_.begin("d"), Attempt::admitted);
  clock_.advance(minutes(15));
  for (const char* name : {"e", "f", "g"}) EXPECT_EQ(lockout_.begin(name), Attempt::admitted);
}

TEST_F(LockoutTest, ForgetsTheNameWithTheFewestFailuresWhereItMayForget) {
  Lockout lockout(clock_, 3, Lockout::WhenFull::forget);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(lockout.begin("five"), Attempt::admitted);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(lockout.begin("two"), Attempt::admitted);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(lockout.begin("one" + std::to_string(i)), Attempt::admitted);
  }
  EXPECT_EQ(lockout.begin("five"), Attempt::locked);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(lockout.begin("two"), Attempt::admitted);
  EXPECT_EQ(lockout.begin("two"), Attempt::locked);
}

TEST_F(LockoutTest, LocksNobodyLongerForWhatWasNeverTried) {
  fail_times(5);
  for (int failures = 5; failures < 20; ++failures) {
    clock_.advance(minutes(10));
    const Attempt attempt = lockout_.begin("name");
    if (attempt == Attempt::locked) break;
    lockout_.withdrawn("name");
    ASSERT_EQ(lockout_.begin("name"), Attempt::admitted) << failures;
    EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  }
}

TEST_F(LockoutTest, GivesABurstFromManyThreadsNoMoreThanFiveTries) {
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) admitted += lockout_.begin("name") == Attempt::admitted ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, 5);
}

TEST_F(LockoutTest, ToleratesOutcomesOfNamesThatItDoesNotKnow) {
  lockout_.succeeded("nobody");
  lockout_.withdrawn("nobody");
  EXPECT_EQ(lockout_.begin("nobody"), Attempt::admitted);
}

}  // namespace
}  // namespace holdfast::identity
