// Tests the verification of the own pool's ID tokens.

#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/id_token.hpp>

#include "identity/rsa.hpp"
#include "support/base/manual_clock.hpp"

namespace holdfast::identity::id_token_verifier_test {
namespace {

constexpr const char* kIssuer = "http://127.0.0.1:8080/us-east-1_abcdefghi";
constexpr const char* kAudience = "client1";
constexpr const char* kKid = "key-1";

const RsaPrivateKey& own_key() {
  static const RsaPrivateKey key = RsaPrivateKey::generate(2048);
  return key;
}
const RsaPrivateKey& foreign_key() {
  static const RsaPrivateKey key = RsaPrivateKey::generate(2048);
  return key;
}

Json jwk_of(const RsaPrivateKey& key, const std::string& kid) {
  return {{"kty", "RSA"},
          {"use", "sig"},
          {"alg", "RS256"},
          {"kid", kid},
          {"n", base64url_encode(key.numbers().modulus)},
          {"e", base64url_encode(key.numbers().exponent)}};
}
std::string jwks_of(const Json& keys) { return Json{{"keys", keys}}.dump(); }

class IdTokenVerifierTest : public testing::Test {
 protected:
  Json header() const { return {{"kid", kKid}, {"alg", "RS256"}}; }
  Json claims() const {
    return {{"sub", "0f3c"},       {"iss", kIssuer},    {"cognito:username", "Alice"},
            {"aud", kAudience},    {"token_use", "id"}, {"auth_time", now()},
            {"exp", now() + 3600}, {"iat", now()}};
  }
  std::int64_t now() const { return unix_seconds(clock_.wall_now()); }

  static std::string token_of(const std::string& header, const std::string& claims,
                              const RsaPrivateKey& key = own_key()) {
    const std::string text = base64url_encode(header) + "." + base64url_encode(claims);
    return text + "." + base64url_encode(key.sign(text));
  }
  std::string with_header(const std::function<void(Json&)>& change) const {
    Json changed = header();
    change(changed);
    return token_of(changed.dump(), claims().dump());
  }
  std::string with_claims(const std::function<void(Json&)>& change) const {
    Json changed = claims();
    change(changed);
    return token_of(header().dump(), changed.dump());
  }
  std::string good() const { return token_of(header().dump(), claims().dump()); }

  /// `ok`, `expired`, or the check that refused.
  std::string outcome(const std::string& token) const {
    const auto result = verifier_.verify(token);
    if (result) return "ok";
    if (result.error().code == Errc::expired) {
      EXPECT_EQ(result.error().message, "The incoming token has expired");
      return "expired";
    }
    EXPECT_EQ(result.error().code, Errc::unauthenticated);
    EXPECT_EQ(result.error().message, "Unauthorized");
    return result.error().where;
  }

  test::ManualClock clock_;
  IdTokenVerifier verifier_ =
      IdTokenVerifier::of_jwks({kIssuer, kAudience},
                               jwks_of(Json::array({jwk_of(own_key(), kKid)})), clock_)
          .value();
};

TEST_F(IdTokenVerifierTest, ProvesWhoAsks) {
  const auto proven = verifier_.verify(good());
  ASSERT_TRUE(proven) << proven.error().where;
  EXPECT_EQ(proven->sub, UserId("0f3c"));
  EXPECT_EQ(proven->username, "Alice");
  EXPECT_EQ(unix_seconds(proven->issued_at), now());
  EXPECT_EQ(unix_seconds(proven->expires_at), now() + 3600);
}

TEST_F(IdTokenVerifierTest, RefusesWhatIsNotThreePartsOfBase64Url) {
  const std::string token = good();
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  EXPECT_EQ(outcome(""), "format");
  EXPECT_EQ(outcome("not a token"), "format");
  EXPECT_EQ(outcome("."), "format");
  EXPECT_EQ(outcome(".."), "header");
  EXPECT_EQ(outcome(token.substr(0, second)), "format");
  EXPECT_EQ(outcome(token + "."), "format");
  EXPECT_EQ(outcome(token + ".AAAA"), "format");
  EXPECT_EQ(outcome(token + ".AAAA.AAAA"), "format");
  EXPECT_EQ(outcome("Bearer " + token), "format");
  EXPECT_EQ(outcome(token + "\n"), "format");
  EXPECT_EQ(outcome(token + "="), "format");
  EXPECT_EQ(outcome(token.substr(0, first) + "==" + token.substr(first)), "format");
  std::string classic = token;
  classic[second + 5] = '+';
  EXPECT_EQ(outcome(classic), "format");
}

TEST_F(IdTokenVerifierTest, RefusesNonCanonicalBase64Url) {
  // 256 bytes of signature end in a character of which four bits must be zero.
  std::string token = good();
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  token.back() = alphabet[alphabet.find(token.back()) + 1];
  EXPECT_EQ(outcome(token), "format");
}

TEST_F(IdTokenVerifierTest, NeverTakesTheAlgorithmFromTheToken) {
  for (const char* algorithm :
       {"none", "None", "nOnE", "HS256", "ES256", "RS512", "PS256", "rs256", ""}) {
    EXPECT_EQ(outcome(with_header([&](Json& h) { h["alg"] = algorithm; })), "alg") << algorithm;
    const Json unsigned_header = {{"alg", algorithm}, {"kid", kKid}};
    EXPECT_EQ(outcome(base64url_encode(unsigned_header.dump()) + "." +
                      base64url_encode(claims().dump()) + "."),
              "alg");
  }
  EXPECT_EQ(outcome(with_header([](Json& h) { h.erase("alg"); })), "alg");
  EXPECT_EQ(outcome(with_header([](Json& h) { h["alg"] = Json::array({"RS256"}); })), "alg");
  EXPECT_EQ(outcome(with_header([](Json& h) { h["alg"] = nullptr; })), "alg");
}

TEST_F(IdTokenVerifierTest, RefusesAnHmacKeyedWithThePublicKey) {
  const Json hmac_header = {{"alg", "HS256"}, {"kid", kKid}};
  const std::string text =
      base64url_encode(hmac_header.dump()) + "." + base64url_encode(claims().dump());
  for (const std::string& key : {own_key().numbers().modulus, jwk_of(own_key(), kKid).dump()}) {
    EXPECT_EQ(outcome(text + "." + base64url_encode(view(hmac_sha256(key, text)))), "alg");
  }
  const std::string claimed =
      base64url_encode(header().dump()) + "." + base64url_encode(claims().dump());
  EXPECT_EQ(outcome(claimed + "." +
                    base64url_encode(view(hmac_sha256(own_key().numbers().modulus, claimed)))),
            "signature");
}

TEST_F(IdTokenVerifierTest, LooksTheKeyIdUpExactly) {
  for (const char* kid :
       {"", "key-2", "KEY-1", "key-1 ", "../../key-1", "/dev/null", "x' UNION SELECT 'key-1"}) {
    EXPECT_EQ(outcome(with_header([&](Json& h) { h["kid"] = kid; })), "kid") << kid;
  }
  EXPECT_EQ(outcome(with_header([](Json& h) { h["kid"] = Json::array({kKid}); })), "kid");
  EXPECT_EQ(outcome(with_header([](Json& h) { h["kid"] = 1; })), "kid");
  EXPECT_EQ(outcome(with_header([](Json& h) { h.erase("kid"); })), "kid");
}

TEST_F(IdTokenVerifierTest, IgnoresKeysThatTheTokenBringsAlong) {
  const Json foreign = jwk_of(foreign_key(), kKid);
  const auto bring = [&](Json& h) {
    h["jwk"] = foreign;
    h["jku"] = "http://127.0.0.1:1/keys";
    h["x5u"] = "http://127.0.0.1:1/chain";
    h["x5c"] = Json::array({"MIIB"});
  };
  EXPECT_EQ(outcome(with_header(bring)), "ok");
  Json changed = header();
  bring(changed);
  EXPECT_EQ(outcome(token_of(changed.dump(), claims().dump(), foreign_key())), "signature");
}

TEST_F(IdTokenVerifierTest, RefusesEveryCriticalExtension) {
  EXPECT_EQ(outcome(with_header([](Json& h) { h["crit"] = Json::array({"b64"}); })), "crit");
  EXPECT_EQ(outcome(with_header([](Json& h) { h["crit"] = Json::array(); })), "crit");
}

TEST_F(IdTokenVerifierTest, RefusesHeadersThatAreNoObject) {
  for (const char* text : {"", "[]", "null", "{", R"({"alg":"RS256","alg":"none","kid":"key-1"})",
                           "\xef\xbb\xbf{}", R"({"alg":"RS256","kid":"key-1"} x)"}) {
    EXPECT_EQ(outcome(token_of(text, claims().dump())), "header") << text;
  }
}

TEST_F(IdTokenVerifierTest, RefusesAChangedTokenAndAForeignSignature) {
  EXPECT_EQ(outcome(token_of(header().dump(), claims().dump(), foreign_key())), "signature");
  const std::string token = good();
  const std::string other = with_claims([](Json& c) { c["sub"] = "other"; });
  EXPECT_EQ(outcome(other.substr(0, other.rfind('.')) + token.substr(token.rfind('.'))),
            "signature");
  EXPECT_EQ(outcome(token.substr(0, token.rfind('.') + 1)), "signature");
  EXPECT_EQ(outcome(token.substr(0, token.rfind('.') + 1) + base64url_encode(std::string(64, 's'))),
            "signature");
}

TEST_F(IdTokenVerifierTest, DemandsAnExpiryThatIsAWholeNumber) {
  const auto with_expiry = [&](const std::string& literal) {
    Json without = claims();
    without.erase("exp");
    std::string text = without.dump();
    text.insert(text.size() - 1, ",\"exp\":" + literal);
    return outcome(token_of(header().dump(), text));
  };
  EXPECT_EQ(outcome(with_claims([](Json& c) { c.erase("exp"); })), "exp");
  const std::string soon = std::to_string(now() + 60);
  EXPECT_EQ(with_expiry(soon), "ok");
  EXPECT_EQ(with_expiry("\"" + soon + "\""), "exp");
  EXPECT_EQ(with_expiry(soon + ".5"), "exp");
  EXPECT_EQ(with_expiry(soon + ".0"), "ok") << "JSON has one kind of number";
  EXPECT_EQ(with_expiry("1e11"), "ok");
  EXPECT_EQ(with_expiry("253402300800"), "exp");
  EXPECT_EQ(with_expiry("9223372036854775807"), "exp");
  EXPECT_EQ(with_expiry("18446744073709551615"), "exp");
  EXPECT_EQ(with_expiry("99999999999999999999999"), "exp");
  EXPECT_TRUE(with_expiry("1e999").starts_with("claims: not JSON at byte "));
  EXPECT_EQ(with_expiry("-1"), "exp");
  EXPECT_EQ(with_expiry("null"), "exp");
  EXPECT_EQ(with_expiry("true"), "exp");
  EXPECT_EQ(with_expiry("[" + soon + "]"), "exp");
  EXPECT_EQ(with_expiry("0"), "expired");
}

TEST_F(IdTokenVerifierTest, AdmitsUntilTheSecondOfExpiry) {
  const std::string token = good();
  clock_.advance(Seconds(3600) - Microseconds(1));
  EXPECT_EQ(outcome(token), "ok");
  clock_.advance(Microseconds(1));
  EXPECT_EQ(outcome(token), "expired");
}

TEST_F(IdTokenVerifierTest, SaysExpiredOnlyWhenNothingElseIsWrong) {
  const auto expired = [&](Json& c) { c["exp"] = now() - 1; };
  EXPECT_EQ(outcome(with_claims(expired)), "expired");
  for (const char* name : {"iss", "aud", "token_use"}) {
    EXPECT_EQ(outcome(with_claims([&](Json& c) {
                expired(c);
                c[name] = "wrong";
              })),
              name);
  }
  Json old = claims();
  expired(old);
  EXPECT_EQ(outcome(token_of(header().dump(), old.dump(), foreign_key())), "signature");
}

TEST_F(IdTokenVerifierTest, RespectsNotBefore) {
  EXPECT_EQ(outcome(with_claims([&](Json& c) { c["nbf"] = now(); })), "ok");
  EXPECT_EQ(outcome(with_claims([&](Json& c) { c["nbf"] = now() + 1; })), "nbf");
  EXPECT_EQ(outcome(with_claims([&](Json& c) { c["nbf"] = "0"; })), "nbf");
  EXPECT_EQ(outcome(with_claims([&](Json& c) { c["nbf"] = 1.5; })), "nbf");
}

TEST_F(IdTokenVerifierTest, RefusesOtherIssuersAudiencesAndUses) {
  for (const char* name : {"iss", "aud", "token_use", "sub", "cognito:username", "iat"}) {
    EXPECT_EQ(outcome(with_claims([&](Json& c) { c.erase(name); })), name);
    EXPECT_EQ(outcome(with_claims([&](Json& c) { c[name] = ""; })), name);
    EXPECT_EQ(outcome(with_claims([&](Json& c) { c[name] = Json::array({c[name]}); })), name);
  }
  EXPECT_EQ(outcome(with_claims([](Json& c) { c["iss"] = std::string(kIssuer) + "/"; })), "iss");
  EXPECT_EQ(outcome(with_claims([](Json& c) { c["aud"] = "client2"; })), "aud");
  EXPECT_EQ(outcome(with_claims([](Json& c) { c["token_use"] = "access"; })), "token_use");
  EXPECT_EQ(outcome(with_claims([](Json& c) { c["sub"] = std::string(129, 'x'); })), "sub");
}

TEST_F(IdTokenVerifierTest, RefusesDuplicateClaimsAndOtherBrokenJson) {
  std::string twice = claims().dump();
  twice.insert(twice.size() - 1, R"(,"sub":"somebody else")");
  EXPECT_EQ(outcome(token_of(header().dump(), twice)), "claims: duplicate name");
  for (const char* text : {"[]", "\"x\""}) {
    EXPECT_EQ(outcome(token_of(header().dump(), text)), "claims") << text;
  }
  for (const char* text : {"", "{", "{}{}", "{\"sub\":\"\xff\"}"}) {
    EXPECT_TRUE(outcome(token_of(header().dump(), text)).starts_with("claims: not JSON")) << text;
  }
  // Whosever key it names: nobody can read whose token it is.
  Json deep = 1;
  for (int i = 0; i < 16; ++i) deep = Json::array({deep});
  const Json foreign = {{"alg", "RS256"}, {"kid", "another"}};
  EXPECT_EQ(outcome(token_of(foreign.dump(), Json{{"groups", deep}}.dump())),
            "claims: nested too deeply");
}

TEST_F(IdTokenVerifierTest, RefusesHugeTokensBeforeLookingInside) {
  EXPECT_EQ(outcome(std::string((1 << 20) + 1, 'A')), "length");
  EXPECT_EQ(outcome(std::string((1 << 20) + 1, '.')), "length");
  EXPECT_EQ(outcome(with_claims([](Json& c) { c["x"] = std::string(1 << 20, 'x'); })), "length");
}

TEST_F(IdTokenVerifierTest, RefusesAnEllipticSignature) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  const Json es_header = {{"alg", "ES256"}, {"kid", kKid}};
  const std::string text =
      base64url_encode(es_header.dump()) + "." + base64url_encode(claims().dump());
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  std::string signature(128, '\0');
  std::size_t size = signature.size();
  ASSERT_EQ(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key), 1);
  ASSERT_EQ(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                           reinterpret_cast<const unsigned char*>(text.data()), text.size()),
            1);
  signature.resize(size);
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  EXPECT_EQ(outcome(text + "." + base64url_encode(signature)), "alg");
}

TEST_F(IdTokenVerifierTest, VerifiesUnderEveryKeyOfTheJwksAndNoneThatLeftIt) {
  const std::string old_token = good();
  const std::string new_token =
      token_of(Json{{"kid", "key-2"}, {"alg", "RS256"}}.dump(), claims().dump(), foreign_key());
  verifier_ =
      IdTokenVerifier::of_jwks(
          {kIssuer, kAudience},
          jwks_of(Json::array({jwk_of(foreign_key(), "key-2"), jwk_of(own_key(), kKid)})), clock_)
          .value();
  EXPECT_EQ(outcome(old_token), "ok");
  EXPECT_EQ(outcome(new_token), "ok");
  verifier_ =
      IdTokenVerifier::of_jwks({kIssuer, kAudience},
                               jwks_of(Json::array({jwk_of(foreign_key(), "key-2")})), clock_)
          .value();
  EXPECT_EQ(outcome(old_token), "kid");
  EXPECT_EQ(outcome(new_token), "ok");
}

TEST_F(IdTokenVerifierTest, RefusesWhatIsNoJwks) {
  const Json key = jwk_of(own_key(), kKid);
  const auto without = [&](const char* name) {
    Json changed = key;
    changed.erase(name);
    return jwks_of(Json::array({changed}));
  };
  const auto with = [&](const char* name, const Json& value) {
    Json changed = key;
    changed[name] = value;
    return jwks_of(Json::array({changed}));
  };
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string(R"({"keys":{}})"), jwks_of(Json::array()),
        jwks_of(Json::array({1})), jwks_of(Json::array({key, key})), without("kty"), without("kid"),
        without("n"), without("e"), with("n", "AQAB"), with("n", "=="), with("e", "AAA"),
        with("e", ""), with("kty", "EC"), with("alg", "ES256"), with("use", "enc")}) {
    const auto verifier = IdTokenVerifier::of_jwks({kIssuer, kAudience}, text, clock_);
    ASSERT_FALSE(verifier) << text;
    EXPECT_EQ(verifier.error().code, Errc::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace holdfast::identity::id_token_verifier_test
