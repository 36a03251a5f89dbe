// Belief in the wall clock when it is set.

#include "delivery/clock_agreement.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "support/base/manual_clock.hpp"

namespace holdfast::delivery {
namespace {

class ClockAgreementTest : public testing::Test {
 protected:
  bool agree() {
    agreement.observe(clock.wall_now(), clock.boot_now(), clock.steady_now());
    return agreement.agree();
  }
  bool agree_after(Seconds time) {
    clock.advance(time);
    return agree();
  }

  test::ManualClock clock;
  ClockAgreement agreement{clock.wall_now(), clock.boot_now(), clock.steady_now()};
};

TEST_F(ClockAgreementTest, ToleratesAMinute) {
  clock.step_wall(Seconds(60));
  EXPECT_TRUE(agree());
  clock.step_wall(Seconds(-120));
  EXPECT_TRUE(agree());
  clock.step_wall(-Microseconds(1));
  EXPECT_FALSE(agree());
}

TEST_F(ClockAgreementTest, SeesNoDisagreementInASuspension) {
  clock.suspend(Seconds(36'000));
  EXPECT_TRUE(agree());
  EXPECT_EQ(agreement.rebased(), 0U);
}

TEST_F(ClockAgreementTest, AgreesAtOnceWhenTheOldTimeIsBack) {
  clock.step_wall(Seconds(3'600));
  EXPECT_FALSE(agree());
  EXPECT_FALSE(agree_after(Seconds(599)));
  clock.step_wall(Seconds(-3'600));
  EXPECT_TRUE(agree());
  EXPECT_EQ(agreement.rebased(), 0U);
  clock.step_wall(Seconds(3'600));  // the ten minutes begin anew
  EXPECT_FALSE(agree());
  EXPECT_FALSE(agree_after(Seconds(599)));
}

TEST_F(ClockAgreementTest, TakesATimeThatHasHeldForTenMinutesForTheRightOne) {
  clock.step_wall(Seconds(-3'600));
  EXPECT_FALSE(agree());
  EXPECT_FALSE(agree_after(Seconds(300)));
  clock.step_wall(Seconds(10));  // set right by a little is still the same time
  EXPECT_FALSE(agree_after(Seconds(299)));
  EXPECT_TRUE(agree_after(Seconds(1)));
  EXPECT_EQ(agreement.rebased(), 1U);
  EXPECT_EQ(agreement.rebased_by(), Seconds(-3'590));
  clock.step_wall(Seconds(3'590));  // the old time is now the one that is off
  EXPECT_FALSE(agree());
}

TEST_F(ClockAgreementTest, BeginsAnewWithEveryFurtherStep) {
  for (int i = 0; i < 5; ++i) {
    clock.step_wall(Seconds(61));
    EXPECT_FALSE(agree());
    EXPECT_FALSE(agree_after(Seconds(599)));
  }
  EXPECT_TRUE(agree_after(Seconds(1)));
}

TEST_F(ClockAgreementTest, DoesNotCountTimeInWhichNobodyLooked) {
  clock.step_wall(Seconds(3'600));
  EXPECT_FALSE(agree());
  clock.suspend(Seconds(36'000));
  EXPECT_FALSE(agree());
  EXPECT_TRUE(agree_after(Seconds(600)));
}

// The time of a start is believed by how far it is from the time that the instance knew last.
TEST_F(ClockAgreementTest, BelievesAStartShortlyBehindTheTimeThatIsKnown) {
  struct Case {
    Seconds behind;
    bool believed;
  };
  for (const auto& [behind, believed] : {Case{Seconds(0), true},
                                         {Seconds(600), true},
                                         {Seconds(601), false},
                                         {Seconds(20 * 86'400), false},
                                         {Seconds(-60), true},
                                         {Seconds(-61), false},
                                         {Seconds(-20 * 86'400), false}}) {
    agreement = {clock.wall_now(), clock.boot_now(), clock.steady_now(), clock.wall_now() - behind};
    EXPECT_EQ(agree(), believed) << behind.count();
    EXPECT_EQ(agreement.proven(), believed) << behind.count();
    EXPECT_FALSE(agreement.stepped()) << behind.count();
    if (believed) continue;
    EXPECT_FALSE(agree_after(Seconds(599)));
    EXPECT_TRUE(agree_after(Seconds(1)));
    EXPECT_TRUE(agreement.proven());
    EXPECT_EQ(agreement.rebased(), 0U) << "it is the time of the start that has held";
  }
}

TEST_F(ClockAgreementTest, TakesATimeThatWasSetBehindADoubtfulStart) {
  agreement = {clock.wall_now(), clock.boot_now(), clock.steady_now(),
               clock.wall_now() + Seconds(86'400)};
  EXPECT_FALSE(agree_after(Seconds(30)));
  clock.step_wall(Seconds(86'400));
  EXPECT_FALSE(agree());
  EXPECT_TRUE(agreement.stepped());
  clock.step_wall(Seconds(-86'400));
  EXPECT_FALSE(agree()) << "the time of the start is no better for being back";
  clock.step_wall(Seconds(86'400));
  EXPECT_FALSE(agree());
  EXPECT_FALSE(agree_after(Seconds(599)));
  EXPECT_TRUE(agree_after(Seconds(1)));
  EXPECT_EQ(agreement.rebased(), 1U);
  EXPECT_EQ(agreement.rebased_by(), Seconds(86'400));
  clock.step_wall(Seconds(-86'400));
  EXPECT_FALSE(agree());
}

class AcceptanceTimesTest : public testing::Test {
 protected:
  static ClockOffset at(Seconds offset) {
    return {WallTime(offset + Seconds(1'000'000)), BootTime(Seconds(1'000))};
  }
  struct Wrong {
    Sequence above;
    Sequence up_to;
    Seconds by;
    friend bool operator==(const Wrong&, const Wrong&) = default;
  };
  std::vector<Wrong> settle(Seconds offset, Sequence newest) {
    std::vector<Wrong> out;
    for (const AcceptedWrong& one : times.settle(at(offset), newest)) {
      out.push_back({one.above, one.up_to, std::chrono::floor<Seconds>(one.by)});
    }
    return out;
  }

  AcceptanceTimes times{100, at(Seconds(0))};
};

TEST_F(AcceptanceTimesTest, KnowWhatWasAcceptedByWhichTime) {
  times.observe(at(Seconds(0)), 150);
  times.observe(at(Seconds(60)), 160);  // the same time
  times.observe(at(Seconds(3'600)), 200);
  times.observe(at(Seconds(7'200)), 200);  // nothing came by the one before
  times.observe(at(Seconds(-500)), 300);
  EXPECT_EQ(settle(Seconds(-500), 400),
            (std::vector<Wrong>{{100, 200, Seconds(-500)}, {200, 300, Seconds(-7'700)}}));
  // All of that is set right.
  EXPECT_EQ(settle(Seconds(-500), 500), std::vector<Wrong>());
  times.observe(at(Seconds(0)), 600);
  EXPECT_EQ(settle(Seconds(0), 600), (std::vector<Wrong>{{100, 600, Seconds(500)}}));
}

TEST_F(AcceptanceTimesTest, SetRightWhatCameByATimeThatIsGoneAgain) {
  times.observe(at(Seconds(-86'400)), 200);
  times.observe(at(Seconds(0)), 300);
  EXPECT_EQ(settle(Seconds(0), 400), (std::vector<Wrong>{{200, 300, Seconds(86'400)}}));
}

TEST_F(AcceptanceTimesTest, AreBoundedAndLeaveNothingOut) {
  Sequence newest = 100;
  for (int i = 1; i <= 1'000; ++i) times.observe(at(Seconds(i * 100)), ++newest);
  const auto wrong = settle(Seconds(1'000'000), newest);
  EXPECT_LE(wrong.size(), 32U);
  Sequence at = 100;
  for (const Wrong& one : wrong) {
    EXPECT_EQ(one.above, at);
    at = one.up_to;
  }
  EXPECT_EQ(at, newest);
}

}  // namespace
}  // namespace holdfast::delivery
