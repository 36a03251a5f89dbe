// Tests lockouts and daily limits, across restarts too.

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/identity/attempts.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/identity/fake_stores.hpp"

namespace holdfast::identity {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using Attempt = Lockout::Attempt;

class LockoutTest : public testing::Test {
 protected:
  void fail_times(int count) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(lockout_.begin("name"), Attempt::allowed);
  }
  test::ManualClock clock_;
  Lockout lockout_{clock_, 3};
};

TEST_F(LockoutTest, LocksAfterFiveFailuresForTwiceAsLongEachTimeUpToAnHour) {
  fail_times(5);
  int expected = 1;
  for (int failures = 5; expected <= 1024; ++failures) {
    clock_.advance(seconds(expected) - Microseconds(1));
    ASSERT_EQ(lockout_.begin("name"), Attempt::locked) << failures;
    clock_.advance(Microseconds(1));
    ASSERT_EQ(lockout_.begin("name"), Attempt::allowed) << failures;
    expected *= 2;
  }
  // From here on one is forgiven in the hour that the next may take at most.
  for (int i = 0; i < 10; ++i) {
    clock_.advance(hours(1));
    ASSERT_EQ(lockout_.begin("name"), Attempt::allowed) << i;
    ASSERT_EQ(lockout_.begin("name"), Attempt::locked) << i;
  }
}

TEST_F(LockoutTest, DoesNotCountAttemptsWhileLocked) {
  fail_times(5);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  clock_.advance(seconds(1));
  EXPECT_EQ(lockout_.begin("name"), Attempt::allowed);
}

TEST_F(LockoutTest, ForgetsOnSuccess) {
  fail_times(4);
  lockout_.succeeded("name");
  fail_times(5);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
}

TEST_F(LockoutTest, ForgivesOneFailureEachHour) {
  fail_times(5);
  clock_.advance(hours(1) - Microseconds(1));
  fail_times(1);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked) << "six of them lock for two seconds";
  clock_.advance(Microseconds(1));
  clock_.advance(hours(3));
  fail_times(3);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
}

TEST_F(LockoutTest, LocksForGoodAfterAHundredFailuresInARowHoweverSlow) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(lockout_.begin("name"), Attempt::allowed) << i;
    clock_.advance(days(1));
  }
  for (const auto later : {days(1), days(30), days(200)}) {
    clock_.advance(later);
    EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  }
  lockout_.succeeded("name");
  EXPECT_EQ(lockout_.begin("name"), Attempt::allowed);
}

TEST_F(LockoutTest, DoesNotCountWhatWasNeverTried) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(lockout_.begin("name"), Attempt::allowed);
    lockout_.withdrawn("name");
  }
  fail_times(5);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  lockout_.withdrawn("name");
  EXPECT_EQ(lockout_.begin("name"), Attempt::allowed);
}

TEST_F(LockoutTest, KeepsNamesApart) {
  fail_times(5);
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  EXPECT_EQ(lockout_.begin("other"), Attempt::allowed);
}

TEST_F(LockoutTest, IgnoresTheWallClock) {
  fail_times(5);
  clock_.step_wall(hours(24));
  EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
}

TEST_F(LockoutTest, ForgetsTheNameWithTheFewestFailuresWhenItIsFull) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(lockout_.begin("five"), Attempt::allowed);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(lockout_.begin("two"), Attempt::allowed);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(lockout_.begin("one" + std::to_string(i)), Attempt::allowed);
  }
  EXPECT_EQ(lockout_.begin("five"), Attempt::locked);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(lockout_.begin("two"), Attempt::allowed);
  EXPECT_EQ(lockout_.begin("two"), Attempt::locked);
}

TEST_F(LockoutTest, KeepsTheLockWhenAnAttemptIsWithdrawn) {
  fail_times(5);
  for (int failures = 5; failures < 12; ++failures) {
    clock_.advance(minutes(10));
    ASSERT_EQ(lockout_.begin("name"), Attempt::allowed);
    lockout_.withdrawn("name");
    ASSERT_EQ(lockout_.begin("name"), Attempt::allowed) << failures;
    EXPECT_EQ(lockout_.begin("name"), Attempt::locked);
  }
}

TEST_F(LockoutTest, GivesABurstFromManyThreadsNoMoreThanFiveTries) {
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) allowed += lockout_.begin("name") == Attempt::allowed ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allowed, 5);
}

TEST_F(LockoutTest, ToleratesOutcomesOfNamesThatItDoesNotKnow) {
  lockout_.succeeded("nobody");
  lockout_.withdrawn("nobody");
  EXPECT_EQ(lockout_.begin("nobody"), Attempt::allowed);
}

TEST(DailyLimits, CountTheLastTwentyFourHours) {
  test::ManualClock clock;
  DailyLimits limits(clock, 10);
  for (int hour = 0; hour < 5; ++hour) {
    ASSERT_TRUE(limits.take("name", 5));
    clock.advance(hours(1));
  }
  EXPECT_FALSE(limits.take("name", 5));
  EXPECT_TRUE(limits.take("other", 5));
  clock.advance(hours(19) - Microseconds(1));
  EXPECT_FALSE(limits.take("name", 5));
  clock.advance(Microseconds(1));
  EXPECT_TRUE(limits.take("name", 5));
  EXPECT_FALSE(limits.take("name", 5));
  limits.withdrawn("name");
  EXPECT_TRUE(limits.take("name", 5));
  limits.forget("name");
  EXPECT_TRUE(limits.take("name", 1));
}

TEST(DailyLimits, GiveNoMoreInAnyDayHoweverTheyAreAskedFor) {
  test::ManualClock clock;
  DailyLimits limits(clock, 10);
  std::vector<SteadyTime> taken;
  for (int i = 0; i < 3 * 24 * 60; ++i) {
    if (limits.take("name", 10)) taken.push_back(clock.steady_now());
    clock.advance(minutes(i % 2 + 1));
  }
  for (std::size_t i = 10; i < taken.size(); ++i) EXPECT_GE(taken[i] - taken[i - 10], hours(24));
  EXPECT_GE(taken.size(), 40U);
}

/// Runs of a process that come one after the other, over one database.
class AttemptsAcrossRestarts : public testing::Test {
 protected:
  AttemptsAcrossRestarts() { restart(); }
  void restart() {
    if (keeper_) {
      keeper_->finish([](const Result<void>& done) { EXPECT_TRUE(done); });
      executor_.run();
    }
    start();
  }
  void start() {
    counts_ = std::make_shared<AttemptCounts>(clock_, 1000, "secret");
    keeper_ = std::make_unique<AttemptKeeper>(counts_, store_, clock_);
    keeper_->load([](const Result<void>& done) { EXPECT_TRUE(done); });
    executor_.run();
  }

  test::ManualClock clock_;
  test::ManualExecutor executor_;
  test::FakeIdentityDatabase database_;
  test::FakeAttemptStore store_{database_, executor_};
  std::shared_ptr<AttemptCounts> counts_;
  std::unique_ptr<AttemptKeeper> keeper_;
};

TEST_F(AttemptsAcrossRestarts, ForgetNothing) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(counts_->logins.begin("alice"), Attempt::allowed);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(counts_->console.begin("x"), Attempt::allowed);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(counts_->codes.take("send alice", 5));
  ASSERT_EQ(counts_->logins.begin("bob"), Attempt::allowed);
  counts_->logins.succeeded("bob");
  restart();
  EXPECT_EQ(database_.attempts.size(), 3U);
  EXPECT_EQ(counts_->logins.begin("alice"), Attempt::locked);
  EXPECT_EQ(counts_->console.begin("x"), Attempt::locked);
  EXPECT_FALSE(counts_->codes.take("send alice", 5));
  EXPECT_TRUE(counts_->codes_of_unknown_names.take("send alice", 5)) << "each list has its own";
  counts_->logins.succeeded("alice");
  clock_.advance(days(1));
  restart();
  EXPECT_EQ(counts_->logins.begin("alice"), Attempt::allowed);
  EXPECT_TRUE(counts_->codes.take("send alice", 5));
}

TEST_F(AttemptsAcrossRestarts, StayBelowTheCapForADayOfTheFastestGuesses) {
  int guesses = 0;
  std::vector<SteadyTime> codes;
  const SteadyTime end = clock_.steady_now() + days(1);
  for (int i = 0; clock_.steady_now() < end; ++i) {
    if (counts_->logins.begin("alice") == Attempt::allowed) ++guesses;
    if (counts_->codes.take("try alice", 10)) codes.push_back(clock_.steady_now());
    clock_.advance(seconds(1));
    if (i % 7200 == 0) restart();
  }
  EXPECT_LT(guesses, 50);
  EXPECT_EQ(codes.size(), 10U);
  // On the days that follow nothing is left but one an hour, and in the end none.
  for (int hour = 0; hour < 24 * 30; ++hour) {
    clock_.advance(hours(1));
    if (counts_->logins.begin("alice") == Attempt::allowed) ++guesses;
    if (hour % 50 == 0) restart();
  }
  EXPECT_EQ(guesses, 100);
}

TEST_F(AttemptsAcrossRestarts, AreWrittenInBoundedBatchesHoweverManyThereAre) {
  const std::size_t before = store_.calls();
  for (int i = 0; i < 50; ++i) {
    for (int j = 0; j < 100; ++j) {
      (void)counts_->logins_of_unknown_names.begin(std::to_string(j));
      (void)counts_->logins.begin("alice");
    }
    keeper_->write();  // what the first has not finished, the others leave alone
  }
  EXPECT_EQ(store_.calls() - before, 1U);
  executor_.run();
  keeper_->write();
  executor_.run();
  EXPECT_EQ(store_.calls() - before, 2U);
  EXPECT_EQ(database_.attempts.size(), 101U);
  // Nothing has changed: nothing is written. What is locked does not change either.
  EXPECT_EQ(counts_->logins.begin("alice"), Attempt::locked);
  keeper_->write();
  EXPECT_EQ(store_.calls() - before, 2U);
}

TEST_F(AttemptsAcrossRestarts, AreWrittenAgainWhenTheyCouldNotBe) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(counts_->logins.begin("alice"), Attempt::allowed);
  store_.fail_next();
  keeper_->write();
  executor_.run();
  EXPECT_TRUE(database_.attempts.empty());
  keeper_->write();
  executor_.run();
  start();
  EXPECT_EQ(counts_->logins.begin("alice"), Attempt::locked);
}

TEST_F(AttemptsAcrossRestarts, KeepNoNameThatCanBeRead) {
  ASSERT_EQ(counts_->logins_of_unknown_names.begin("a password in the wrong field"),
            Attempt::allowed);
  restart();
  ASSERT_EQ(database_.attempts.size(), 1U);
  const auto& [key, row] = *database_.attempts.begin();
  EXPECT_EQ(row.name.size(), 32U);
  EXPECT_EQ((key.second + row.state).find("password"), std::string::npos);
}

TEST_F(AttemptsAcrossRestarts, AreForgottenInTheDatabaseToo) {
  ASSERT_EQ(counts_->logins.begin("alice"), Attempt::allowed);
  restart();
  clock_.advance(days(7));
  keeper_->forget_idle();
  restart();
  EXPECT_TRUE(database_.attempts.empty());
}

TEST_F(AttemptsAcrossRestarts, SurviveAClockThatWasSetBack) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(counts_->logins.begin("alice"), Attempt::allowed);
  keeper_->finish([](const Result<void>&) {});
  executor_.run();
  clock_.step_wall(-days(30));
  start();
  EXPECT_EQ(counts_->logins.begin("alice"), Attempt::locked);
  clock_.advance(seconds(1));
  EXPECT_EQ(counts_->logins.begin("alice"), Attempt::allowed);
}

}  // namespace
}  // namespace holdfast::identity
