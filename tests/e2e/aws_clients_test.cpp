// The programs of those who come from AWS, with another endpoint and nothing else changed.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class AwsClientsTest : public ::testing::Test {
 protected:
  // Codes go to a file, whole or not at all.
  [[nodiscard]] static std::string code_command(const std::string& file) {
    return Json{"/bin/sh", "-c", "cat >" + file + ".new && mv " + file + ".new " + file}.dump();
  }
  // Opens a WebSocket, and is told its id once it is admitted.
  [[nodiscard]] std::string connect() {
    const OutsideUser user = make_user(gateway_, "alice");
    receiver_ = start_client_script("receive_ws.js", {websocket_url(gateway_, user)});
    EXPECT_THAT(wait_for_lines(*receiver_, "connected", 1), SizeIs(1)) << transcript(*receiver_);
    (void)publish(gateway_, user.id, "first");
    EXPECT_THAT(wait_for_lines(*receiver_, "frame ", 1), SizeIs(1)) << transcript(*receiver_);
    return connection_of(dir_.file("data"), user.id);
  }
  void expect_frames_and_the_end(const std::vector<std::string>& posted) {
    EXPECT_EQ(receiver_->wait(kPatience), 0) << transcript(*receiver_);
    std::vector<std::string> expected = {"connected", R"(frame {"Payload":"first"})"};
    for (const std::string& text : posted) expected.push_back("frame " + text);
    expected.emplace_back("closed 1000");
    EXPECT_EQ(receiver_->output(), expected) << transcript(*receiver_);
  }

  TempDir dir_;
  std::string code_file_ = dir_.file("code");
  GatewayProcess gateway_{
      {.data_dir = dir_.file("data"),
       .environment = {{"HOLDFAST_USER_POOL__SELF_SIGN_UP", "true"},
                       {"HOLDFAST_USER_POOL__CODE_COMMAND", code_command(code_file_)}}}};
  std::unique_ptr<ChildProcess> receiver_;
};

TEST_F(AwsClientsTest, LetsTheSdkForJavaScriptCallEveryOperation) {
  const auto script = start_client_script("user_pool_sdk.js", {code_file_}, gateway_.environment());
  expect_passed(*script);
}

TEST_F(AwsClientsTest, LetsTheSdkForJavaScriptManageAConnectionAndFindTheStack) {
  const auto script = start_client_script("management_sdk.js", {connect()}, gateway_.environment());
  expect_passed(*script);
  expect_frames_and_the_end({"posted \u20ac", "posted \u20ac"});
}

TEST_F(AwsClientsTest, AcceptsMessagesSignedBySmithyAws4AndAws4fetch) {
  const auto script = start_client_script("sign_messages.js", {"u"}, gateway_.environment());
  expect_passed(*script);
  EXPECT_EQ(pending(dir_.file("data"), "u"), 25U);
}

TEST_F(AwsClientsTest, ServesAmazonCognitoIdentityJsThroughAUsersWholeLife) {
  const auto script =
      start_client_script("cognito_identity.js", {code_file_}, gateway_.environment());
  expect_passed(*script);
}

TEST_F(AwsClientsTest, KeepsAmplifyLoggedIn) {
  const auto script = start_client_script("amplify.js", {}, gateway_.environment());
  expect_passed(*script);
}

TEST_F(AwsClientsTest, LetsBoto3CallTheUserPoolAConnectionAndTheStack) {
  const auto script =
      start_client_script("boto3_clients.py", {connect(), code_file_}, gateway_.environment());
  expect_passed(*script);
  expect_frames_and_the_end({"posted \u20ac", "posted \u20ac"});
}

TEST_F(AwsClientsTest, LetsTheAwsCliCallTheUserPoolAConnectionAndTheStack) {
  const auto script = start_client_script("aws_command.py", {connect()}, gateway_.environment());
  expect_passed(*script);
  expect_frames_and_the_end({"posted \u20ac"});
}

}  // namespace
}  // namespace holdfast::test
