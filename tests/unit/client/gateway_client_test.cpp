// Tests the client of the gateway against a fake one.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/client/gateway_client.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/iam/sigv4.hpp>

#include "support/base/manual_clock.hpp"
#include "support/client/fake_gateway.hpp"

namespace holdfast::client {
namespace {

using test::FakeGateway;
using test::json_response;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kReceipt =
    R"({"messageId":"0198f3c0-0000-7000-8000-000000000001","sequence":1769076000000000,"status":"STORED"})";

// The one access key of these tests.
class OneKey final : public iam::AccessKeys {
 public:
  OneKey() {
    auto key = std::make_shared<iam::AccessKey>();
    key->id = "AKIAIOSFODNN7EXAMPLE";
    key->secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    key_ = std::move(key);
  }
  iam::AccessKeyPtr find(std::string_view id) const override {
    return id == key_->id ? key_ : nullptr;
  }
  std::vector<iam::AccessKeyPtr> list() const override { return {key_}; }
  void create(NewKey /*key*/, Completion<Result<Created>> /*done*/) override {}
  void change(const std::string& /*id*/, iam::AccessKeyChange /*change*/,
              Completion<Result<void>> /*done*/) override {}
  void remove(const std::string& /*id*/, Completion<Result<void>> /*done*/) override {}
  Result<NewTemporaryCredentials> make_temporary_credentials(
      std::string_view /*id*/, Seconds /*lifetime*/,
      const std::optional<std::string>& /*policy*/) override {
    return fail(Errc::unavailable, "there are no sessions");
  }
  Result<iam::TemporaryCredentialsPtr> open_temporary_credentials(
      std::string_view /*token*/) const override {
    return fail(Errc::unauthenticated, "there are no sessions");
  }

 private:
  iam::AccessKeyPtr key_;
};

GatewayOptions at(const std::string& url) {
  GatewayOptions options;
  options.url = url;
  return options;
}

struct Answering {
  explicit Answering(net::Response response, const std::string& path = "")
      : gateway([response](const net::Request&) { return response; }) {
    GatewayOptions options = at(gateway.url() + path);
    options.user_pool_id = "us-east-1_abcdefghi";
    options.client_id = "client1";
    options.credentials = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
    client = *make_gateway_client(options, clock);
  }
  // Returns the signer of the last request, by the verifier.
  bool last_request_is_signed_for(std::string_view service) const {
    const auto requests = gateway.requests();
    const net::Request& request = requests.back();
    std::vector<iam::Header> headers;
    for (const auto& [name, value] : request.head.headers) headers.emplace_back(name, value);
    const auto verifier = std::make_unique<iam::SigV4Verifier>(iam::SigV4Options{}, clock,
                                                               std::make_shared<OneKey>());
    return verifier
        ->verify({request.head.method, request.head.target, headers, request.body}, service)
        .has_value();
  }
  Json last_body() const { return *parse_json(gateway.requests().back().body); }

  test::ManualClock clock;
  FakeGateway gateway;
  std::unique_ptr<GatewayClient> client;
};

TEST(GatewayClient, SignsMessagesSoThatTheVerifierAcceptsThem) {
  Answering a(json_response(200, kReceipt));
  const auto receipt = a.client->publish({"user 1", "Grüße, \"world\"\n", "once", Seconds(60)});
  ASSERT_TRUE(receipt) << receipt.error().text();
  EXPECT_EQ(receipt->message_id, "0198f3c0-0000-7000-8000-000000000001");
  EXPECT_EQ(receipt->sequence, 1769076000000000);
  EXPECT_EQ(receipt->status, "STORED");
  EXPECT_TRUE(a.last_request_is_signed_for("execute-api"));
  EXPECT_FALSE(a.last_request_is_signed_for("cognito-idp"));
  EXPECT_EQ(a.gateway.requests().back().head.target, "/message");
  EXPECT_EQ(a.last_body(), (Json{{"userId", "user 1"},
                                 {"message", "Grüße, \"world\"\n"},
                                 {"deduplicationId", "once"},
                                 {"ttlSeconds", 60}}));
}

TEST(GatewayClient, SendsMessagesWhereTheyAreTakenAndAllElseToTheGateway) {
  Answering main(json_response(400, R"({"__type":"X","message":"m"})"));
  Answering ingest(json_response(200, kReceipt));
  GatewayOptions options = at(main.gateway.url());
  options.ingest_url = ingest.gateway.url() + "/prod/";
  options.credentials = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
  const auto client = *make_gateway_client(options, main.clock);
  EXPECT_TRUE(client->publish({"u", "t", {}, {}}));
  EXPECT_EQ(ingest.gateway.requests().back().head.target, "/prod/message");
  EXPECT_TRUE(ingest.last_request_is_signed_for("execute-api"));
  EXPECT_FALSE(client->admin_create_user("alice", "password"));
  EXPECT_EQ(main.gateway.requests().size(), 1U);
  EXPECT_EQ(ingest.gateway.requests().size(), 1U);
  options.ingest_url = "nonsense";
  EXPECT_FALSE(make_gateway_client(options, main.clock));
}

TEST(GatewayClient, MakesNoTwoCallsThatAreTheSameBytes) {
  Answering a(json_response(200, kReceipt));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(a.client->publish({"u", "t", {}, {}}));
  const auto requests = a.gateway.requests();
  EXPECT_NE(*requests[0].head.header("Authorization"), *requests[1].head.header("Authorization"));
}

TEST(GatewayClient, LeavesOutWhatTheMessageDoesNotHave) {
  Answering a(json_response(200, kReceipt));
  ASSERT_TRUE(a.client->publish({"u", "t", {}, {}}));
  EXPECT_EQ(a.last_body(), (Json{{"userId", "u"}, {"message", "t"}}));
}

TEST(GatewayClient, PutsThePathOfItsUrlBeforeEveryRoute) {
  Answering a(json_response(200, kReceipt), "/prod/");
  ASSERT_TRUE(a.client->publish({"u", "t", {}, {}}));
  EXPECT_EQ(a.gateway.requests().back().head.target, "/prod/message");
  EXPECT_TRUE(a.last_request_is_signed_for("execute-api"));
  EXPECT_EQ(a.client->websocket_url("a-b_c").target, "/prod/ws?token=a-b_c");
}

TEST(GatewayClient, CarriesTheServersWordsAndName) {
  auto response = json_response(403, R"({"Message":"User: arn is not authorized"})");
  response.headers.emplace_back("x-amzn-ErrorType", "AccessDeniedException:http://internal/");
  Answering a(response);
  const auto receipt = a.client->publish({"u", "t", {}, {}});
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().status, 403);
  EXPECT_EQ(receipt.error().text(), "AccessDeniedException: User: arn is not authorized");
  EXPECT_FALSE(receipt.error().transient());
}

TEST(GatewayClient, TellsWhatMaySucceedLaterFromWhatWillNot) {
  const std::map<int, bool> transient = {{400, false}, {401, false}, {403, false}, {404, false},
                                         {408, true},  {409, false}, {413, false}, {429, true},
                                         {500, true},  {503, true},  {0, true}};
  for (const auto& [status, expected] : transient) {
    CallError error;
    error.status = status;
    EXPECT_EQ(error.transient(), expected) << status;
  }
}

TEST(GatewayClient, ReadsRetryAfterAndIgnoresWhatIsNoNumberOfSeconds) {
  const auto retry_after = [](const std::string& value) {
    net::Response response;
    response.status = 503;
    response.headers.emplace_back("retry-after", value);
    return error_of(response).retry_after;
  };
  EXPECT_EQ(retry_after("7"), Seconds(7));
  EXPECT_EQ(retry_after("99999999999"), Seconds(24 * 3600));
  EXPECT_EQ(retry_after("-1"), std::nullopt);
  EXPECT_EQ(retry_after("7 "), std::nullopt);
  EXPECT_EQ(retry_after("Thu, 22 Jan 2026 10:00:00 GMT"), std::nullopt);
}

TEST(GatewayClient, SaysTheStatusWhenTheServerSaysNothing) {
  net::Response response;
  response.status = 502;
  response.body = "<html>bad gateway</html>";
  EXPECT_EQ(error_of(response).text(), "HTTP status 502");
}

TEST(GatewayClient, SaysThatNoAnswerCameWhenNobodyListens) {
  std::string url;
  {
    const FakeGateway gone([](const net::Request&) { return net::Response{}; });
    url = gone.url();
  }
  const auto client = make_gateway_client(at(url), system_clock());
  ASSERT_TRUE(client);
  const auto receipt = (*client)->publish({"u", "t", {}, {}});
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().status, 0);
  EXPECT_TRUE(receipt.error().transient());
  EXPECT_FALSE(receipt.error().message.empty());
}

TEST(GatewayClient, RefusesAUrlThatIsNone) {
  const auto client = make_gateway_client(at("not a url"), system_clock());
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, Errc::invalid_argument);
}

TEST(GatewayClient, DoesNotTakeForAReceiptWhatIsNone) {
  for (const char* body : {"", "[]", "{}", R"({"messageId":"a","sequence":"1","status":"STORED"})",
                           R"({"messageId":"a","sequence":1})", "<html>"}) {
    Answering a(json_response(200, body));
    const auto receipt = a.client->publish({"u", "t", {}, {}});
    ASSERT_FALSE(receipt) << body;
    EXPECT_THAT(receipt.error().message, HasSubstr("not understood"));
  }
}

TEST(GatewayClient, RefusesTextThatIsNotUtf8WithoutAsking) {
  Answering a(json_response(200, kReceipt));
  const auto receipt = a.client->publish({"u", "\xff\xfe", {}, {}});
  ASSERT_FALSE(receipt);
  EXPECT_FALSE(receipt.error().transient());
  EXPECT_TRUE(a.gateway.requests().empty());
}

TEST(GatewayClient, SendsABatchAndSortsItsAnswer) {
  Answering a(json_response(200, R"({"Successful":[{"index":0,"messageId":"m0","sequence":5,)"
                                 R"("status":"DELIVERED"}],"Failed":[{"index":1,"code":)"
                                 R"("LimitExceededException","message":"Too many"}]})"));
  const auto answer = a.client->publish_all({{"u", "one", {}, {}}, {"v", "two", {}, {}}});
  ASSERT_TRUE(answer) << answer.error().text();
  ASSERT_EQ(answer->successful.size(), 1U);
  EXPECT_EQ(answer->successful[0].index, 0U);
  EXPECT_EQ(answer->successful[0].receipt.sequence, 5);
  ASSERT_EQ(answer->failed.size(), 1U);
  EXPECT_EQ(answer->failed[0].index, 1U);
  EXPECT_EQ(answer->failed[0].code, "LimitExceededException");
  EXPECT_EQ(a.gateway.requests().back().head.target, "/messages");
  EXPECT_EQ(a.last_body()["messages"].size(), 2U);
  EXPECT_TRUE(a.last_request_is_signed_for("execute-api"));
}

TEST(GatewayClient, CreatesAUserWithASignedCallAndReadsItsSub) {
  Answering a(json_response(200, R"({"User":{"Username":"ann","Attributes":[{"Name":"email",)"
                                 R"("Value":"a@b"},{"Name":"sub","Value":"the-sub"}]}})"));
  const auto sub = a.client->admin_create_user("ann", "temporary1");
  ASSERT_TRUE(sub) << sub.error().text();
  EXPECT_EQ(*sub, "the-sub");
  EXPECT_TRUE(a.last_request_is_signed_for("cognito-idp"));
  const auto request = a.gateway.requests().back();
  ASSERT_NE(request.head.header("X-Amz-Target"), nullptr);
  EXPECT_EQ(*request.head.header("X-Amz-Target"),
            "AWSCognitoIdentityProviderService.AdminCreateUser");
  EXPECT_EQ(*request.head.header("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(a.last_body(), (Json{{"UserPoolId", "us-east-1_abcdefghi"},
                                 {"Username", "ann"},
                                 {"TemporaryPassword", "temporary1"}}));
}

TEST(GatewayClient, ReadsTheUserPoolsErrorFromTheBodyToo) {
  Answering a(json_response(400, R"({"__type":"com.amazon#NotAuthorizedException",)"
                                 R"("message":"Incorrect username or password."})"));
  const auto answer = a.client->initiate_auth("ann", "wrong");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().text(), "NotAuthorizedException: Incorrect username or password.");
}

TEST(GatewayClient, LogsInWithoutAnAccessKey) {
  Answering a(json_response(200, R"({"AuthenticationResult":{"IdToken":"id","AccessToken":"ac",)"
                                 R"("ExpiresIn":3600},"ChallengeParameters":{}})"));
  const auto answer = a.client->initiate_auth("ann", "password1");
  ASSERT_TRUE(answer) << answer.error().text();
  ASSERT_TRUE(std::holds_alternative<Tokens>(*answer));
  EXPECT_EQ(std::get<Tokens>(*answer).id_token, "id");
  EXPECT_EQ(a.gateway.requests().back().head.header("Authorization"), nullptr);
  EXPECT_EQ(a.last_body()["AuthFlow"], "USER_PASSWORD_AUTH");
}

TEST(GatewayClient, HandsBackTheChallengeAndAnswersIt) {
  Answering a(json_response(200, R"({"ChallengeName":"NEW_PASSWORD_REQUIRED","Session":"s1",)"
                                 R"("ChallengeParameters":{}})"));
  const auto first = a.client->admin_initiate_auth("ann", "temporary1");
  ASSERT_TRUE(first) << first.error().text();
  ASSERT_TRUE(std::holds_alternative<Challenge>(*first));
  EXPECT_EQ(std::get<Challenge>(*first).session, "s1");
  EXPECT_TRUE(a.last_request_is_signed_for("cognito-idp"));
  ASSERT_TRUE(a.client->admin_respond_new_password("ann", "password1", "s1"));
  EXPECT_EQ(a.last_body(),
            (Json{{"UserPoolId", "us-east-1_abcdefghi"},
                  {"ClientId", "client1"},
                  {"ChallengeName", "NEW_PASSWORD_REQUIRED"},
                  {"ChallengeResponses", {{"USERNAME", "ann"}, {"NEW_PASSWORD", "password1"}}},
                  {"Session", "s1"}}));
}

TEST(GatewayClient, SetsAPasswordThatIsTheUsersOwn) {
  Answering a(json_response(200, "{}"));
  ASSERT_TRUE(a.client->admin_set_user_password("ann", "password1"));
  EXPECT_TRUE(a.last_request_is_signed_for("cognito-idp"));
  EXPECT_EQ(a.last_body(), (Json{{"UserPoolId", "us-east-1_abcdefghi"},
                                 {"Username", "ann"},
                                 {"Password", "password1"},
                                 {"Permanent", true}}));
}

TEST(GatewayClient, SaysWhichProgramItIs) {
  Answering a(json_response(200, R"({"token":"abc"})"));
  ASSERT_TRUE(a.client->temporary_token("the.id.token"));
  const auto request = a.gateway.requests().back();
  const std::string* const agent = request.head.header("User-Agent");
  ASSERT_NE(agent, nullptr);
  EXPECT_TRUE(agent->starts_with("holdfast/")) << *agent;
}

TEST(GatewayClient, FetchesATemporaryTokenWithTheRawIdToken) {
  Answering a(json_response(200, R"({"token":"abc"})"));
  const auto token = a.client->temporary_token("the.id.token");
  ASSERT_TRUE(token) << token.error().text();
  EXPECT_EQ(*token, "abc");
  const auto request = a.gateway.requests().back();
  EXPECT_EQ(request.head.method, "GET");
  EXPECT_EQ(request.head.target, "/tokens");
  EXPECT_EQ(*request.head.header("Authorization"), "the.id.token");
}

TEST(GatewayClient, FetchesTheKeysOfItsUserPool) {
  Answering a(json_response(200, R"({"keys":[]})"));
  EXPECT_EQ(a.client->jwks().value_or(""), R"({"keys":[]})");
  EXPECT_EQ(a.gateway.requests().back().head.target, "/us-east-1_abcdefghi/.well-known/jwks.json");
}

TEST(GatewayClient, KnowsWhereAWebSocketConnects) {
  const auto plain = make_gateway_client(at("http://gate:8080"), system_clock());
  EXPECT_EQ((*plain)->websocket_url("t/+").scheme, "ws");
  EXPECT_EQ((*plain)->websocket_url("t/+").target, "/ws?token=t%2F%2B");
  EXPECT_EQ((*plain)->websocket_url("t").authority(), "gate:8080");
  const auto secure = make_gateway_client(at("https://gate"), system_clock());
  EXPECT_EQ((*secure)->websocket_url("t").scheme, "wss");
}

TEST(GatewayClient, ReceivesAndAnswersOverAWebSocket) {
  Answering a(net::Response{});
  a.gateway.greet_with({"first", "second"});
  auto socket = a.client->open_websocket("good", "holdfast.v1");
  ASSERT_TRUE(socket) << socket.error().text();
  const Milliseconds patience(10'000);
  EXPECT_EQ((*socket)->read(patience).value().value_or(""), "first");
  EXPECT_EQ((*socket)->read(patience).value().value_or(""), "second");
  ASSERT_TRUE((*socket)->write("an answer"));
  ASSERT_TRUE((*socket)->write("close"));
  const auto end = (*socket)->read(patience);
  ASSERT_FALSE(end);
  EXPECT_EQ((*socket)->close_code(), 4408);
  EXPECT_THAT(a.gateway.texts(), ElementsAre("an answer", "close"));
  EXPECT_EQ(a.gateway.upgrade(),
            std::make_pair(std::string("/ws?token=good"), std::string("holdfast.v1")));
}

TEST(GatewayClient, TellsThatAWebSocketWasRefused) {
  Answering a(net::Response{});
  const auto unknown = a.client->open_websocket("bad", "");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().status, 401);
  const auto malformed = a.client->open_websocket("malformed", "");
  ASSERT_FALSE(malformed);
  EXPECT_EQ(malformed.error().status, 400);
  EXPECT_FALSE(malformed.error().transient());
}

TEST(IdTokenSubject, ReadsTheSubjectAndRefusesWhatIsNoToken) {
  const auto token = [](const std::string& claims) {
    return "e30." + base64url_encode(claims) + ".c2ln";
  };
  EXPECT_EQ(id_token_subject(token(R"({"sub":"ann"})")).value_or(""), "ann");
  for (const std::string& bad :
       {std::string(), std::string("a"), std::string("a.b"), std::string("a.!.c"), token("[]"),
        token("{}"), token(R"({"sub":1})"), token(R"({"sub":""})"), token("not json")}) {
    EXPECT_FALSE(id_token_subject(bad)) << bad;
  }
}

}  // namespace
}  // namespace holdfast::client
