// Tests POST /tokens.

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

constexpr std::string_view kServiceKey = "AKIASERVICESERVICESE";
constexpr std::string_view kSenderKey = "AKIASENDERSENDERSEND";

class SignedTokenTest : public GatewayFixture {
 protected:
  void SetUp() override {
    keys_->add(std::string(kServiceKey), "service",
               R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
               R"("Action":"holdfast:IssueToken","Resource":"arn:aws:execute-api:us-east-1:)"
               R"(000000000000:holdfast/prod/POST/tokens","Condition":{"StringNotLike":)"
               R"({"holdfast:UserId":"other:*"}}}]})");
    keys_->add(std::string(kSenderKey), "sender",
               R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
               R"("Action":"execute-api:*","Resource":"*"}]})");
  }
  net::Request request(std::string body, std::string_view key = kServiceKey,
                       std::string target = "/tokens") {
    net::Request out = make_request("POST", std::move(target), std::move(body));
    sign(out, key);
    return out;
  }
  net::Response ask(std::string body, std::string_view key = kServiceKey) {
    return call(request(std::move(body), key));
  }
  net::Response ask_for(const std::string& user, std::string_view key = kServiceKey) {
    return ask(Json{{"userId", user}}.dump(), key);
  }
  static std::string token_in(const net::Response& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    return parse_json(response.body).value().at("token").get<std::string>();
  }
  // Returns the status of an upgrade with this token; 101 if it is accepted.
  int connect(const std::string& token) {
    const UpgradeResult result = upgrade("/ws?token=" + token);
    const auto* const refused = std::get_if<net::Response>(&result);
    return refused == nullptr ? 101 : refused->status;
  }
};

TEST_F(SignedTokenTest, IssuesATokenThatOpensOneConnection) {
  const net::Response response = ask_for("customer-42");
  const std::string token = token_in(response);
  EXPECT_EQ(parse_json(response.body).value().size(), 1U);
  EXPECT_EQ(header(response, "Cache-Control"), "no-store");
  EXPECT_EQ(response.log_fields.get("user_id"), "customer-42");
  EXPECT_EQ(response.log_fields.get("access_key_id"), kServiceKey);
  EXPECT_EQ(connect(token), 101);
  EXPECT_EQ(connect(token), 401);
  token_in(call(request(R"({"userId":"customer-42","unknown":1})", kServiceKey, "/prod/tokens")));
}

TEST_F(SignedTokenTest, IssuesNoTokenThatOutlivesItsTime) {
  const std::string token = token_in(ask_for("customer-42"));
  clock_.advance(Seconds(36));
  EXPECT_EQ(connect(token), 401);
}

TEST_F(SignedTokenTest, NeedsAnActionOfItsOwn) {
  expect_error(ask_for("customer-42", kSenderKey), 403, "AccessDeniedException",
               "is not authorized to perform: holdfast:IssueToken on resource: "
               "arn:aws:execute-api:us-east-1:********0000:holdfast/prod/POST/tokens");
  expect_error(call(make_request("POST", "/tokens", R"({"userId":"u"})")), 403,
               "MissingAuthenticationTokenException", "");
  EXPECT_EQ(ask_for("customer-42", kRootKey).status, 200);
  EXPECT_EQ(database_.tokens.size(), 1U);
}

TEST_F(SignedTokenTest, HoldsTheUserAgainstTheCondition) {
  expect_error(ask_for("other:42"), 403, "AccessDeniedException", "POST/tokens for userId");
  EXPECT_TRUE(database_.tokens.empty());
}

TEST_F(SignedTokenTest, IssuesOneTokenForASignature) {
  const net::Request first = request(R"({"userId":"customer-42"})");
  token_in(call(first));
  const net::Response repeated = call(first);
  expect_error(repeated, 409, "ConflictException", "Sign the request anew");
  EXPECT_EQ(repeated.body.find("token\""), std::string::npos);
  EXPECT_EQ(database_.tokens.size(), 1U);
}

TEST_F(SignedTokenTest, LetsARefusedRequestBeRepeated) {
  identity::User user = add_user("alice");
  database_.users[user.sub.str()].enabled = false;
  const net::Request request_of_disabled = request(Json{{"userId", user.sub.str()}}.dump());
  expect_error(call(request_of_disabled), 403, "UserDisabledException", "User is disabled.");
  EXPECT_TRUE(database_.tokens.empty());
  database_.users[user.sub.str()].enabled = true;
  EXPECT_EQ(connect(token_in(call(request_of_disabled))), 101);
}

TEST_F(SignedTokenTest, NamesTheFaultOfABody) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "not JSON"},
      {"[]", "must be an object"},
      {"{}", "userId: is required"},
      {R"({"userId":null})", "userId: must be a string"},
      {R"({"userId":42})", "userId: must be a string"},
      {R"({"userId":""})", "userId: must have 1 to 128 bytes"},
      {R"({"userId":")" + std::string(129, 'u') + R"("})", "userId: must have 1 to 128 bytes"},
      {R"({"userId":"a","userId":"b"})", "userId"},
      {R"({"userId":"\ud800"})", ""},
  };
  for (const auto& [body, words] : rows) {
    expect_error(ask(body), 400, "BadRequestException", words);
  }
  EXPECT_EQ(ask_for(std::string(128, 'u')).status, 200);
  expect_error(ask(std::string(5 << 10, ' ')), 413, "RequestTooLargeException", "");
  net::Request form = make_request("POST", "/tokens", R"({"userId":"u"})");
  form.head.headers.emplace_back("Content-Type", "text/plain");
  sign(form, kServiceKey);
  EXPECT_EQ(call(std::move(form)).status, 415);
}

TEST_F(SignedTokenTest, SharesTheLimitsOfAUserWithIdTokens) {
  api::GatewayOptions options;
  options.limits.token_requests_per_second = 2;
  options.limits.token_requests_burst = 3;
  start(std::move(options));
  SetUp();
  const identity::User alice = add_user("alice");
  const std::string id_token = log_in("alice");
  const auto with_id_token = [&] {
    net::Request request = make_request("GET", "/tokens");
    request.head.headers.emplace_back("Authorization", id_token);
    return call(std::move(request)).status;
  };
  EXPECT_EQ(ask_for(alice.sub.str()).status, 200);
  EXPECT_EQ(with_id_token(), 200);
  EXPECT_EQ(ask_for(alice.sub.str()).status, 200);
  EXPECT_EQ(with_id_token(), 429);
  const net::Response refused = ask_for(alice.sub.str());
  expect_error(refused, 429, "TooManyRequestsException", "Too Many Requests");
  EXPECT_EQ(header(refused, "Retry-After"), "1");
  EXPECT_EQ(ask_for("customer-42").status, 200);
}

TEST_F(SignedTokenTest, LimitsTheUnusedTokensOfAUser) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(ask_for("customer-42").status, 200) << i;
  expect_error(ask_for("customer-42"), 429, "TooManyRequestsException", "Too Many Requests");
  EXPECT_EQ(ask_for("customer-43").status, 200);
}

}  // namespace
}  // namespace holdfast::test
