// Tests the console's sessions and links.

#include "control/console_sessions.hpp"

#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "support/base/manual_clock.hpp"

namespace holdfast::test {
namespace {

using control::ConsoleSessions;

class ConsoleEntry : public ::testing::Test {
 protected:
  std::optional<Seconds> left(const control::ConsoleSessions::Opened& opened, bool active = true) {
    const auto found = sessions_.find(opened.cookie_secret, opened.page_secret, active);
    return found ? std::optional(found->left) : std::nullopt;
  }

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

TEST_F(ConsoleEntry, KnowsASessionByBothItsSecrets) {
  std::set<std::string> secrets;
  const auto first = sessions_.open();
  const auto second = sessions_.open();
  for (const auto& opened : {first, second}) {
    secrets.insert({opened.cookie_secret, opened.page_secret});
    EXPECT_EQ(left(opened), Seconds(3600));
    // A link and a session are different things.
    EXPECT_FALSE(sessions_.use_link(opened.cookie_secret));
  }
  EXPECT_EQ(secrets.size(), 4U);
  EXPECT_NE(first.name, second.name);
  EXPECT_FALSE(sessions_.find(first.cookie_secret, second.page_secret, true));
  EXPECT_FALSE(sessions_.find(first.cookie_secret, first.page_secret.substr(1), true));
  EXPECT_FALSE(sessions_.find(first.cookie_secret.substr(1), first.page_secret, true));
  EXPECT_FALSE(sessions_.find(first.page_secret, first.cookie_secret, true));
  EXPECT_FALSE(sessions_.find(sessions_.make_link(), first.page_secret, true));
  EXPECT_FALSE(sessions_.find("", "", true));
}

TEST_F(ConsoleEntry, EndsAnIdleSession) {
  const auto used = sessions_.open();
  const auto watched = sessions_.open();
  for (int i = 0; i < 2; ++i) {
    clock_.advance(Seconds(300));
    EXPECT_TRUE(left(used, true));
    // A page's own polling does not keep the session alive.
    EXPECT_EQ(left(watched, false).has_value(), i == 0);
  }
}

TEST_F(ConsoleEntry, EndsEverySessionInTheEnd) {
  const auto secret = sessions_.open();
  for (int i = 1; i <= 11; ++i) {
    clock_.advance(Seconds(300));
    EXPECT_EQ(left(secret, true), Seconds(3600 - i * 300));
  }
  clock_.advance(Seconds(300));
  EXPECT_FALSE(left(secret, true));
}

TEST_F(ConsoleEntry, ClosesASessionForGood) {
  const auto secret = sessions_.open();
  const auto other = sessions_.open();
  sessions_.close(secret.cookie_secret);
  sessions_.close("unknown");
  EXPECT_FALSE(left(secret, true));
  EXPECT_TRUE(left(other, true));
}

TEST_F(ConsoleEntry, EndsTheSessionThatIsIdleLongestWhenThereAreTooMany) {
  const auto first = sessions_.open();
  const auto second = sessions_.open();
  const auto third = sessions_.open();
  clock_.advance(Seconds(1));
  EXPECT_TRUE(left(first, true));
  EXPECT_TRUE(left(third, true));
  const auto fourth = sessions_.open();
  EXPECT_FALSE(left(second, true));
  for (const auto& secret : {first, third, fourth}) {
    EXPECT_TRUE(left(secret, true));
  }
}

}  // namespace
}  // namespace holdfast::test
