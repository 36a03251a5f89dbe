// Refresh and access tokens, and what users do with them.
#include <string>

#include <gmock/gmock.h>

#include <holdfast/base/crypto.hpp>

#include "unit/identity/user_pool_fixture.hpp"

namespace holdfast::identity {
namespace {

using testing::ElementsAre;
using testing::Pair;

class PoolTokens : public UserPoolTest {
 protected:
  PoolResult<UserId> revoke(const std::string& token, const std::string& client = kClient) {
    return run<UserId>([&](auto done) { pool_->revoke_token({client, token}, std::move(done)); });
  }
  PoolResult<void> change(const std::string& access_token, const std::string& previous,
                          const std::string& proposed) {
    return run<void>([&](auto done) {
      pool_->change_password({access_token, previous, proposed}, std::move(done));
    });
  }
  PoolResult<AuthenticationResult> get_tokens(const std::string& token,
                                              const std::string& client = kClient) {
    return run<AuthenticationResult>(
        [&](auto done) { pool_->get_tokens_from_refresh_token({client, token}, std::move(done)); });
  }
  static std::string login_of(const AuthenticationResult& result) {
    return claims_of(result.id_token)["origin_jti"];
  }
  PoolResult<void> sign_out(const std::string& access_token) {
    return run<void>([&](auto done) { pool_->global_sign_out(access_token, std::move(done)); });
  }
};

TEST_F(PoolTokens, AreRefreshedUntilTheRefreshTokenExpires) {
  confirmed();
  const AuthenticationResult first = tokens();
  ASSERT_TRUE(first.refresh_token);
  EXPECT_EQ(first.refresh_token->find('.'), std::string::npos);
  clock_.advance(Seconds(1000));
  for (const char* flow : {"REFRESH_TOKEN_AUTH", "REFRESH_TOKEN"}) {
    const auto outcome = initiate({.pool_id = {},
                                   .client_id = kClient,
                                   .flow = flow,
                                   .parameters = {{"REFRESH_TOKEN", *first.refresh_token}}});
    ASSERT_TRUE(outcome) << outcome.error().message;
    ASSERT_TRUE(outcome->result);
    EXPECT_FALSE(outcome->result->refresh_token);
    const Json before = claims_of(first.id_token);
    const Json after = claims_of(outcome->result->id_token);
    EXPECT_EQ(after["origin_jti"], before["origin_jti"]);
    EXPECT_EQ(after["auth_time"], before["auth_time"]);
    EXPECT_NE(after["jti"], before["jti"]);
    EXPECT_EQ(after["iat"], before["iat"].get<std::int64_t>() + 1000);
    EXPECT_TRUE(get(outcome->result->access_token));
  }
  clock_.advance(options_.refresh_token_lifetime);
  EXPECT_EQ(refusal(refresh(*first.refresh_token), PoolErrc::not_authorized),
            "Refresh Token has expired");
}

TEST_F(PoolTokens, AreRefreshedByGetTokensFromRefreshToken) {
  confirmed();
  const AuthenticationResult first = tokens();
  clock_.advance(Seconds(10));
  const auto again = get_tokens(*first.refresh_token);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->refresh_token);
  EXPECT_EQ(again->expires_in, options_.id_token_lifetime);
  EXPECT_EQ(login_of(*again), login_of(first));
  EXPECT_TRUE(get(again->access_token));
  EXPECT_EQ(refusal(get_tokens("x"), PoolErrc::not_authorized), "Invalid Refresh Token.");
  EXPECT_EQ(refusal(get_tokens(std::string(5000, 'x')), PoolErrc::not_authorized),
            "Invalid Refresh Token.");
  EXPECT_EQ(refusal(get_tokens(""), PoolErrc::invalid_parameter),
            "Missing required parameter RefreshToken");
  EXPECT_EQ(refusal(get_tokens(*first.refresh_token, "other"), PoolErrc::resource_not_found),
            "User pool client other does not exist.");
  alice().enabled = false;
  EXPECT_EQ(refusal(get_tokens(*first.refresh_token), PoolErrc::not_authorized),
            "User is disabled.");
  alice().enabled = true;
  ASSERT_TRUE(revoke(*first.refresh_token));
  EXPECT_EQ(refusal(get_tokens(*first.refresh_token), PoolErrc::not_authorized),
            "Refresh Token has been revoked");
}

TEST_F(PoolTokens, AreReplacedByEachRefreshWhereThatIsWanted) {
  options_.refresh_token_rotation = true;
  options_.refresh_token_grace = Seconds(10);
  make();
  confirmed();
  const AuthenticationResult login = tokens();
  const std::string first = *login.refresh_token;
  clock_.advance(Seconds(100));
  const std::string second = get_tokens(first).value().refresh_token.value();
  EXPECT_NE(second, first);
  // The answer may have been lost, and two tabs may ask at once: they get one that stays good.
  clock_.advance(Seconds(9));
  EXPECT_EQ(get_tokens(first).value().refresh_token, second);
  EXPECT_EQ(get_tokens(second).value().refresh_token, second);
  EXPECT_EQ(get_tokens(first).value().refresh_token, second);
  clock_.advance(Seconds(100));
  const auto next = get_tokens(second);
  ASSERT_TRUE(next);
  EXPECT_NE(next->refresh_token, second);
  EXPECT_EQ(login_of(*next), login_of(login));
  EXPECT_TRUE(ended_.empty());
  // A new one lives as long as the first one would have.
  clock_.advance(options_.refresh_token_lifetime - Seconds(209));
  EXPECT_EQ(refusal(get_tokens(*next->refresh_token), PoolErrc::not_authorized),
            "Refresh Token has expired");
}

TEST_F(PoolTokens, EndTheLoginWhenAReplacedOneIsReused) {
  options_.refresh_token_rotation = true;
  for (const int replaced : {1, 3}) {
    make();
    confirmed();
    ended_.clear();
    const AuthenticationResult login = tokens();
    const AuthenticationResult other = tokens();
    std::string current = *login.refresh_token;
    for (int i = 0; i < replaced; ++i) {
      current = get_tokens(current).value().refresh_token.value();
      clock_.advance(options_.refresh_token_grace);
    }
    EXPECT_EQ(refusal(get_tokens(*login.refresh_token), PoolErrc::refresh_token_reuse),
              "Refresh Token has been replaced and was used again.");
    EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::token_reused)));
    EXPECT_TRUE(which_.back().contains(login_of(login)));
    EXPECT_FALSE(which_.back().contains(login_of(other)));
    EXPECT_EQ(refusal(get_tokens(current), PoolErrc::not_authorized),
              "Refresh Token has been revoked");
    EXPECT_EQ(refusal(get(login.access_token), PoolErrc::not_authorized),
              "Access Token has been revoked");
    EXPECT_TRUE(get_tokens(*other.refresh_token));
  }
}

TEST_F(PoolTokens, AreReplacedOnceWhenTwoAskAtTheSameTime) {
  options_.refresh_token_rotation = true;
  make();
  confirmed();
  const std::string first = *tokens().refresh_token;
  std::vector<std::string> given;
  for (int i = 0; i < 2; ++i) {
    pool_->get_tokens_from_refresh_token({kClient, first}, [&](auto result) {
      given.push_back(result.value().refresh_token.value());
    });
  }
  for (int i = 0; i < 10; ++i) executor_.run();
  ASSERT_EQ(given.size(), 2U);
  EXPECT_EQ(given[0], given[1]);
  EXPECT_TRUE(ended_.empty());
}

// A client that asks by REFRESH_TOKEN_AUTH keeps the token that it has, and would be taken for a
// thief.
TEST_F(PoolTokens, AreNotRefreshedByInitiateAuthUnderRotation) {
  confirmed();
  const std::string token = *tokens().refresh_token;
  options_.refresh_token_rotation = true;
  make();
  EXPECT_EQ(refusal(refresh(token), PoolErrc::invalid_parameter),
            "REFRESH_TOKEN_AUTH flow not enabled for this client");
  ASSERT_TRUE(get_tokens(token));
  // A token that was replaced is enough to end the login.
  ASSERT_TRUE(revoke(token));
  EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::revoked)));
}

TEST_F(PoolTokens, DoNotBeginWithADash) {
  confirmed();
  for (int i = 0; i < 300; ++i) EXPECT_FALSE(tokens().refresh_token->starts_with('-'));
}

TEST_F(PoolTokens, AreKeptAsHashesAlone) {
  confirmed();
  const AuthenticationResult result = tokens();
  ASSERT_EQ(database_.refresh_tokens.size(), 1U);
  EXPECT_EQ(database_.refresh_tokens[0].token_hash, sha256(*result.refresh_token));
}

TEST_F(PoolTokens, RefuseAnUnknownOrMissingRefreshToken) {
  confirmed();
  (void)tokens();
  const char* const invalid = "Invalid Refresh Token.";
  EXPECT_EQ(refusal(refresh("unknown"), PoolErrc::not_authorized), invalid);
  EXPECT_EQ(refusal(refresh(std::string(5000, 'x')), PoolErrc::not_authorized), invalid);
  EXPECT_EQ(refusal(refresh(""), PoolErrc::invalid_parameter),
            "Missing required parameter REFRESH_TOKEN");
}

TEST_F(PoolTokens, LimitInvalidRefreshTokensByAddress) {
  failed_refreshes_ = std::make_shared<RateShares>(
      RateShares::Options{.bound = Bound::failed_refreshes, .share = 3});
  make();
  confirmed();
  const std::string token = *tokens().refresh_token;
  const auto get_from = [&](const std::string& address, const std::string& text) {
    return run<AuthenticationResult>([&](auto done) {
      pool_->get_tokens_from_refresh_token({kClient, text, Source::of_client(address)},
                                           std::move(done));
    });
  };
  // Good ones count as nothing.
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(get_from("192.0.2.1", token));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(refusal(get_from("192.0.2.1", "made up"), PoolErrc::not_authorized),
              "Invalid Refresh Token.");
  }
  EXPECT_TRUE(run<UserId>([&](auto done) {
    pool_->revoke_token({kClient, "made up", Source::of_client("192.0.2.1")}, std::move(done));
  }));
  EXPECT_EQ(refusal(get_from("192.0.2.1", "made up"), PoolErrc::too_many_requests),
            "Rate exceeded");
  EXPECT_EQ(refusal(initiate({.pool_id = {},
                              .client_id = kClient,
                              .flow = "REFRESH_TOKEN_AUTH",
                              .parameters = {{"REFRESH_TOKEN", "made up"}},
                              .source = Source::of_client("::ffff:192.0.2.1")}),
                    PoolErrc::too_many_requests),
            "Rate exceeded");
  EXPECT_TRUE(get_from("192.0.2.2", token));
  clock_.advance(Seconds(60));
  EXPECT_TRUE(get_from("192.0.2.1", token));
}

TEST_F(PoolTokens, AreSignedOffTheShardAndKeepOtherLoginsOnFailure) {
  options_.refresh_tokens_per_user = 1;
  options_.refresh_token_rotation = true;
  make();
  confirmed();
  const AuthenticationResult first = tokens();
  EXPECT_EQ(hasher_->signers.size(), 1U);
  hasher_->signing_full = true;
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::too_many_requests), "Rate exceeded");
  EXPECT_EQ(refusal(get_tokens(*first.refresh_token), PoolErrc::too_many_requests),
            "Rate exceeded");
  hasher_->signing_full = false;
  // Neither was the token replaced, nor the login ended by the one that was not completed.
  const auto refreshed = get_tokens(*first.refresh_token);
  ASSERT_TRUE(refreshed) << refreshed.error().message;
  EXPECT_NE(refreshed->refresh_token, first.refresh_token);
}

TEST_F(PoolTokens, AreRevokedWithTheirLoginAlone) {
  confirmed();
  const AuthenticationResult first = tokens();
  const AuthenticationResult second = tokens();
  EXPECT_EQ(refusal(revoke(*first.refresh_token, "another"), PoolErrc::resource_not_found),
            "User pool client another does not exist.");
  ASSERT_TRUE(revoke(*first.refresh_token));
  ASSERT_TRUE(revoke(*first.refresh_token));
  EXPECT_TRUE(revoke("unknown"));
  EXPECT_EQ(refusal(revoke(second.access_token), PoolErrc::unsupported_token_type),
            "Unsupported token type");
  EXPECT_EQ(refusal(refresh(*first.refresh_token), PoolErrc::not_authorized),
            "Refresh Token has been revoked");
  EXPECT_EQ(refusal(get(first.access_token), PoolErrc::not_authorized),
            "Access Token has been revoked");
  EXPECT_TRUE(refresh(*second.refresh_token));
  EXPECT_TRUE(get(second.access_token));
  EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::revoked)));
  EXPECT_TRUE(which_.at(0).contains(login_of(first)));
  EXPECT_FALSE(which_.at(0).contains(login_of(second)));
}

TEST_F(PoolTokens, AreRefusedWhenTheUserIsDisabledMeanwhile) {
  confirmed();
  refresh_tokens_.hold();
  std::optional<PoolResult<AuthOutcome>> out;
  pool_->initiate_auth({.pool_id = {},
                        .client_id = kClient,
                        .flow = "USER_PASSWORD_AUTH",
                        .parameters = {{"USERNAME", "alice"}, {"PASSWORD", "password1"}}},
                       [&](auto outcome) { out = std::move(outcome); });
  // The look-ups take several turns; the row is added in the last.
  users_.hold();
  executor_.run();
  alice().enabled = false;
  ++alice().revision;
  users_.release();
  refresh_tokens_.release();
  for (int i = 0; i < 10; ++i) executor_.run();
  ASSERT_TRUE(out);
  EXPECT_FALSE(out->has_value());
  EXPECT_TRUE(database_.refresh_tokens.empty());
}

// Whatever comes between the look at the user and the answer, a sign-out is later than the tokens.
TEST_F(PoolTokens, DateARacingRefreshBeforeTheSignOut) {
  confirmed();
  const std::string token = *tokens().refresh_token;
  clock_.advance(Seconds(10));
  std::optional<PoolResult<AuthOutcome>> out;
  refresh_tokens_.hold();
  pool_->initiate_auth({.pool_id = {},
                        .client_id = kClient,
                        .flow = "REFRESH_TOKEN_AUTH",
                        .parameters = {{"REFRESH_TOKEN", token}}},
                       [&](auto outcome) { out = std::move(outcome); });
  executor_.run();
  clock_.advance(Seconds(2));
  alice().signed_out_at = clock_.wall_now();
  for (auto& row : database_.refresh_tokens) row.revoked = true;
  clock_.advance(Seconds(2));
  refresh_tokens_.release();
  for (int i = 0; i < 10; ++i) executor_.run();
  ASSERT_TRUE(out && *out);
  const auto claims = claims_of(out->value().result->id_token);
  EXPECT_LT(claims["iat"].get<std::int64_t>(), unix_seconds(alice().signed_out_at));
}

TEST_F(PoolTokens, DateARacingLoginBeforeTheSignOut) {
  confirmed();
  refresh_tokens_.hold();
  std::optional<PoolResult<AuthOutcome>> out;
  pool_->initiate_auth({.pool_id = {},
                        .client_id = kClient,
                        .flow = "USER_PASSWORD_AUTH",
                        .parameters = {{"USERNAME", "alice"}, {"PASSWORD", "password1"}}},
                       [&](auto outcome) { out = std::move(outcome); });
  executor_.run();
  ASSERT_EQ(database_.refresh_tokens.size(), 1U);
  clock_.advance(Seconds(2));
  const WallTime signed_out_at = clock_.wall_now();
  clock_.advance(Seconds(2));
  refresh_tokens_.release();
  executor_.run();
  ASSERT_TRUE(out && *out);
  const auto claims = claims_of(out->value().result->id_token);
  EXPECT_LT(claims["iat"].get<std::int64_t>(), unix_seconds(signed_out_at));
}

TEST_F(PoolTokens, EndTheOldestLoginWhenThereAreTooMany) {
  options_.refresh_tokens_per_user = 2;
  make();
  confirmed();
  const AuthenticationResult first = tokens();
  const AuthenticationResult second = tokens();
  const AuthenticationResult third = tokens();
  EXPECT_EQ(refusal(refresh(*first.refresh_token), PoolErrc::not_authorized),
            "Invalid Refresh Token.");
  EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::too_many)));
  EXPECT_TRUE(which_.at(0).contains(login_of(first)));
  EXPECT_FALSE(which_.at(0).contains(login_of(second)));
  EXPECT_TRUE(refresh(*second.refresh_token));
  EXPECT_TRUE(refresh(*third.refresh_token));
}

TEST_F(PoolTokens, DescribeTheUserByAccessToken) {
  confirmed().attributes["email"] = "a@example.com";
  const AuthenticationResult result = tokens();
  EXPECT_EQ(get(result.access_token)->attributes.at("email"), "a@example.com");
  const char* const invalid = "Invalid Access Token";
  EXPECT_EQ(refusal(get(result.id_token), PoolErrc::not_authorized), invalid);
  EXPECT_EQ(refusal(get(*result.refresh_token), PoolErrc::not_authorized), invalid);
  EXPECT_EQ(refusal(get(result.access_token + "A"), PoolErrc::not_authorized), invalid);
  EXPECT_EQ(refusal(get(""), PoolErrc::not_authorized), invalid);
  clock_.advance(options_.id_token_lifetime);
  EXPECT_EQ(refusal(get(result.access_token), PoolErrc::not_authorized),
            "Access Token has expired");
}

TEST_F(PoolTokens, ChangeThePasswordAndEndTheOtherLogins) {
  confirmed();
  const AuthenticationResult mine = tokens();
  const AuthenticationResult other = tokens();
  EXPECT_EQ(refusal(change(mine.access_token, "wrong", "password2"), PoolErrc::not_authorized),
            "Incorrect username or password.");
  EXPECT_EQ(refusal(change(mine.access_token, "password1", "short"), PoolErrc::invalid_password),
            "Password did not conform with policy: Password not long enough");
  EXPECT_EQ(refusal(change("x", "password1", "password2"), PoolErrc::not_authorized),
            "Invalid Access Token");
  ASSERT_TRUE(change(mine.access_token, "password1", "password2"));
  EXPECT_FALSE(login("alice", "password1"));
  EXPECT_TRUE(login("alice", "password2"));
  EXPECT_TRUE(refresh(*mine.refresh_token));
  EXPECT_FALSE(refresh(*other.refresh_token));
  EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::password_changed)));
  EXPECT_TRUE(which_.at(0).contains(login_of(other)));
  EXPECT_FALSE(which_.at(0).contains(login_of(mine)));
}

TEST_F(PoolTokens, LimitWrongPasswordsOfChangePassword) {
  confirmed();
  const AuthenticationResult mine = tokens();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(change(mine.access_token, "wrong", "password2"));
  EXPECT_EQ(refusal(change(mine.access_token, "password1", "password2"), PoolErrc::limit_exceeded),
            "Attempt limit exceeded, please try after some time.");
}

TEST_F(PoolTokens, SignAUserOutEverywhere) {
  confirmed();
  const AuthenticationResult mine = tokens();
  const AuthenticationResult other = tokens();
  ASSERT_TRUE(sign_out(mine.access_token));
  EXPECT_EQ(ended_,
            (std::vector<std::pair<std::string, LoginEnd>>{{"sub-alice", LoginEnd::signed_out}}));
  EXPECT_FALSE(refresh(*mine.refresh_token));
  EXPECT_FALSE(refresh(*other.refresh_token));
  EXPECT_EQ(refusal(sign_out(mine.access_token), PoolErrc::not_authorized),
            "Access Token has been revoked");
  EXPECT_TRUE(get(tokens().access_token));
}

TEST_F(PoolTokens, LetUsersDeleteThemselves) {
  confirmed();
  const std::string token = tokens().access_token;
  const auto remove = [&] {
    return run<void>([&](auto done) { pool_->delete_user(token, std::move(done)); });
  };
  ASSERT_TRUE(remove());
  EXPECT_TRUE(database_.users.empty());
  EXPECT_EQ(ended_.size(), 1U);
  EXPECT_EQ(refusal(remove(), PoolErrc::user_not_found), "User does not exist.");
}

TEST_F(PoolTokens, AreNotGivenWhenTheStoreFails) {
  confirmed();
  refresh_tokens_.fail_next();
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::unavailable), "Service unavailable");
  const AuthenticationResult result = tokens();
  refresh_tokens_.fail_next();
  EXPECT_EQ(refusal(refresh(*result.refresh_token), PoolErrc::unavailable), "Service unavailable");
  users_.fail_next();
  EXPECT_EQ(refusal(get(result.access_token), PoolErrc::unavailable), "Service unavailable");
  refresh_tokens_.fail_next();
  EXPECT_EQ(refusal(revoke(*result.refresh_token), PoolErrc::unavailable), "Service unavailable");
}

}  // namespace
}  // namespace holdfast::identity
