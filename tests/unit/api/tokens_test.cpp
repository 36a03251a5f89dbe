// Tests GET /tokens.

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

class Tokens : public GatewayFixture {
 protected:
  void SetUp() override {
    user_ = add_user("alice");
    database_.refresh_tokens.push_back({.sub = user_.sub,
                                        .origin = "login of claims",
                                        .issued_at = {},
                                        .expires_at = clock_.wall_now() + Seconds(3600)});
  }

  net::Response ask(const std::string& authorization, std::string target = "/tokens") {
    net::Request request = make_request("GET", std::move(target));
    request.head.headers.emplace_back("Authorization", authorization);
    return call(std::move(request));
  }
  Json claims() const {
    const std::int64_t now = unix_seconds(clock_.wall_now());
    return {{"sub", user_.sub.str()},
            {"aud", kClientId},
            {"iss", issuer()},
            {"cognito:username", "alice"},
            {"origin_jti", "login of claims"},
            {"token_use", "id"},
            {"auth_time", now},
            {"iat", now},
            {"exp", now + 3600}};
  }
  std::string sign_claims(const Json& claims) const { return signer_->sign(claims.dump()); }
  // A token with another header, signature kept.
  static std::string with_header(const std::string& token, const Json& header) {
    return base64url_encode(header.dump()) + token.substr(token.find('.'));
  }

  identity::User user_;
};

TEST_F(Tokens, IssuesATemporaryTokenForARawIdTokenAndForABearer) {
  const std::string id_token = log_in("alice");
  for (const std::string& value :
       {id_token, "Bearer " + id_token, "bearer  " + id_token, " " + id_token + " "}) {
    const net::Response response = ask(value);
    ASSERT_EQ(response.status, 200) << response.body;
    const Json body = parse_json(response.body).value();
    EXPECT_FALSE(body["token"].get<std::string>().empty());
    EXPECT_EQ(header(response, "Cache-Control"), "no-store");
  }
  EXPECT_EQ(ask(id_token, "/prod/tokens").status, 200);
}

TEST_F(Tokens, RefusesEndedAndUnknownLogins) {
  const std::string good = sign_claims(claims());
  EXPECT_EQ(ask(good).status, 200);
  database_.refresh_tokens[0].revoked = true;
  const net::Response ended = ask(good);
  expect_error(ended, 401, "UnauthorizedException", "Unauthorized");
  EXPECT_EQ(ended.refused, "ID token: login");
  for (const Json& login : {Json("of nobody"), Json(""), Json(1), Json()}) {
    Json changed = claims();
    changed["origin_jti"] = login;
    EXPECT_EQ(ask(sign_claims(changed)).status, 401) << login;
  }
}

TEST_F(Tokens, KeepsEachUserToARate) {
  api::GatewayOptions options;
  options.limits.token_requests_per_second = 2;
  options.limits.token_requests_burst = 3;
  start(std::move(options));
  add_user("bob");
  const std::string alice = log_in("alice");
  const std::string bob = log_in("bob");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(alice).status, 200);
  const net::Response refused = ask(alice);
  expect_error(refused, 429, "TooManyRequestsException", "Too Many Requests");
  EXPECT_EQ(header(refused, "Retry-After"), "1");
  EXPECT_EQ(ask(bob).status, 200);
  EXPECT_EQ(ask(alice + "x").status, 401) << "who proves nothing is not counted";
  clock_.advance(Milliseconds(500));
  EXPECT_EQ(ask(alice).status, 200);
  EXPECT_EQ(ask(alice).status, 429);
}

TEST_F(Tokens, RefusesAllThatIsNoIdTokenAlike) {
  const std::string good = sign_claims(claims());
  ASSERT_EQ(ask(good).status, 200);
  const Json header = parse_json(*base64url_decode(good.substr(0, good.find('.')))).value();
  const auto with = [&](const std::string& name, const Json& value) {
    Json changed = header;
    changed[name] = value;
    return with_header(good, changed);
  };
  const auto claiming = [&](const std::string& name, const Json& value) {
    Json changed = claims();
    changed[name] = value;
    return sign_claims(changed);
  };
  const auto without = [&](const std::string& name) {
    Json changed = claims();
    changed.erase(name);
    return sign_claims(changed);
  };
  const std::int64_t now = unix_seconds(clock_.wall_now());
  const std::string body = good.substr(good.find('.') + 1);
  const std::vector<std::string> rows = {
      "",
      "Bearer",
      "Bearer ",
      "Basic " + good,
      "not a token",
      "a.b",
      good.substr(0, good.rfind('.')),
      good + ".x",
      good + ".x.y",
      good + "=",
      good + "A",
      "." + body,
      with("alg", "none"),
      with("alg", "None"),
      with("alg", "nOnE"),
      with("alg", "HS256"),
      with("alg", "ES256"),
      with("alg", 5),
      with("kid", "unknown"),
      with("kid", "../../etc/passwd"),
      with("kid", "' OR 1=1 --"),
      with("kid", Json::array({"a"})),
      with("crit", Json::array({"exp"})),
      with("jku", "http://evil.example/keys"),
      without("exp"),
      claiming("exp", std::to_string(now + 60)),
      claiming("exp", static_cast<double>(now) + 60.5),
      claiming("exp", 1e30),
      claiming("nbf", now + 3600),
      claiming("iss", "http://elsewhere.example"),
      claiming("aud", "another-client"),
      claiming("aud", Json::array({"another-client"})),
      claiming("token_use", "access"),
      without("token_use"),
      without("sub"),
      claiming("sub", ""),
      signer_->sign(R"({"sub":"a","sub":"b"})"),
      std::string(1 << 20, 'a'),
      std::string(1 << 20, '.'),
  };
  for (const std::string& row : rows) {
    SCOPED_TRACE(row.substr(0, 120));
    const net::Response response = ask(row);
    expect_error(response, 401, "UnauthorizedException", "Unauthorized");
    EXPECT_EQ(response.body, R"({"message":"Unauthorized"})");
  }
  expect_error(call(make_request("GET", "/tokens")), 401, "UnauthorizedException", "Unauthorized");
}

TEST_F(Tokens, TellsTheLogAloneWhichCheckItWas) {
  const std::string good = sign_claims(claims());
  Json other = claims();
  other["aud"] = "another client";
  EXPECT_EQ(ask(sign_claims(other)).refused, "ID token: aud");
  EXPECT_EQ(ask(good.substr(0, good.rfind('.') + 1) + "AAAA").refused, "ID token: signature");
  EXPECT_EQ(ask("nonsense").refused, "ID token: format");
  EXPECT_EQ(call(make_request("GET", "/tokens")).refused, "ID token: missing");
  database_.users.at(user_.sub.str()).enabled = false;
  EXPECT_EQ(ask(good).refused, "ID token: user");
  clock_.advance(Seconds(7200));
  EXPECT_EQ(ask(good).refused, "ID token: exp");
}

TEST_F(Tokens, SaysWhenATokenIsOnlyTooOld) {
  const std::string token = sign_claims(claims());
  clock_.advance(Seconds(4000));
  expect_error(ask(token), 401, "UnauthorizedException", "The incoming token has expired");
}

TEST_F(Tokens, RefusesAUserWhoIsGoneOrDisabled) {
  const std::string token = log_in("alice");
  database_.users[user_.sub.str()].enabled = false;
  expect_error(ask(token), 401, "UnauthorizedException", "Unauthorized");
  database_.users.clear();
  expect_error(ask(token), 401, "UnauthorizedException", "Unauthorized");
}

TEST_F(Tokens, RefusesANinthTokenOfOneUserUntilOneExpires) {
  const std::string token = log_in("alice");
  for (int i = 0; i < 8; ++i) ASSERT_EQ(ask(token).status, 200);
  const net::Response response = ask(token);
  expect_error(response, 429, "TooManyRequestsException", "Too Many Requests");
  EXPECT_EQ(header(response, "Retry-After"), "1");
  clock_.advance(Seconds(31));
  EXPECT_EQ(ask(token).status, 200);
}

TEST_F(Tokens, SaysThatTheStoreCannotTell) {
  const std::string token = log_in("alice");
  tokens_[0].fail_next();
  const net::Response response = ask(token);
  expect_error(response, 503, "ServiceUnavailableException", "Service Unavailable");
  EXPECT_EQ(header(response, "Retry-After"), "1");
}

}  // namespace
}  // namespace holdfast::test
