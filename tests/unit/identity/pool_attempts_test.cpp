// Tests the counts of attempts with passwords and codes.

#include <memory>
#include <set>
#include <string>

#include "unit/identity/user_pool_fixture.hpp"

namespace holdfast::identity {
namespace {

constexpr const char* kHome = "192.0.2.7";
constexpr const char* kElsewhere = "198.51.100.9";
constexpr const char* kRateExceeded = "Rate exceeded";

class PoolAttempts : public UserPoolTest {
 protected:
  PoolResult<CodeDelivery> forgot(const std::string& name, const std::string& address) {
    return run<CodeDelivery>([&](auto done) {
      pool_->forgot_password(
          {.client_id = kClient, .username = name, .source = Source::of_client(address)},
          std::move(done));
    });
  }
  PoolResult<void> reset(const std::string& name, const std::string& code,
                         const std::string& address) {
    return run<void>([&](auto done) {
      pool_->confirm_forgot_password(
          {.user = {.client_id = kClient, .username = name, .source = Source::of_client(address)},
           .code = code,
           .password = "password2"},
          std::move(done));
    });
  }
  /// Guesses as fast as it can be done; how many were tried.
  std::size_t guess_for(Microseconds time, const std::string& name, const std::string& address) {
    const std::size_t before = hasher_->verified;
    for (Microseconds passed{0}; passed < time; passed += Seconds(60)) {
      for (int i = 0; i < 6; ++i) (void)login(name, "wrong", address);
      clock_.advance(Seconds(60));
    }
    return hasher_->verified - before;
  }
};

TEST_F(PoolAttempts, LetTheUsersKnownAddressInWhateverStrangersTry) {
  confirmed();
  ASSERT_TRUE(login("alice", "password1", kHome));
  EXPECT_LT(guess_for(std::chrono::days(1), "alice", kElsewhere), 100U);
  (void)guess_for(std::chrono::days(6), "alice", kElsewhere);
  EXPECT_EQ(refusal(login("alice", "password1", kElsewhere), PoolErrc::locked),
            "Password attempts exceeded");
  clock_.advance(std::chrono::days(30));
  EXPECT_EQ(refusal(login("alice", "password1", kElsewhere), PoolErrc::locked),
            "Password attempts exceeded");
  EXPECT_TRUE(login("alice", "password1", kHome));
  EXPECT_FALSE(login("alice", "password1", kElsewhere)) << "it is not forgiven by that";
  // A new password begins anew.
  ASSERT_TRUE(run<void>([&](auto done) {
    pool_->admin_set_user_password({{kPool, "alice"}, "password3", true}, std::move(done));
  }));
  EXPECT_TRUE(login("alice", "password3", kElsewhere));
}

TEST_F(PoolAttempts, LetASigningServiceInWhateverStrangersTry) {
  confirmed();
  const auto by_key = [&](const std::string& key, const std::string& password) {
    return initiate({.pool_id = kPool,
                     .client_id = kClient,
                     .flow = "ADMIN_USER_PASSWORD_AUTH",
                     .parameters = {{"USERNAME", "alice"}, {"PASSWORD", password}},
                     .source = Source::of_access_key(key)});
  };
  for (int i = 0; i < 6; ++i) (void)login("alice", "wrong", kElsewhere);
  EXPECT_FALSE(login("alice", "password1", kElsewhere));
  EXPECT_TRUE(by_key("AKIA1", "password1"));
  for (int i = 0; i < 6; ++i) (void)by_key("AKIA1", "wrong");
  EXPECT_EQ(refusal(by_key("AKIA1", "password1"), PoolErrc::locked), "Password attempts exceeded");
  EXPECT_TRUE(by_key("AKIA2", "password1"));
}

TEST_F(PoolAttempts, BoundGuessesFromAKnownAddressToo) {
  confirmed();
  ASSERT_TRUE(login("alice", "password1", kHome));
  EXPECT_LT(guess_for(std::chrono::days(1), "alice", kHome), 100U);
  (void)login("alice", "wrong", kHome);
  EXPECT_EQ(refusal(login("alice", "password1", kHome), PoolErrc::locked),
            "Password attempts exceeded");
  EXPECT_TRUE(login("alice", "password1", kElsewhere)) << "that is another count";
}

TEST_F(PoolAttempts, DoNotRevealWhichNamesExist) {
  confirmed();
  const auto outcomes = [&](const std::string& name) {
    std::set<std::string> out;
    std::string all;
    for (int hour = 0; hour < 24 * 6; ++hour) {
      for (int i = 0; i < 6; ++i) {
        const std::size_t calls = users_.calls() + known_addresses_.calls();
        all += login(name, "wrong", kElsewhere).error().message;
        all += std::to_string(users_.calls() + known_addresses_.calls() - calls) + "\n";
      }
      clock_.advance(std::chrono::hours(1));
    }
    return all;
  };
  EXPECT_EQ(outcomes("alice"), outcomes("nobody"));
}

TEST_F(PoolAttempts, KeepACodesDayOfStrangersApartFromTheUsersOwn) {
  confirmed();
  ASSERT_TRUE(login("alice", "password1", kHome));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(forgot("alice", kElsewhere));
  EXPECT_FALSE(forgot("alice", kElsewhere));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(reset("alice", "no", kElsewhere));
  EXPECT_EQ(reset("alice", "no", kElsewhere).error().code, PoolErrc::limit_exceeded);
  clock_.advance(std::chrono::hours(23));
  EXPECT_EQ(reset("alice", "no", kElsewhere).error().code, PoolErrc::limit_exceeded);
  ASSERT_TRUE(forgot("alice", kHome));
}

TEST_F(PoolAttempts, BoundTheFailedLoginsOfOneAddressWhateverTheNames) {
  confirmed();
  failed_logins_ =
      std::make_shared<RateShares>(RateShares::Options{.bound = Bound::failed_logins, .share = 6});
  make();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(login("alice", "password1", kElsewhere)) << "a success does not count";
  }
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(login("name" + std::to_string(i), "wrong", kElsewhere).error().code,
              PoolErrc::not_authorized);
  }
  EXPECT_EQ(refusal(login("alice", "password1", kElsewhere), PoolErrc::too_many_requests),
            kRateExceeded);
  EXPECT_TRUE(login("alice", "password1", kHome));
  clock_.advance(Seconds(10));
  EXPECT_TRUE(login("alice", "password1", kElsewhere));
}

TEST_F(PoolAttempts, PassSourceAndNameToTheHasher) {
  confirmed();
  ASSERT_TRUE(login("alice", "password1", kHome));
  (void)login("alice", "wrong", kElsewhere);
  (void)login("alice", "wrong", kHome);
  const auto& owners = hasher_->owners;
  ASSERT_EQ(owners.size(), 3U);
  EXPECT_EQ(owners[1].source.id, kElsewhere);
  EXPECT_FALSE(owners[1].name.empty());
  EXPECT_EQ(owners[0].name, owners[1].name) << "the address was not known yet";
  EXPECT_NE(owners[1].name, owners[2].name) << "strangers cannot stand in the user's way";
}

}  // namespace
}  // namespace holdfast::identity
