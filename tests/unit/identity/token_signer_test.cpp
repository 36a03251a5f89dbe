// Tests the signing keys: signing, publishing, rotation and retirement.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "identity/rsa.hpp"
#include "support/base/manual_clock.hpp"
#include "support/identity/open.hpp"

namespace holdfast::identity {
namespace {

class TokenSignerTest : public testing::Test {
 protected:
  Result<std::shared_ptr<TokenSigner>> open() {
    return test::open_signer(executor_, clock_, store_, ring_);
  }
  static Json keys_of(const TokenSigner& signer) {
    return parse_json(signer.jwks()).value().at("keys");
  }

  test::ManualClock clock_;
  test::ManualExecutor executor_;
  test::FakeIdentityDatabase database_;
  test::FakeKeyStore store_{database_, executor_};
  std::shared_ptr<KeyRing> ring_ = test::open_ring(executor_, clock_, store_).value();
};

TEST_F(TokenSignerTest, SignsACompactJwsThatItsJwksVerifies) {
  const auto signer = open().value();
  const std::string token = signer->sign(R"({"sub":"x"})");
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  ASSERT_NE(second, std::string::npos);
  const Json header = parse_json(base64url_decode(token.substr(0, first)).value()).value();
  EXPECT_EQ(header.size(), 2U);
  EXPECT_EQ(header.at("alg"), "RS256");
  EXPECT_EQ(base64url_decode(token.substr(first + 1, second - first - 1)), R"({"sub":"x"})");

  const Json keys = keys_of(*signer);
  ASSERT_EQ(keys.size(), 1U);
  const Json& jwk = keys[0];
  EXPECT_EQ(jwk.at("kid"), header.at("kid"));
  EXPECT_EQ(jwk.at("kty"), "RSA");
  EXPECT_EQ(jwk.at("alg"), "RS256");
  EXPECT_EQ(jwk.at("use"), "sig");
  EXPECT_EQ(jwk.at("e"), "AQAB");
  EXPECT_FALSE(jwk.contains("d"));
  const auto key =
      RsaPublicKey::make({.modulus = base64url_decode(jwk.at("n").get<std::string>()).value(),
                          .exponent = "\x01" + std::string(1, '\0') + "\x01"});
  ASSERT_TRUE(key);
  EXPECT_TRUE(
      key->verify(token.substr(0, second), base64url_decode(token.substr(second + 1)).value()));
}

TEST_F(TokenSignerTest, KeepsItsKeyAcrossRestartsAndRotations) {
  const std::string jwks = open().value()->jwks();
  ring_->rotate([](const auto&) {});
  executor_.run();
  ring_ = test::open_ring(executor_, clock_, store_).value();
  EXPECT_EQ(open().value()->jwks(), jwks);
}

TEST_F(TokenSignerTest, KeepsThePrivateKeySealedInTheStore) {
  ASSERT_TRUE(open());
  const KeyStore::Row& row = database_.keys.at(1);
  EXPECT_EQ(row.kind, KeyStore::Row::Kind::signing);
  EXPECT_EQ(row.id, 1U);
  EXPECT_FALSE(RsaPrivateKey::parse(row.wrapped));
  EXPECT_TRUE(ring_->open(row.wrapped, "signing key 1"));
}

TEST_F(TokenSignerTest, SignsWithTheNewestKeyAndPublishesAllThatAreNotRetired) {
  ASSERT_TRUE(open());
  for (std::uint32_t id = 2; id <= 3; ++id) {
    KeyStore::Row row;
    row.kind = KeyStore::Row::Kind::signing;
    row.id = id;
    row.wrapped =
        ring_->seal(RsaPrivateKey::generate(2048).der().view(), "signing key " + std::to_string(id))
            .value();
    database_.keys.push_back(row);
  }
  EXPECT_EQ(keys_of(*open().value()).size(), 3U);
  database_.keys.at(1).retired = true;
  const auto signer = open().value();
  const Json keys = keys_of(*signer);
  ASSERT_EQ(keys.size(), 2U);
  const std::string token = signer->sign("{}");
  const Json header =
      parse_json(base64url_decode(token.substr(0, token.find('.'))).value()).value();
  EXPECT_EQ(header.at("kid"), keys[0].at("kid"));
  EXPECT_NE(keys[0].at("kid"), keys[1].at("kid"));
}

class SigningKeyRotation : public TokenSignerTest {
 protected:
  SigningKeyRotation() { start(); }
  void start() {
    signer_ = test::open_signer(executor_, clock_, store_, ring_, options_).value();
    verifier_.emplace(PoolAudience{.issuer = "me", .audience = "client"}, signer_, clock_);
  }
  /// Time passes as a running process sees it.
  void pass(Seconds time) {
    for (const WallTime end = clock_.wall_now() + time; clock_.wall_now() < end;) {
      clock_.advance(Seconds(60));
      signer_->maintain();
      executor_.run();
    }
  }
  Result<std::uint32_t> rotate() {
    std::optional<Result<std::uint32_t>> out;
    signer_->rotate([&](auto result) { out = std::move(result); });
    executor_.run();
    return out.value();
  }
  std::string token(Seconds lifetime = Seconds(24 * 3600)) const {
    const std::int64_t now = unix_seconds(clock_.wall_now());
    return signer_->sign(Json{{"iss", "me"},
                              {"aud", "client"},
                              {"token_use", "id"},
                              {"sub", "ann"},
                              {"cognito:username", "Ann"},
                              {"iat", now},
                              {"exp", now + lifetime.count()}}
                             .dump());
  }
  std::string outcome(const std::string& token) const {
    const auto claims = verifier_->verify(token);
    return claims ? "ok" : claims.error().where;
  }
  static std::string key_of(const std::string& token) {
    return parse_json(base64url_decode(token.substr(0, token.find('.'))).value())
        .value()["kid"]
        .get<std::string>();
  }
  std::size_t published() const { return keys_of(*signer_).size(); }

  TokenSigner::Options options_;
  std::shared_ptr<TokenSigner> signer_;
  std::optional<IdTokenVerifier> verifier_;
};

TEST_F(SigningKeyRotation, MakesKeysOfTheConfiguredLength) {
  EXPECT_EQ(TokenSigner::Options{}.key_bits, 3072U);
  const Json key = parse_json(signer_->jwks()).value()["keys"][0];
  // The fixtures use 2048 bits, because such keys are faster to make.
  EXPECT_EQ(base64url_decode(key["n"].get<std::string>()).value().size() * 8, 2048U);
}

TEST_F(SigningKeyRotation, PublishesAKeyForTenMinutesBeforeItSigns) {
  const std::string first = key_of(token());
  EXPECT_EQ(rotate(), 2U);
  EXPECT_EQ(published(), 2U);
  EXPECT_EQ(keys_of(*signer_)[0].at("kid"), first);
  EXPECT_EQ(key_of(token()), first);
  EXPECT_EQ(rotate(), 2U) << "the next key is there already";
  pass(Seconds(540));
  EXPECT_EQ(key_of(token()), first);
  start();
  EXPECT_EQ(key_of(token()), first) << "a restart does not hurry it";
  pass(Seconds(60));
  EXPECT_NE(key_of(token()), first);
  EXPECT_EQ(published(), 2U);
  EXPECT_EQ(outcome(token()), "ok");
}

TEST_F(SigningKeyRotation, KeepsAKeyForItsLastTokenAndThenErasesIt) {
  ASSERT_TRUE(rotate());
  pass(Seconds(540));
  const std::string last = token();
  pass(Seconds(60));
  ASSERT_NE(key_of(token()), key_of(last));
  pass(Seconds(24 * 3600 - 120));
  EXPECT_EQ(outcome(last), "ok") << "to the end of the longest life that a token may have";
  pass(Seconds(1'200));
  EXPECT_EQ(published(), 1U);
  EXPECT_EQ(outcome(last), "kid");
  const KeyStore::Row& row = database_.keys.at(1);
  EXPECT_TRUE(row.retired);
  EXPECT_TRUE(row.wrapped.empty());
  const std::string current = token();
  start();
  EXPECT_EQ(published(), 1U);
  EXPECT_EQ(outcome(current), "ok");
  EXPECT_EQ(outcome(last), "kid");
}

TEST_F(SigningKeyRotation, HappensByItselfWhenAKeyIsOld) {
  options_.rotation.period = Seconds(10 * 24 * 3600);
  start();
  const std::string first = key_of(token());
  pass(options_.rotation.period - Seconds(60));
  EXPECT_EQ(published(), 1U);
  pass(Seconds(60));
  EXPECT_EQ(published(), 2U);
  pass(Seconds(2 * 24 * 3600));
  EXPECT_EQ(published(), 1U);
  EXPECT_NE(key_of(token()), first);
}

TEST_F(SigningKeyRotation, CanBeSwitchedOff) {
  options_.rotation.enabled = false;
  start();
  clock_.advance(Seconds(1'000LL * 24 * 3600));
  pass(Seconds(120));
  EXPECT_EQ(published(), 1U);
  EXPECT_TRUE(rotate()) << "by command all the same";
}

TEST_F(SigningKeyRotation, PublishesEightKeysAtMost) {
  for (std::uint32_t id = 2; id <= 8; ++id) {
    EXPECT_EQ(rotate(), id);
    pass(Seconds(600));
  }
  EXPECT_EQ(published(), 8U);
  const auto refused = rotate();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_EQ(published(), 8U);
  pass(Seconds(26 * 3600));
  EXPECT_EQ(published(), 1U);
  EXPECT_EQ(rotate(), 9U);
}

TEST_F(SigningKeyRotation, MakesOneKeyForAllWhoAskAndOffTheExecutor) {
  std::vector<std::pair<std::move_only_function<std::string()>, Completion<Result<std::string>>>>
      work;
  options_.compute = [&](auto make, auto done) {
    work.emplace_back(std::move(make), std::move(done));
  };
  start();
  std::vector<Result<std::uint32_t>> answers;
  for (int i = 0; i < 3; ++i) {
    signer_->rotate([&](auto result) { answers.push_back(std::move(result)); });
  }
  ASSERT_EQ(work.size(), 1U);
  EXPECT_EQ(published(), 1U);
  work[0].second(work[0].first());
  executor_.run();
  ASSERT_EQ(answers.size(), 3U);
  for (const auto& answer : answers) EXPECT_EQ(answer, 2U);
  EXPECT_EQ(published(), 2U);
}

TEST_F(SigningKeyRotation, ChangesNothingWhenItFails) {
  options_.compute = [](auto, auto done) { done(fail(Errc::too_many_requests, "busy")); };
  start();
  EXPECT_EQ(rotate().error().code, Errc::too_many_requests);
  options_.compute = {};
  start();
  store_.fail_next();
  EXPECT_EQ(rotate().error().code, Errc::unavailable);
  EXPECT_EQ(published(), 1U);
  EXPECT_EQ(rotate(), 2U);
}

TEST_F(SigningKeyRotation, SurvivesAClockThatWasSetForTooLong) {
  clock_.step_wall(Seconds(365LL * 24 * 3600));
  ASSERT_TRUE(rotate());
  clock_.step_wall(-Seconds(365LL * 24 * 3600));
  signer_->maintain();
  EXPECT_EQ(outcome(token()), "ok");
  EXPECT_EQ(published(), 2U);
  EXPECT_TRUE(rotate()) << "a key of the future does not stand in the way";
}

TEST_F(TokenSignerTest, SaysWhichKeyIsDamagedAndMakesNoOther) {
  ASSERT_TRUE(open());
  database_.keys.at(1).wrapped.back() ^= 1;
  const auto signer = open();
  ASSERT_FALSE(signer);
  EXPECT_EQ(signer.error().code, Errc::invalid_argument);
  EXPECT_NE(signer.error().message.find("signing key 1"), std::string::npos);
  EXPECT_EQ(database_.keys.size(), 2U);
}

TEST_F(TokenSignerTest, ReportsAStoreThatFails) {
  store_.fail_next();
  EXPECT_EQ(open().error().code, Errc::unavailable);
  std::optional<Result<std::shared_ptr<TokenSigner>>> opened;
  open_token_signer(ring_, {}, clock_, store_, [&](auto result) { opened = std::move(result); });
  store_.fail_next();  // load has been called already; this is add
  executor_.run();
  EXPECT_EQ(opened.value().error().code, Errc::unavailable);
  EXPECT_TRUE(open());
}

}  // namespace
}  // namespace holdfast::identity
