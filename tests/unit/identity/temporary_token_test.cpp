// Tests the Generator and the Authorizer: a token admits its user once.

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/temporary_token.hpp>

#include "support/base/manual_clock.hpp"
#include "support/identity/open.hpp"
#include "support/identity/thread_executor.hpp"

namespace holdfast::identity {
namespace {

constexpr const char* kContext = "temporary token";

class TemporaryTokenTest : public testing::Test {
 protected:
  TemporaryTokenTest() {
    User user;
    user.sub = UserId("sub-1");
    user.username = "Alice \"Ä\"";
    database_.users["sub-1"] = user;
    add_login("login-1");
  }
  void add_login(const std::string& login) {
    database_.refresh_tokens.push_back({.sub = UserId("sub-1"),
                                        .origin = login,
                                        .token_hash = sha256(login),
                                        .issued_at = {},
                                        .expires_at = {}});
  }

  Result<std::string> issue(const std::string& sub = "sub-1",
                            const std::string& login = "login-1") {
    std::optional<Result<std::string>> out;
    generator_->issue({.sub = UserId(sub),
                       .username = "stale",
                       .issued_at = {},
                       .expires_at = {},
                       .login = login},
                      [&](auto result) { out = std::move(result); });
    executor_.run();
    return std::move(out.value());
  }
  Result<std::string> issue_to_user(const std::string& user) {
    std::optional<Result<std::string>> out;
    generator_->issue_to_user(UserId(user), [&](auto result) { out = std::move(result); });
    executor_.run();
    return std::move(out.value());
  }
  Result<bool> still_admits(const Admission& admission) {
    std::optional<Result<bool>> out;
    authorizer_->still_admits(admission.sub, admission.login,
                              [&](auto result) { out = std::move(result); });
    executor_.run();
    return std::move(out.value());
  }
  Result<Admission> consume(const std::string& token) {
    std::optional<Result<Admission>> out;
    authorizer_->consume(token, [&](auto result) { out = std::move(result); });
    executor_.run();
    return std::move(out.value());
  }
  Result<bool> still_admits(const std::string& login = "login-1") {
    std::optional<Result<bool>> out;
    authorizer_->still_admits(UserId("sub-1"), TokenLogin{.id = login, .signed_out_at = {}},
                              [&](auto result) { out = std::move(result); });
    executor_.run();
    return std::move(out.value());
  }
  /// Refused, and without asking the store.
  void expect_garbage(const std::string& token) {
    const std::size_t before = tokens_.calls();
    const auto admission = consume(token);
    ASSERT_FALSE(admission);
    EXPECT_EQ(admission.error().code, Errc::unauthenticated);
    EXPECT_EQ(admission.error().message, "Unauthorized");
    EXPECT_EQ(tokens_.calls(), before);
  }
  /// A token with these claims, sealed by the ring and known to the store.
  std::string forge(const std::string& claims, const char* context = kContext) {
    const std::string token = base64url_encode(ring_->seal(claims, context).value());
    database_.tokens.push_back({.token_hash = sha256(token),
                                .sub = UserId("sub-1"),
                                .expires_at = clock_.wall_now() + Seconds(30)});
    return token;
  }
  Json claims() const {
    return {{"iss", "holdfast"},
            {"exp", unix_seconds(clock_.wall_now()) + 30},
            {"sub", "sub-1"},
            {"aud", "holdfast"},
            {"cognito:username", "Alice"},
            {"origin_jti", "login-1"}};
  }
  void make() {
    generator_ = std::make_unique<Generator>(options_, clock_, ring_, users_, tokens_);
    authorizer_ = std::make_unique<Authorizer>(options_, clock_, ring_, users_, tokens_);
  }

  test::ManualClock clock_;
  test::ManualExecutor executor_;
  test::FakeIdentityDatabase database_;
  test::FakeKeyStore keys_{database_, executor_};
  test::FakeUserStore users_{database_, executor_};
  test::FakeTokenStore tokens_{database_, executor_};
  std::shared_ptr<KeyRing> ring_ = test::open_ring(executor_, clock_, keys_).value();
  TemporaryTokenOptions options_;
  std::unique_ptr<Generator> generator_ =
      std::make_unique<Generator>(options_, clock_, ring_, users_, tokens_);
  std::unique_ptr<Authorizer> authorizer_ =
      std::make_unique<Authorizer>(options_, clock_, ring_, users_, tokens_);
};

TEST_F(TemporaryTokenTest, AdmitsAUserWhomNoPoolKnows) {
  const auto admission = consume(issue_to_user("customer-42").value());
  ASSERT_TRUE(admission);
  EXPECT_EQ(admission->sub, UserId("customer-42"));
  EXPECT_EQ(admission->username, "customer-42");
  EXPECT_FALSE(admission->login);
  EXPECT_TRUE(still_admits(*admission).value());
  // Only the pool proves users whom it has.
  User created;
  created.sub = UserId("customer-42");
  database_.users["customer-42"] = created;
  EXPECT_FALSE(still_admits(*admission).value());
}

TEST_F(TemporaryTokenTest, AdmitsAPoolUserOfAnAccessKeyUntilTheySignOutEverywhere) {
  database_.users["sub-1"].signed_out_at = clock_.wall_now() - Seconds(60);
  // No login, and none needed.
  database_.refresh_tokens.clear();
  const auto admission = consume(issue_to_user("sub-1").value());
  ASSERT_TRUE(admission);
  EXPECT_EQ(admission->username, "Alice \"Ä\"");
  ASSERT_TRUE(admission->login);
  EXPECT_EQ(admission->login->id, "");
  EXPECT_TRUE(still_admits(*admission).value());
  const User before = database_.users["sub-1"];
  database_.users["sub-1"].signed_out_at = clock_.wall_now();
  EXPECT_FALSE(still_admits(*admission).value());
  database_.users["sub-1"] = before;
  database_.users["sub-1"].enabled = false;
  EXPECT_FALSE(still_admits(*admission).value());
  database_.users.clear();
  EXPECT_FALSE(still_admits(*admission).value());
}

TEST_F(TemporaryTokenTest, IssuesNoneToADisabledUser) {
  database_.users["sub-1"].enabled = false;
  const auto refused = issue_to_user("sub-1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::forbidden);
  EXPECT_TRUE(database_.tokens.empty());
}

TEST_F(TemporaryTokenTest, AdmitsItsUserOnce) {
  const std::string token = issue().value();
  const auto admission = consume(token);
  ASSERT_TRUE(admission);
  EXPECT_EQ(admission->sub, UserId("sub-1"));
  EXPECT_EQ(admission->username, "Alice \"Ä\"");
  EXPECT_EQ(consume(token).error().code, Errc::unauthenticated);
  EXPECT_TRUE(database_.tokens.empty());
}

TEST_F(TemporaryTokenTest, HoldsTheClaimsOfTheContractAndFitsIntoAUrl) {
  const std::string token = issue().value();
  EXPECT_EQ(
      token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
  const auto opened = ring_->open(base64url_decode(token).value(), kContext);
  Json expected = claims();
  expected["cognito:username"] = "Alice \"Ä\"";
  EXPECT_EQ(parse_json(opened.value()).value(), expected);
}

TEST_F(TemporaryTokenTest, IsKeptAsItsHashAlone) {
  const std::string token = issue().value();
  ASSERT_EQ(database_.tokens.size(), 1U);
  EXPECT_EQ(database_.tokens[0].token_hash, sha256(token));
  EXPECT_EQ(database_.tokens[0].sub, UserId("sub-1"));
  EXPECT_EQ(unix_seconds(database_.tokens[0].expires_at), unix_seconds(clock_.wall_now()) + 30);
}

TEST_F(TemporaryTokenTest, IsAnsweredOnlyAfterItsRowIsCommitted) {
  tokens_.hold();
  bool answered = false;
  generator_->issue({.sub = UserId("sub-1"),
                     .username = {},
                     .issued_at = {},
                     .expires_at = {},
                     .login = "login-1"},
                    [&](const auto&) { answered = true; });
  executor_.run();
  EXPECT_FALSE(answered);
  tokens_.release();
  executor_.run();
  EXPECT_TRUE(answered);
}

TEST_F(TemporaryTokenTest, AdmitsUntilThirtyFiveSecondsHavePassed) {
  const std::string early = issue().value();
  const std::string late = issue().value();
  clock_.advance(Seconds(35));
  EXPECT_TRUE(consume(early));
  clock_.advance(Microseconds(1));
  expect_garbage(late);
}

TEST_F(TemporaryTokenTest, CountsItsLifeFromTheSecondOfIssue) {
  clock_.advance(Microseconds(999'999));
  const std::string token = issue().value();
  clock_.advance(Seconds(34));
  EXPECT_TRUE(consume(token));
}

TEST_F(TemporaryTokenTest, IsNotAdmittedByARowThatHasExpired) {
  const std::string token = issue().value();
  database_.tokens[0].expires_at = clock_.wall_now() - Seconds(5) - Microseconds(1);
  EXPECT_EQ(consume(token).error().code, Errc::unauthenticated);
}

TEST_F(TemporaryTokenTest, IsNotAdmittedTwiceWhenTheClockIsSetBack) {
  const std::string token = issue().value();
  ASSERT_TRUE(consume(token));
  clock_.step_wall(-std::chrono::hours(1));
  EXPECT_FALSE(consume(token));
}

TEST_F(TemporaryTokenTest, AdmitsExactlyOneOfManyConsumers) {
  const std::string token = issue().value();
  int admitted = 0;
  int refused = 0;
  for (int i = 0; i < 64; ++i) {
    authorizer_->consume(token, [&](const auto& result) { ++(result ? admitted : refused); });
  }
  executor_.run();
  EXPECT_EQ(admitted, 1);
  EXPECT_EQ(refused, 63);
}

TEST_F(TemporaryTokenTest, AdmitsExactlyOneOfManyConsumersOnManyThreads) {
  constexpr int kShards = 8;
  constexpr int kEach = 8;
  const std::string token = issue().value();
  std::atomic<int> admitted{0};
  std::latch done(static_cast<std::ptrdiff_t>(kShards) * kEach);
  struct Shard {
    explicit Shard(test::FakeIdentityDatabase& database)
        : users(database, executor), tokens(database, executor) {}
    test::ThreadExecutor executor;
    test::FakeUserStore users;
    test::FakeTokenStore tokens;
    std::unique_ptr<Authorizer> authorizer;
  };
  std::vector<std::unique_ptr<Shard>> shards;
  for (int i = 0; i < kShards; ++i) {
    auto& shard = shards.emplace_back(std::make_unique<Shard>(database_));
    shard->authorizer =
        std::make_unique<Authorizer>(options_, clock_, ring_, shard->users, shard->tokens);
  }
  for (int i = 0; i < kEach; ++i) {
    for (auto& shard : shards) {
      shard->executor.post([&, authorizer = shard->authorizer.get()] {
        authorizer->consume(token, [&](const auto& result) {
          if (result) ++admitted;
          done.count_down();
        });
      });
    }
  }
  done.wait();
  EXPECT_EQ(admitted, 1);
  for (auto& shard : shards) shard->executor.stop();
}

TEST_F(TemporaryTokenTest, IsStillGoodAfterARestartButOnlyOnce) {
  const std::string first = issue().value();
  const std::string second = issue().value();
  ASSERT_TRUE(consume(first));
  ring_ = test::open_ring(executor_, clock_, keys_).value();
  make();
  EXPECT_FALSE(consume(first));
  EXPECT_TRUE(consume(second));
}

TEST_F(TemporaryTokenTest, IsRefusedUnderAKeyThatWasRemoved) {
  const std::string token = issue().value();
  database_.keys.at(0).retired = true;
  ring_ = test::open_ring(executor_, clock_, keys_).value();
  make();
  expect_garbage(token);
}

TEST_F(TemporaryTokenTest, RefusesGarbageWithoutAskingTheStore) {
  const std::string token = issue().value();
  for (const std::string& garbage :
       {std::string(), std::string("x"), std::string("not a token"), token + "A", token + "=",
        token.substr(1), token.substr(0, token.size() - 1), std::string(token.size(), 'A'),
        std::string(1 << 20, 'A'), base64url_encode(std::string(200, '\x01'))}) {
    expect_garbage(garbage);
  }
  EXPECT_TRUE(consume(token));
}

TEST_F(TemporaryTokenTest, RefusesEveryFlippedBitWithoutAskingTheStore) {
  const std::string token = issue().value();
  const std::string sealed = base64url_decode(token).value();
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = sealed;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      expect_garbage(base64url_encode(changed));
    }
  }
}

TEST_F(TemporaryTokenTest, RefusesClaimsThatAreNotItsOwn) {
  ASSERT_TRUE(consume(forge(claims().dump())));
  for (const char* name : {"iss", "aud", "sub", "exp", "cognito:username"}) {
    Json changed = claims();
    changed.erase(name);
    expect_garbage(forge(changed.dump()));
    changed[name] = nullptr;
    expect_garbage(forge(changed.dump()));
    changed[name] = Json::array({claims()[name]});
    expect_garbage(forge(changed.dump()));
  }
  for (const char* name : {"iss", "aud"}) {
    Json changed = claims();
    changed[name] = "other";
    expect_garbage(forge(changed.dump()));
  }
  for (const Json& expiry :
       {Json(1.5), Json("9999999999"), Json(-1), Json(9'999'999'999'999'999)}) {
    Json changed = claims();
    changed["exp"] = expiry;
    expect_garbage(forge(changed.dump()));
  }
  expect_garbage(forge(""));
  expect_garbage(forge("[]"));
}

TEST_F(TemporaryTokenTest, RefusesWhatTheRingSealedForAnotherPurpose) {
  expect_garbage(forge(claims().dump(), "login session"));
}

TEST_F(TemporaryTokenTest, RefusesTokensOfAnotherService) {
  options_.service_name = "other";
  const auto other = std::make_unique<Generator>(options_, clock_, ring_, users_, tokens_);
  std::optional<Result<std::string>> token;
  other->issue({.sub = UserId("sub-1"),
                .username = {},
                .issued_at = {},
                .expires_at = {},
                .login = "login-1"},
               [&](auto result) { token = std::move(result); });
  executor_.run();
  expect_garbage(token->value());
}

TEST_F(TemporaryTokenTest, IsLimitedToEightOutstandingPerUser) {
  std::set<std::string> issued;
  for (int i = 0; i < 8; ++i) issued.insert(issue().value());
  EXPECT_EQ(issued.size(), 8U);
  EXPECT_EQ(issue().error().code, Errc::too_many_requests);
  ASSERT_TRUE(consume(*issued.begin()));
  EXPECT_TRUE(issue());
  EXPECT_EQ(issue().error().code, Errc::too_many_requests);
  clock_.advance(Seconds(30));
  EXPECT_TRUE(issue());
}

TEST_F(TemporaryTokenTest, IsNotIssuedToAUserWhoIsGoneOrDisabled) {
  EXPECT_EQ(issue("sub-2").error().code, Errc::unauthenticated);
  database_.users["sub-1"].enabled = false;
  EXPECT_EQ(issue().error().code, Errc::unauthenticated);
  database_.users.clear();
  EXPECT_EQ(issue().error().code, Errc::unauthenticated);
  EXPECT_TRUE(database_.tokens.empty());
}

TEST_F(TemporaryTokenTest, TellsAFailingStoreFromARefusal) {
  users_.fail_next();
  EXPECT_EQ(issue().error().code, Errc::unavailable);
  tokens_.fail_next();
  EXPECT_EQ(issue().error().code, Errc::unavailable);
  const std::string token = issue().value();
  tokens_.fail_next();
  EXPECT_EQ(consume(token).error().code, Errc::unavailable);
  EXPECT_TRUE(consume(token));
  users_.fail_next();
  EXPECT_EQ(still_admits().error().code, Errc::unavailable);
}

TEST_F(TemporaryTokenTest, ChecksTheUserOnceMoreAtAttaching) {
  EXPECT_TRUE(still_admits().value());
  database_.users["sub-1"].enabled = false;
  EXPECT_FALSE(still_admits().value());
  database_.users.clear();
  EXPECT_FALSE(still_admits().value());
}

TEST_F(TemporaryTokenTest, RefusesAUserWhoSignedOutMeanwhile) {
  const Admission before = consume(issue().value()).value();
  EXPECT_EQ(before.login.value().signed_out_at, WallTime());
  database_.users["sub-1"].signed_out_at = clock_.wall_now();
  EXPECT_FALSE(still_admits().value());

  const auto issue_of = [&](WallTime issued_at) {
    std::optional<Result<std::string>> out;
    generator_->issue({.sub = UserId("sub-1"),
                       .username = {},
                       .issued_at = issued_at,
                       .expires_at = {},
                       .login = "login-1"},
                      [&](auto result) { out = std::move(result); });
    executor_.run();
    return std::move(out.value());
  };
  const WallTime second = std::chrono::floor<Seconds>(clock_.wall_now());
  EXPECT_EQ(issue_of(second).error().code, Errc::unauthenticated);
  const auto token = issue_of(second + Seconds(1));
  ASSERT_TRUE(token);
  EXPECT_EQ(consume(*token).value().login.value().signed_out_at, clock_.wall_now());
}

TEST_F(TemporaryTokenTest, IsOfALoginAndEndsWithIt) {
  add_login("login-2");
  const std::string first = issue().value();
  const std::string second = issue("sub-1", "login-2").value();
  EXPECT_EQ(database_.tokens.at(1).login, "login-2");
  EXPECT_TRUE(still_admits().value());
  database_.refresh_tokens.at(0).revoked = true;
  EXPECT_EQ(issue().error().code, Errc::unauthenticated);
  EXPECT_EQ(issue().error().where, "login");
  EXPECT_FALSE(still_admits().value());
  EXPECT_TRUE(still_admits("login-2").value());
  EXPECT_TRUE(issue("sub-1", "login-2"));
  EXPECT_EQ(issue("sub-1", "login of nobody").error().code, Errc::unauthenticated);
  EXPECT_EQ(issue("sub-1", "").error().code, Errc::unauthenticated);
  EXPECT_EQ(consume(second)->login.value().id, "login-2");
}

TEST_F(TemporaryTokenTest, AdmitsUsersOfOtherIssuersWhomThePoolDoesNotHave) {
  const auto issue_external = [&](const std::string& sub) {
    std::optional<Result<std::string>> out;
    generator_->issue(
        {.sub = UserId(sub), .username = sub, .issued_at = {}, .expires_at = {}, .in_pool = false},
        [&](auto result) { out = std::move(result); });
    executor_.run();
    return std::move(out.value());
  };
  const auto still_admits_foreign = [&](const std::string& sub) {
    std::optional<Result<bool>> out;
    authorizer_->still_admits(UserId(sub), std::nullopt, [&](auto result) { out = result; });
    executor_.run();
    return out.value().value();
  };
  const auto token = issue_external("kc:ann");
  ASSERT_TRUE(token);
  const auto admission = consume(*token);
  ASSERT_TRUE(admission);
  EXPECT_EQ(admission->sub, UserId("kc:ann"));
  EXPECT_EQ(admission->username, "kc:ann");
  EXPECT_FALSE(admission->login);
  EXPECT_TRUE(still_admits_foreign("kc:ann"));
  EXPECT_FALSE(consume(*token)) << "once";

  // The pool's own user is proven by the pool alone, and a pool's token needs the pool's user.
  EXPECT_EQ(issue_external("sub-1").error().code, Errc::unauthenticated);
  EXPECT_FALSE(still_admits_foreign("sub-1"));
  EXPECT_EQ(issue("kc:ann").error().code, Errc::unauthenticated);
  EXPECT_EQ(consume(issue().value())->login.value().id, "login-1");
}

TEST_F(TemporaryTokenTest, AnswersAfterGeneratorAndAuthorizerAreGone) {
  const std::string token = issue().value();
  bool admitted = false;
  bool issued = false;
  authorizer_->consume(token, [&](const auto& result) { admitted = result.has_value(); });
  generator_->issue({.sub = UserId("sub-1"),
                     .username = {},
                     .issued_at = {},
                     .expires_at = {},
                     .login = "login-1"},
                    [&](const auto& result) { issued = result.has_value(); });
  authorizer_.reset();
  generator_.reset();
  ring_.reset();
  executor_.run();
  EXPECT_TRUE(admitted);
  EXPECT_TRUE(issued);
}

}  // namespace
}  // namespace holdfast::identity
