#include "control/console_sessions.hpp"

#include <set>

#include <gtest/gtest.h>

#include "support/base/manual_clock.hpp"

namespace holdfast::test {
namespace {

using control::ConsoleSessions;

class ConsoleEntry : public ::testing::Test {
 protected:
  ManualClock clock_;
  ConsoleSessions sessions_{clock_,
                            {.link_lifetime = Seconds(60),
                             .idle = Seconds(600),
                             .lifetime = Seconds(3600),
                             .links = 3,
                             .sessions = 3}};
};

TEST_F(ConsoleEntry, TakesALinkOnce) {
  const std::string link = sessions_.make_link();
  EXPECT_GE(link.size(), 43U);
  EXPECT_FALSE(sessions_.use_link(""));
  EXPECT_FALSE(sessions_.use_link(link + "A"));
  EXPECT_TRUE(sessions_.use_link(link));
  EXPECT_FALSE(sessions_.use_link(link));
}

TEST_F(ConsoleEntry, TakesNoLinkThatHasExpired) {
  const std::string link = sessions_.make_link();
  const std::string other = sessions_.make_link();
  clock_.advance(Seconds(59));
  EXPECT_TRUE(sessions_.use_link(link));
  clock_.suspend(Seconds(1));  // the world's time passes for a machine that sleeps, too
  EXPECT_FALSE(sessions_.use_link(other));
}

TEST_F(ConsoleEntry, ForgetsTheOldestLinkWhenThereAreTooMany) {
  const std::string first = sessions_.make_link();
  clock_.advance(Seconds(1));
  const std::string second = sessions_.make_link();
  for (int i = 0; i < 2; ++i) {
    clock_.advance(Seconds(1));
    (void)sessions_.make_link();
  }
  EXPECT_FALSE(sessions_.use_link(first));
  EXPECT_TRUE(sessions_.use_link(second));
}

TEST_F(ConsoleEntry, KnowsASessionByItsSecretAlone) {
  std::set<std::string> secrets;
  for (int i = 0; i < 3; ++i) secrets.insert(sessions_.open());
  EXPECT_EQ(secrets.size(), 3U);
  for (const std::string& secret : secrets) {
    EXPECT_EQ(sessions_.find(secret, true), Seconds(3600));
    EXPECT_FALSE(sessions_.find(secret.substr(1), true));
    // A link and a session are different things.
    EXPECT_FALSE(sessions_.use_link(secret));
  }
  EXPECT_FALSE(sessions_.find(sessions_.make_link(), true));
  EXPECT_FALSE(sessions_.find("", true));
}

TEST_F(ConsoleEntry, EndsASessionThatNobodyUses) {
  const std::string used = sessions_.open();
  const std::string watched = sessions_.open();
  for (int i = 0; i < 2; ++i) {
    clock_.advance(Seconds(300));
    EXPECT_TRUE(sessions_.find(used, true));
    // What a page asks by itself does not keep it alive.
    EXPECT_EQ(sessions_.find(watched, false).has_value(), i == 0);
  }
}

TEST_F(ConsoleEntry, EndsEverySessionInTheEnd) {
  const std::string secret = sessions_.open();
  for (int i = 1; i <= 11; ++i) {
    clock_.advance(Seconds(300));
    EXPECT_EQ(sessions_.find(secret, true), Seconds(3600 - i * 300));
  }
  clock_.advance(Seconds(300));
  EXPECT_FALSE(sessions_.find(secret, true));
}

TEST_F(ConsoleEntry, ClosesASessionForGood) {
  const std::string secret = sessions_.open();
  const std::string other = sessions_.open();
  sessions_.close(secret);
  sessions_.close("unknown");
  EXPECT_FALSE(sessions_.find(secret, true));
  EXPECT_TRUE(sessions_.find(other, true));
}

TEST_F(ConsoleEntry, EndsTheSessionThatIsIdleLongestWhenThereAreTooMany) {
  const std::string first = sessions_.open();
  const std::string second = sessions_.open();
  const std::string third = sessions_.open();
  clock_.advance(Seconds(1));
  EXPECT_TRUE(sessions_.find(first, true));
  EXPECT_TRUE(sessions_.find(third, true));
  const std::string fourth = sessions_.open();
  EXPECT_FALSE(sessions_.find(second, true));
  for (const std::string& secret : {first, third, fourth}) {
    EXPECT_TRUE(sessions_.find(secret, true));
  }
}

}  // namespace
}  // namespace holdfast::test
