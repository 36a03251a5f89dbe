// Tests CORS for logins and tokens.

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

constexpr const char* kPage = "https://app.example.com";

class Cors : public GatewayFixture {
 protected:
  void SetUp() override {
    api::GatewayOptions options;
    options.websocket.allowed_origins = {kPage};
    start(options);
  }
  net::Response preflight(const std::string& target, const std::string& method,
                          const std::string& origin = kPage) {
    net::Request request = make_request("OPTIONS", target);
    request.head.headers.emplace_back("Origin", origin);
    request.head.headers.emplace_back("Access-Control-Request-Method", method);
    request.head.headers.emplace_back("Access-Control-Request-Headers",
                                      "content-type,x-amz-target");
    return call(std::move(request));
  }
};

TEST_F(Cors, LetsListedPagesCallTheLoginAndTheTokens) {
  const std::pair<const char*, const char*> rows[] = {
      {"/", "POST"},           {"/prod", "POST"},
      {"/idp/", "POST"},       {"/tokens", "GET"},
      {"/prod/tokens", "GET"}, {"/us-east-1_Abc123456/.well-known/jwks.json", "GET"}};
  for (const auto& [target, method] : rows) {
    SCOPED_TRACE(target);
    const net::Response response = preflight(target, method);
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), kPage);
    EXPECT_EQ(header(response, "Access-Control-Allow-Methods"), method);
    EXPECT_EQ(header(response, "Access-Control-Allow-Headers"), "content-type,x-amz-target");
    EXPECT_EQ(header(response, "Vary"), "Origin");
    EXPECT_EQ(header(response, "Access-Control-Allow-Credentials"), "");
  }
}

TEST_F(Cors, AllowsWhateverHeadersThePagesScriptsAdd) {
  const std::pair<std::vector<const char*>, const char*> rows[] = {
      {{"authorization,baggage,sentry-trace"}, "authorization,baggage,sentry-trace"},
      {{"traceparent", " X-Request-ID , tracestate"}, "traceparent,X-Request-ID,tracestate"},
      {{"authorization,bad name,good,bad:name,\xc3\xa9,(x),,x\"y"}, "authorization,good"},
      {{"bad name"}, ""},
      {{""}, ""},
      {{}, ""}};
  for (const auto& [target, method] :
       {std::pair("/tokens", "GET"), std::pair("/", "POST"), std::pair("/prod/tokens/", "GET"),
        std::pair("/us-east-1_Abc123456/.well-known/jwks.json", "GET"),
        std::pair("/us-east-1_Abc123456/.well-known/openid-configuration", "GET")}) {
    for (const auto& [wanted, allowed] : rows) {
      SCOPED_TRACE(std::string(target) + " " + allowed);
      net::Request request = make_request("OPTIONS", target);
      request.head.headers.emplace_back("Origin", kPage);
      request.head.headers.emplace_back("Access-Control-Request-Method", method);
      for (const char* names : wanted) {
        request.head.headers.emplace_back("Access-Control-Request-Headers", names);
      }
      const net::Response response = call(std::move(request));
      EXPECT_EQ(response.status, 204);
      EXPECT_EQ(header(response, "Access-Control-Allow-Headers"), allowed);
    }
  }
}

TEST_F(Cors, IsForPagesAndTheirOwnForms) {
  for (const char* origin : {"wss://127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1", ""}) {
    EXPECT_EQ(preflight("/tokens", "GET", origin).status, 403) << origin;
  }
  EXPECT_EQ(preflight("/tokens", "GET", "http://127.0.0.1:8080").status, 204);
}

TEST_F(Cors, RefusesOtherPagesAndOtherRoutes) {
  for (const char* origin : {"https://evil.example.com", "http://app.example.com", "null",
                             "https://app.example.com.evil.com", ""}) {
    const net::Response refused = preflight("/tokens", "GET", origin);
    expect_error(refused, 403, "ForbiddenException", "Forbidden");
    EXPECT_EQ(header(refused, "Access-Control-Allow-Origin"), "");
    EXPECT_EQ(header(refused, "Vary"), "Origin");
  }
  for (const char* target : {"/message", "/messages", "/ws", "/@connections/x"}) {
    expect_error(preflight(target, "POST"), 405, "MethodNotAllowedException", "");
  }
  expect_error(preflight("/tokens", "DELETE"), 405, "MethodNotAllowedException", "");
  expect_error(preflight("/nothing", "GET"), 403, "MissingAuthenticationTokenException", "");
}

TEST_F(Cors, TakesAPlainOptionsForWhatItIs) {
  expect_error(call(make_request("OPTIONS", "/tokens")), 405, "MethodNotAllowedException", "");
  expect_error(call(make_request("OPTIONS", "/")), 403, "MissingAuthenticationTokenException", "");
}

TEST_F(Cors, LetsThePageReadTheAnswersAndTheirErrors) {
  add_user("alice");
  net::Request login = pool_request(
      "InitiateAuth", {{"ClientId", kClientId},
                       {"AuthFlow", "USER_PASSWORD_AUTH"},
                       {"AuthParameters", {{"USERNAME", "alice"}, {"PASSWORD", "Passw0rd!"}}}});
  login.head.headers.emplace_back("Origin", kPage);
  net::Request tokens = make_request("GET", "/tokens");
  tokens.head.headers.emplace_back("Origin", kPage);
  for (const net::Request& request : {login, tokens}) {
    const net::Response response = call(request);
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), kPage) << response.body;
    EXPECT_NE(header(response, "Access-Control-Expose-Headers").find("x-amzn-ErrorType"),
              std::string::npos);
    EXPECT_EQ(header(response, "Vary"), "Origin");
  }
}

TEST_F(Cors, SaysNothingOfItToOthers) {
  net::Request other = make_request("GET", "/tokens");
  other.head.headers.emplace_back("Origin", "https://evil.example.com");
  EXPECT_EQ(header(call(other), "Access-Control-Allow-Origin"), "");
  EXPECT_EQ(header(call(make_request("GET", "/tokens")), "Access-Control-Allow-Origin"), "");
  net::Request message = message_request();
  message.head.headers.emplace_back("Origin", kPage);
  sign(message);
  const net::Response sent = call(message);
  EXPECT_EQ(sent.status, 200);
  EXPECT_EQ(header(sent, "Access-Control-Allow-Origin"), "");
}

TEST_F(Cors, AllowsEveryPageWithAStar) {
  api::GatewayOptions options;
  options.websocket.allowed_origins = {"*"};
  start(options);
  EXPECT_EQ(preflight("/tokens", "GET", "https://any.example").status, 204);
}

}  // namespace
}  // namespace holdfast::test
