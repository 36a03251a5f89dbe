#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

class Paths : public GatewayFixture {
 protected:
  net::Response ask(std::string method, std::string target,
                    std::vector<std::pair<std::string, std::string>> headers = {}) {
    net::Request request = make_request(std::move(method), std::move(target));
    request.head.headers.insert(request.head.headers.end(), headers.begin(), headers.end());
    return call(std::move(request));
  }
};

TEST_F(Paths, AnswersAnUnknownPathLikeAnUnsignedCall) {
  for (const char* target :
       {"/nothing", "/prod/nothing", "/message/", "/messagex", "//message", "/prod/prod/message",
        "/other/message", "/Message", "/%00", "/message%00", "/%zz", "/ws/", "*",
        "/us-east-1_Abc123456", "/other/.well-known/jwks.json", "/tokens/.."}) {
    SCOPED_TRACE(target);
    expect_error(ask("GET", target), 403, "MissingAuthenticationTokenException",
                 "Missing Authentication Token");
  }
}

TEST_F(Paths, NamesTheMethodThatAKnownPathHas) {
  const std::pair<const char*, const char*> rows[] = {
      {"/message", "POST"},
      {"/prod/message", "POST"},
      {"/messages?x=1", "POST"},
      {"/m%65ssage", "POST"},
      {"/tokens", "GET"},
      {"/prod/tokens", "GET"},
      {"/ws", "GET"},
      {"/us-east-1_Abc123456/.well-known/jwks.json", "GET"}};
  for (const auto& [target, allowed] : rows) {
    for (const char* method :
         {"PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "GET", "POST", "get", "BREW"}) {
      if (std::string_view(method) == allowed) continue;
      SCOPED_TRACE(std::string(method) + " " + target);
      const net::Response response = ask(method, target);
      expect_error(response, 405, "MethodNotAllowedException", "Method Not Allowed");
      EXPECT_EQ(header(response, "Allow"), allowed);
    }
  }
}

TEST_F(Paths, ServesARouteWithAndWithoutTheStage) {
  EXPECT_EQ(call(signed_message(std::string(kJsonMessage), "/message")).status, 200);
  EXPECT_EQ(call(signed_message(std::string(kJsonMessage), "/prod/message")).status, 200);
  EXPECT_EQ(call(signed_message(std::string(kJsonMessage), "/m%65ssage?x=y")).status, 200);
}

TEST_F(Paths, AsksForAnUpgradeAtTheWebSocketAlone) {
  for (const char* target : {"/ws", "/prod/ws", "/ws?token=x"}) {
    const net::Response response = ask("GET", target);
    expect_error(response, 426, "UpgradeRequiredException", "Upgrade Required");
    EXPECT_EQ(header(response, "Sec-WebSocket-Version"), "13");
    EXPECT_EQ(header(response, "Upgrade"), "websocket");
  }
  for (const char* target : {"/", "/prod", "/prod/"}) {
    expect_error(ask("GET", target), 403, "MissingAuthenticationTokenException", "");
  }
}

TEST_F(Paths, UpgradesAtTheDocumentedPathsAlone) {
  for (const char* target : {"/", "/prod", "/prod/", "/ws", "/prod/ws", "/?token=x", "/prod?a"}) {
    EXPECT_TRUE(service_->upgradable(make_request("GET", target).head)) << target;
  }
  for (const char* target : {"/message", "/tokens", "/nothing", "/ws/", "/proda", "/a"}) {
    EXPECT_FALSE(service_->upgradable(make_request("GET", target).head)) << target;
  }
}

TEST_F(Paths, ServesTheKeysOfThePool) {
  for (const char* prefix : {"/", "/prod/"}) {
    const net::Response response =
        ask("GET", prefix + std::string(kPoolId) + "/.well-known/jwks.json");
    ASSERT_EQ(response.status, 200);
    EXPECT_EQ(response.body, signer_->jwks());
    EXPECT_EQ(header(response, "Content-Type"), "application/json");
    EXPECT_FALSE(header(response, "Cache-Control").empty());
  }
}

TEST_F(Paths, TellsVerifiersWhereTheKeysAre) {
  for (const char* prefix : {"/", "/prod/"}) {
    const net::Response response =
        ask("GET", prefix + std::string(kPoolId) + "/.well-known/openid-configuration");
    ASSERT_EQ(response.status, 200);
    EXPECT_EQ(header(response, "Content-Type"), "application/json");
    EXPECT_EQ(header(response, "Cache-Control"), "public, max-age=300");
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*");
    const Json document = parse_json(response.body).value();
    EXPECT_EQ(document["issuer"], issuer());
    EXPECT_EQ(document["jwks_uri"], issuer() + "/.well-known/jwks.json");
    EXPECT_EQ(document["id_token_signing_alg_values_supported"], Json::array({"RS256"}));
    EXPECT_EQ(document["subject_types_supported"], Json::array({"public"}));
    EXPECT_EQ(document["response_types_supported"], Json::array({"id_token"}));
    EXPECT_TRUE(document["claims_supported"].is_array());
  }
  expect_error(ask("GET", "/other/.well-known/openid-configuration"), 403,
               "MissingAuthenticationTokenException", "");
  EXPECT_EQ(ask("POST", "/" + std::string(kPoolId) + "/.well-known/openid-configuration").status,
            405);
}

TEST_F(Paths, RefusesEverythingWhileTheProcessDrains) {
  draining_ = true;
  for (const net::Response& response :
       {call(signed_message()), ask("GET", "/tokens"), ask("GET", "/nothing"),
        std::get<net::Response>(upgrade("/ws?token=x"))}) {
    expect_error(response, 503, "ServiceUnavailableException", "Service Unavailable");
    EXPECT_EQ(header(response, "Retry-After"), "1");
    EXPECT_TRUE(response.close);
  }
}

TEST_F(Paths, GivesTheListenersOwnErrorsTheSameShape) {
  for (const int status : {400, 408, 413, 414, 417, 426, 431, 503}) {
    const net::Response response = service_->error(status, "because");
    EXPECT_EQ(response.status, status);
    EXPECT_FALSE(header(response, "x-amzn-ErrorType").empty());
    EXPECT_FALSE(header(response, "x-amzn-RequestId").empty());
    EXPECT_EQ(message_of(response), status == 413 ? "Request Too Long" : "because");
  }
}

}  // namespace
}  // namespace holdfast::test
