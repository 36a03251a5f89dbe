// Tests access keys, policies and temporary credentials over HTTP.

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/client/gateway_client.hpp>
#include <holdfast/net/client.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using ::testing::HasSubstr;

/// A signed call, and what a policy knows it by.
struct SignedCall {
  std::string action;
  std::string resource;
  std::string service;
  net::ClientRequest request;
};

net::ClientRequest pool_call(const std::string& operation, const Json& input) {
  return {.method = "POST",
          .target = "/",
          .headers = {{"Content-Type", "application/x-amz-json-1.1"},
                      {"X-Amz-Target", "AWSCognitoIdentityProviderService." + operation}},
          .body = input.dump()};
}

net::ClientRequest describe_stacks_call() {
  return {.method = "POST",
          .target = "/",
          .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
          .body =
              "Action=DescribeStacks&Version=2010-05-15&StackName="
              "ServerlessAsyncMessagingGatewayStack"};
}

net::ClientRequest message_call(const std::string& target = "/message") {
  return {.method = "POST",
          .target = target,
          .headers = {{"Content-Type", "application/json"}},
          .body = target == "/message" ? R"({"userId":"u","message":"m"})"
                                       : R"({"messages":[{"userId":"u","message":"m"}]})"};
}

/// Every kind of call that a policy decides on.
std::vector<SignedCall> signed_calls(const TestGateway& gateway) {
  const std::string api = "arn:aws:execute-api:us-east-1:000000000000:holdfast/prod/";
  const std::string connection = "/@connections/bm9ib2R5";
  const std::string pool_id = gateway.info().user_pool_id;
  const std::string pool = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool_id;
  std::vector<SignedCall> out = {
      {"execute-api:Invoke", api + "POST/message", "execute-api", message_call()},
      {"execute-api:Invoke", api + "POST/messages", "execute-api", message_call("/messages")},
      {"cloudformation:DescribeStacks",
       "arn:aws:cloudformation:us-east-1:000000000000:stack/ServerlessAsyncMessagingGatewayStack/*",
       "cloudformation", describe_stacks_call()}};
  for (const char* method : {"GET", "POST", "DELETE"}) {
    out.push_back({"execute-api:ManageConnections",
                   api + method + connection,
                   "execute-api",
                   {.method = method, .target = connection, .body = ""}});
  }
  for (const char* operation :
       {"AdminConfirmSignUp", "AdminCreateUser", "AdminDeleteUser", "AdminDisableUser",
        "AdminEnableUser", "AdminGetUser", "AdminInitiateAuth", "AdminRespondToAuthChallenge",
        "AdminSetUserPassword", "AdminUpdateUserAttributes", "AdminUserGlobalSignOut",
        "DescribeUserPool", "DescribeUserPoolClient", "ListUsers"}) {
    // Most want more than that, which they say once the policy has let them.
    out.push_back({std::string("cognito-idp:") + operation, pool, "cognito-idp",
                   pool_call(operation, {{"UserPoolId", pool_id}})});
  }
  return out;
}

std::string policy_text(const std::string& effect, const std::string& selectors) {
  return R"({"Effect":")" + effect + R"(",)" + selectors + "}";
}
Json policy_document(const std::string& statements) {
  return parse_json(R"({"Version":"2012-10-17","Statement":[)" + statements + "]}").value();
}
std::string action_and_resource(const std::string& action, const std::string& resource) {
  return R"("Action":")" + action + R"(","Resource":")" + resource + R"(")";
}

iam::Credentials make_key(const TestGateway& gateway, const std::string& name, const Json& policy) {
  const Json made =
      gateway.control("POST", "/v1/access-keys", {{"name", name}, {"policy", policy}});
  return {
      .access_key_id = made.at("id"), .secret_access_key = made.at("secret"), .session_token = {}};
}
void set_policy(const TestGateway& gateway, const iam::Credentials& key, const Json& policy) {
  (void)gateway.control("PATCH", "/v1/access-keys/" + key.access_key_id, {{"policy", policy}});
}
iam::Credentials make_session(const TestGateway& gateway, const std::string& key_id,
                              Json more = Json::object()) {
  more["accessKeyId"] = key_id;
  const Json made = gateway.control("POST", "/v1/sessions", more);
  return {.access_key_id = made.at("AccessKeyId"),
          .secret_access_key = made.at("SecretAccessKey"),
          .session_token = made.at("SessionToken")};
}

std::unique_ptr<client::GatewayClient> calling_client(const TestGateway& gateway,
                                                      const iam::Credentials& credentials,
                                                      const Clock& clock = system_clock(),
                                                      const std::string& ca_file = {}) {
  client::GatewayOptions options;
  options.url = (ca_file.empty() ? "http://" : "https://") + gateway.address();
  options.credentials = credentials;
  options.ca_file = ca_file;
  return client::make_gateway_client(std::move(options), clock).value();
}

/// `allowed`, `denied`, `explicitly denied`, or the answer where it is none of these.
std::string verdict(client::GatewayClient& client, const SignedCall& call,
                    std::vector<std::pair<std::string, std::string>> more_headers = {}) {
  net::ClientRequest request = call.request;
  for (auto& header : more_headers) request.headers.push_back(std::move(header));
  const auto answer = client.send(std::move(request), call.service);
  if (!answer) return answer.error().text();
  const bool denied = answer->body.contains("is not authorized to perform: " + call.action);
  const bool in_shape =
      call.service == "execute-api"
          ? answer->status == 403 && answer->body.starts_with(R"({"Message":"User: arn:)")
      : call.service == "cognito-idp"
          ? answer->status == 400 && answer->body.contains(R"("__type":"AccessDeniedException")")
          : answer->status == 403 && answer->body.contains("<Code>AccessDenied</Code>");
  if (denied && in_shape) {
    return answer->body.contains("with an explicit deny") ? "explicitly denied" : "denied";
  }
  const bool passed =
      call.service == "execute-api" ? answer->status == 200 || answer->status == 410
      : call.service == "cognito-idp"
          ? answer->status == 200 || answer->body.contains("InvalidParameterException")
          : answer->status == 200;
  if (passed && !denied) return "allowed";
  return std::to_string(answer->status) + " " + answer->body;
}

/// One verdict for all of the calls, or those that differ.
std::string verdict_on_all(client::GatewayClient& client, const std::vector<SignedCall>& calls,
                           const std::vector<std::pair<std::string, std::string>>& headers = {}) {
  std::string common;
  for (const SignedCall& call : calls) {
    const std::string one = verdict(client, call, headers);
    if (common.empty()) common = one;
    if (one != common) return call.action + " on " + call.resource + ": " + one + ", not " + common;
  }
  return common;
}

TEST(AccessKeyPoliciesTest, AllowsEachCallByItsActionAndResourceAlone) {
  const TestGateway gateway;
  const auto calls = signed_calls(gateway);
  const auto key = make_key(gateway, "exact",
                            policy_document(policy_text("Allow", action_and_resource("a:b", "*"))));
  const auto client = calling_client(gateway, key);
  EXPECT_EQ(verdict_on_all(*client, calls), "denied");
  for (const SignedCall& allowed : calls) {
    set_policy(gateway, key,
               policy_document(
                   policy_text("Allow", action_and_resource(allowed.action, allowed.resource))));
    for (const SignedCall& call : calls) {
      const bool same = call.action == allowed.action && call.resource == allowed.resource;
      EXPECT_EQ(verdict(*client, call), same ? "allowed" : "denied")
          << call.action << " under " << allowed.action << " on " << allowed.resource;
    }
  }
}

TEST(AccessKeyPoliciesTest, LetsADenyWin) {
  const TestGateway gateway;
  const auto calls = signed_calls(gateway);
  const std::string all = policy_text("Allow", action_and_resource("*", "*"));
  const auto key = make_key(gateway, "denied", policy_document(all));
  const auto client = calling_client(gateway, key);
  EXPECT_EQ(verdict_on_all(*client, calls), "allowed");
  for (const SignedCall& denied : calls) {
    set_policy(
        gateway, key,
        policy_document(all + "," +
                        policy_text("Deny", action_and_resource(denied.action, denied.resource))));
    EXPECT_EQ(verdict(*client, denied), "explicitly denied") << denied.action;
  }
}

TEST(AccessKeyPoliciesTest, SelectsTheRestByNotActionAndNotResource) {
  const TestGateway gateway;
  const auto calls = signed_calls(gateway);
  const auto key = make_key(
      gateway, "rest",
      policy_document(policy_text("Allow", R"("NotAction":"cognito-idp:*","Resource":"*")")));
  const auto client = calling_client(gateway, key);
  for (const SignedCall& call : calls) {
    EXPECT_EQ(verdict(*client, call), call.service == "cognito-idp" ? "denied" : "allowed");
  }
  set_policy(
      gateway, key,
      policy_document(policy_text(
          "Allow",
          R"("Action":"*","NotResource":["arn:aws:execute-api:*","arn:aws:cloudformation:*"])")));
  ASSERT_EQ(gateway.control("GET", "/v1/access-keys/" + key.access_key_id)["name"], "rest");
  for (const SignedCall& call : calls) {
    EXPECT_EQ(verdict(*client, call), call.service == "cognito-idp" ? "allowed" : "denied");
  }
}

TEST(AccessKeyPoliciesTest, UsesTheAddressBehindATrustedProxyAlone) {
  const Json office = policy_document(
      policy_text("Allow", R"("Action":"*","Resource":"*",)"
                           R"("Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}})"));
  const Json local = policy_document(
      policy_text("Allow", R"("Action":"*","Resource":"*",)"
                           R"("Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}})"));
  const std::vector<std::pair<std::string, std::string>> from_office = {
      {"X-Forwarded-For", "203.0.113.7"}};
  {
    const TestGateway behind({.settings = {R"(server.trusted_proxies=["127.0.0.1"])"}});
    const auto calls = signed_calls(behind);
    const auto key = make_key(behind, "office", office);
    const auto client = calling_client(behind, key);
    EXPECT_EQ(verdict_on_all(*client, calls, from_office), "allowed");
    EXPECT_EQ(verdict_on_all(*client, calls, {{"X-Forwarded-For", "198.51.100.1"}}), "denied");
    // The client's own header must not count as the proxy's.
    EXPECT_EQ(verdict_on_all(*client, calls, {{"X-Forwarded-For", "203.0.113.7, 198.51.100.1"}}),
              "denied");
    EXPECT_EQ(verdict_on_all(*client, calls), "denied");
  }
  const TestGateway open;
  const auto calls = signed_calls(open);
  const auto key = make_key(open, "office", office);
  const auto client = calling_client(open, key);
  EXPECT_EQ(verdict_on_all(*client, calls, from_office), "denied");
  set_policy(open, key, local);
  EXPECT_EQ(verdict_on_all(*client, calls, from_office), "allowed");
}

TEST(AccessKeyPoliciesTest, DistinguishesCallsOverTls) {
  const Json secure = policy_document(
      policy_text("Allow", R"("Action":"*","Resource":"*",)"
                           R"("Condition":{"Bool":{"aws:SecureTransport":"true"}})"));
  const TempDir dir;
  const DevCertificates files = make_dev_certificates(dir.file("tls"), {}).value();
  const TestGateway gateway(
      {.settings = {"tls.certificate=" + files.certificate_file, "tls.key=" + files.key_file}});
  const auto over_tls =
      calling_client(gateway, make_key(gateway, "secure", secure), system_clock(), files.ca_file);
  EXPECT_EQ(verdict_on_all(*over_tls, signed_calls(gateway)), "allowed");

  const TestGateway plain({.settings = {R"(server.trusted_proxies=["127.0.0.1"])"}});
  const auto calls = signed_calls(plain);
  const auto in_clear = calling_client(plain, make_key(plain, "secure", secure));
  EXPECT_EQ(verdict_on_all(*in_clear, calls), "denied");
  EXPECT_EQ(verdict_on_all(*in_clear, calls, {{"X-Forwarded-Proto", "https"}}), "allowed");
  const TestGateway open;
  const auto lying = calling_client(open, make_key(open, "secure", secure));
  EXPECT_EQ(verdict_on_all(*lying, signed_calls(open), {{"X-Forwarded-Proto", "https"}}), "denied");
}

TEST(AccessKeyPoliciesTest, ComparesTheTime) {
  ManualClock clock;  // 2026-01-22T10:00:00Z
  const TestGateway gateway({.clock = &clock});
  const auto calls = signed_calls(gateway);
  const auto key =
      make_key(gateway, "today",
               policy_document(policy_text(
                   "Allow", R"("Action":"*","Resource":"*","Condition":{)"
                            R"("DateGreaterThan":{"aws:CurrentTime":"2026-01-22T10:00:30Z"},)"
                            R"("DateLessThan":{"aws:CurrentTime":"2026-01-22T10:01:00Z"}})")));
  const auto client = calling_client(gateway, key, clock);
  EXPECT_EQ(verdict_on_all(*client, calls), "denied");
  clock.advance(Seconds(31));
  EXPECT_EQ(verdict_on_all(*client, calls), "allowed");
  clock.advance(Seconds(30));
  EXPECT_EQ(verdict_on_all(*client, calls), "denied");
}

TEST(AccessKeyPoliciesTest, RefusesPoliciesWithUnknownNames) {
  const TestGateway gateway;
  const auto control = std::make_unique<client::ControlClient>(gateway.info().control_socket);
  const auto key =
      make_key(gateway, "ci", policy_document(policy_text("Allow", action_and_resource("*", "*"))));
  const auto refusal = [&](const std::string& condition) {
    const Json policy = policy_document(
        policy_text("Allow", R"("Action":"*","Resource":"*","Condition":)" + condition));
    const auto answer =
        control->call("PATCH", "/v1/access-keys/" + key.access_key_id, {{"policy", policy}});
    return answer ? std::string("taken") : answer.error().message;
  };
  EXPECT_EQ(refusal(R"({"StringMatches":{"aws:username":"x"}})"),
            "Statement[0].Condition.StringMatches.aws:username: unknown condition operator");
  EXPECT_EQ(refusal(R"({"StringEquals":{"aws:PrincipalTag/team":"x"}})"),
            "Statement[0].Condition.StringEquals.aws:PrincipalTag/team: unknown condition key");
  EXPECT_EQ(refusal(R"({"Bool":{"aws:SecureTransport":"true"}})"), "taken");
}

/// Temporary credentials of a key that may do everything, over sockets.
class TemporaryCredentialsOverHttpTest : public ::testing::Test {
 protected:
  TemporaryCredentialsOverHttpTest() : gateway_({.clock = &clock_}) {}

  std::string outcome(const iam::Credentials& credentials) {
    const auto client = calling_client(gateway_, credentials, clock_);
    const auto answer = client->send(message_call(), "execute-api");
    if (!answer) return answer.error().text();
    return answer->status == 200 ? "accepted" : std::to_string(answer->status) + " " + answer->body;
  }
  std::string presigned_outcome(const iam::Credentials& credentials) {
    RequestBuilder request;
    request.target = "/message";
    request.headers = {{"Host", gateway_.address()}, {"Content-Type", "application/json"}};
    request.presign(credentials, "us-east-1", "execute-api", clock_.wall_now(), "300");
    const auto answer = gateway_.send_raw(request);
    if (!answer) return "no answer";
    return answer->status == 200 ? "accepted" : std::to_string(answer->status) + " " + answer->body;
  }

  ManualClock clock_;
  TestGateway gateway_;
  iam::Credentials key_ = make_key(
      gateway_, "ci", policy_document(policy_text("Allow", action_and_resource("*", "*"))));
};

constexpr const char* kUnknownToken = "The security token included in the request is invalid.";

TEST_F(TemporaryCredentialsOverHttpTest, SignsEveryCallInHeadersAndPresigned) {
  const iam::Credentials session = make_session(gateway_, key_.access_key_id);
  const auto client = calling_client(gateway_, session, clock_);
  EXPECT_EQ(verdict_on_all(*client, signed_calls(gateway_)), "allowed");
  EXPECT_EQ(presigned_outcome(session), "accepted");
  Json longest = policy_document(policy_text("Allow", action_and_resource("*", "*")));
  longest["Id"] = "";
  longest["Id"] = std::string(iam::kSessionPolicyBytesMax - longest.dump().size(), 'x');
  const auto long_session = make_session(gateway_, key_.access_key_id, {{"policy", longest}});
  EXPECT_EQ(outcome(long_session), "accepted");
  EXPECT_EQ(presigned_outcome(long_session), "accepted");
}

TEST_F(TemporaryCredentialsOverHttpTest, NeedsTheAllowOfTheirOwnPolicyToo) {
  const Json policy =
      policy_document(policy_text("Allow", R"("Action":"execute-api:Invoke","Resource":"*")"));
  const auto client = calling_client(
      gateway_, make_session(gateway_, key_.access_key_id, {{"policy", policy}}), clock_);
  for (const SignedCall& call : signed_calls(gateway_)) {
    EXPECT_EQ(verdict(*client, call), call.action == "execute-api:Invoke" ? "allowed" : "denied");
  }
  // A policy that is taken from the key is taken from its sessions.
  set_policy(gateway_, key_, policy_document(policy_text("Deny", action_and_resource("*", "*"))));
  EXPECT_EQ(verdict_on_all(*client, signed_calls(gateway_)), "explicitly denied");
}

TEST_F(TemporaryCredentialsOverHttpTest, OutlivesTheDataKeyAndTheProcessButNotTheirTime) {
  const iam::Credentials session =
      make_session(gateway_, key_.access_key_id, {{"durationSeconds", 900}});
  (void)gateway_.control("POST", "/v1/keys/rotate");
  EXPECT_EQ(outcome(session), "accepted");
  const iam::Credentials under_new_key = make_session(gateway_, key_.access_key_id);
  EXPECT_EQ(outcome(under_new_key), "accepted");
  gateway_.stop();
  gateway_.start();
  EXPECT_EQ(outcome(session), "accepted");
  EXPECT_EQ(outcome(under_new_key), "accepted");
  clock_.advance(Seconds(900));
  EXPECT_EQ(outcome(session),
            R"(403 {"message":"The security token included in the request is expired"})");
  EXPECT_THAT(presigned_outcome(session), HasSubstr("is expired"));
  EXPECT_EQ(outcome(under_new_key), "accepted");
}

TEST_F(TemporaryCredentialsOverHttpTest, EndsWithTheirKey) {
  const iam::Credentials session = make_session(gateway_, key_.access_key_id);
  const std::string key = "/v1/access-keys/" + key_.access_key_id;
  EXPECT_EQ(outcome(session), "accepted");
  (void)gateway_.control("PATCH", key, {{"enabled", false}});
  EXPECT_THAT(outcome(session), HasSubstr(kUnknownToken));
  EXPECT_THAT(outcome(key_), HasSubstr(kUnknownToken));
  EXPECT_THAT(presigned_outcome(key_), HasSubstr(kUnknownToken));
  (void)gateway_.control("PATCH", key, {{"enabled", true}});
  EXPECT_EQ(outcome(session), "accepted");
  (void)gateway_.control("DELETE", key);
  EXPECT_THAT(outcome(session), HasSubstr(kUnknownToken));
  EXPECT_THAT(presigned_outcome(session), HasSubstr(kUnknownToken));
}

TEST_F(TemporaryCredentialsOverHttpTest, RefusesAnothersTokenOrNone) {
  const iam::Credentials session = make_session(gateway_, key_.access_key_id);
  const iam::Credentials other = make_session(gateway_, key_.access_key_id);
  iam::Credentials wrong = session;
  for (const std::string& token : {std::string(), other.session_token, session.session_token + "A",
                                   std::string("garbage"), std::string(5'000, 'A')}) {
    wrong.session_token = token;
    EXPECT_THAT(outcome(wrong), HasSubstr(kUnknownToken));
    EXPECT_THAT(presigned_outcome(wrong), HasSubstr(kUnknownToken));
  }
  // Every byte of a token counts.
  for (std::size_t at = 0; at < session.session_token.size(); at += 7) {
    wrong.session_token = session.session_token;
    wrong.session_token[at] = wrong.session_token[at] == 'A' ? 'B' : 'A';
    EXPECT_THAT(outcome(wrong), HasSubstr(kUnknownToken)) << at;
  }
  iam::Credentials permanent = key_;
  permanent.session_token = session.session_token;
  EXPECT_THAT(outcome(permanent), HasSubstr(kUnknownToken));
  EXPECT_EQ(outcome(session), "accepted");
}

TEST_F(TemporaryCredentialsOverHttpTest, RejectsAPresignedRequestAfterItsExpiry) {
  const iam::Credentials session = make_session(gateway_, key_.access_key_id);
  for (const iam::Credentials& credentials : {key_, session}) {
    RequestBuilder link;
    link.target = "/message";
    link.headers = {{"Host", gateway_.address()}, {"Content-Type", "application/json"}};
    link.presign(credentials, "us-east-1", "execute-api", clock_.wall_now(), "300");
    clock_.advance(Seconds(300));
    EXPECT_EQ(gateway_.send_raw(link)->status, 200);
    clock_.advance(Seconds(1));
    const auto late = gateway_.send_raw(link);
    EXPECT_EQ(late->header("x-amzn-ErrorType"), "InvalidSignatureException");
    EXPECT_THAT(late->body, HasSubstr("Signature expired"));
  }
}

TEST(AccessKeysTest, UsesUpItsOwnShareAlone) {
  TestGateway gateway({.settings = {"server.workers=1", "delivery.deduplication_keys=80"}});
  const Json policy = policy_document(policy_text("Allow", action_and_resource("*", "*")));
  const auto one = calling_client(gateway, make_key(gateway, "one", policy));
  const auto other = calling_client(gateway, make_key(gateway, "other", policy));
  const auto status = [](client::GatewayClient& client, const std::string& id) {
    const auto sent =
        client.publish({.user_id = "u", .text = "m", .deduplication_id = id, .ttl = {}});
    return sent ? 200 : sent.error().status;
  };
  for (int i = 0; i < 10; ++i) EXPECT_EQ(status(*one, "one-" + std::to_string(i)), 200);
  EXPECT_EQ(status(*one, "one-more"), 429);
  EXPECT_EQ(status(*other, "other"), 200);
}

TEST_F(TemporaryCredentialsOverHttpTest, EndsWhenTheirKeyExpires) {
  const Json all = policy_document(policy_text("Allow", action_and_resource("*", "*")));
  const Json made = gateway_.control(
      "POST", "/v1/access-keys", {{"name", "short"}, {"policy", all}, {"expiresInSeconds", 1'800}});
  const iam::Credentials key = {
      .access_key_id = made.at("id"), .secret_access_key = made.at("secret"), .session_token = {}};
  const iam::Credentials session = make_session(gateway_, key.access_key_id);
  EXPECT_EQ(outcome(key), "accepted");
  gateway_.stop();
  gateway_.start();
  const std::string path = "/v1/access-keys/" + key.access_key_id;
  EXPECT_EQ(gateway_.control("GET", path)["expiresAt"], made["expiresAt"]);
  EXPECT_EQ(gateway_.control("GET", "/v1/access-keys/" + key_.access_key_id)["expiresAt"], Json());
  clock_.advance(Seconds(1'799));
  EXPECT_EQ(outcome(key), "accepted");
  EXPECT_EQ(outcome(session), "accepted") << "an hour has not passed";
  clock_.advance(Seconds(1));
  EXPECT_THAT(outcome(key), HasSubstr(std::string("403 {\"message\":\"") + kUnknownToken));
  EXPECT_THAT(presigned_outcome(key), HasSubstr(kUnknownToken));
  EXPECT_THAT(outcome(session), HasSubstr("is expired"));
  EXPECT_EQ(outcome(key_), "accepted");
  EXPECT_THROW((void)make_session(gateway_, key.access_key_id), std::exception);
  EXPECT_EQ(gateway_.control("GET", path)["enabled"], true);
  for (const Json& bad : {Json(0), Json(-1), Json(315'360'001), Json("90"), Json(1.5)}) {
    EXPECT_THROW((void)gateway_.control("POST", "/v1/access-keys",
                                        {{"name", "bad"}, {"expiresInSeconds", bad}}),
                 std::exception)
        << bad;
  }
}

TEST_F(TemporaryCredentialsOverHttpTest, SharesTheRateOfTheirKey) {
  (void)gateway_.control("PATCH", "/v1/access-keys/" + key_.access_key_id,
                         {{"requestsPerSecond", 1}});
  const iam::Credentials session = make_session(gateway_, key_.access_key_id);
  EXPECT_EQ(outcome(key_), "accepted");
  EXPECT_EQ(outcome(session), R"(429 {"message":"Too Many Requests"})");
  clock_.advance(Seconds(1));
  EXPECT_EQ(outcome(session), "accepted");
  EXPECT_EQ(outcome(key_), R"(429 {"message":"Too Many Requests"})");
  gateway_.stop();
  gateway_.start();
  EXPECT_EQ(gateway_.control("GET", "/v1/access-keys/" + key_.access_key_id)["requestsPerSecond"],
            1);
  (void)gateway_.control("PATCH", "/v1/access-keys/" + key_.access_key_id,
                         {{"requestsPerSecond", nullptr}});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(outcome(key_), "accepted");
}

}  // namespace
}  // namespace holdfast::test
