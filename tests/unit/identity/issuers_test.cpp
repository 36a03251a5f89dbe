// Tests ID tokens of other issuers: discovery, keys, claims and prefixes.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/issuers.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/identity/token_maker.hpp"

namespace holdfast::identity::issuers_test {
namespace {

using test::TokenMaker;
using Kind = TokenMaker::Kind;

constexpr const char* kForeign = "https://login.example.com/realms/main";
constexpr const char* kAudience = "chat";
constexpr const char* kJwksUrl = "https://login.example.com/keys";

const TokenMaker& maker_of(Kind kind) {
  static std::map<Kind, TokenMaker> makers;
  return makers.try_emplace(kind, kind).first->second;
}

/// Reads that a test completes.
class FakeDocuments final : public IssuerDocuments {
 public:
  void read(std::string address, Completion<Result<std::string>> done) override {
    addresses.push_back(std::move(address));
    pending = std::move(done);
  }
  void complete(Result<std::string> answer) {
    auto done = std::exchange(pending, nullptr);
    ASSERT_TRUE(done) << "nothing is being read";
    done(std::move(answer));
  }

  std::vector<std::string> addresses;
  Completion<Result<std::string>> pending;
};

class IssuersTest : public testing::Test {
 protected:
  // Stops the reader, because a read under way keeps its issuer alive.
  ~IssuersTest() override { documents_->pending = nullptr; }
  void open(std::string jwks = maker_of(Kind::rsa).jwks()) {
    auto made = Issuers::make(
        {{.options = options_, .documents = documents_, .jwks = std::move(jwks)}}, keys_, clock_);
    ASSERT_TRUE(made) << made.error().message;
    issuers_ = std::make_shared<Issuers>(std::move(*made));
  }
  std::int64_t now() const { return unix_seconds(clock_.wall_now()); }
  Json claims() const {
    return {{"iss", kForeign}, {"sub", "ann"},       {"aud", kAudience},
            {"iat", now()},    {"exp", now() + 300}, {"email", "ann@example.com"}};
  }
  Json with(const std::string& name, const Json& value) const {
    Json out = claims();
    out[name] = value;
    return out;
  }
  Json without(const std::string& name) const {
    Json out = claims();
    out.erase(name);
    return out;
  }
  /// Nothing while the answer is awaited.
  using Outcome = std::shared_ptr<std::optional<Result<IdTokenClaims>>>;
  Outcome start(const std::string& token) {
    auto out = std::make_shared<std::optional<Result<IdTokenClaims>>>();
    issuers_->verify(0, token, executor_,
                     [out](Result<IdTokenClaims> claims) { *out = std::move(claims); });
    return out;
  }
  static std::string words(const Outcome& outcome) {
    if (!*outcome) return "waiting";
    if (**outcome) return "ok";
    const Error& error = (**outcome).error();
    if (error.code == Errc::unavailable) return "unavailable";
    if (error.code == Errc::expired) {
      EXPECT_EQ(error.message, "The incoming token has expired");
      return "expired";
    }
    EXPECT_EQ(error.code, Errc::unauthenticated);
    EXPECT_EQ(error.message, "Unauthorized");
    return error.where;
  }
  /// `ok`, `expired`, `unavailable`, or the check that refused.
  std::string outcome(const std::string& token) {
    const Outcome out = start(token);
    executor_.run();
    return words(out);
  }
  std::string outcome(const Json& claims) { return outcome(maker_of(Kind::rsa).sign(claims)); }

  test::ManualClock clock_;
  test::ManualExecutor executor_;
  IssuerOptions options_{.issuer = kForeign,
                         .audiences = {kAudience},
                         .user_id_prefix = "kc:",
                         .token_use = {},
                         .jwks_url = kJwksUrl,
                         .jwks_file = {},
                         .ca_file = {}};
  IssuerKeysOptions keys_;
  std::shared_ptr<FakeDocuments> documents_ = std::make_shared<FakeDocuments>();
  std::shared_ptr<Issuers> issuers_;
};

TEST_F(IssuersTest, AddsThePrefixToTheUserId) {
  open();
  const std::string token = maker_of(Kind::rsa).sign(with("cognito:username", "admin"));
  EXPECT_EQ(issuers_->find(token), 0U);
  const Outcome out = start(token);
  ASSERT_TRUE(*out && **out);
  EXPECT_EQ((**out)->sub, UserId("kc:ann"));
  EXPECT_EQ((**out)->username, "kc:ann");
  EXPECT_FALSE((**out)->in_pool);
}

TEST_F(IssuersTest, KnowTheirTokensByTheIssuerByteForByte) {
  open();
  for (const char* issuer : {"", "https://login.example.com/realms/main/",
                             "https://LOGIN.example.com/realms/main", "https://evil.example.com"}) {
    EXPECT_EQ(issuers_->find(maker_of(Kind::rsa).sign(with("iss", issuer))), std::nullopt);
  }
  EXPECT_EQ(issuers_->find(maker_of(Kind::rsa).sign(without("iss"))), std::nullopt);
  EXPECT_EQ(issuers_->find(maker_of(Kind::rsa).sign(with("iss", Json::array({kForeign})))),
            std::nullopt);
  for (const char* token : {"", "x", "..", "a.b.c", "e30.e30.e30"}) {
    EXPECT_EQ(issuers_->find(token), std::nullopt) << token;
    EXPECT_EQ(outcome(std::string(token)), "format") << token;
  }
}

TEST_F(IssuersTest, TakeEveryAlgorithmThatTheyDeclareAndNoOther) {
  const std::pair<Kind, SigningAlgorithm> kinds[] = {{Kind::rsa, SigningAlgorithm::rs256},
                                                     {Kind::p256, SigningAlgorithm::es256},
                                                     {Kind::ed25519, SigningAlgorithm::eddsa}};
  for (const auto& [declared_kind, declared] : kinds) {
    options_.algorithms = {declared};
    open(maker_of(declared_kind).jwks());
    for (const auto& [kind, algorithm] : kinds) {
      EXPECT_EQ(outcome(maker_of(kind).sign(claims())), kind == declared_kind ? "ok" : "alg");
    }
  }
}

TEST_F(IssuersTest, RefuseAKeyForAnotherAlgorithmThanItsOwn) {
  options_.algorithms = {SigningAlgorithm::rs256, SigningAlgorithm::es256, SigningAlgorithm::eddsa};
  for (const Kind kind : {Kind::rsa, Kind::p256, Kind::ed25519}) {
    const TokenMaker& maker = maker_of(kind);
    open(maker.jwks());
    for (const char* algorithm : {"RS256", "ES256", "EdDSA"}) {
      Json header = maker.header();
      header["alg"] = algorithm;
      EXPECT_EQ(outcome(maker.sign(claims(), header)),
                maker.algorithm() == std::string(algorithm) ? "ok" : "alg");
    }
    for (const Json& algorithm : {Json("none"), Json("None"), Json("nOnE"), Json(""), Json("HS256"),
                                  Json("RS384"), Json("PS256"), Json("ES384"), Json("ES256K"),
                                  Json("rs256"), Json(1), Json::array({"RS256"})}) {
      Json header = maker.header();
      header["alg"] = algorithm;
      EXPECT_EQ(outcome(maker.sign(claims(), header)), "alg") << algorithm;
    }
  }
}

TEST_F(IssuersTest, RefuseAMacKeyedWithThePublicKey) {
  open();
  const std::string input = base64url_encode(Json{{"alg", "HS256"}, {"kid", "key-1"}}.dump()) +
                            "." + base64url_encode(claims().dump());
  for (const std::string& key : {maker_of(Kind::rsa).jwks(), maker_of(Kind::rsa).jwk().dump(),
                                 maker_of(Kind::rsa).jwk()["n"].get<std::string>()}) {
    EXPECT_EQ(outcome(input + "." + base64url_encode(view(hmac_sha256(key, input)))), "alg");
  }
}

TEST_F(IssuersTest, LookAtNoKeyThatATokenBringsAlong) {
  open();
  const TokenMaker forger(Kind::rsa);
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, Json>>{{"jwk", forger.jwk()},
                                                 {"jku", "https://evil.example.com/keys"},
                                                 {"x5u", "https://evil.example.com/chain"},
                                                 {"x5c", Json::array({"AAAA"})}}) {
    Json header = forger.header();
    header[name] = value;
    EXPECT_EQ(outcome(forger.sign(claims(), header)), "signature") << name;
    EXPECT_EQ(outcome(maker_of(Kind::rsa).sign(claims(), header)), "ok") << name;
  }
  EXPECT_TRUE(documents_->addresses.empty());
}

TEST_F(IssuersTest, RefuseHeadersThatAreNotAnIdTokens) {
  open();
  const auto headed = [&](const std::string& name, const Json& value) {
    Json header = maker_of(Kind::rsa).header();
    header[name] = value;
    return outcome(maker_of(Kind::rsa).sign(claims(), header));
  };
  EXPECT_EQ(headed("typ", "JWT"), "ok");
  EXPECT_EQ(headed("typ", "at+jwt"), "typ");
  EXPECT_EQ(headed("typ", "logout+jwt"), "typ");
  EXPECT_EQ(headed("typ", 1), "typ");
  EXPECT_EQ(headed("typ", nullptr), "ok") << "as some serialisers have it";
  EXPECT_EQ(headed("kid", nullptr), "ok");
  EXPECT_EQ(headed("crit", nullptr), "crit");
  EXPECT_EQ(headed("crit", Json::array({"b64"})), "crit");
  EXPECT_EQ(headed("crit", Json::array()), "crit");
  for (const Json& kid :
       {Json(1), Json(""), Json::array({"key-1"}), Json(std::string(1'000, 'k'))}) {
    EXPECT_EQ(headed("kid", kid), "kid") << kid;
  }
  EXPECT_TRUE(documents_->addresses.empty()) << "no key could have saved them";
}

TEST_F(IssuersTest, LookUpAKeyIdAsTheTextThatItIs) {
  open();
  for (const char* kid : {"../../etc/passwd", "' OR '1'='1", "/dev/null", "KEY-1", "key-1 "}) {
    Json header = maker_of(Kind::rsa).header();
    header["kid"] = kid;
    const Outcome out = start(maker_of(Kind::rsa).sign(claims(), header));
    if (documents_->pending) documents_->complete(maker_of(Kind::rsa).jwks());
    executor_.run();
    EXPECT_EQ(words(out), "kid") << kid;
  }
  EXPECT_EQ(documents_->addresses, std::vector<std::string>{kJwksUrl});
}

TEST_F(IssuersTest, CheckEveryClaim) {
  open();
  EXPECT_EQ(outcome(claims()), "ok");
  EXPECT_EQ(outcome(without("sub")), "user_id_claim");
  EXPECT_EQ(outcome(with("sub", "")), "user_id_claim");
  EXPECT_EQ(outcome(with("sub", 7)), "user_id_claim");
  EXPECT_EQ(outcome(with("sub", std::string(125, 'u'))), "ok");
  EXPECT_EQ(outcome(with("sub", std::string(126, 'u'))), "user_id_claim");
  for (const char* name : {"iat", "exp", "nbf"}) {
    if (name != std::string("nbf")) {
      EXPECT_EQ(outcome(without(name)), name);
      EXPECT_EQ(outcome(with(name, nullptr)), name);
    }
    for (const Json& value :
         {Json("1"), Json("1.5"), Json(-1), Json(-0.5), Json(-1e300), Json(std::uint64_t(1) << 63),
          Json(253'402'300'800.0), Json(true), Json(1e300)}) {
      EXPECT_EQ(outcome(with(name, value)), name) << value;
    }
  }
  EXPECT_EQ(outcome(with("iat", now() + 10)), "ok");
  EXPECT_EQ(outcome(with("iat", now() + 11)), "iat");
  EXPECT_EQ(outcome(with("nbf", now() + 10)), "ok");
  EXPECT_EQ(outcome(with("nbf", now() + 11)), "nbf");
  EXPECT_EQ(outcome(with("nbf", "soon")), "nbf");
  EXPECT_EQ(outcome(with("exp", now() - 9)), "ok");
  EXPECT_EQ(outcome(with("exp", now() - 10)), "expired");
}

TEST_F(IssuersTest, TakeNullForAClaimThatIsNotThere) {
  open();
  for (const char* const name : {"azp", "nbf", "typ", "events"}) {
    EXPECT_EQ(outcome(with(name, nullptr)), "ok") << name;
  }
  for (const char* const name : {"iss", "aud", "sub"}) {
    EXPECT_NE(outcome(with(name, nullptr)), "ok") << name;
  }
  Json several = with("aud", Json::array({kAudience, "account"}));
  several["azp"] = nullptr;
  EXPECT_EQ(outcome(several), "azp");
}

TEST_F(IssuersTest, ReadClaimsOfSixteenLevels) {
  open();
  std::string deep = "1";
  for (int i = 0; i < 16; ++i) deep = "[" + deep + "]";
  const std::string token = maker_of(Kind::rsa).sign(with("groups", parse_json(deep).value()));
  EXPECT_EQ(issuers_->find(token), std::nullopt);
  EXPECT_EQ(outcome(with("groups", parse_json(deep).value()[0])), "ok");
}

TEST_F(IssuersTest, TakeDatesInEverySpellingOfANumberUpToTheMicrosecond) {
  open();
  const auto at = [&](const char* name, const std::string& spelling) {
    std::string text = without(name).dump();
    text.insert(1, "\"" + std::string(name) + "\":" + spelling + ",");
    return outcome(maker_of(Kind::rsa).sign_text(text));
  };
  const std::string second = std::to_string(now());
  for (const char* const name : {"iat", "nbf"}) {
    for (const std::string& spelling :
         {second, second + ".0", second + ".5", second + "e0", second + "00e-2", std::string("1.5"),
          std::string("0"), std::string("1e9"), std::to_string(now() + 9) + ".999999",
          std::to_string(now() + 10) + ".0"}) {
      EXPECT_EQ(at(name, spelling), "ok") << name << spelling;
    }
    EXPECT_EQ(at(name, std::to_string(now() + 10) + ".5"), name);
    EXPECT_EQ(at(name, "1e12"), name);
  }
  for (const std::string& spelling :
       {second, second + ".5", std::to_string(now() - 10) + ".5", std::string("2.5e11")}) {
    EXPECT_EQ(at("exp", spelling), "ok") << spelling;
  }
  EXPECT_EQ(at("exp", std::to_string(now() - 10) + ".0"), "expired");
  EXPECT_EQ(at("exp", std::to_string(now() - 11) + ".9"), "expired");
}

TEST_F(IssuersTest, ReportsExpiryOnlyWhenNothingElseIsWrong) {
  open();
  Json old = with("exp", now() - 100);
  EXPECT_EQ(outcome(old), "expired");
  EXPECT_EQ(outcome(TokenMaker(Kind::rsa).sign(old)), "signature");
  old["aud"] = "another";
  EXPECT_EQ(outcome(old), "aud");
}

TEST_F(IssuersTest, TakeTokensForTheirAudienceAlone) {
  options_.audiences = {kAudience, "mobile"};
  open();
  EXPECT_EQ(outcome(with("aud", "mobile")), "ok");
  EXPECT_EQ(outcome(with("aud", Json::array({kAudience}))), "ok");
  for (const Json& wrong :
       {Json("another"), Json(""), Json(1), Json::array(), Json::array({"another"}),
        Json::array({1}), Json::array({kAudience, 1}), Json{{kAudience, true}}}) {
    EXPECT_EQ(outcome(with("aud", wrong)), "aud") << wrong;
  }
  EXPECT_EQ(outcome(without("aud")), "aud");
  Json several = with("aud", Json::array({kAudience, "account"}));
  EXPECT_EQ(outcome(several), "azp") << "for whom was it issued?";
  several["azp"] = "another";
  EXPECT_EQ(outcome(several), "azp");
  several["azp"] = kAudience;
  EXPECT_EQ(outcome(several), "ok");
  EXPECT_EQ(outcome(with("azp", "another")), "azp");
  EXPECT_EQ(outcome(with("azp", "mobile")), "ok");
}

TEST_F(IssuersTest, RefuseWhatIsSignedForAnotherPurpose) {
  open();
  EXPECT_EQ(outcome(with("typ", "ID")), "ok");
  EXPECT_EQ(outcome(with("typ", "Bearer")), "typ");
  EXPECT_EQ(outcome(with("typ", "Refresh")), "typ");
  EXPECT_EQ(outcome(with("typ", Json::array({"ID"}))), "typ");
  EXPECT_EQ(outcome(with("events", Json::object())), "events");
}

TEST_F(IssuersTest, AskForTheTokenUseWhereItIsConfigured) {
  options_.token_use = "id";
  open();
  EXPECT_EQ(outcome(with("token_use", "id")), "ok");
  EXPECT_EQ(outcome(with("token_use", "access")), "token_use");
  EXPECT_EQ(outcome(claims()), "token_use");
}

TEST_F(IssuersTest, NameUsersByTheConfiguredClaim) {
  options_.user_id_claim = "employee";
  open();
  EXPECT_EQ(outcome(claims()), "user_id_claim");
  const Outcome out = start(maker_of(Kind::rsa).sign(with("employee", "e17")));
  ASSERT_TRUE(*out && **out);
  EXPECT_EQ((**out)->sub, UserId("kc:e17"));
}

TEST_F(IssuersTest, BelieveNoAddressThatIsNotVerified) {
  options_.user_id_claim = "email";
  open();
  EXPECT_EQ(outcome(claims()), "email_verified");
  EXPECT_EQ(outcome(with("email_verified", false)), "email_verified");
  for (const Json& value :
       {Json("false"), Json("TRUE"), Json("1"), Json(1), Json(nullptr), Json::array({true})}) {
    EXPECT_EQ(outcome(with("email_verified", value)), "email_verified") << value;
  }
  EXPECT_EQ(outcome(with("email_verified", true)), "ok");
  EXPECT_EQ(outcome(with("email_verified", "true")), "ok") << "as Apple has it";
}

TEST_F(IssuersTest, PassOverKeysThatAreNotForThem) {
  options_.algorithms = {SigningAlgorithm::rs256, SigningAlgorithm::es256};
  const Json good = maker_of(Kind::rsa).jwk();
  const auto changed = [](Json jwk, const std::string& name, const Json& value) {
    jwk["kid"] = "bad";
    jwk[name] = value;
    return jwk;
  };
  const TokenMaker other(Kind::rsa);
  const TokenMaker curve(Kind::p256);
  for (const Json& bad : {changed(other.jwk(), "use", "enc"),
                          changed(other.jwk(), "use", 1),
                          changed(other.jwk(), "alg", "RS512"),
                          changed(other.jwk(), "alg", "ES256"),
                          changed(other.jwk(), "kty", "oct"),
                          changed(other.jwk(), "kty", "EC"),
                          changed(other.jwk(), "kty", 1),
                          changed(other.jwk(), "n", "AQAB"),
                          changed(other.jwk(), "e", "AA"),
                          changed(other.jwk(), "d", "AQAB"),
                          changed(other.jwk(), "key_ops", Json::array({"sign"})),
                          changed(other.jwk(), "key_ops", "verify"),
                          changed(TokenMaker(Kind::weak_rsa).jwk(), "kid", "bad"),
                          changed(TokenMaker(Kind::p384).jwk(), "kid", "bad"),
                          changed(TokenMaker(Kind::ed25519).jwk(), "kid", "bad"),
                          changed(curve.jwk(), "crv", "P-384"),
                          changed(curve.jwk(), "crv", "secp256k1"),
                          changed(curve.jwk(), "x", base64url_encode(std::string(32, '\1'))),
                          changed(curve.jwk(), "x", base64url_encode(std::string(31, '\1'))),
                          changed(curve.jwk(), "y", "=")}) {
    open(Json{{"keys", Json::array({bad, good})}}.dump());
    EXPECT_EQ(outcome(claims()), "ok") << bad;
    Json header = {{"alg", "RS256"}, {"kid", "bad"}};
    const Outcome out = start(other.sign(claims(), header));
    documents_->complete(Json{{"keys", Json::array({bad, good})}}.dump());
    executor_.run();
    EXPECT_EQ(words(out), "kid") << bad;
  }
}

TEST_F(IssuersTest, RefusesToOpenWithoutUsableKeys) {
  const Json key = maker_of(Kind::rsa).jwk();
  const std::string keys = Json::array({key}).dump();
  for (const std::string& jwks :
       {std::string("x"), std::string("[]"), std::string("{}"), std::string(R"({"keys":{}})"),
        std::string(R"({"keys":[]})"), std::string(R"({"keys":[1]})"),
        std::string(R"({"keys":[],"keys":[]})"), TokenMaker(Kind::weak_rsa).jwks(),
        R"({"keys":)" + keys + R"(,"keys":[]})", R"({"keys":)" + keys, R"({"keys":)" + keys + "]",
        R"({"keys":)" + keys + "}x", R"({"keys":[)" + key.dump() + " " + key.dump() + "]}",
        R"({"keys":[)" + key.dump() + ",]}", std::string(R"({"keys":["]})"),
        std::string(R"({"keys":[}]})"), std::string(R"({keys:[]})"), std::string(100'000, '['),
        R"({"keys":[)" + std::string(300'000, ' ') + "]}"}) {
    const auto made = Issuers::make({{.options = options_, .documents = documents_, .jwks = jwks}},
                                    keys_, clock_);
    ASSERT_FALSE(made) << jwks.substr(0, 100);
    EXPECT_EQ(made.error().code, Errc::invalid_argument);
  }
}

TEST_F(IssuersTest, AreDiscoveredWhereNothingElseIsConfigured) {
  options_.jwks_url.clear();
  open("");
  const Outcome out = start(maker_of(Kind::rsa).sign(claims()));
  EXPECT_EQ(documents_->addresses.back(),
            std::string(kForeign) + "/.well-known/openid-configuration");
  documents_->complete(Json{{"issuer", kForeign}, {"jwks_uri", kJwksUrl}}.dump());
  EXPECT_EQ(documents_->addresses.back(), kJwksUrl);
  documents_->complete(maker_of(Kind::rsa).jwks());
  executor_.run();
  EXPECT_EQ(words(out), "ok");
}

TEST_F(IssuersTest, DropTheIssuersOwnSlashForDiscovery) {
  options_.issuer = "https://tenant.example.com/";
  options_.jwks_url.clear();
  open("");
  issuers_->tick();
  EXPECT_EQ(documents_->addresses.back(),
            "https://tenant.example.com/.well-known/openid-configuration");
}

TEST_F(IssuersTest, BelieveNoConfigurationOfAnother) {
  options_.jwks_url.clear();
  open("");
  for (const std::string& document :
       {std::string("x"), std::string("[]"), Json{{"jwks_uri", kJwksUrl}}.dump(),
        Json{{"issuer", "https://evil.example.com"}, {"jwks_uri", kJwksUrl}}.dump(),
        Json{{"issuer", std::string(kForeign) + "/"}, {"jwks_uri", kJwksUrl}}.dump(),
        Json{{"issuer", kForeign}}.dump(), Json{{"issuer", kForeign}, {"jwks_uri", 1}}.dump(),
        Json{{"issuer", kForeign}, {"jwks_uri", "http://login.example.com/keys"}}.dump(),
        Json{{"issuer", kForeign}, {"jwks_uri", "/etc/passwd"}}.dump(),
        Json{{"issuer", kForeign}, {"jwks_uri", "file:///etc/passwd"}}.dump()}) {
    clock_.advance(Seconds(60));
    const std::size_t reads = documents_->addresses.size();
    const Outcome out = start(maker_of(Kind::rsa).sign(claims()));
    documents_->complete(document);
    executor_.run();
    EXPECT_EQ(words(out), "unavailable") << document;
    EXPECT_EQ(documents_->addresses.size(), reads + 1) << document;
  }
}

TEST_F(IssuersTest, ReadKeysOnceForAllWhoWaitForThem) {
  open("");
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 5; ++i) outcomes.push_back(start(maker_of(Kind::rsa).sign(claims())));
  EXPECT_EQ(documents_->addresses.size(), 1U);
  documents_->complete(maker_of(Kind::rsa).jwks());
  EXPECT_EQ(words(outcomes[0]), "waiting") << "answered on its own executor";
  executor_.run();
  for (const Outcome& out : outcomes) EXPECT_EQ(words(out), "ok");
  EXPECT_EQ(outcome(claims()), "ok");
  EXPECT_EQ(documents_->addresses.size(), 1U);
}

TEST_F(IssuersTest, ReadKeysForAnUnknownIdOnceAMinuteAtMost) {
  open();
  const TokenMaker next(Kind::rsa, "key-2");
  const std::string both =
      Json{{"keys", Json::array({maker_of(Kind::rsa).jwk(), next.jwk()})}}.dump();
  const Outcome first = start(next.sign(claims()));
  documents_->complete(maker_of(Kind::rsa).jwks());
  executor_.run();
  EXPECT_EQ(words(first), "kid");
  clock_.advance(Seconds(59));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(outcome(next.sign(claims())), "kid");
  EXPECT_EQ(documents_->addresses.size(), 1U);
  clock_.advance(Seconds(1));
  const Outcome second = start(next.sign(claims()));
  EXPECT_EQ(outcome(claims()), "ok") << "a key that is known waits for nothing";
  documents_->complete(both);
  executor_.run();
  EXPECT_EQ(words(second), "ok");
  EXPECT_EQ(documents_->addresses.size(), 2U);
}

TEST_F(IssuersTest, ReadKeysInTheBackgroundAndForgetThoseThatAreGone) {
  open();
  issuers_->tick();
  EXPECT_TRUE(documents_->addresses.empty());
  clock_.advance(keys_.refresh);
  issuers_->tick();
  issuers_->tick();
  EXPECT_EQ(documents_->addresses.size(), 1U);
  documents_->complete(TokenMaker(Kind::rsa, "key-2").jwks());
  EXPECT_EQ(outcome(claims()), "kid");
}

TEST_F(IssuersTest, KeepTheirKeysWhileTheyCannotBeReached) {
  open();
  std::size_t reads = 0;
  for (int second = 0; second < 3'600; ++second) {
    clock_.advance(Seconds(1));
    issuers_->tick();
    if (documents_->pending) {
      ++reads;
      documents_->complete(reads % 2 == 0 ? Result<std::string>("<html>502</html>")
                                          : fail(Errc::unavailable, "down"));
    }
    if (second % 100 == 0) {
      EXPECT_EQ(outcome(claims()), "ok");
    }
  }
  EXPECT_GT(reads, 40U);
  EXPECT_LT(reads, 70U) << "tried again ever more slowly, once a minute in the end";
  const TokenMaker next(Kind::rsa, "key-2");
  EXPECT_EQ(outcome(next.sign(claims())), "unavailable") << "whether it is good cannot be told";
  clock_.advance(Seconds(60));
  issuers_->tick();
  documents_->complete(next.jwks());
  EXPECT_EQ(outcome(next.sign(claims())), "ok");
}

TEST_F(IssuersTest, KeepTheirKeysForAnHourWhileTheyShowNoneThatIsUsable) {
  const std::string unusable[] = {R"({"keys":[]})", TokenMaker(Kind::weak_rsa).jwks(),
                                  TokenMaker(Kind::p256).jwks(), R"({"keys":[1,{}]})"};
  open();
  clock_.advance(keys_.refresh);
  std::size_t reads = 0;
  for (int second = 0; second < 3'600; ++second) {
    issuers_->tick();
    if (documents_->pending) documents_->complete(unusable[reads++ % 4]);
    if (second % 100 == 0) {
      ASSERT_EQ(outcome(claims()), "ok") << second;
    }
    clock_.advance(Seconds(1));
  }
  EXPECT_GT(reads, 40U);
  EXPECT_LT(reads, 70U) << "tried again ever more slowly";
  clock_.advance(Seconds(60));
  issuers_->tick();
  documents_->complete(unusable[0]);
  EXPECT_EQ(outcome(claims()), "kid") << "they mean it";
  clock_.advance(keys_.refresh);
  issuers_->tick();
  documents_->complete(maker_of(Kind::rsa).jwks());
  EXPECT_EQ(outcome(claims()), "ok");
}

TEST_F(IssuersTest, TakeTokensUnderEachKeyOfASetWhereKeysShareAnId) {
  options_.algorithms = {SigningAlgorithm::rs256, SigningAlgorithm::es256};
  const TokenMaker a(Kind::rsa, "one");
  const TokenMaker b(Kind::rsa, "one");
  const TokenMaker c(Kind::p256, "one");
  const TokenMaker d(Kind::rsa, "two");
  Json again = a.jwk();
  again["x5t"] = "AAAA";
  for (const Json& set :
       {Json::array({a.jwk(), again, b.jwk(), c.jwk(), d.jwk()}),
        Json::array({d.jwk(), c.jwk(), b.jwk(), again, a.jwk(), 1, Json::object()})}) {
    const std::string jwks = Json{{"keys", set}}.dump();
    for (const bool at_start : {true, false}) {
      open(at_start ? jwks : maker_of(Kind::rsa).jwks());
      if (!at_start) {
        clock_.advance(keys_.refresh);
        issuers_->tick();
        documents_->complete(jwks);
      }
      for (const TokenMaker* const maker : {&a, &b, &c, &d}) {
        EXPECT_EQ(outcome(maker->sign(claims())), "ok");
      }
      EXPECT_EQ(outcome(TokenMaker(Kind::rsa, "one").sign(claims())), "signature");
    }
  }
}

TEST_F(IssuersTest, AcceptsTokensWithoutAKeyIdWhenOneKeyMatches) {
  const TokenMaker& key = maker_of(Kind::rsa);
  const TokenMaker other(Kind::rsa, "key-2");
  const auto nameless = [](Json jwk) {
    jwk.erase("kid");
    return jwk;
  };
  const auto changed = [](Json jwk, const char* name, const char* value) {
    jwk[name] = value;
    return jwk;
  };
  const Json without_id = {{"alg", "RS256"}};
  const Json own_id = key.header();
  const struct {
    const char* what;
    Json set;
    Json header;
    const char* expected;
  } cases[] = {
      {"the token leaves it out", Json::array({key.jwk()}), without_id, "ok"},
      {"the key leaves it out", Json::array({nameless(key.jwk())}), own_id, "ok"},
      {"both do", Json::array({nameless(key.jwk())}), without_id, "ok"},
      {"keys for other purposes stand beside it",
       Json::array({changed(other.jwk(), "use", "enc"), changed(other.jwk(), "alg", "RS512"),
                    TokenMaker(Kind::p256, "ec").jwk(), key.jwk()}),
       without_id, "ok"},
      {"the same key twice", Json::array({key.jwk(), key.jwk(), nameless(key.jwk())}), without_id,
       "ok"},
      {"the one without an id beside others", Json::array({other.jwk(), nameless(key.jwk())}),
       own_id, "ok"},
      {"two fit", Json::array({key.jwk(), other.jwk()}), without_id, "kid"},
      {"two without an id fit", Json::array({nameless(key.jwk()), nameless(other.jwk())}), own_id,
       "kid"},
      {"the ids differ", Json::array({changed(key.jwk(), "kid", "key-3")}), own_id, "kid"},
      {"another key", Json::array({nameless(other.jwk())}), own_id, "signature"},
  };
  for (const auto& one : cases) {
    open(Json{{"keys", one.set}}.dump());
    const Outcome out = start(key.sign(claims(), one.header));
    if (documents_->pending) documents_->complete(Json{{"keys", one.set}}.dump());
    executor_.run();
    EXPECT_EQ(words(out), one.expected) << one.what;
  }
}

TEST_F(IssuersTest, SkipsKeysThatCannotBeParsed) {
  const std::string good = maker_of(Kind::rsa).jwk().dump();
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  for (const std::string& odd :
       {std::string(R"({"kty":"RSA","kty":"RSA"})"), std::string(R"({"kid":"a\u0000b"})"),
        std::string(R"({"exp":1e400})"), R"({"x5c":)" + deep + "}",
        std::string(R"({"kid":"\ud800"})"), std::string("{\"kid\":\"\xff\"}"),
        std::string("{\"kid\":\"\0\"}", 11), std::string(R"({"a":"\\\"]},{","a":1})"),
        std::string("nul"), std::string("{'kid':1}")}) {
    for (const std::string& list :
         {odd + "," + good, good + "," + odd, odd + "," + good + "," + odd}) {
      testing::internal::CaptureStdout();
      open("\xef\xbb\xbf{\"note\":" + odd + ", \"k\\u0065ys\" : [ " + list + " ]}\n");
      EXPECT_EQ(outcome(claims()), "ok") << odd;
      EXPECT_NE(testing::internal::GetCapturedStdout().find("issuer_key_odd"), std::string::npos)
          << odd;
    }
  }
}

TEST_F(IssuersTest, CountTheKeysThatCanBeUsedAndNoOthers) {
  const Json good = maker_of(Kind::rsa).jwk();
  Json set = Json::array();
  for (int i = 0; i < 300; ++i) {
    Json encrypting = good;
    encrypting["use"] = "enc";
    encrypting["kid"] = "enc-" + std::to_string(i);
    set.push_back(std::move(encrypting));
  }
  for (int i = 0; i < 99; ++i) {
    Json other = good;
    other["kid"] = "sig-" + std::to_string(i);
    set.push_back(std::move(other));
  }
  set.push_back(good);
  EXPECT_LT(set.dump().size(), 256U * 1024);
  testing::internal::CaptureStdout();
  open(Json{{"keys", set}}.dump());
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(outcome(claims()), "ok") << "the hundredth";
  set.insert(set.begin(), set[300]);
  testing::internal::CaptureStdout();
  open(Json{{"keys", set}}.dump());
  const Outcome out = start(maker_of(Kind::rsa).sign(claims()));
  documents_->complete(Json{{"keys", set}}.dump());
  executor_.run();
  EXPECT_EQ(words(out), "kid") << "the hundred and first";
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_NE(text.find("more than 100 keys are usable"), std::string::npos);
  EXPECT_EQ(outcome(maker_of(Kind::rsa).sign(claims(), {{"alg", "RS256"}, {"kid", "sig-98"}})),
            "ok");
}

TEST_F(IssuersTest, TakeNullForAMemberThatAKeyDoesNotHave) {
  const auto open_with = [&](const std::string& name, const Json& value) {
    Json jwk = maker_of(Kind::rsa).jwk();
    jwk[name] = value;
    auto made = Issuers::make({{.options = options_,
                                .documents = documents_,
                                .jwks = Json{{"keys", Json::array({jwk})}}.dump()}},
                              keys_, clock_);
    if (!made) return false;
    issuers_ = std::make_shared<Issuers>(std::move(*made));
    return outcome(claims()) == "ok";
  };
  for (const char* const name : {"use", "alg", "key_ops", "kid", "crv", "x5c", "d", "k"}) {
    EXPECT_TRUE(open_with(name, nullptr)) << name;
  }
  EXPECT_TRUE(open_with("kid", "")) << "an empty id is none";
  for (const char* const name : {"kty", "n", "e"}) EXPECT_FALSE(open_with(name, nullptr)) << name;
  EXPECT_FALSE(open_with("kid", 1));
}

TEST_F(IssuersTest, BelieveAConfigurationWhateverElseIsInIt) {
  options_.jwks_url.clear();
  open("");
  const Outcome out = start(maker_of(Kind::rsa).sign(claims()));
  documents_->complete(std::string(R"({"odd":1e400,"twice":1,"twice":2,"text":"\u0000","deep":)") +
                       std::string(40, '[') + std::string(40, ']') + R"(,"issuer":")" + kForeign +
                       R"(","jwks_uri":")" + kJwksUrl + R"("})");
  documents_->complete(maker_of(Kind::rsa).jwks());
  executor_.run();
  EXPECT_EQ(words(out), "ok");
}

TEST_F(IssuersTest, TellOfAMalformedKeyOnce) {
  testing::internal::CaptureStdout();
  Json padded = TokenMaker(Kind::rsa, "padded").jwk();
  padded["n"] = padded["n"].get<std::string>() + "==";
  const Json good = maker_of(Kind::rsa).jwk();
  const Json encrypting = {
      {"kty", "RSA"}, {"use", "enc"}, {"kid", "enc"}, {"n", "="}, {"e", "AQAB"}};
  const std::string jwks = Json{{"keys", Json::array({padded, good, encrypting})}}.dump();
  open(jwks);
  for (int i = 0; i < 3; ++i) {
    clock_.advance(keys_.refresh);
    issuers_->tick();
    documents_->complete(jwks);
  }
  EXPECT_EQ(outcome(claims()), "ok");
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_EQ(text.find("issuer_key_odd"), text.rfind("issuer_key_odd"));
  EXPECT_NE(text.find("padded"), std::string::npos);
  EXPECT_NE(text.find(kForeign), std::string::npos);
}

TEST_F(IssuersTest, TakeTokensOfManyGroups) {
  open();
  EXPECT_EQ(outcome(with("groups", std::string(24'000, 'g'))), "ok");
}

TEST_F(IssuersTest, LimitsTheWaitForKeys) {
  open("");
  const Outcome early = start(maker_of(Kind::rsa).sign(claims()));
  clock_.advance(keys_.wait_max - Milliseconds(1));
  const Outcome late = start(maker_of(Kind::rsa).sign(claims()));
  issuers_->tick();
  executor_.run();
  EXPECT_EQ(words(early), "waiting");
  clock_.advance(Milliseconds(1));
  issuers_->tick();
  executor_.run();
  EXPECT_EQ(words(early), "unavailable");
  EXPECT_EQ(words(late), "waiting");
  documents_->complete(maker_of(Kind::rsa).jwks());
  executor_.run();
  EXPECT_EQ(words(late), "ok");
}

TEST_F(IssuersTest, LimitsTheNumberOfWaitingTokens) {
  keys_.waiting_max = 3;
  open("");
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 4; ++i) outcomes.push_back(start(maker_of(Kind::rsa).sign(claims())));
  executor_.run();
  EXPECT_EQ(words(outcomes[3]), "unavailable");
  documents_->complete(maker_of(Kind::rsa).jwks());
  executor_.run();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(words(outcomes[static_cast<std::size_t>(i)]), "ok");
}

TEST_F(IssuersTest, AnswersWaitingTokensOnStop) {
  open("");
  const Outcome out = start(maker_of(Kind::rsa).sign(claims()));
  issuers_->stop();
  executor_.run();
  EXPECT_EQ(words(out), "unavailable");
  documents_->complete(maker_of(Kind::rsa).jwks());
  clock_.advance(Seconds(3'600));
  issuers_->tick();
  EXPECT_EQ(outcome(TokenMaker(Kind::rsa, "key-2").sign(claims())), "unavailable");
  EXPECT_EQ(documents_->addresses.size(), 1U);
}

TEST_F(IssuersTest, MixUpNeitherIssuersNorTheirKeys) {
  IssuerOptions other = options_;
  other.issuer = "https://other.example.com";
  other.user_id_prefix = "other:";
  const TokenMaker others_key(Kind::rsa);
  auto made = Issuers::make(
      {{.options = options_, .documents = documents_, .jwks = maker_of(Kind::rsa).jwks()},
       {.options = other, .documents = documents_, .jwks = others_key.jwks()}},
      keys_, clock_);
  ASSERT_TRUE(made);
  issuers_ = std::make_shared<Issuers>(std::move(*made));
  // Under the same key id, each is known by its own key alone.
  const std::string stolen_name = others_key.sign(claims());
  EXPECT_EQ(issuers_->find(stolen_name), 0U);
  EXPECT_EQ(outcome(stolen_name), "signature");
  const std::string own = others_key.sign(with("iss", other.issuer));
  EXPECT_EQ(issuers_->find(own), 1U);
  EXPECT_EQ(outcome(own), "signature") << "asked of the wrong one";
  EXPECT_EQ(outcome(with("iss", other.issuer)), "iss");
  std::optional<Result<IdTokenClaims>> out;
  issuers_->verify(1, own, executor_, [&](auto claims) { out = std::move(claims); });
  ASSERT_TRUE(out && *out);
  EXPECT_EQ((**out).sub, UserId("other:ann"));
}

TEST(IssuerPrefixes, KeepTheUsersOfAllApart) {
  const auto refused = [](const std::vector<std::string>& prefixes) {
    std::vector<IssuerOptions> issuers;
    for (const std::string& prefix : prefixes) {
      IssuerOptions issuer;
      issuer.issuer = "https://" + std::to_string(issuers.size()) + ".example.com";
      issuer.audiences = {"a"};
      issuer.user_id_prefix = prefix;
      issuers.push_back(issuer);
    }
    return refuse_issuers(issuers).has_value();
  };
  EXPECT_FALSE(refused({"kc:"}));
  EXPECT_FALSE(refused({""})) << "one alone may be without";
  EXPECT_FALSE(refused({"kc:", "auth0|", "g-"}));
  EXPECT_TRUE(refused({"", "kc:"}));
  EXPECT_TRUE(refused({"kc:", ""}));
  EXPECT_TRUE(refused({"", ""}));
  EXPECT_TRUE(refused({"kc:", "kc:"}));
  EXPECT_TRUE(refused({"kc", "kc2"}));
  EXPECT_TRUE(refused({"a:", "kc2:", "kc"}));
  // Prefixes that could begin the id of a user of the pool.
  for (const char* prefix :
       {"a", "0", "-", "0f3c", "abc-", "deadbeef-0000-4000-8000-000000000000"}) {
    EXPECT_TRUE(refused({prefix})) << prefix;
  }
  EXPECT_TRUE(refused({"k c:"}));
  EXPECT_TRUE(refused({"ü"}));
  EXPECT_TRUE(refused({std::string(65, 'k')}));
}

TEST(IssuerOptionsTest, RefuseWhatCannotWork) {
  IssuerOptions good;
  good.issuer = "https://login.example.com";
  good.audiences = {"a"};
  good.user_id_prefix = "kc:";
  const auto refused = [&](const std::function<void(IssuerOptions&)>& change) {
    IssuerOptions changed = good;
    change(changed);
    return refuse_issuers({changed}).has_value();
  };
  EXPECT_FALSE(refused([](auto&) {}));
  EXPECT_FALSE(refused([](auto& o) { o.issuer += "/"; }));
  EXPECT_FALSE(refused([](auto& o) { o.ca_file = "ca.pem"; }));
  EXPECT_FALSE(refused([](auto& o) {
    o.issuer = "accounts.example.com";
    o.jwks_file = "keys.json";
  }));
  EXPECT_TRUE(refused([](auto& o) { o.issuer.clear(); }));
  EXPECT_TRUE(refused([](auto& o) { o.issuer = "accounts.example.com"; }));
  EXPECT_TRUE(refused([](auto& o) { o.issuer = "https://"; }));
  EXPECT_TRUE(refused([](auto& o) { o.issuer += "?tenant=1"; }));
  EXPECT_TRUE(refused([](auto& o) { o.issuer = "https://user:word@example.com"; }));
  EXPECT_TRUE(refused([](auto& o) { o.audiences.clear(); }));
  EXPECT_TRUE(refused([](auto& o) { o.audiences = {""}; }));
  EXPECT_TRUE(refused([](auto& o) { o.algorithms.clear(); }));
  EXPECT_TRUE(refused([](auto& o) { o.user_id_claim.clear(); }));
  EXPECT_TRUE(refused([](auto& o) { o.jwks_url = "ftp://login.example.com/keys"; }));
  EXPECT_TRUE(refused([](auto& o) {
    o.jwks_url = "https://login.example.com/keys";
    o.jwks_file = "keys.json";
  }));
  EXPECT_TRUE(refused([](auto& o) {
    o.jwks_url = "http://login.example.com/keys";
    o.ca_file = "ca.pem";
  }));
  EXPECT_TRUE(refuse_issuers({good, good}).has_value()) << "one issuer twice";
}

}  // namespace
}  // namespace holdfast::identity::issuers_test
