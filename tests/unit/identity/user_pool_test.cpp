// Tests logins and password changes of the user pool.

#include <future>
#include <memory>
#include <string>

#include "support/identity/thread_executor.hpp"
#include "unit/identity/user_pool_fixture.hpp"

namespace holdfast::identity {
namespace {

const char* const kWrong = "Incorrect username or password.";
const char* const kLocked = "Password attempts exceeded";
const char* const kBadSession = "Invalid session for the user.";

TEST_F(UserPoolTest, PlaysTheCloudScriptsStory) {
  const auto user = create("testUser", "Xy7#temporary");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->username, "testUser");
  EXPECT_EQ(user->sub.str().size(), 36U);
  EXPECT_EQ(user->status, UserStatus::force_change_password);
  EXPECT_TRUE(user->enabled);
  EXPECT_EQ(user->created_at, clock_.wall_now());

  const auto first =
      initiate({.pool_id = kPool,
                .client_id = kClient,
                .flow = "ADMIN_NO_SRP_AUTH",
                .parameters = {{"USERNAME", "testUser"}, {"PASSWORD", "Xy7#temporary"}}});
  ASSERT_TRUE(first);
  ASSERT_FALSE(first->result);
  const Challenge& challenge = first->challenge.value();
  EXPECT_EQ(challenge.name, "NEW_PASSWORD_REQUIRED");
  EXPECT_EQ(challenge.parameters, (Parameters{{"USER_ID_FOR_SRP", "testUser"},
                                              {"requiredAttributes", "[]"},
                                              {"userAttributes", "{}"}}));
  EXPECT_GE(challenge.session.size(), 20U);
  EXPECT_LE(challenge.session.size(), 2048U);

  const auto second =
      respond({.pool_id = kPool,
               .client_id = kClient,
               .challenge = challenge.name,
               .session = challenge.session,
               .responses = {{"USERNAME", "testUser"}, {"NEW_PASSWORD", "password of my own"}}});
  ASSERT_TRUE(second) << second.error().message;
  ASSERT_TRUE(second->result);

  EXPECT_EQ(refusal(login("testUser", "Xy7#temporary"), PoolErrc::not_authorized), kWrong);
  const auto third = login("TESTUSER", "password of my own");
  ASSERT_TRUE(third && third->result);
  const auto verifier = IdTokenVerifier::of_jwks({kIssuer, kClient}, keys().signer->jwks(), clock_);
  const auto claims = verifier.value().verify(third->result->id_token);
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->sub, user->sub);
  EXPECT_EQ(claims->username, "testUser");
  EXPECT_EQ(verifier.value().verify(third->result->access_token).error().where, "aud");
}

TEST_F(UserPoolTest, GivesTokensWithCognitosClaims) {
  User& user = confirmed();
  user.attributes = {{"email", "a@example.com"}, {"email_verified", "true"}, {"custom:team", "x"}};
  const auto outcome = login("alice", "password1");
  ASSERT_TRUE(outcome);
  const AuthenticationResult& result = outcome->result.value();
  EXPECT_EQ(result.expires_in, Seconds(3600));
  const std::int64_t now = unix_seconds(clock_.wall_now());

  Json id = claims_of(result.id_token);
  Json access = claims_of(result.access_token);
  EXPECT_NE(id.at("jti"), access.at("jti"));
  EXPECT_EQ(id.at("origin_jti"), access.at("origin_jti"));
  EXPECT_EQ(id.at("event_id"), access.at("event_id"));
  for (const char* name : {"jti", "origin_jti", "event_id"}) {
    EXPECT_EQ(id.at(name).get<std::string>().size(), 36U);
    id.erase(name);
    access.erase(name);
  }
  EXPECT_EQ(nlohmann::json(id), nlohmann::json({{"sub", "sub-alice"},
                                                {"cognito:username", "Alice"},
                                                {"token_use", "id"},
                                                {"aud", kClient},
                                                {"iss", kIssuer},
                                                {"auth_time", now},
                                                {"iat", now},
                                                {"exp", now + 3600},
                                                {"email", "a@example.com"},
                                                {"email_verified", true},
                                                {"custom:team", "x"}}));
  EXPECT_EQ(nlohmann::json(access), nlohmann::json({{"sub", "sub-alice"},
                                                    {"client_id", kClient},
                                                    {"username", "Alice"},
                                                    {"token_use", "access"},
                                                    {"scope", "aws.cognito.signin.user.admin"},
                                                    {"iss", kIssuer},
                                                    {"auth_time", now},
                                                    {"iat", now},
                                                    {"exp", now + 3600}}));
}

TEST_F(UserPoolTest, LetsNoAttributeStandInForAClaim) {
  confirmed().attributes = {{"sub", "other"}, {"iss", "x"},       {"aud", "x"},
                            {"exp", "x"},     {"token_use", "x"}, {"cognito:username", "x"}};
  const Json claims = claims_of(login("alice", "password1").value().result->id_token);
  EXPECT_EQ(claims.at("sub"), "sub-alice");
  EXPECT_EQ(claims.at("iss"), kIssuer);
  EXPECT_EQ(claims.at("aud"), kClient);
  EXPECT_EQ(claims.at("token_use"), "id");
  EXPECT_EQ(claims.at("cognito:username"), "Alice");
  EXPECT_TRUE(claims.at("exp").is_number_integer());
}

TEST_F(UserPoolTest, CreatesNoSecondUserOfAName) {
  ASSERT_TRUE(create("Alice", "password1"));
  EXPECT_EQ(refusal(create("aLICE", "password1"), PoolErrc::username_exists),
            "User account already exists");
  EXPECT_EQ(database_.users.size(), 1U);
}

TEST_F(UserPoolTest, ChecksWhatAUserIsCreatedFrom) {
  EXPECT_NE(refusal(create("two words", "password1"), PoolErrc::invalid_parameter)
                .find("at 'username' failed"),
            std::string::npos);
  EXPECT_EQ(refusal(create("alice", "short"), PoolErrc::invalid_password),
            "Password did not conform with policy: Password not long enough");
  EXPECT_EQ(refusal(create({.pool_id = "us-east-1_x",
                            .username = "alice",
                            .temporary_password = "password1",
                            .attributes = {}}),
                    PoolErrc::resource_not_found),
            "User pool us-east-1_x does not exist.");
  EXPECT_NE(refusal(create({.pool_id = kPool,
                            .username = "alice",
                            .temporary_password = "password1",
                            .attributes = {{"token_use", "id"}}}),
                    PoolErrc::invalid_parameter)
                .find("does not exist in the schema"),
            std::string::npos);
  EXPECT_TRUE(database_.users.empty());
}

TEST_F(UserPoolTest, RefusesLoginsOfAUserWithoutAPassword) {
  ASSERT_TRUE(create({.pool_id = kPool,
                      .username = "alice",
                      .temporary_password = {},
                      .attributes = {{"email", "a@b"}}}));
  EXPECT_EQ(refusal(login("alice", "anything"), PoolErrc::not_authorized), kWrong);
  EXPECT_EQ(database_.users.begin()->second.attributes.at("email"), "a@b");
}

TEST_F(UserPoolTest, ReportsWhenAUserCannotBeStored) {
  hasher_->full = true;
  EXPECT_EQ(refusal(create("alice", "password1"), PoolErrc::too_many_requests), "Rate exceeded");
  hasher_->full = false;
  users_.fail_next();
  EXPECT_EQ(refusal(create("alice", "password1"), PoolErrc::unavailable), "Service unavailable");
  EXPECT_TRUE(create("alice", "password1"));
}

TEST_F(UserPoolTest, AnswersWrongPasswordAndUnknownNameAlikeWithTheSameWork) {
  confirmed();
  EXPECT_EQ(refusal(login("alice", "password2"), PoolErrc::not_authorized), kWrong);
  EXPECT_EQ(hasher_->verified, 1U);
  EXPECT_EQ(users_.calls(), 1U);
  EXPECT_EQ(refusal(login("bob", "password2"), PoolErrc::not_authorized), kWrong);
  EXPECT_EQ(hasher_->verified, 2U);
  EXPECT_EQ(users_.calls(), 2U);
}

TEST_F(UserPoolTest, RevealsAnUnknownNameWhenConfigured) {
  options_.prevent_user_existence_errors = false;
  make();
  confirmed();
  EXPECT_EQ(refusal(login("bob", "password1"), PoolErrc::user_not_found), "User does not exist.");
  EXPECT_EQ(refusal(login("two words", "password1"), PoolErrc::user_not_found),
            "User does not exist.");
  EXPECT_EQ(refusal(login("alice", "password2"), PoolErrc::not_authorized), kWrong);
}

TEST_F(UserPoolTest, AnswersNamesThatCannotExistWithoutWork) {
  for (const std::string& name : {std::string("two words"), std::string(100'000, 'x'),
                                  std::string("\xff\xfe"), std::string("a\0b", 3)}) {
    for (int i = 0; i < 10; ++i) {
      ASSERT_EQ(refusal(login(name, "password1"), PoolErrc::not_authorized), kWrong);
    }
  }
  EXPECT_EQ(hasher_->verified, 0U);
  EXPECT_EQ(users_.calls(), 0U);
}

TEST_F(UserPoolTest, LocksKnownAndUnknownNamesAlike) {
  confirmed();
  for (const char* name : {"alice", "bob"}) {
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(refusal(login(name, "password2"), PoolErrc::not_authorized), kWrong);
    }
    EXPECT_EQ(refusal(login(name, "password1"), PoolErrc::locked), kLocked);
  }
  const std::size_t verified = hasher_->verified;
  EXPECT_EQ(refusal(login("ALICE", "password1"), PoolErrc::locked), kLocked);
  EXPECT_EQ(hasher_->verified, verified);
  clock_.advance(Seconds(1));
  EXPECT_TRUE(login("alice", "password1"));
  for (int i = 0; i < 4; ++i) login("alice", "password2");
  EXPECT_TRUE(login("alice", "password1"));
}

TEST_F(UserPoolTest, DoesNotCountWhatItCouldNotTry) {
  confirmed();
  hasher_->full = true;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(refusal(login("alice", "password1"), PoolErrc::too_many_requests), "Rate exceeded");
  }
  hasher_->full = false;
  for (int i = 0; i < 20; ++i) {
    users_.fail_next();
    ASSERT_EQ(refusal(login("alice", "password1"), PoolErrc::unavailable), "Service unavailable");
  }
  EXPECT_TRUE(login("alice", "password1"));
}

TEST_F(UserPoolTest, RefusesADisabledUserWithTheRightPasswordOnly) {
  confirmed().enabled = false;
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::not_authorized), "User is disabled.");
  EXPECT_EQ(refusal(login("alice", "password2"), PoolErrc::not_authorized), kWrong);
}

TEST_F(UserPoolTest, RefusesUsersWhoAreNotConfirmedOrMustReset) {
  confirmed().status = UserStatus::unconfirmed;
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::user_not_confirmed),
            "User is not confirmed.");
  confirmed().status = UserStatus::reset_required;
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::password_reset_required),
            "Password reset required for the user");
}

TEST_F(UserPoolTest, RefusesAPasswordThatIsChangedWhileItIsVerified) {
  confirmed();
  hasher_->during_work = [&] {
    alice().password_hash = test::FakePasswordHasher::encoded("password2");
    ++alice().revision;
  };
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::not_authorized), kWrong);
}

TEST_F(UserPoolTest, RefusesAUserWhoIsDisabledOrDeletedWhileTheyLogIn) {
  confirmed();
  hasher_->during_work = [&] { alice().enabled = false; };
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::not_authorized), "User is disabled.");
  confirmed();
  hasher_->during_work = [&] { database_.users.clear(); };
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::not_authorized), kWrong);
}

TEST_F(UserPoolTest, LetsAnUpdateOfOtherThingsPassWhileTheyLogIn) {
  confirmed();
  hasher_->during_work = [&] {
    alice().attributes["name"] = "new";
    ++alice().revision;
  };
  const auto outcome = login("alice", "password1");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(claims_of(outcome->result->id_token).at("name"), "new");
}

TEST_F(UserPoolTest, AcceptsTheFlowsThatItHas) {
  confirmed();
  const Parameters good{{"USERNAME", "alice"}, {"PASSWORD", "password1"}};
  for (const char* flow : {"ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH", "USER_PASSWORD_AUTH"}) {
    EXPECT_TRUE(
        initiate({.pool_id = kPool, .client_id = kClient, .flow = flow, .parameters = good}));
  }
  for (const char* flow : {"ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"}) {
    EXPECT_EQ(
        refusal(initiate({.pool_id = {}, .client_id = kClient, .flow = flow, .parameters = good}),
                PoolErrc::invalid_parameter),
        "Initiate Auth method not supported.");
  }
  EXPECT_EQ(
      refusal(
          initiate(
              {.pool_id = kPool, .client_id = kClient, .flow = "CUSTOM_AUTH", .parameters = good}),
          PoolErrc::invalid_parameter),
      "CUSTOM_AUTH flow not enabled for this client");
  EXPECT_TRUE(refusal(initiate({.pool_id = kPool,
                                .client_id = kClient,
                                .flow = "user_password_auth",
                                .parameters = good}),
                      PoolErrc::invalid_parameter)
                  .starts_with("1 validation error detected: Value 'user_password_auth' at "
                               "'authFlow' failed to satisfy constraint: Member must satisfy enum "
                               "value set: [USER_SRP_AUTH, "));
}

TEST_F(UserPoolTest, NamesWhatIsMissingOrUnknownInALogin) {
  confirmed();
  const auto with = [&](std::optional<std::string> pool, const char* client,
                        Parameters parameters) {
    return initiate({.pool_id = std::move(pool),
                     .client_id = client,
                     .flow = "USER_PASSWORD_AUTH",
                     .parameters = std::move(parameters)});
  };
  const Parameters good{{"USERNAME", "alice"}, {"PASSWORD", "password1"}};
  EXPECT_EQ(refusal(with({}, kClient, {{"PASSWORD", "x"}}), PoolErrc::invalid_parameter),
            "Missing required parameter USERNAME");
  EXPECT_EQ(refusal(with({}, kClient, {{"USERNAME", "x"}}), PoolErrc::invalid_parameter),
            "Missing required parameter PASSWORD");
  EXPECT_EQ(refusal(with({}, "other", good), PoolErrc::resource_not_found),
            "User pool client other does not exist.");
  EXPECT_EQ(refusal(with("us-east-1_other", kClient, good), PoolErrc::resource_not_found),
            "User pool us-east-1_other does not exist.");
  EXPECT_EQ(with("bad id", kClient, good).error().code, PoolErrc::invalid_parameter);
  EXPECT_TRUE(with(kPool, kClient, good));
}

TEST_F(UserPoolTest, SetsANewPasswordOncePerSession) {
  const std::string session = challenged();
  const auto outcome = set_password(session, "password1", "ALICE");
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(claims_of(outcome->result->id_token).at("sub"), "sub-alice");
  EXPECT_EQ(alice().status, UserStatus::confirmed);
  EXPECT_EQ(alice().revision, 1);
  EXPECT_EQ(alice().modified_at, clock_.wall_now());
  EXPECT_EQ(refusal(set_password(session, "password2"), PoolErrc::not_authorized), kBadSession);
  EXPECT_TRUE(login("alice", "password1"));
}

TEST_F(UserPoolTest, ChecksTheNewPasswordAndKeepsTheSession) {
  const std::string session = challenged();
  EXPECT_EQ(refusal(set_password(session, "short"), PoolErrc::invalid_password),
            "Password did not conform with policy: Password not long enough");
  EXPECT_TRUE(set_password(session, "password1"));
}

TEST_F(UserPoolTest, EndsASessionAfterItsLifetime) {
  const std::string first = challenged();
  clock_.advance(Seconds(180) - Microseconds(1));
  const std::string second = challenged();
  EXPECT_TRUE(set_password(first, "password1"));
  challenged();
  clock_.advance(Seconds(180));
  EXPECT_EQ(refusal(set_password(second, "password1"), PoolErrc::not_authorized),
            "Invalid session for the user, session is expired.");
}

TEST_F(UserPoolTest, RefusesSessionsThatItDidNotMake) {
  const std::string session = challenged();
  std::string changed = session;
  changed[10] = changed[10] == 'A' ? 'B' : 'A';
  const std::string other = base64url_encode(keys().ring->seal("{}", "temporary token").value());
  for (const std::string& bad :
       {std::string("x"), std::string(100, 'A'), std::string(5000, 'A'),
        std::string("not base64url at all!"), changed, other, session + "A"}) {
    EXPECT_EQ(refusal(set_password(bad, "password1"), PoolErrc::not_authorized),
              "Invalid session provided for the user.");
  }
  EXPECT_EQ(refusal(set_password("", "password1"), PoolErrc::invalid_parameter),
            "Missing required parameter Session");
  EXPECT_TRUE(set_password(session, "password1"));
}

TEST_F(UserPoolTest, BindsASessionToUserClientChallengeAndState) {
  const std::string session = challenged();
  EXPECT_EQ(refusal(set_password(session, "password1", "bob"), PoolErrc::not_authorized),
            kBadSession);
  const auto with = [&](const char* client, const char* challenge) {
    return respond({.pool_id = {},
                    .client_id = client,
                    .challenge = challenge,
                    .session = session,
                    .responses = {{"USERNAME", "alice"}, {"NEW_PASSWORD", "password1"}}});
  };
  EXPECT_EQ(refusal(with(kClient, "SMS_MFA"), PoolErrc::not_authorized), kBadSession);
  EXPECT_EQ(with(kClient, "new_password_required").error().code, PoolErrc::invalid_parameter);
  options_.client_id = "client2";
  make();
  EXPECT_EQ(refusal(with("client2", "NEW_PASSWORD_REQUIRED"), PoolErrc::not_authorized),
            kBadSession);
  options_.client_id = kClient;
  make();

  const User before = alice();
  alice().enabled = false;
  EXPECT_EQ(refusal(set_password(session, "password1"), PoolErrc::not_authorized), kBadSession);
  alice() = before;
  ++alice().revision;
  EXPECT_EQ(refusal(set_password(session, "password1"), PoolErrc::not_authorized), kBadSession);
  alice() = before;
  alice().status = UserStatus::confirmed;
  EXPECT_EQ(refusal(set_password(session, "password1"), PoolErrc::not_authorized), kBadSession);
  database_.users.clear();
  EXPECT_EQ(refusal(set_password(session, "password1"), PoolErrc::not_authorized), kBadSession);
  database_.users["sub-alice"] = before;
  EXPECT_TRUE(set_password(session, "password1"));
}

TEST_F(UserPoolTest, NamesWhatIsMissingInAResponse) {
  const std::string session = challenged();
  const auto with = [&](std::optional<std::string> pool, Parameters responses) {
    return respond({.pool_id = std::move(pool),
                    .client_id = kClient,
                    .challenge = "NEW_PASSWORD_REQUIRED",
                    .session = session,
                    .responses = std::move(responses)});
  };
  EXPECT_EQ(refusal(with({}, {{"NEW_PASSWORD", "password1"}}), PoolErrc::invalid_parameter),
            "Missing required parameter USERNAME");
  EXPECT_EQ(refusal(with({}, {{"USERNAME", "alice"}}), PoolErrc::invalid_parameter),
            "Missing required parameter NEW_PASSWORD");
  EXPECT_EQ(with("us-east-1_other", {}).error().code, PoolErrc::resource_not_found);
}

TEST_F(UserPoolTest, TakesAttributesAlongWithTheNewPassword) {
  const std::string session = challenged();
  const auto with = [&](const std::string& name) {
    return respond(
        {.pool_id = {},
         .client_id = kClient,
         .challenge = "NEW_PASSWORD_REQUIRED",
         .session = session,
         .responses = {{"USERNAME", "alice"}, {"NEW_PASSWORD", "password1"}, {name, "a@b"}}});
  };
  EXPECT_EQ(with("userAttributes.sub").error().code, PoolErrc::invalid_parameter);
  EXPECT_EQ(with("userAttributes.nonsense").error().code, PoolErrc::invalid_parameter);
  for (const char* const name : {"email_verified", "phone_number_verified"}) {
    const auto forged = with(std::string("userAttributes.") + name);
    EXPECT_EQ(forged.error().code, PoolErrc::not_authorized);
    EXPECT_EQ(forged.error().message, "A client attempted to write unauthorized attribute");
  }
  alice().attributes = {{"email", "old@b"}, {"email_verified", "true"}};
  ASSERT_TRUE(with("userAttributes.email"));
  EXPECT_EQ(alice().attributes.at("email"), "a@b");
  EXPECT_EQ(alice().attributes.at("email_verified"), "false");
}

TEST_F(UserPoolTest, NeverWritesAPasswordOverAnotherChange) {
  const std::string session = challenged();
  hasher_->during_work = [&] {
    alice().enabled = false;
    ++alice().revision;
  };
  EXPECT_EQ(refusal(set_password(session, "password1"), PoolErrc::not_authorized), kBadSession);
  EXPECT_FALSE(alice().enabled);
  EXPECT_EQ(alice().status, UserStatus::force_change_password);
}

TEST_F(UserPoolTest, LetsOneOfTwoNewPasswordsWin) {
  const std::string session = challenged();
  int won = 0;
  int lost = 0;
  for (const char* password : {"password1", "password2"}) {
    pool_->respond_to_auth_challenge(
        {.pool_id = {},
         .client_id = kClient,
         .challenge = "NEW_PASSWORD_REQUIRED",
         .session = session,
         .responses = {{"USERNAME", "alice"}, {"NEW_PASSWORD", password}}},
        [&](const auto& outcome) { ++(outcome ? won : lost); });
  }
  executor_.run();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 1);
  EXPECT_EQ(alice().revision, 1);
}

TEST_F(UserPoolTest, ReportsWhenANewPasswordCannotBeStored) {
  const std::string session = challenged();
  hasher_->full = true;
  EXPECT_EQ(refusal(set_password(session, "password1"), PoolErrc::too_many_requests),
            "Rate exceeded");
  hasher_->full = false;
  users_.fail_next();
  EXPECT_EQ(refusal(set_password(session, "password1"), PoolErrc::unavailable),
            "Service unavailable");
  EXPECT_TRUE(set_password(session, "password1"));
}

TEST_F(UserPoolTest, AnswersAlsoWhenThePoolIsGone) {
  confirmed();
  bool answered = false;
  pool_->initiate_auth({.pool_id = {},
                        .client_id = kClient,
                        .flow = "USER_PASSWORD_AUTH",
                        .parameters = {{"USERNAME", "alice"}, {"PASSWORD", "password1"}}},
                       [&](const auto& outcome) { answered = outcome.has_value(); });
  pool_.reset();
  executor_.run();
  EXPECT_TRUE(answered);
}

TEST(UserPool, WorksWithRealHashesOnOtherThreads) {
  test::FakeIdentityDatabase database;
  test::ThreadExecutor executor;
  test::FakeUserStore users(database, executor);
  test::FakeRefreshTokenStore refresh_tokens(database, executor);
  test::FakeCodeStore codes(database, executor);
  test::FakeKnownAddressStore known_addresses(database, executor);
  UserPoolOptions options;
  options.pool_id = kPool;
  options.client_id = kClient;
  options.issuer = kIssuer;
  const auto pool = std::make_unique<UserPool>(
      std::move(options),
      UserPoolParts{.clock = keys().clock,
                    .executor = executor,
                    .users = users,
                    .refresh_tokens = refresh_tokens,
                    .codes = codes,
                    .known_addresses = known_addresses,
                    .ring = keys().ring,
                    .signer = keys().signer,
                    .hasher = make_password_hasher(
                        {.threads = 2, .queue = 64, .iterations = 1, .memory_kib = 8}),
                    .attempts = std::make_shared<AttemptCounts>(keys().clock),
                    .spent_challenges = std::make_shared<SpentChallenges>(keys().clock),
                    .code_sender = std::make_shared<test::FakeCodeSender>(),
                    .on_logins_ended = {}});
  const std::string password = "пароль-🔑-密码-" + std::string(100, 'x');
  std::promise<bool> created;
  executor.post([&] {
    pool->admin_create_user(
        {.pool_id = kPool, .username = "Zoë", .temporary_password = password, .attributes = {}},
        [&](const auto& user) { created.set_value(user.has_value()); });
  });
  ASSERT_TRUE(created.get_future().get());
  const auto login = [&](const std::string& name, const std::string& tried) {
    std::promise<bool> out;
    executor.post([&] {
      pool->initiate_auth({.pool_id = {},
                           .client_id = kClient,
                           .flow = "USER_PASSWORD_AUTH",
                           .parameters = {{"USERNAME", name}, {"PASSWORD", tried}}},
                          [&](const auto& outcome) { out.set_value(outcome.has_value()); });
    });
    return out.get_future().get();
  };
  EXPECT_TRUE(login("ZOË", password));
  EXPECT_FALSE(login("zoë", password + "x"));
  EXPECT_FALSE(login("zoe", password));
  executor.stop();
}

TEST_F(UserPoolTest, AcceptsPasswordsOnlyFromAdministratorsWhenConfigured) {
  options_.password_auth_enabled = false;
  make();
  confirmed();
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::invalid_parameter),
            "USER_PASSWORD_AUTH flow not enabled for this client");
  EXPECT_TRUE(initiate({.pool_id = kPool,
                        .client_id = kClient,
                        .flow = "ADMIN_USER_PASSWORD_AUTH",
                        .parameters = {{"USERNAME", "alice"}, {"PASSWORD", "password1"}}}));
}

}  // namespace
}  // namespace holdfast::identity
