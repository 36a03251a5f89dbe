// Tests logins by command and by client.

#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "support/base/manual_clock.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

std::string error_text(const client::CallResult<client::AuthAnswer>& answer) {
  return answer ? "accepted" : answer.error().type + ": " + answer.error().message;
}

std::optional<RawResponse> user_pool(const TestGateway& gateway, const std::string& operation,
                                     const std::string& body, bool with_signature) {
  RequestBuilder request;
  request.target = "/";
  request.headers = {{"Host", gateway.address()},
                     {"Content-Type", "application/x-amz-json-1.1"},
                     {"X-Amz-Target", "AWSCognitoIdentityProviderService." + operation}};
  request.body = body;
  if (with_signature) {
    request.sign(gateway.credentials(), "us-east-1", "cognito-idp", system_clock().wall_now());
  }
  return gateway.send_raw(request);
}

TEST(LoginTest, TakesNewUsersThroughTheirFirstPassword) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user("Alice");
  EXPECT_EQ(alice.id.size(), 36u);
  const auto again = gateway.root().initiate_auth("Alice", TestGateway::kPassword);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE(std::holds_alternative<client::Tokens>(*again));
  // Whom the pool knows is not a matter of case.
  const auto lower = gateway.root().initiate_auth("aLICE", TestGateway::kPassword);
  EXPECT_TRUE(lower) << lower.error().text();
  const auto taken = gateway.root().admin_create_user("ALICE", "temporary password");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().type, "UsernameExistsException");
}

TEST(LoginTest, TakesLongPasswordsAndAnyUnicode) {
  TestGateway gateway;
  const std::string password = "пароль-密码-🔑-" + std::string(80, 'x');
  ASSERT_TRUE(gateway.root().admin_create_user("alice", "temporary password"));
  const auto first = gateway.root().admin_initiate_auth("alice", "temporary password");
  ASSERT_TRUE(first);
  const auto set = gateway.root().admin_respond_new_password(
      "alice", password, std::get<client::Challenge>(*first).session);
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_TRUE(gateway.root().initiate_auth("alice", password));
  EXPECT_FALSE(gateway.root().initiate_auth("alice", password + "x"));
}

TEST(LoginTest, AnswersAWrongPasswordAndAnUnknownUserAlike) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const auto wrong = gateway.root().initiate_auth("alice", "wrong password");
  const auto unknown = gateway.root().initiate_auth("nobody", "wrong password");
  EXPECT_EQ(error_text(wrong), "NotAuthorizedException: Incorrect username or password.");
  EXPECT_EQ(error_text(unknown), error_text(wrong));
}

TEST(LoginTest, LocksANameAfterFiveFailuresKnownOrNot) {
  ManualClock clock(unix_micros(system_clock().wall_now()));
  TestGateway::Options options;
  options.clock = &clock;
  TestGateway gateway(std::move(options));
  const TestUser alice = gateway.make_user();
  for (const char* name : {"alice", "nobody"}) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(error_text(gateway.root().initiate_auth(name, "wrong password")),
                "NotAuthorizedException: Incorrect username or password.");
    }
    EXPECT_EQ(error_text(gateway.root().initiate_auth(name, TestGateway::kPassword)),
              "NotAuthorizedException: Password attempts exceeded")
        << name;
  }
  clock.advance(Seconds(2));
  EXPECT_TRUE(gateway.root().initiate_auth("alice", TestGateway::kPassword));
}

TEST(LoginTest, AnswersAFloodWithinItsBoundAndGoesOn) {
  TestGateway gateway(
      {.settings = {"auth.hash_memory_kib=19456", "auth.hash_iterations=2", "auth.hash_queue=4"}});
  ASSERT_TRUE(gateway.root().admin_create_user("alice", "temporary password"));
  constexpr int kLogins = 24;
  std::vector<std::string> outcomes(kLogins);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kLogins; ++i) {
    threads.emplace_back([&, i] {
      const auto client = gateway.client();
      outcomes[i] = error_text(client->initiate_auth("user" + std::to_string(i), "wrong password"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  int refused = 0;
  for (const std::string& outcome : outcomes) {
    const bool flood = outcome.starts_with("TooManyRequestsException");
    refused += flood ? 1 : 0;
    EXPECT_TRUE(flood || outcome.starts_with("NotAuthorizedException")) << outcome;
  }
  EXPECT_GT(refused, 0);
  EXPECT_TRUE(gateway.root().admin_initiate_auth("alice", "temporary password"));
}

TEST(LoginTest, RefusesAdminCallsWithoutAGoodSignature) {
  const TestGateway gateway;
  const std::string body =
      R"({"UserPoolId":")" + gateway.info().user_pool_id + R"(","Username":"mallory"})";
  const auto unsigned_call = user_pool(gateway, "AdminCreateUser", body, false);
  ASSERT_TRUE(unsigned_call);
  EXPECT_EQ(unsigned_call->status, 400);
  EXPECT_EQ(parse_json(unsigned_call->body)->at("__type"), "MissingAuthenticationTokenException");

  const auto good = user_pool(gateway, "AdminCreateUser", body, true);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->status, 200) << good->body;
}

TEST(LoginTest, RefusesAdminCallsOfAKeyThatMayOnlySend) {
  const TestGateway gateway;
  const Json made = gateway.control("POST", "/v1/access-keys", {{"name", "sender"}});
  RequestBuilder request;
  request.target = "/";
  request.headers = {{"Host", gateway.address()},
                     {"Content-Type", "application/x-amz-json-1.1"},
                     {"X-Amz-Target", "AWSCognitoIdentityProviderService.AdminCreateUser"}};
  request.body = R"({"UserPoolId":")" + gateway.info().user_pool_id + R"(","Username":"mallory"})";
  request.sign(
      {.access_key_id = made.at("id"), .secret_access_key = made.at("secret"), .session_token = {}},
      "us-east-1", "cognito-idp", system_clock().wall_now());
  const auto answer = gateway.send_raw(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(parse_json(answer->body)->at("__type"), "AccessDeniedException");
}

TEST(LoginTest, NamesWhatItCannotUnderstand) {
  const TestGateway gateway;
  const auto no_json = user_pool(gateway, "InitiateAuth", "{", false);
  ASSERT_TRUE(no_json);
  EXPECT_EQ(no_json->status, 400);
  EXPECT_EQ(parse_json(no_json->body)->at("__type"), "SerializationException");

  const auto no_client = user_pool(
      gateway, "InitiateAuth",
      R"({"ClientId":"unknown","AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"a","PASSWORD":"b"}})",
      false);
  ASSERT_TRUE(no_client);
  EXPECT_EQ(no_client->status, 400);
  EXPECT_EQ(parse_json(no_client->body)->at("__type"), "ResourceNotFoundException");

  const auto no_operation = user_pool(gateway, "MakeCoffee", "{}", false);
  ASSERT_TRUE(no_operation);
  EXPECT_EQ(no_operation->status, 400);
}

}  // namespace
}  // namespace holdfast::test
