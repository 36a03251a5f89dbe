#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/spent_challenges.hpp>
#include <holdfast/identity/user_pool.hpp>

#include "support/base/manual_clock.hpp"
#include "support/identity/fake_code_sender.hpp"
#include "support/identity/fake_password_hasher.hpp"
#include "support/identity/open.hpp"

namespace holdfast::identity {

inline constexpr const char* kPool = "us-east-1_abcdefghi";
inline constexpr const char* kClient = "client1";
inline constexpr const char* kIssuer = "http://127.0.0.1:8080/us-east-1_abcdefghi";
using Parameters = std::map<std::string, std::string>;

// RSA keys are slow to make: one database with a signing key serves all tests.
struct Keys {
  test::ManualClock clock;
  test::ManualExecutor executor;
  test::FakeIdentityDatabase database;
  test::FakeKeyStore store{database, executor};
  std::shared_ptr<KeyRing> ring = test::open_ring(executor, clock, store).value();
  std::shared_ptr<TokenSigner> signer = test::open_signer(executor, clock, store, ring).value();
};
inline Keys& keys() {
  static Keys instance;
  return instance;
}

inline Json claims_of(const std::string& token) {
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  return parse_json(base64url_decode(token.substr(first + 1, second - first - 1)).value()).value();
}

class UserPoolTest : public testing::Test {
 protected:
  UserPoolTest() { make(); }
  void make() {
    pool_ = std::make_unique<UserPool>(
        options_, UserPoolParts{.clock = clock_,
                                .executor = executor_,
                                .users = users_,
                                .refresh_tokens = refresh_tokens_,
                                .codes = codes_,
                                .known_addresses = known_addresses_,
                                .ring = ring_,
                                .signer = keys().signer,
                                .hasher = hasher_,
                                .attempts = attempts_,
                                .spent_challenges = spent_challenges_,
                                .sign_up_rate = sign_up_rate_,
                                .failed_logins = failed_logins_,
                                .failed_refreshes = failed_refreshes_,
                                .code_sender = code_sender_,
                                .on_logins_ended = [this](const EndedLogins& ended) {
                                  ended_.emplace_back(ended.sub.str(), ended.why);
                                  which_.push_back(ended.which);
                                }});
  }

  /// Runs an operation and returns its answer, which never comes inside the call.
  template <class T, class Start>
  PoolResult<T> run(Start start) {
    std::optional<PoolResult<T>> out;
    start([&](PoolResult<T> result) { out = std::move(result); });
    EXPECT_FALSE(out) << "answered inside the call";
    executor_.run();
    return std::move(out.value());
  }
  /// One that names a user of the pool and answers nothing.
  using UserOperation = void (UserPool::*)(UserName, Completion<PoolResult<void>>);
  PoolResult<void> on_user(UserOperation operation, const std::string& name = "alice") {
    return run<void>([&](auto done) {
      ((*pool_).*operation)({.pool_id = kPool, .username = name}, std::move(done));
    });
  }
  PoolResult<User> get(const std::string& access_token) {
    return run<User>([&](auto done) { pool_->get_user(access_token, std::move(done)); });
  }
  PoolResult<AuthOutcome> refresh(const std::string& token) {
    return initiate({.pool_id = {},
                     .client_id = kClient,
                     .flow = "REFRESH_TOKEN_AUTH",
                     .parameters = {{"REFRESH_TOKEN", token}}});
  }
  AuthenticationResult tokens(const std::string& password = "password1") {
    return login("alice", password).value().result.value();
  }
  PoolResult<User> create(CreateUserRequest input) {
    std::optional<PoolResult<User>> out;
    pool_->admin_create_user(std::move(input), [&](auto result) { out = std::move(result); });
    EXPECT_FALSE(out) << "answered inside the call";
    executor_.run();
    return std::move(out.value());
  }
  PoolResult<User> create(const std::string& name, const std::string& password) {
    return create(
        {.pool_id = kPool, .username = name, .temporary_password = password, .attributes = {}});
  }
  PoolResult<AuthOutcome> initiate(InitiateAuthRequest input) {
    std::optional<PoolResult<AuthOutcome>> out;
    pool_->initiate_auth(std::move(input), [&](auto result) { out = std::move(result); });
    EXPECT_FALSE(out) << "answered inside the call";
    executor_.run();
    return std::move(out.value());
  }
  PoolResult<AuthOutcome> login(const std::string& name, const std::string& password,
                                const std::string& address = "192.0.2.1") {
    return initiate({.pool_id = {},
                     .client_id = kClient,
                     .flow = "USER_PASSWORD_AUTH",
                     .parameters = {{"USERNAME", name}, {"PASSWORD", password}},
                     .source = Source::of_client(address)});
  }
  PoolResult<AuthOutcome> respond(RespondToChallengeRequest input) {
    std::optional<PoolResult<AuthOutcome>> out;
    pool_->respond_to_auth_challenge(std::move(input),
                                     [&](auto result) { out = std::move(result); });
    EXPECT_FALSE(out) << "answered inside the call";
    executor_.run();
    return std::move(out.value());
  }
  PoolResult<AuthOutcome> set_password(const std::string& session, const std::string& password,
                                       const std::string& name = "Alice") {
    return respond({.pool_id = {},
                    .client_id = kClient,
                    .challenge = "NEW_PASSWORD_REQUIRED",
                    .session = session,
                    .responses = {{"USERNAME", name}, {"NEW_PASSWORD", password}}});
  }
  /// Alice with a password of her own.
  User& confirmed(const std::string& password = "password1") {
    User user;
    user.sub = UserId("sub-alice");
    user.username = "Alice";
    user.password_hash = test::FakePasswordHasher::encoded(password);
    user.srp_verifier = "one that nothing opens";
    user.created_at = user.modified_at = user.password_set_at = clock_.wall_now();
    return database_.users["sub-alice"] = user;
  }
  /// Alice, who has to change hers, and the session of her first step.
  std::string challenged() {
    confirmed("temporary1").status = UserStatus::force_change_password;
    const auto outcome = login("alice", "temporary1");
    return outcome.value().challenge.value().session;
  }
  User& alice() { return database_.users.at("sub-alice"); }

  template <class T>
  static std::string refusal(const PoolResult<T>& result, PoolErrc code) {
    if (result) return "accepted";
    EXPECT_EQ(static_cast<int>(result.error().code), static_cast<int>(code));
    return result.error().message;
  }

  test::ManualClock clock_;
  test::ManualExecutor executor_;
  test::FakeIdentityDatabase database_;
  test::FakeUserStore users_{database_, executor_};
  test::FakeRefreshTokenStore refresh_tokens_{database_, executor_};
  test::FakeCodeStore codes_{database_, executor_};
  test::FakeKnownAddressStore known_addresses_{database_, executor_};
  std::shared_ptr<KeyRing> ring_ = keys().ring;
  std::shared_ptr<test::FakeCodeSender> code_sender_ = std::make_shared<test::FakeCodeSender>();
  std::vector<std::pair<std::string, LoginEnd>> ended_;
  std::vector<Logins> which_;  ///< of each
  std::shared_ptr<test::FakePasswordHasher> hasher_ = std::make_shared<test::FakePasswordHasher>();
  std::shared_ptr<AttemptCounts> attempts_ = std::make_shared<AttemptCounts>(clock_, 1000);
  std::shared_ptr<SpentChallenges> spent_challenges_ = std::make_shared<SpentChallenges>(clock_);
  std::shared_ptr<RateShares> sign_up_rate_;
  std::shared_ptr<RateShares> failed_logins_;
  std::shared_ptr<RateShares> failed_refreshes_;
  static UserPoolOptions pool_options() {
    UserPoolOptions out;
    out.pool_id = kPool;
    out.client_id = kClient;
    out.issuer = kIssuer;
    out.decoy_secret = "decoys";
    // Simple ones are easy to read in a test.
    out.password_refuse_common = false;
    return out;
  }
  UserPoolOptions options_ = pool_options();
  std::unique_ptr<UserPool> pool_;
};

}  // namespace holdfast::identity
