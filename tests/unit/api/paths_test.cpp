// Tests the mapping of paths to routes.

#include <tuple>

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
       {"/nothing", "/prod/nothing", "/message//", "/prod/message//", "//", "/prod//", "/messagex",
        "//message", "/prod/prod/message", "/other/message", "/Message", "/%00", "/message%00",
        "/%zz", "/ws//", "*", "/us-east-1_Abc123456", "/other/.well-known/jwks.json",
        "/tokens/.."}) {
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
      {"/tokens", "GET, POST"},
      {"/prod/tokens", "GET, POST"},
      {"/ws", "GET"},
      {"/ws/", "GET"},
      {"/message/", "POST"},
      {"/prod/message/", "POST"},
      {"/prod/tokens/", "GET, POST"},
      {"/us-east-1_Abc123456/.well-known/jwks.json", "GET"}};
  for (const auto& [target, allowed] : rows) {
    for (const char* method :
         {"PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "GET", "POST", "get", "BREW"}) {
      if (std::string_view(allowed).contains(method)) continue;
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

TEST_F(Paths, TakesOneSlashAtTheEndForTheSameRouteAndTwoForAnother) {
  delivery::ConnectionInfo open;
  open.id = router_.make_connection_id(0);
  mailboxes_[0].told_connections.push_back(open);
  const std::string pool = std::string(kPoolId);
  const std::tuple<const char*, std::string, bool> routes[] = {
      {"POST", "/message", true},
      {"POST", "/messages", true},
      {"GET", "/tokens", false},
      {"GET", "/ws", false},
      {"GET", "/" + pool + "/.well-known/jwks.json", false},
      {"GET", "/" + pool + "/.well-known/openid-configuration", false},
      {"GET", "/@connections/" + open.id.str(), true}};
  for (const auto& [method, path, is_signed] : routes) {
    const auto status = [&, method = method, path = path, is_signed = is_signed](
                            const std::string& target, const std::string& signed_target) {
      std::string body;
      if (path == "/message") body = kJsonMessage;
      if (path == "/messages") body = R"({"messages":[{"userId":"u","message":"m"}]})";
      net::Request request = make_request(method, signed_target, body);
      if (is_signed) sign(request);
      request.head.target = target;
      return call(std::move(request)).status;
    };
    for (const std::string stage : {"", "/prod"}) {
      const std::string plain = stage + path;
      SCOPED_TRACE(plain);
      const int expected = status(plain, plain);
      EXPECT_NE(expected, 403);
      EXPECT_EQ(status(plain + "/", plain + "/"), expected);
      EXPECT_EQ(status(plain + "/?a=b", plain + "/?a=b"), expected);
      // On a connection's id it is an empty segment.
      EXPECT_EQ(status(plain + "//", plain + "//"), path.contains('@') ? 400 : 403);
      // The signature covers the path as it was sent.
      if (is_signed) {
        EXPECT_EQ(status(plain + "/", plain), 403);
        EXPECT_EQ(status(plain, plain + "/"), 403);
      }
    }
  }
}

TEST_F(Paths, RefusesOddSegmentsOnSignedRoutesBeforeAnythingIsVerified) {
  const auto status = [this](const net::Request& request) { return call(request).status; };
  for (const char* target :
       {"/@connections/x/../../message", "/@connections//abc", "/@connections/./abc",
        "/@connections/abc/.", "/@connections/abc/..", "/@connections/x%2F..%2Fy",
        "/@connections/%2e%2e/y", "/@connections/.%2E", "/@connections/x%2f%2fy",
        "/prod/@connections/x/%2e/y", "/@connections/x//"}) {
    SCOPED_TRACE(target);
    net::Request request = make_request("POST", target, "hello");
    EXPECT_EQ(status(request), 400) << "unsigned";
    sign(request);
    EXPECT_EQ(status(request), 400);
    // Signed for where the segments lead.
    net::Request normal = make_request("POST", "/message", "hello");
    sign(normal);
    normal.head.target = target;
    EXPECT_EQ(status(normal), 400);
  }
  for (const char* target : {"/a//b", "/./", "/..", "/a/%2e%2e/b", "//"}) {
    SCOPED_TRACE(target);
    net::Request admin = pool_request("ListUsers", {{"UserPoolId", kPoolId}});
    admin.head.target = target;
    sign(admin, kRootKey, "cognito-idp");
    const net::Response refused = call(admin);
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(message_of(refused).find("segments"), std::string::npos) << refused.body;
    net::Request stacks = make_request("POST", target, "Action=DescribeStacks&Version=2010-05-15");
    stacks.head.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    sign(stacks, kRootKey, "cloudformation");
    EXPECT_EQ(status(stacks), 400);
  }
  for (const char* target : {"/", "/a", "/a/", "/a/b/", "/...", "/a%2e", "/.a"}) {
    SCOPED_TRACE(target);
    net::Request admin = pool_request("ListUsers", {{"UserPoolId", kPoolId}});
    admin.head.target = target;
    sign(admin, kRootKey, "cognito-idp");
    EXPECT_EQ(status(admin), 200);
  }
}

TEST_F(Paths, ServesTheDefaultStageInEveryEncoding) {
  api::GatewayOptions options;
  options.aws.stage = "$default";
  start(options);
  keys_->add("AKIASTAGE", "stage",
             R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
             R"("Action":"execute-api:Invoke","Resource":)"
             R"("arn:aws:execute-api:us-east-1:000000000000:holdfast/$default/POST/message"}]})");
  for (const char* target : {"/$default/message", "/%24default/message", "/message"}) {
    net::Request request = message_request(std::string(kJsonMessage), target);
    sign(request, "AKIASTAGE");
    EXPECT_EQ(call(request).status, 200) << target;
  }
  EXPECT_TRUE(service_->live()->opens(make_request("GET", "/$default").head));
  EXPECT_TRUE(service_->live()->opens(make_request("GET", "/%24default/ws").head));
  EXPECT_EQ(call(signed_message(std::string(kJsonMessage), "/prod/message")).status, 403);
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
  for (const char* target : {"/", "/prod", "/prod/", "/ws", "/prod/ws", "/?token=x", "/prod?a",
                             "/ws/", "/prod/ws/", "/ws/?token=x"}) {
    EXPECT_TRUE(service_->live()->opens(make_request("GET", target).head)) << target;
  }
  for (const char* target : {"/message", "/tokens", "/nothing", "/ws//", "//", "/proda", "/a"}) {
    EXPECT_FALSE(service_->live()->opens(make_request("GET", target).head)) << target;
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
