#include <memory>
#include <optional>
#include <string>

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
        ring_->seal(RsaPrivateKey::generate().der().view(), "signing key " + std::to_string(id))
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
  open_token_signer(ring_, clock_, store_, [&](auto result) { opened = std::move(result); });
  store_.fail_next();  // load has been called already; this is add
  executor_.run();
  EXPECT_EQ(opened.value().error().code, Errc::unavailable);
  EXPECT_TRUE(open());
}

}  // namespace
}  // namespace holdfast::identity
