// Tests signatures, policies and rates of signed calls.

#include <functional>

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

class SignedRequests : public GatewayFixture {
 protected:
  static std::string& header_of(net::Request& request, std::string_view name) {
    for (auto& [key, value] : request.head.headers) {
      if (key == name) return value;
    }
    throw std::out_of_range(std::string(name));
  }
  static void remove_header(net::Request& request, std::string_view name) {
    std::erase_if(request.head.headers, [&](const auto& header) { return header.first == name; });
  }
  static void replace(std::string& text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    text.replace(at, from.size(), to);
  }
};

TEST_F(SignedRequests, AcceptsASignedMessageAndAnswersWithItsReceipt) {
  const net::Response response = call(signed_message());
  ASSERT_EQ(response.status, 200) << response.body;
  const Json body = parse_json(response.body).value();
  EXPECT_EQ(body["messageId"].get<std::string>().size(), 36U);
  EXPECT_EQ(body["sequence"], 1'769'076'000'000'001);
  EXPECT_EQ(body["status"], "STORED");
  EXPECT_FALSE(header(response, "x-amzn-RequestId").empty());
  EXPECT_EQ(header(response, "Content-Type"), "application/json");
}

TEST_F(SignedRequests, HandsOverTheMessageAsItWasSentWithItsCaller) {
  call(signed_message(
      R"({"userId":"ü","message":"a\n\u00e9","deduplicationId":"d 1","ttlSeconds":60,"x":[1]})"));
  FakeMailboxes& home = mailboxes_[router_.home(UserId("ü"))];
  ASSERT_EQ(home.sent.size(), 1U);
  EXPECT_EQ(home.sent[0].user.str(), "ü");
  EXPECT_EQ(home.sent[0].payload, "a\né");
  EXPECT_EQ(home.sent[0].deduplication_id, "d 1");
  EXPECT_EQ(home.sent[0].ttl, Seconds(60));
  EXPECT_EQ(home.sent[0].caller, keys_->find(kRootKey)->quota);
}

TEST_F(SignedRequests, TellTheLogWhyTheyAreRefusedAndWhichKeyTheyClaim) {
  const auto refused = [this](const net::Request& request) {
    const net::Response response = call(request);
    return response.refused + " | " + std::string(response.log_fields.get("access_key_id"));
  };
  const std::string root(kRootKey);
  net::Request spoilt = signed_message();
  spoilt.body.back() = ' ';
  EXPECT_EQ(refused(spoilt),
            "InvalidSignatureException: The request signature we calculated does not match the "
            "signature you provided | " +
                root);
  net::Request old = signed_message();
  clock_.advance(Seconds(301));
  EXPECT_TRUE(refused(old).starts_with("InvalidSignatureException: Signature expired: "));
  net::Request denied = message_request();
  sign(denied, kPoorKey);
  EXPECT_EQ(refused(denied),
            "AccessDeniedException: the policy does not allow execute-api:Invoke on "
            "arn:aws:execute-api:us-east-1:000000000000:holdfast/prod/POST/message | " +
                std::string(kPoorKey));
  EXPECT_EQ(refused(message_request()),
            "MissingAuthenticationTokenException: Missing Authentication Token | ");
  // A secret in the place of the key's id.
  net::Request swapped = signed_message();
  replace(header_of(swapped, "Authorization"), root, "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY");
  EXPECT_EQ(
      refused(swapped),
      "UnrecognizedClientException: The security token included in the request is invalid. | ");
  // One request's claim is not another's.
  EXPECT_TRUE(refused(message_request()).ends_with("Missing Authentication Token | "));
  net::Request admin = pool_request("AdminCreateUser", {{"UserPoolId", kPoolId}});
  EXPECT_TRUE(refused(admin).starts_with("MissingAuthenticationTokenException: "));
  sign(admin, kDeniedKey, "cognito-idp");
  EXPECT_TRUE(refused(admin).ends_with(
      "AdminCreateUser on arn:aws:cognito-idp:us-east-1:000000000000:userpool/" +
      std::string(kPoolId) + " | " + std::string(kDeniedKey)))
      << refused(admin);
  EXPECT_EQ(refused(signed_message()), " | " + root);
}

TEST_F(SignedRequests, KeepsEachKeyToItsRate) {
  api::GatewayOptions options;
  options.limits.key_requests_per_second = 3;
  start(options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call(signed_message()).status, 200);
  const net::Response refused = call(signed_message());
  expect_error(refused, 429, "TooManyRequestsException", "Too Many Requests");
  EXPECT_FALSE(header(refused, "Retry-After").empty());
  EXPECT_EQ(refused.log_fields.get("access_key_id"), kRootKey);
  // Another key has its own; and what is refused for its signature costs nothing.
  net::Request other =
      message_request(R"({"messages":[{"userId":"u","message":"m"}]})", "/messages");
  sign(other, kPoorKey);
  EXPECT_EQ(call(other).status, 200);
  clock_.advance(Milliseconds(334));
  net::Request spoilt = signed_message();
  spoilt.body += ' ';
  EXPECT_EQ(call(spoilt).status, 403);
  EXPECT_EQ(call(signed_message()).status, 200);
  EXPECT_EQ(call(signed_message()).status, 429);
  clock_.advance(Seconds(60));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call(signed_message()).status, 200);
  EXPECT_EQ(call(signed_message()).status, 429) << "a long silence saves nothing up";
}

TEST_F(SignedRequests, TakeTheRateOfTheirKeyBeforeTheConfiguredOne) {
  api::GatewayOptions options;
  options.limits.key_requests_per_second = 2;
  start(options);
  keys_->add("AKIASLOW", "slow", iam::kAllowAll, true, 1);
  keys_->add("AKIAFREE", "free", iam::kAllowAll, true, 0);
  const auto statuses = [this](std::string_view key) {
    std::string out;
    for (int i = 0; i < 4; ++i) {
      net::Request request = message_request();
      sign(request, key);
      out += std::to_string(call(request).status) + " ";
    }
    return out;
  };
  EXPECT_EQ(statuses("AKIASLOW"), "200 429 429 429 ");
  EXPECT_EQ(statuses("AKIAFREE"), "200 200 200 200 ");
  EXPECT_EQ(statuses(kRootKey), "200 200 429 429 ");
}

TEST_F(SignedRequests, ShareOneRateAcrossServices) {
  keys_->add("AKIASLOW", "slow", iam::kAllowAll, true, 1);
  const iam::Credentials session = keys_->add_session("AKIASLOW", clock_.wall_now() + Seconds(60));
  const iam::Credentials slow{"AKIASLOW", StaticAccessKeys::secret_of("AKIASLOW"), ""};
  const auto message = [&](const iam::Credentials& credentials) {
    net::Request request = message_request();
    sign(request, credentials);
    return call(request);
  };
  const auto list_users = [&](const iam::Credentials& credentials) {
    net::Request request = pool_request("ListUsers", {{"UserPoolId", kPoolId}});
    sign(request, credentials, "cognito-idp");
    return call(request);
  };
  const auto describe = [&](const iam::Credentials& credentials) {
    net::Request request = make_request("POST", "/", "Action=DescribeStacks&Version=2010-05-15");
    request.head.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    sign(request, credentials, "cloudformation");
    return call(request);
  };
  EXPECT_EQ(message(slow).status, 200);
  expect_error(message(session), 429, "TooManyRequestsException", "Too Many Requests");
  for (const iam::Credentials& credentials : {slow, session}) {
    const net::Response refused = list_users(credentials);
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(parse_json(refused.body).value()["__type"], "TooManyRequestsException");
    EXPECT_EQ(refused.log_fields.get("access_key_id"), credentials.access_key_id);
    const net::Response xml = describe(credentials);
    EXPECT_EQ(xml.status, 400);
    EXPECT_NE(xml.body.find("<Code>Throttling</Code><Message>Rate exceeded</Message>"),
              std::string::npos)
        << xml.body;
    EXPECT_EQ(xml.log_fields.get("access_key_id"), credentials.access_key_id);
  }
  clock_.advance(Seconds(1));
  EXPECT_EQ(list_users(session).status, 200);
  EXPECT_EQ(message(slow).status, 429);
  clock_.advance(Seconds(1));
  EXPECT_EQ(describe(slow).status, 200);
  EXPECT_EQ(describe(session).status, 400);
  // Unsigned calls do not count against a key's rate.
  EXPECT_EQ(call(pool_request("InitiateAuth", {{"ClientId", kClientId}})).body.find("TooMany"),
            std::string::npos);
}

TEST_F(SignedRequests, TellExpiredAndUnknownTokensInEachServicesShape) {
  const iam::Credentials expired = keys_->add_session(kRootKey, clock_.wall_now());
  iam::Credentials unknown = keys_->add_session(kRootKey, clock_.wall_now() + Seconds(60));
  unknown.session_token = "garbage";
  constexpr const char* kExpired = "The security token included in the request is expired";
  constexpr const char* kUnknown = "The security token included in the request is invalid.";
  const auto refused = [&](const iam::Credentials& credentials, net::Request request,
                           std::string_view service) {
    sign(request, credentials, service);
    net::Response response = call(request);
    EXPECT_EQ(response.refused.find("garbage"), std::string::npos);
    EXPECT_EQ(response.body.find("garbage"), std::string::npos);
    return response;
  };
  expect_error(refused(expired, message_request(), "execute-api"), 403, "ExpiredTokenException",
               kExpired);
  expect_error(refused(unknown, message_request(), "execute-api"), 403,
               "UnrecognizedClientException", kUnknown);
  const net::Request admin = pool_request("AdminGetUser", {{"UserPoolId", kPoolId}});
  expect_error(refused(expired, admin, "cognito-idp"), 400, "ExpiredTokenException:", kExpired);
  expect_error(refused(unknown, admin, "cognito-idp"), 400,
               "UnrecognizedClientException:", kUnknown);
  net::Request stacks = make_request("POST", "/", "Action=DescribeStacks&Version=2010-05-15");
  stacks.head.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  const net::Response xml = refused(expired, stacks, "cloudformation");
  EXPECT_EQ(xml.status, 403);
  EXPECT_NE(xml.body.find("<Code>ExpiredToken</Code><Message>" + std::string(kExpired)),
            std::string::npos);
  EXPECT_NE(refused(unknown, stacks, "cloudformation").body.find("<Code>InvalidClientTokenId<"),
            std::string::npos);
}

TEST_F(SignedRequests, NeedBothPoliciesOfASession) {
  constexpr const char* kNoInvoke =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},)"
      R"({"Effect":"Deny","Action":"execute-api:Invoke","Resource":"*"}]})";
  const WallTime later = clock_.wall_now() + Seconds(60);
  const auto answer = [&](const iam::Credentials& credentials) {
    net::Request request = message_request();
    sign(request, credentials);
    return call(request);
  };
  EXPECT_EQ(answer(keys_->add_session(kRootKey, later)).status, 200);
  const net::Response narrow =
      answer(keys_->add_session(kRootKey, later, R"({"Version":"2012-10-17",
      "Statement":[{"Effect":"Allow","Action":"cognito-idp:*","Resource":"*"}]})"));
  EXPECT_EQ(narrow.status, 403);
  EXPECT_EQ(message_of(narrow),
            "User: arn:aws:iam::000000000000:root is not authorized to perform: "
            "execute-api:Invoke on resource: "
            "arn:aws:execute-api:us-east-1:********0000:holdfast/prod/POST/message");
  EXPECT_TRUE(message_of(answer(keys_->add_session(kRootKey, later, kNoInvoke)))
                  .ends_with(" with an explicit deny"));
  // A session cannot have what its key has not.
  EXPECT_EQ(answer(keys_->add_session(kPoorKey, later, iam::kAllowAll)).status, 403);
  EXPECT_TRUE(message_of(answer(keys_->add_session(kDeniedKey, later, iam::kAllowAll)))
                  .ends_with(" with an explicit deny"));
}

// Each row spoils one thing of a request that is signed correctly.
struct Spoiled {
  std::string name;
  std::string type;
  std::string words;
  std::function<void(net::Request&)> spoil;
};

TEST_F(SignedRequests, RefusesEverySpoiledSignatureByItsName) {
  const auto authorization = [](net::Request& request) -> std::string& {
    return header_of(request, "Authorization");
  };
  const std::string incomplete = "IncompleteSignatureException";
  const std::string invalid = "InvalidSignatureException";
  const std::vector<Spoiled> rows = {
      {"none", "MissingAuthenticationTokenException", "Missing Authentication Token",
       [](auto& r) { remove_header(r, "Authorization"); }},
      {"bearer", incomplete, "", [&](auto& r) { authorization(r) = "Bearer x"; }},
      {"no credential", incomplete, "'Credential'",
       [&](auto& r) { replace(authorization(r), "Credential=", "Cred="); }},
      {"no signature", incomplete, "'Signature'",
       [&](auto& r) { replace(authorization(r), "Signature=", "Sig="); }},
      {"no signed headers", incomplete, "'SignedHeaders'",
       [&](auto& r) { replace(authorization(r), "SignedHeaders=", "Signed="); }},
      {"no date", incomplete, "'X-Amz-Date'", [](auto& r) { remove_header(r, "X-Amz-Date"); }},
      {"another algorithm", incomplete, "",
       [&](auto& r) { replace(authorization(r), "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"); }},
      {"SigV4a", incomplete, "",
       [&](auto& r) { replace(authorization(r), "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"); }},
      {"a date of another form", incomplete, "",
       [](auto& r) { header_of(r, "X-Amz-Date") = "2026-01-22T10:00:00Z"; }},
      {"four parts", incomplete, "",
       [&](auto& r) { replace(authorization(r), "/execute-api", ""); }},
      {"six parts", incomplete, "",
       [&](auto& r) { replace(authorization(r), "/execute-api", "/execute-api/more"); }},
      {"host not signed", invalid, "",
       [&](auto& r) { replace(authorization(r), "host", "hoist"); }},
      {"an unsigned x-amz header", invalid, "",
       [](auto& r) { r.head.headers.emplace_back("X-Amz-Meta", "1"); }},
      {"scope of another day", invalid, "",
       [&](auto& r) { replace(authorization(r), "/20260122/", "/20260121/"); }},
      {"another region", invalid, "region",
       [&](auto& r) { replace(authorization(r), "us-east-1", "eu-west-1"); }},
      {"another service", invalid, "service",
       [&](auto& r) { replace(authorization(r), "execute-api", "s3"); }},
      {"another terminator", invalid, "",
       [&](auto& r) { replace(authorization(r), "aws4_request", "aws5_request"); }},
      {"unknown key", "UnrecognizedClientException",
       "The security token included in the request is invalid.",
       [&](auto& r) { replace(authorization(r), kRootKey, "AKIANOBODYNOBODYNOBO"); }},
      {"changed body", invalid, "does not match",
       [](auto& r) { r.body = R"({"userId":"u2","message":"hello"})"; }},
      {"changed query", invalid, "does not match", [](auto& r) { r.head.target += "?a=b"; }},
      {"changed path", invalid, "does not match",
       [](auto& r) { r.head.target = "/prod" + r.head.target; }},
      {"changed header", invalid, "does not match",
       [](auto& r) { header_of(r, "Content-Type") = "application/json; charset=utf-8"; }},
      {"a flipped bit", invalid, "does not match",
       [&](auto& r) { authorization(r).back() = authorization(r).back() == '0' ? '1' : '0'; }},
  };
  for (const Spoiled& row : rows) {
    SCOPED_TRACE(row.name);
    net::Request request = signed_message();
    row.spoil(request);
    expect_error(call(std::move(request)), 403, row.type, row.words);
  }
  EXPECT_TRUE(mailboxes_[0].sent.empty() && mailboxes_[1].sent.empty());
}

TEST_F(SignedRequests, RefusesADisabledKeyLikeAnUnknownOne) {
  net::Request request = message_request();
  sign(request, kDisabledKey);
  expect_error(call(std::move(request)), 403, "UnrecognizedClientException",
               "The security token included in the request is invalid.");
}

TEST_F(SignedRequests, RefusesASignatureOfAnotherTime) {
  net::Request old = signed_message();
  clock_.advance(Seconds(301));
  expect_error(call(std::move(old)), 403, "InvalidSignatureException", "Signature expired: ");
  net::Request early = signed_message();
  clock_.step_wall(Seconds(-302));
  expect_error(call(std::move(early)), 403, "InvalidSignatureException",
               "Signature not yet current: ");
}

TEST_F(SignedRequests, RefusesAPayloadHashThatIsNotTheBodys) {
  for (const std::string& hash : {std::string("UNSIGNED-PAYLOAD"), hex_encode(view(sha256("")))}) {
    net::Request request = message_request();
    request.head.headers.emplace_back("X-Amz-Content-Sha256", hash);
    sign(request);
    expect_error(call(std::move(request)), 403, "InvalidSignatureException", "");
  }
}

TEST_F(SignedRequests, NeverEchoesTheAuthorizationHeader) {
  net::Request request = message_request();
  request.head.headers.emplace_back("Authorization", "Bearer very-secret-thing");
  const net::Response response = call(std::move(request));
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body.find("very-secret-thing"), std::string::npos) << response.body;
}

TEST_F(SignedRequests, SaysWhoMayNotWithACapitalMAndTheAccountMasked) {
  net::Request request = message_request();
  sign(request, kPoorKey);
  const net::Response response = call(std::move(request));
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(header(response, "x-amzn-ErrorType"), "AccessDeniedException");
  EXPECT_EQ(response.body,
            R"({"Message":"User: arn:aws:iam::000000000000:user/poor is not authorized to )"
            R"(perform: execute-api:Invoke on resource: )"
            R"(arn:aws:execute-api:us-east-1:********0000:holdfast/prod/POST/message"})");
}

TEST_F(SignedRequests, SaysWhenTheDenyIsExplicit) {
  net::Request request = message_request();
  sign(request, kDeniedKey);
  const net::Response response = call(std::move(request));
  expect_error(response, 403, "AccessDeniedException", "POST/message with an explicit deny");
}

TEST_F(SignedRequests, HoldsThePolicyAgainstTheRouteThatWasAsked) {
  net::Request request =
      message_request(R"({"messages":[{"userId":"u","message":"m"}]})", "/prod/messages");
  sign(request, kPoorKey);
  EXPECT_EQ(call(std::move(request)).status, 200);
}

TEST_F(SignedRequests, ChecksPolicyBeforeTheBodyAndTheSignatureBeforeThePolicy) {
  net::Request denied = message_request("not json");
  sign(denied, kPoorKey);
  expect_error(call(std::move(denied)), 403, "AccessDeniedException", "");
  net::Request wrong = message_request("not json");
  sign(wrong, kPoorKey, "execute-api", "eu-west-1");
  expect_error(call(std::move(wrong)), 403, "InvalidSignatureException", "");
}

// Presigns a request (AWS, "Create a signed request", query parameters).
std::string presign(const net::Request& request, const std::string& date, const std::string& key,
                    const std::string& expires) {
  const std::string day = date.substr(0, 8);
  const std::string scope = day + "/us-east-1/execute-api/aws4_request";
  const std::string target = request.head.target + "?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
                             "&X-Amz-Credential=" + percent_encode(key + "/" + scope) +
                             "&X-Amz-Date=" + date + "&X-Amz-Expires=" + expires +
                             "&X-Amz-SignedHeaders=host";
  const std::vector<iam::Header> headers = {{"Host", "127.0.0.1:8080"}};
  const std::string canonical = iam::canonical_request(
      {"POST", target, headers, request.body}, {"host"}, hex_encode(view(sha256(request.body))));
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex_encode(view(sha256(canonical)));
  Digest derived = hmac_sha256("AWS4" + StaticAccessKeys::secret_of(key), day);
  for (const char* part : {"us-east-1", "execute-api", "aws4_request"}) {
    derived = hmac_sha256(view(derived), part);
  }
  return target + "&X-Amz-Signature=" + hex_encode(view(hmac_sha256(view(derived), to_sign)));
}

TEST_F(SignedRequests, AcceptsAPresignedRequestAndRefusesASpoiledOne) {
  const std::string date = format_iso8601_basic(clock_.wall_now());
  const std::string good = presign(message_request(), date, std::string(kRootKey), "60");
  const auto send = [&](const std::string& target) {
    return call(message_request(std::string(kJsonMessage), target));
  };
  EXPECT_EQ(send(good).status, 200);
  for (const char* expires : {"0", "-1", "604801", "x", ""}) {
    const net::Response response =
        send(presign(message_request(), date, std::string(kRootKey), expires));
    EXPECT_EQ(response.status, 403) << expires;
  }
  for (const char* name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
                           "X-Amz-SignedHeaders", "X-Amz-Signature"}) {
    std::string without = good;
    const std::size_t at = without.find(name);
    without.replace(at, 5, "Other");
    EXPECT_EQ(send(without).status, 403) << name;
    const std::size_t end = good.find('&', at);
    const std::string again = good.substr(at, end == std::string::npos ? end : end - at);
    EXPECT_EQ(send(good + "&" + again).status, 403) << name << " twice";
  }
  net::Request both = message_request(std::string(kJsonMessage), good);
  sign(both);
  EXPECT_EQ(call(std::move(both)).status, 403);
  clock_.advance(Seconds(61));
  expect_error(send(good), 403, "InvalidSignatureException", "");
}

}  // namespace
}  // namespace holdfast::test
