// Tests the rate limits of users.

#include "api/user_rates.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/base/manual_clock.hpp"

namespace holdfast::api {
namespace {

class UserRatesTest : public ::testing::Test {
 protected:
  bool take(UserRates& rates, const std::string& user) {
    return rates.take(UserId(user), clock_.steady_now());
  }
  int take_all(UserRates& rates, const std::string& user) {
    int taken = 0;
    while (taken < 1'000 && take(rates, user)) ++taken;
    return taken;
  }

  test::ManualClock clock_;
};

TEST_F(UserRatesTest, AllowABurstAndThenTheRate) {
  UserRates rates(2, 5);
  EXPECT_EQ(take_all(rates, "ann"), 5);
  EXPECT_EQ(take_all(rates, "ben"), 5) << "each user has a rate of their own";
  clock_.advance(Milliseconds(499));
  EXPECT_EQ(take_all(rates, "ann"), 0);
  clock_.advance(Milliseconds(1));
  EXPECT_EQ(take_all(rates, "ann"), 1);
  clock_.advance(Seconds(100));
  EXPECT_EQ(take_all(rates, "ann"), 5);
}

TEST_F(UserRatesTest, AllowsEverythingWithoutARate) {
  UserRates rates(0, 1);
  EXPECT_EQ(take_all(rates, "ann"), 1'000);
  EXPECT_EQ(rates.users(), 0U);
}

TEST_F(UserRatesTest, RememberABoundedNumberOfUsers) {
  UserRates rates(1, 1, 64);
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(take(rates, std::to_string(i)));
  EXPECT_LE(rates.users(), 64U);
  EXPECT_FALSE(take(rates, "9999")) << "the last is not the first to be forgotten";
}

TEST_F(UserRatesTest, ForgetWhoHasBeenQuietFirst) {
  UserRates rates(1, 10, 16 * 4);
  for (int i = 0; i < 1'000; ++i) (void)take(rates, "quiet" + std::to_string(i));
  clock_.advance(Seconds(2));
  EXPECT_EQ(take_all(rates, "busy"), 10);
  for (int i = 0; i < 1'000; ++i) {
    (void)take(rates, "new" + std::to_string(i));
    EXPECT_FALSE(take(rates, "busy"));
  }
}

}  // namespace
}  // namespace holdfast::api
