#include "delivery/clock_agreement.hpp"

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
  ClockAgreement agreement{clock.wall_now(), clock.boot_now()};
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

}  // namespace
}  // namespace holdfast::delivery
