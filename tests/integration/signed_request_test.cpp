// Tests signed requests over HTTP.

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kBody = R"({"userId":"u","message":"m"})";
constexpr const char* kMissing = "MissingAuthenticationTokenException";
constexpr const char* kIncomplete = "IncompleteSignatureException";
constexpr const char* kInvalid = "InvalidSignatureException";
constexpr const char* kUnrecognized = "UnrecognizedClientException";

/// The table of signed requests, over sockets, against a gateway that stays the same throughout.
class SignedRequestTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gateway_ = new TestGateway; }
  static void TearDownTestSuite() { delete gateway_; }

  static RequestBuilder good() { return gateway_->signed_request("/message", kBody); }
  /// Unsigned, to be signed in an unusual way.
  static RequestBuilder plain(const std::string& target = "/message") {
    RequestBuilder request;
    request.target = target;
    request.headers = {{"Host", gateway_->address()}, {"Content-Type", "application/json"}};
    request.body = kBody;
    return request;
  }
  static RequestBuilder signed_at(WallTime now, std::string_view region = "us-east-1",
                                  std::string_view service = "execute-api") {
    return plain().sign(gateway_->credentials(), region, service, now);
  }
  static WallTime now() { return system_clock().wall_now(); }

  static void expect_refused(const RequestBuilder& request, const std::string& type,
                             const std::string& message) {
    const auto answer = gateway_->send_raw(request);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 403) << answer->body;
    EXPECT_EQ(answer->header("x-amzn-ErrorType"), type) << answer->body;
    EXPECT_THAT(answer->body, HasSubstr(message));
    EXPECT_NE(answer->header("x-amzn-RequestId"), "");
    EXPECT_NE(answer->header("Date"), "");
    EXPECT_THAT(answer->body, Not(HasSubstr(gateway_->credentials().secret_access_key)));
  }
  static void expect_body_refused(const std::string& body, const std::string& field) {
    const auto answer = gateway_->send_raw(gateway_->signed_request("/message", body));
    ASSERT_TRUE(answer) << body.substr(0, 80);
    EXPECT_EQ(answer->status, 400) << body.substr(0, 80) << answer->body;
    EXPECT_EQ(answer->header("x-amzn-ErrorType"), "BadRequestException");
    EXPECT_THAT(answer->body, AllOf(HasSubstr("Invalid request body"), HasSubstr(field)))
        << body.substr(0, 80);
  }

  static TestGateway* gateway_;
};
TestGateway* SignedRequestTest::gateway_ = nullptr;

TEST_F(SignedRequestTest, GetsIdSequenceAndStatus) {
  const auto answer = gateway_->send_raw(good());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(answer->header("Content-Type"), "application/json");
  EXPECT_NE(answer->header("x-amzn-RequestId"), "");
  const auto body = parse_json(answer->body);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->size(), 3u);
  EXPECT_EQ(body->at("messageId").get<std::string>().size(), 36u);
  EXPECT_TRUE(body->at("sequence").is_number_integer());
  EXPECT_EQ(body->at("status"), "STORED");
}

TEST_F(SignedRequestTest, WorksUnderTheStageToo) {
  const auto answer = gateway_->send_raw(gateway_->signed_request("/prod/message", kBody));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
}

TEST_F(SignedRequestTest, WorksPresigned) {
  RequestBuilder request = plain();
  request.presign(gateway_->credentials(), "us-east-1", "execute-api", now(), "300");
  const auto answer = gateway_->send_raw(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
}

TEST_F(SignedRequestTest, NeedsAnAuthorizationAndAKnownRoute) {
  expect_refused(plain(), kMissing, "Missing Authentication Token");
  expect_refused(gateway_->signed_request("/unknown", kBody), kMissing,
                 "Missing Authentication Token");
  expect_refused(gateway_->signed_request("/prod/unknown", kBody), kMissing,
                 "Missing Authentication Token");
}

TEST_F(SignedRequestTest, NamesEachMissingPartAndEchoesTheHeaderOnlyAsAHash) {
  RequestBuilder bearer = plain();
  bearer.headers.emplace_back("Authorization", "Bearer secret-token");
  expect_refused(bearer, kIncomplete, "Authorization header (hashed with SHA-256");
  const auto answer = gateway_->send_raw(bearer);
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->body, Not(HasSubstr("secret-token")));
  for (const char* part : {"Credential", "SignedHeaders", "Signature"}) {
    RequestBuilder request = good();
    request.replace("Authorization", std::string(part) + "=", "X" + std::string(part) + "=");
    expect_refused(request, kIncomplete, part);
  }
  RequestBuilder no_date = good();
  no_date.drop("X-Amz-Date");
  expect_refused(no_date, kIncomplete, "X-Amz-Date");
}

TEST_F(SignedRequestTest, RefusesOtherAlgorithmsAndBrokenParts) {
  for (const char* algorithm :
       {"AWS4-HMAC-SHA1 ", "AWS4-ECDSA-P256-SHA256 ", "aws4-hmac-sha256 "}) {
    RequestBuilder request = good();
    request.replace("Authorization", "AWS4-HMAC-SHA256 ", algorithm);
    expect_refused(request, kIncomplete, "");
  }
  RequestBuilder four = good();
  four.replace("Authorization", "/us-east-1", "");
  expect_refused(four, kIncomplete, "");
  RequestBuilder six = good();
  six.replace("Authorization", "/us-east-1", "/us-east-1/x");
  expect_refused(six, kIncomplete, "");
  RequestBuilder date = good();
  *date.header("X-Amz-Date") = format_http_date(now());
  expect_refused(date, kIncomplete, "");
}

TEST_F(SignedRequestTest, NeedsASignedHostAndAmzHeaders) {
  RequestBuilder unsigned_amz = good();
  unsigned_amz.headers.emplace_back("X-Amz-Meta", "x");
  expect_refused(unsigned_amz, kInvalid, "");
  RequestBuilder no_host = good();
  const std::string signed_headers = *no_host.header("Authorization");
  if (signed_headers.contains("host;")) no_host.replace("Authorization", "host;", "");
  expect_refused(no_host, kInvalid, "");
}

TEST_F(SignedRequestTest, AllowsFiveMinutesOfClockSkew) {
  EXPECT_EQ(gateway_->send_raw(signed_at(now() - Seconds(290)))->status, 200);
  EXPECT_EQ(gateway_->send_raw(signed_at(now() + Seconds(290)))->status, 200);
  expect_refused(signed_at(now() - Seconds(310)), kInvalid, "Signature expired: ");
  expect_refused(signed_at(now() + Seconds(310)), kInvalid, "Signature not yet current: ");
}

TEST_F(SignedRequestTest, SendsItsMessageOnceHoweverOftenItIsRepeated) {
  for (const char* body : {R"({"userId":"repeated","message":"m"})",
                           R"({"userId":"repeated","message":"n","deduplicationId":"d"})"}) {
    const RequestBuilder request = gateway_->signed_request("/message", body);
    const auto first = gateway_->send_raw(request);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->status, 200) << first->body;
    // Over connections of their own, and so by all shards.
    for (int i = 0; i < 8; ++i) EXPECT_EQ(gateway_->send_raw(request)->body, first->body);
  }
  const RequestBuilder batch = gateway_->signed_request(
      "/messages", R"({"messages":[{"userId":"repeated","message":"o"}]})");
  const auto first = gateway_->send_raw(batch);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(gateway_->send_raw(batch)->body, first->body);
  const Json pending = gateway_->control("GET", "/v1/pending/repeated", {});
  EXPECT_EQ(pending.at("messages").size(), 3U) << pending.dump();
}

TEST_F(SignedRequestTest, AcceptsSignersThatOmitImpliedParts) {
  RequestBuilder hash =
      gateway_->signed_request("/message", R"({"userId":"unsigned-hash","message":"m"})");
  hash.headers.emplace_back("x-amz-content-sha256", hex_encode(view(sha256(hash.body))));
  EXPECT_EQ(gateway_->send_raw(hash)->status, 200);
  hash.headers.back().second = "UNSIGNED-PAYLOAD";
  EXPECT_EQ(gateway_->send_raw(hash)->status, 403);
  RequestBuilder host = plain();
  *host.header("Host") = gateway_->address().substr(0, gateway_->address().find(':'));
  host.sign(gateway_->credentials(), "us-east-1", "execute-api", now());
  *host.header("Host") = gateway_->address();
  EXPECT_EQ(gateway_->send_raw(host)->status, 200);
  RequestBuilder plus = plain("/message?a=b%20c");
  plus.sign(gateway_->credentials(), "us-east-1", "execute-api", now());
  plus.target = "/message?a=b+c";
  EXPECT_EQ(gateway_->send_raw(plus)->status, 200);
  const auto presigned = [](const char* expires) {
    RequestBuilder request = plain("/message/");
    request.presign(gateway_->credentials(), "us-east-1", "execute-api", now(), expires);
    return gateway_->send_raw(request)->status;
  };
  EXPECT_EQ(presigned("300"), 200);
  EXPECT_EQ(presigned("301"), 403);
}

TEST_F(SignedRequestTest, NeedsThisDateRegionServiceAndTerminator) {
  expect_refused(signed_at(now(), "eu-west-1"), kInvalid, "valid region, which is 'us-east-1'");
  expect_refused(signed_at(now(), "us-east-1", "s3"), kInvalid, "execute-api");
  RequestBuilder terminator = good();
  terminator.replace("Authorization", "aws4_request", "aws5_request");
  expect_refused(terminator, kInvalid, "aws4_request");
  RequestBuilder date = good();
  const std::string today = format_iso8601_basic(now()).substr(0, 8);
  date.replace("Authorization", "/" + today + "/", "/20200101/");
  expect_refused(date, kInvalid, "Date in Credential scope");
}

TEST_F(SignedRequestTest, RefusesAnUnknownKey) {
  RequestBuilder request = plain().sign(
      {.access_key_id = "AKIAIOSFODNN7EXAMPLE", .secret_access_key = "x", .session_token = {}},
      "us-east-1", "execute-api", now());
  expect_refused(request, kUnrecognized, "The security token included in the request is invalid.");
}

TEST_F(SignedRequestTest, RefusesADeletedKeyAtOnce) {
  const Json made = gateway_->control("POST", "/v1/access-keys", {{"name", "short-lived"}});
  const iam::Credentials key{
      .access_key_id = made.at("id"), .secret_access_key = made.at("secret"), .session_token = {}};
  EXPECT_EQ(gateway_->send_raw(plain().sign(key, "us-east-1", "execute-api", now()))->status, 200);
  (void)gateway_->control("DELETE", "/v1/access-keys/" + key.access_key_id);
  expect_refused(plain().sign(key, "us-east-1", "execute-api", now()), kUnrecognized, "");
}

TEST_F(SignedRequestTest, CoversBodyQueryPathAndHeaders) {
  RequestBuilder body = good();
  body.body = R"({"userId":"v","message":"m"})";
  expect_refused(body, kInvalid, "");
  RequestBuilder query = good();
  query.target += "?x=1";
  expect_refused(query, kInvalid, "");
  RequestBuilder path = good();
  path.target = "/prod/message";
  expect_refused(path, kInvalid, "");
  RequestBuilder signature = good();
  std::string& value = *signature.header("Authorization");
  value.back() = value.back() == '0' ? '1' : '0';
  expect_refused(signature, kInvalid, "");
  RequestBuilder empty = plain();
  empty.body = "";
  empty.sign(gateway_->credentials(), "us-east-1", "execute-api", now());
  empty.body = kBody;
  expect_refused(empty, kInvalid, "");
  for (const char* hash :
       {"UNSIGNED-PAYLOAD", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}) {
    RequestBuilder request = plain();
    request.headers.emplace_back("X-Amz-Content-Sha256", hash);
    request.sign(gateway_->credentials(), "us-east-1", "execute-api", now());
    expect_refused(request, kInvalid, "");
  }
}

TEST_F(SignedRequestTest, RefusesBrokenPresignedRequests) {
  const auto presigned = [](std::string_view expires) {
    RequestBuilder request = plain();
    request.presign(gateway_->credentials(), "us-east-1", "execute-api", now(), expires);
    return request;
  };
  for (const char* expires : {"0", "-1", "604801", "x", ""}) {
    const auto answer = gateway_->send_raw(presigned(expires));
    ASSERT_TRUE(answer) << expires;
    EXPECT_EQ(answer->status, 403) << expires;
  }
  for (const char* name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
                           "X-Amz-SignedHeaders", "X-Amz-Signature"}) {
    RequestBuilder missing = presigned("300");
    const auto at = missing.target.find(name);
    ASSERT_NE(at, std::string::npos) << name;
    missing.target[at] = 'Y';
    const auto answer = gateway_->send_raw(missing);
    ASSERT_TRUE(answer) << name;
    EXPECT_EQ(answer->status, 403) << name;

    RequestBuilder twice = presigned("300");
    const auto start = twice.target.find(name);
    twice.target += "&" + twice.target.substr(start, twice.target.find('&', start) - start);
    const auto again = gateway_->send_raw(twice);
    ASSERT_TRUE(again) << name;
    EXPECT_EQ(again->status, 403) << name;
  }
  RequestBuilder both = presigned("300");
  both.headers.emplace_back("Authorization", *good().header("Authorization"));
  EXPECT_EQ(gateway_->send_raw(both)->status, 403);
}

TEST_F(SignedRequestTest, FailsWhenThePolicyDoesNotAllowIt) {
  const Json policy = *parse_json(
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke",
      "Resource":"arn:aws:execute-api:us-east-1:000000000000:holdfast/prod/POST/messages"}]})");
  const Json made =
      gateway_->control("POST", "/v1/access-keys", {{"name", "batches"}, {"policy", policy}});
  const iam::Credentials key{
      .access_key_id = made.at("id"), .secret_access_key = made.at("secret"), .session_token = {}};
  const auto denied = gateway_->send_raw(plain().sign(key, "us-east-1", "execute-api", now()));
  ASSERT_TRUE(denied);
  EXPECT_EQ(denied->status, 403);
  EXPECT_EQ(denied->header("x-amzn-ErrorType"), "AccessDeniedException");
  // API Gateway shows only the end of an account's number in the resource.
  EXPECT_EQ(parse_json(denied->body)->at("Message"),
            "User: arn:aws:iam::000000000000:user/batches is not authorized to perform: "
            "execute-api:Invoke on resource: "
            "arn:aws:execute-api:us-east-1:********0000:holdfast/prod/POST/message");
  RequestBuilder batch = plain("/messages");
  batch.body = R"({"messages":[{"userId":"u","message":"m"}]})";
  batch.sign(key, "us-east-1", "execute-api", now());
  EXPECT_EQ(gateway_->send_raw(batch)->status, 200);
}

TEST_F(SignedRequestTest, RefusesBodiesThatAreNoMessageAndNamesTheField) {
  expect_body_refused("", "");
  expect_body_refused("{", "");
  expect_body_refused("[]", "");
  expect_body_refused(R"("text")", "");
  expect_body_refused(R"({"message":"m"})", "userId");
  expect_body_refused(R"({"userId":"u"})", "message");
  expect_body_refused(R"({"userId":"","message":"m"})", "userId");
  expect_body_refused(R"({"userId":"u","message":""})", "message");
  expect_body_refused(R"({"userId":1,"message":"m"})", "userId");
  expect_body_refused(R"({"userId":"u","message":["m"]})", "message");
  expect_body_refused(R"({"userId":"u","userId":"v","message":"m"})", "userId");
  expect_body_refused(R"({"userId":")" + std::string(129, 'u') + R"(","message":"m"})", "userId");
  expect_body_refused(R"({"userId":"u","message":"m"}x)", "");
  expect_body_refused("{\"userId\":\"u\",\"message\":\"a\\u0000b\"}", "message");
  expect_body_refused("{\"userId\":\"u\",\"message\":\"\\ud800\"}", "");
  expect_body_refused("{\"userId\":\"u\",\"message\":\"\xff\"}", "");
  expect_body_refused("\xef\xbb\xbf" + std::string(kBody), "");
  expect_body_refused(std::string("{\0\"\0", 4), "");
  expect_body_refused(std::string(100'000, '['), "");
  expect_body_refused(R"({"userId":"u","message":"m","x":1e999})", "");
  expect_body_refused(R"({"userId":"u","message":"m","ttlSeconds":0})", "ttlSeconds");
  expect_body_refused(R"({"userId":"u","message":"m","ttlSeconds":1209601})", "ttlSeconds");
  expect_body_refused(R"({"userId":"u","message":"m","ttlSeconds":1.5})", "ttlSeconds");
  expect_body_refused(R"({"userId":"u","message":"m","deduplicationId":""})", "deduplicationId");
  expect_body_refused(R"({"userId":"u","message":"m","deduplicationId":"é"})", "deduplicationId");
}

TEST_F(SignedRequestTest, TakesAnyTextAndIgnoresOtherFields) {
  const std::string body =
      R"({"userId":"ü ser","message":"\u0001 \ud83d\ude00 \" \\ ☃","other":{"x":[1,2]}})";
  const auto answer = gateway_->send_raw(gateway_->signed_request("/message", body));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
}

TEST_F(SignedRequestTest, TakesEverySpellingOfAnInteger) {
  for (const char* ttl : {"60.0", "6e1", "null"}) {
    const std::string body =
        std::string(R"({"userId":"u","message":"m","ttlSeconds":)") + ttl + "}";
    EXPECT_EQ(gateway_->send_raw(gateway_->signed_request("/message", body))->status, 200) << ttl;
  }
}

TEST_F(SignedRequestTest, RefusesOtherContentTypes) {
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "application/jsonx"}) {
    RequestBuilder request = plain();
    *request.header("Content-Type") = type;
    request.sign(gateway_->credentials(), "us-east-1", "execute-api", now());
    const auto answer = gateway_->send_raw(request);
    ASSERT_TRUE(answer) << type;
    EXPECT_EQ(answer->status, 415) << type;
    EXPECT_THAT(answer->body, HasSubstr("Unsupported Media Type"));
  }
  RequestBuilder parameters = plain();
  *parameters.header("Content-Type") = "application/json; charset=utf-8";
  parameters.sign(gateway_->credentials(), "us-east-1", "execute-api", now());
  EXPECT_EQ(gateway_->send_raw(parameters)->status, 200);
}

TEST_F(SignedRequestTest, BoundsTheMessageAndTheBody) {
  const auto status = [](const std::string& body) {
    const auto answer = gateway_->send_raw(gateway_->signed_request("/message", body));
    if (answer && answer->status == 413) {
      EXPECT_THAT(answer->body, HasSubstr("Request Too Long"));
    }
    return answer ? answer->status : 0;
  };
  const std::string head = R"({"userId":"u","message":")";
  EXPECT_EQ(status(head + std::string(131'072, 'm') + "\"}"), 200);
  EXPECT_EQ(status(head + std::string(131'073, 'm') + "\"}"), 413);
  // A body over its limit is refused before the signature is looked at.
  const auto answer =
      gateway_->send_bytes("POST /message HTTP/1.1\r\nHost: " + gateway_->address() +
                           "\r\nContent-Type: application/json\r\n"
                           "Content-Length: 99999999\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 413);
}

TEST_F(SignedRequestTest, RefusesBatchesThatAreNone) {
  const auto status = [](const std::string& body) {
    const auto answer = gateway_->send_raw(gateway_->signed_request("/messages", body));
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(status(R"({"messages":[]})"), 400);
  EXPECT_EQ(status(R"({"messages":{}})"), 400);
  EXPECT_EQ(status(R"({})"), 400);
  std::string many = R"({"messages":[)";
  for (int i = 0; i < 501; ++i) many += std::string(i > 0 ? "," : "") + kBody;
  EXPECT_EQ(status(many + "]}"), 400);
}

TEST_F(SignedRequestTest, AnswersAKnownPathWithAnotherMethodWith405) {
  RequestBuilder request = plain();
  request.method = "PUT";
  request.sign(gateway_->credentials(), "us-east-1", "execute-api", now());
  const auto answer = gateway_->send_raw(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 405);
  EXPECT_EQ(answer->header("Allow"), "POST");
}

}  // namespace
}  // namespace holdfast::test
