// Tests the commands that call the gateway over HTTP.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "support/client/fake_gateway.hpp"
#include "unit/cli/command_line.hpp"

namespace holdfast::cli {
namespace {

using test::FakeGateway;
using test::json_response;
using testing::HasSubstr;

constexpr const char* kReceipt =
    R"({"messageId":"m-1","sequence":1769076000000000,"status":"STORED"})";

std::string id_token_of(const std::string& sub) {
  return "e30." + base64url_encode(Json{{"sub", sub}}.dump()) + ".c2ln";
}

// A user pool where everything succeeds.
net::Response user_pool(const net::Request& request) {
  const std::string& target = *request.head.header("X-Amz-Target");
  if (target.ends_with(".AdminCreateUser")) {
    return json_response(200, R"({"User":{"Attributes":[{"Name":"sub","Value":"the-sub"}]}})");
  }
  if (target.ends_with(".AdminInitiateAuth")) {
    return json_response(200, R"({"ChallengeName":"NEW_PASSWORD_REQUIRED","Session":"s"})");
  }
  return json_response(
      200, Json{{"AuthenticationResult", {{"IdToken", id_token_of("the-sub")}}}}.dump());
}

net::Response pool_error(const std::string& type, const std::string& message) {
  return json_response(400, Json{{"__type", type}, {"message", message}}.dump());
}

TEST(CreateUser, WalksThroughTheTemporaryPasswordAndPrintsTheUserId) {
  const FakeGateway gateway(user_pool);
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"create-user", "-u", "ann", "-p", "password1"}), kSuccess) << holdfast.err;
  EXPECT_EQ(holdfast.out, "the-sub\n");
  const auto requests = gateway.requests();
  ASSERT_EQ(requests.size(), 3U);
  const Json created = *parse_json(requests[0].body);
  const Json first = *parse_json(requests[1].body);
  const Json second = *parse_json(requests[2].body);
  EXPECT_EQ(created["Username"], "ann");
  EXPECT_EQ(first["AuthParameters"]["PASSWORD"], created["TemporaryPassword"]);
  EXPECT_TRUE(requests[2].head.header("X-Amz-Target")->ends_with(".AdminSetUserPassword"));
  EXPECT_EQ(second["Password"], "password1");
  EXPECT_EQ(second["Permanent"], true);
}

TEST(CreateUser, FinishesAUserWhoseCreationWasCutShort) {
  const FakeGateway gateway([](const net::Request& request) {
    if (request.head.header("X-Amz-Target")->ends_with(".AdminCreateUser")) {
      return pool_error("UsernameExistsException", "User account already exists");
    }
    return user_pool(request);
  });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"create-user", "-p", "password1"}), kSuccess) << holdfast.err;
  EXPECT_EQ(holdfast.out, "the-sub\n");
}

TEST(CreateUser, DoesNotTouchAUserWhoHasAPassword) {
  const FakeGateway gateway([](const net::Request& request) {
    const std::string& target = *request.head.header("X-Amz-Target");
    if (target.ends_with(".AdminCreateUser")) {
      return pool_error("UsernameExistsException", "User account already exists");
    }
    EXPECT_TRUE(target.ends_with(".AdminInitiateAuth")) << target;
    return json_response(
        200, Json{{"AuthenticationResult", {{"IdToken", id_token_of("the-sub")}}}}.dump());
  });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"create-user", "-p", "password1"}), kFailure);
  EXPECT_EQ(holdfast.out, "");
  EXPECT_THAT(holdfast.err, HasSubstr("User account already exists"));
}

TEST(CreateUser, NamesTheUserTestUserByDefault) {
  const FakeGateway gateway(user_pool);
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  ASSERT_EQ(holdfast({"create-user", "-p", "password1"}), kSuccess);
  EXPECT_EQ((*parse_json(gateway.requests()[0].body))["Username"], "testUser");
}

TEST(CreateUser, SaysHowToFinishAUserWhosePasswordIsStillTemporary) {
  const FakeGateway gateway([](const net::Request& request) {
    if (request.head.header("X-Amz-Target")->ends_with(".AdminSetUserPassword")) {
      return json_response(503, R"({"message":"Service Unavailable"})");
    }
    return user_pool(request);
  });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"create-user", "-p", "password1"}), kFailure);
  EXPECT_EQ(holdfast.out, "");
  EXPECT_THAT(holdfast.err, HasSubstr("Service Unavailable"));
  EXPECT_THAT(holdfast.err, HasSubstr("run the same command again"));
}

TEST(CreateUser, MakesNoUserWithAPasswordThatThePoolRefuses) {
  const FakeGateway gateway(
      [](const net::Request&) { return pool_error("InvalidPasswordException", "too short"); });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"create-user", "-p", "x"}), kFailure);
  EXPECT_EQ(gateway.requests().size(), 1U);
  EXPECT_EQ((*parse_json(gateway.requests()[0].body))["TemporaryPassword"], "x");
  EXPECT_THAT(holdfast.err, HasSubstr("InvalidPasswordException: too short"));
}

TEST(Auth, PrintsTheExportAlone) {
  const FakeGateway gateway(user_pool);
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"auth", "-u", "ann", "-p", "password1"}), kSuccess);
  EXPECT_EQ(holdfast.out, "export ID_TOKEN=" + id_token_of("the-sub") + "\n");
  EXPECT_EQ(holdfast.err, "");
}

TEST(Auth, RepeatsTheServersWords) {
  const FakeGateway gateway([](const net::Request&) {
    return pool_error("NotAuthorizedException", "Incorrect username or password.");
  });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"auth", "-p", "wrong"}), kFailure);
  EXPECT_EQ(holdfast.out, "");
  EXPECT_THAT(holdfast.err, HasSubstr("Incorrect username or password."));
}

TEST(SendMessage, AsksTheSampleApplicationForTheTokensOwnUser) {
  const FakeGateway sample([](const net::Request&) { return net::Response{202, {}, "", false}; });
  CommandLine holdfast;
  holdfast.source_credentials(sample.url());
  holdfast.environment["ID_TOKEN"] = id_token_of("ann");
  EXPECT_EQ(holdfast({"send-message", "-w", "0", "Hello", "there"}), kSuccess) << holdfast.err;
  EXPECT_EQ(sample.requests().at(0).body, R"({"wait":0,"userId":"ann","message":"Hello there"})");
  EXPECT_EQ(*sample.requests().at(0).head.header("Authorization"), id_token_of("ann"));
  EXPECT_EQ(holdfast({"send-message", "Hello", "-t", id_token_of("bob")}), kSuccess);
  EXPECT_EQ(sample.requests().at(1).body, R"({"wait":10,"userId":"bob","message":"Hello"})");
}

TEST(SendMessage, SaysThatTheSampleApplicationIsNotThere) {
  CommandLine holdfast;
  {
    const FakeGateway gone([](const net::Request&) { return net::Response{}; });
    holdfast.source_credentials(gone.url());
  }
  holdfast.environment["ID_TOKEN"] = id_token_of("ann");
  EXPECT_EQ(holdfast({"send-message", "Hello"}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("holdfast sample-app"));
}

TEST(SendMessage, RefusesWhatIsNoIdToken) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"send-message", "Hello", "-t", "rubbish"}), kUsage);
}

TEST(Publish, PrintsTheReceiptForPeopleAndForPrograms) {
  const FakeGateway gateway([](const net::Request&) { return json_response(200, kReceipt); });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"publish", "ann", "Hello", "there"}), kSuccess) << holdfast.err;
  EXPECT_EQ(holdfast.out, "STORED  m-1  1769076000000000\n");
  EXPECT_EQ(gateway.requests().at(0).body, R"({"userId":"ann","message":"Hello there"})");
  EXPECT_EQ(
      holdfast({"publish", "ann", "Hello", "--json", "--deduplication-id", "once", "--ttl", "60"}),
      kSuccess);
  EXPECT_EQ(holdfast.out, std::string(kReceipt) + "\n");
  EXPECT_EQ(gateway.requests().at(1).body,
            R"({"userId":"ann","message":"Hello","deduplicationId":"once","ttlSeconds":60})");
}

TEST(Publish, SendsTextAsItIsTyped) {
  const FakeGateway gateway([](const net::Request&) { return json_response(200, kReceipt); });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  for (const char* text : {R"(["a","b"])", "[1,2]", R"({"a":[1]})", "a,b", "", "  spaces  ", "%%",
                           "key=value", "\"quoted\"", "'single'"}) {
    ASSERT_EQ(holdfast({"publish", "ann", text}), kSuccess) << text;
    EXPECT_EQ((*parse_json(gateway.requests().back().body))["message"], text);
  }
  ASSERT_EQ(holdfast({"publish", "ann", "status", "[a,b]", "serve"}), kSuccess) << holdfast.err;
  EXPECT_EQ((*parse_json(gateway.requests().back().body))["message"], "status [a,b] serve");
  ASSERT_EQ(holdfast({"publish", "ann", "--", "--not-a-flag"}), kSuccess) << holdfast.err;
  EXPECT_EQ((*parse_json(gateway.requests().back().body))["message"], "--not-a-flag");
  ASSERT_EQ(holdfast({"publish", "--", "ann", "--json", "-w"}), kSuccess) << holdfast.err;
  EXPECT_EQ((*parse_json(gateway.requests().back().body))["message"], "--json -w");
}

TEST(Publish, SaysThatTheGatewayIsNotThere) {
  CommandLine holdfast;
  std::string url;
  {
    const FakeGateway gone([](const net::Request&) { return net::Response{}; });
    url = gone.url();
  }
  holdfast.source_credentials(url);
  EXPECT_EQ(holdfast({"publish", "ann", "Hello"}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("cannot reach the gateway at " + url));
  EXPECT_THAT(holdfast.err, HasSubstr("is `holdfast serve` running?"));
}

TEST(Publish, HintsAtTheCredentialsWhenTheKeyIsUnknown) {
  const FakeGateway gateway([](const net::Request&) {
    auto response = json_response(403, R"({"message":"The security token is invalid."})");
    response.headers.emplace_back("x-amzn-ErrorType", "UnrecognizedClientException");
    return response;
  });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"publish", "ann", "Hello"}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("The security token is invalid."));
  EXPECT_THAT(holdfast.err, HasSubstr("source this gateway's `credentials` again"));
}

}  // namespace
}  // namespace holdfast::cli
