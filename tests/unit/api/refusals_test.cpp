// Tests the answer, log reason and documentation of each refusal.

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

constexpr const char* kDocumentation = "https://docs.example.com/holdfast";

/// Checks the texts of each refusal for operators and developers.
class Refusals : public GatewayFixture {
 protected:
  void SetUp() override {
    api::GatewayOptions options;
    options.documentation_url = kDocumentation;
    options.limits.key_requests_per_second = 1'000;
    options.limits.token_requests_per_second = 1;
    options.limits.token_requests_burst = 1;
    start(options);
    keys_->add("AKIASLOW", "slow", iam::kAllowAll, true, 1);
    keys_->add("AKIAEXPIRED", "expired", iam::kAllowAll, true, std::nullopt, clock_.wall_now());
    add_user("alice");
  }

  net::Request with(net::Request request, std::string name, std::string value) {
    request.head.headers.emplace_back(std::move(name), std::move(value));
    return request;
  }
  net::Request admin(const std::string& operation, Json input, std::string_view key = kRootKey) {
    input["UserPoolId"] = kPoolId;
    net::Request request = pool_request(operation, input);
    sign(request, key, "cognito-idp");
    return request;
  }
  net::Request stacks(const std::string& body, std::string_view key = kRootKey) {
    net::Request request = make_request("POST", "/", body);
    request.head.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    sign(request, key, "cloudformation");
    return request;
  }
  net::Request signed_by(net::Request request, std::string_view key) {
    sign(request, key);
    return request;
  }
  /// The first refusal of a call that is repeated.
  net::Response until_refused(const std::function<net::Request()>& make) {
    for (int i = 0; i < 50; ++i) {
      net::Response response = call(make());
      if (response.status >= 400) return response;
    }
    ADD_FAILURE() << "never refused";
    return {};
  }
  void answer_all(const delivery::SendOutcome& outcome) {
    for (FakeMailboxes& mailboxes : mailboxes_) {
      mailboxes.decide = [outcome](const delivery::SendRequest&) { return outcome; };
    }
  }
  net::Response refused_upgrade(std::vector<std::pair<std::string, std::string>> headers,
                                const std::string& target = "/ws?token=x") {
    return std::get<net::Response>(upgrade(target, std::move(headers)));
  }

  struct Case {
    std::string name;
    int status;
    std::function<net::Response()> refuse;
    std::string reason;  ///< part of what the access line says
    std::string key{};
    std::string operation{};
  };
  std::vector<Case> cases();
};

std::vector<Refusals::Case> Refusals::cases() {
  const std::string root(kRootKey);
  const std::string poor(kPoorKey);
  const std::string presigned =
      "/message?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + root +
      "%2F20260101%2Fus-east-1%2Fexecute-api%2Faws4_request&X-Amz-Date=20260101T000000Z"
      "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
  return {
      {"unknown path", 403, [&] { return call(make_request("GET", "/nothing")); },
       "no route has this path here"},
      {"wrong method", 405, [&] { return call(make_request("PUT", "/message")); },
       "the method is not one of POST"},
      {"plain request for a WebSocket", 426, [&] { return call(make_request("GET", "/ws")); },
       "a plain request for a WebSocket"},
      {"unsigned", 403, [&] { return call(message_request()); }, "Missing Authentication Token"},
      {"another scheme", 403,
       [&] { return call(with(message_request(), "Authorization", "Basic dXNlcjpwYXNz")); },
       "IncompleteSignatureException: Invalid key=value pair"},
      {"expired presigned", 403,
       [this, presigned] { return call(make_request("POST", presigned, "x")); },
       "InvalidSignatureException: Signature expired", root},
      {"odd path", 400, [&] { return call(make_request("POST", "/@connections/a//b", "x")); },
       "segments"},
      {"policy", 403, [&] { return call(signed_by(message_request(), kPoorKey)); },
       "AccessDeniedException: the policy does not allow execute-api:Invoke", poor},
      {"expired key", 403, [&] { return call(signed_by(message_request(), "AKIAEXPIRED")); },
       "UnrecognizedClientException: the access key has expired", "AKIAEXPIRED"},
      {"key's rate", 429,
       [&] { return until_refused([&] { return signed_by(message_request(), "AKIASLOW"); }); },
       "rate of the access key", "AKIASLOW"},
      {"bad body", 400, [&] { return call(signed_message(R"({"userId":"u"})")); },
       "message: is required", root},
      {"body's type", 415,
       [&] {
         net::Request request = make_request("POST", "/message", std::string(kJsonMessage));
         request.head.headers.emplace_back("Content-Type", "text/plain");
         return call(signed_by(std::move(request), kRootKey));
       },
       "Content-Type is not application/json", root},
      {"long message", 413,
       [&] {
         return call(
             signed_message(R"({"userId":"u","message":")" + std::string(200'000, 'x') + R"("})"));
       },
       "is too long", root},
      {"key used for another message", 409,
       [&] {
         answer_all(fail(Errc::conflict, "The deduplicationId was used for another message"));
         return call(signed_message());
       },
       "used for another message", root},
      {"user's bound", 429,
       [&] {
         answer_all(fail(Errc::limit_exceeded, "Too many messages are pending for this user"));
         return call(signed_message());
       },
       "Too many messages are pending", root},
      {"store", 503,
       [&] {
         answer_all(fail(Errc::unavailable, "The store is busy or full"));
         return call(signed_message());
       },
       "The store is busy or full", root},
      {"no such connection", 410,
       [&] { return call(signed_by(make_request("GET", "/@connections/x"), kRootKey)); },
       "no open connection", root},
      {"posted bytes", 400,
       [&] { return call(signed_by(make_request("POST", "/@connections/x", "\xff"), kRootKey)); },
       "UTF-8", root},
      {"no ID token", 401, [&] { return call(make_request("GET", "/tokens")); },
       "ID token: missing"},
      {"bad ID token", 401,
       [&] { return call(with(make_request("GET", "/tokens"), "Authorization", "x.y.z")); },
       "ID token: "},
      {"user's rate", 429,
       [&] {
         const std::string token = log_in("alice");
         return until_refused(
             [&] { return with(make_request("GET", "/tokens"), "Authorization", token); });
       },
       "ID token: rate"},
      {"page", 403,
       [&] {
         net::Request request = make_request("OPTIONS", "/tokens");
         request.head.headers.emplace_back("Origin", "https://evil.example");
         request.head.headers.emplace_back("Access-Control-Request-Method", "GET");
         return call(std::move(request));
       },
       "origin https://evil.example is not in websocket.allowed_origins"},
      {"upgrade's origin", 403,
       [&] { return refused_upgrade({{"Origin", "http://localhost:3000"}}); },
       "origin http://localhost:3000 is not in websocket.allowed_origins"},
      {"subprotocol", 400, [&] { return refused_upgrade({{"Sec-WebSocket-Protocol", "chat"}}); },
       "Unsupported WebSocket subprotocol"},
      {"token", 401, [&] { return refused_upgrade({}); }, "token: "},
      {"no token", 401, [&] { return refused_upgrade({}, "/ws"); }, "token: missing"},
      {"unknown operation", 400, [&] { return call(pool_request("Nothing", Json::object())); },
       "UnknownOperationException"},
      {"input", 400, [&] { return call(pool_request("InitiateAuth", Json::object())); },
       "InvalidParameterException", "", "InitiateAuth"},
      {"wrong password", 400,
       [&] {
         return call(pool_request(
             "InitiateAuth", {{"ClientId", kClientId},
                              {"AuthFlow", "USER_PASSWORD_AUTH"},
                              {"AuthParameters", {{"USERNAME", "alice"}, {"PASSWORD", "no"}}}}));
       },
       "NotAuthorizedException", "", "InitiateAuth"},
      {"unsigned Admin call", 400,
       [&] { return call(pool_request("AdminGetUser", {{"UserPoolId", kPoolId}})); },
       "MissingAuthenticationTokenException", "", "AdminGetUser"},
      {"no such user", 400, [&] { return call(admin("AdminGetUser", {{"Username", "nobody"}})); },
       "UserNotFoundException", root, "AdminGetUser"},
      {"Admin call's policy", 400,
       [&] { return call(admin("AdminGetUser", {{"Username", "alice"}}, kDeniedKey)); },
       "cognito-idp:AdminGetUser", std::string(kDeniedKey), "AdminGetUser"},
      {"Admin call's body", 400,
       [&] {
         net::Request request = pool_request("AdminGetUser", Json::object());
         request.body = "[";
         sign(request, kRootKey, "cognito-idp");
         return call(std::move(request));
       },
       "SerializationException", root, "AdminGetUser"},
      {"stack's action", 400, [&] { return call(stacks("Action=DeleteStack")); }, "InvalidAction",
       root},
      {"stack's policy", 403, [&] { return call(stacks("Action=DescribeStacks", kPoorKey)); },
       "cloudformation:DescribeStacks", poor, "DescribeStacks"},
      {"other stack", 400, [&] { return call(stacks("Action=DescribeStacks&StackName=other")); },
       "ValidationError", root, "DescribeStacks"},
      {"listener's own", 431, [&] { return service_->error(431, "too many headers"); },
       "too many headers"},
      {"shutdown", 503,
       [&] {
         draining_ = true;
         net::Response response = call(signed_message());
         draining_ = false;
         return response;
       },
       "shutting down"},
  };
}

TEST_F(Refusals, AllHaveAReasonAndALinkAndNameTheKeyAndTheOperation) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.name);
    const net::Response response = each.refuse();
    EXPECT_EQ(response.status, each.status) << response.body;
    EXPECT_NE(response.refused.find(each.reason), std::string::npos) << response.refused;
    EXPECT_TRUE(std::ranges::all_of(response.refused, [](char c) { return c >= ' ' && c <= '~'; }));
    EXPECT_EQ(response.log_fields.get("access_key_id"), each.key);
    EXPECT_EQ(response.log_fields.get("operation"), each.operation);
    const std::string link = header(response, "Link");
    EXPECT_TRUE(link.starts_with(std::string("<") + kDocumentation + "/errors.md")) << link;
    EXPECT_TRUE(link.ends_with(R"(>; rel="help")")) << link;
  }
}

TEST_F(Refusals, HaveNoLinkWithoutADocumentation) {
  start({});
  for (const Case& each : cases()) EXPECT_EQ(header(each.refuse(), "Link"), "") << each.name;
}

TEST_F(Refusals, HideHashesOfUntrustedHeaders) {
  for (const std::string foreign :
       {"Basic dXNlcjpwYXNz", "Bearer secret", "Token a=b,c", "AWS4-HMAC-SHA256 x",
        "AWS4-HMAC-SHA256 Credential=a, Credential=b",
        "AWS3 Credential=a,Signature=b,SignedHeaders=c"}) {
    for (net::Request request :
         {message_request(), pool_request("ListUsers", {{"UserPoolId", kPoolId}})}) {
      request.head.headers.emplace_back("Authorization", foreign);
      const net::Response response = call(request);
      const std::string hash(view(sha256(foreign)));
      // The answer is for whoever sent it.
      for (const std::string& hidden :
           {base64_encode(hash), hex_encode(hash), foreign, std::string("ashed")}) {
        EXPECT_EQ(response.refused.find(hidden), std::string::npos) << response.refused;
      }
      EXPECT_FALSE(response.refused.empty());
    }
  }
}

TEST_F(Refusals, AreEachExplainedInTheDocumentation) {
  const std::filesystem::path source = HOLDFAST_SOURCE_DIR;
  const auto read = [](const std::filesystem::path& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string page = read(source / "docs/errors.md");
  ASSERT_FALSE(page.empty());
  std::set<std::string> names;
  const std::regex quoted(R"re("([A-Z][A-Za-z]+Exception):?")re");
  for (const auto& file : std::filesystem::directory_iterator(source / "src/api")) {
    const std::string text = read(file.path());
    for (std::sregex_iterator it(text.begin(), text.end(), quoted), end; it != end; ++it) {
      names.insert((*it)[1]);
    }
  }
  EXPECT_GT(names.size(), 30U);
  for (const std::string& name : names) {
    EXPECT_NE(page.find("\n### " + name + "\n"), std::string::npos) << name;
  }
}

TEST_F(Refusals, AreAccompaniedByTheCallersIdentity) {
  const net::Response message = call(signed_message());
  EXPECT_EQ(message.log_fields.get("access_key_id"), kRootKey);
  EXPECT_EQ(message.log_fields.get("user_id"), "u1");
  EXPECT_EQ(message.log_fields.get("message_id"), parse_json(message.body).value()["messageId"]);
  EXPECT_EQ(message.refused, "");
  const net::Response users = call(admin("ListUsers", Json::object()));
  EXPECT_EQ(users.log_fields.get("access_key_id"), kRootKey);
  EXPECT_EQ(users.log_fields.get("operation"), "ListUsers");
  const net::Response stack = call(stacks("Action=DescribeStacks"));
  EXPECT_EQ(stack.status, 200);
  EXPECT_EQ(stack.log_fields.get("access_key_id"), kRootKey);
}

TEST_F(Refusals, CoverEveryPathOfAListenerWithoutLogin) {
  served_.login = false;
  start({});
  for (const char* target : {"/", "/ws", "/ws/x", "/prod/", "/x", "/message", "/tokens",
                             "/us-east-1_Abc123456/.well-known/jwks.json", "/@connections/x"}) {
    for (const char* operation : {"InitiateAuth", "ListUsers", "AdminGetUser", "SignUp"}) {
      net::Request request = pool_request(operation, {{"UserPoolId", kPoolId}});
      request.head.target = target;
      sign(request, kRootKey, "cognito-idp");
      const net::Response response = call(request);
      EXPECT_GE(response.status, 400) << target << " " << operation;
      EXPECT_EQ(response.log_fields.get("operation"), "") << target << " " << operation;
    }
  }
}

}  // namespace
}  // namespace holdfast::test
