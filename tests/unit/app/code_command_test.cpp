// Tests the command that sends confirmation codes.

#include "app/code_command.hpp"

#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <holdfast/base/json.hpp>

#include "support/base/temp_dir.hpp"
#include "support/identity/thread_executor.hpp"

namespace holdfast::app {
namespace {

using testing::HasSubstr;

class CodeCommandTest : public testing::Test {
 protected:
  std::future<Result<void>> send(identity::CodeSender& sender, const std::string& code) {
    identity::CodeMessage message;
    message.code = code;
    message.user.sub = UserId("sub-1");
    message.user.username = "anna; rm -rf / $(id)";
    message.user.attributes = {{"email", "a@example.com"}};
    auto promise = std::make_shared<std::promise<Result<void>>>();
    auto out = promise->get_future();
    sender.send(std::move(message), executor_,
                [promise](Result<void> result) { promise->set_value(std::move(result)); });
    return out;
  }
  std::string refusal(std::vector<std::string> command, Milliseconds timeout = Seconds(60)) {
    const auto sender =
        make_code_sender({.command = std::move(command), .command_timeout = timeout});
    const Result<void> result = send(*sender, "123456").get();
    return result ? "sent" : result.error().message;
  }

  test::TempDir folder_;
  test::ThreadExecutor executor_;
};

TEST_F(CodeCommandTest, GetsTheCodeAndItsUserOnItsInput) {
  const std::string path = folder_.file("sent.json");
  EXPECT_EQ(refusal({"tee", path}), "sent");
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json sent = parse_json(text).value();
  EXPECT_EQ(sent["purpose"], "sign_up");
  EXPECT_EQ(sent["code"], "123456");
  EXPECT_EQ(sent["username"], "anna; rm -rf / $(id)");
  EXPECT_EQ(sent["userId"], "sub-1");
  EXPECT_EQ(sent["attributes"]["email"], "a@example.com");
}

TEST_F(CodeCommandTest, OpensItsInputByName) {
  EXPECT_EQ(refusal({"sh", "-c", "grep -q 123456 /dev/stdin"}), "sent");
}

TEST_F(CodeCommandTest, ReportsAFailure) {
  EXPECT_EQ(refusal({"false"}), "false ended with status 1");
  EXPECT_THAT(refusal({folder_.file("missing")}), HasSubstr("cannot run"));
  EXPECT_EQ(refusal({"sh", "-c", "kill -9 $$"}), "sh ended with status 137");
  EXPECT_EQ(refusal({"true"}), "sent");
}

TEST_F(CodeCommandTest, KillsAHangingCommand) {
  EXPECT_EQ(refusal({"sleep", "600"}, Milliseconds(50)), "sleep took too long");
}

TEST_F(CodeCommandTest, InheritsNothingButItsInput) {
  constexpr int kOurs = 200;
  ASSERT_EQ(dup2(STDIN_FILENO, kOurs), kOurs);  // open across an exec, as some libraries' are
  EXPECT_EQ(refusal({"test", "-e", "/proc/self/fd/0"}), "sent");
  EXPECT_EQ(refusal({"test", "-e", "/proc/self/fd/200"}), "test ended with status 1");
  close(kOurs);
  for (const char* const name : {"HOLDFAST_MASTER_KEY", "AWS_SECRET_ACCESS_KEY"}) {
    ASSERT_EQ(setenv(name, "secret", 1), 0);
    EXPECT_EQ(refusal({"printenv", name}), "printenv ended with status 1");
    unsetenv(name);
  }
  EXPECT_EQ(refusal({"printenv", "PATH"}), "sent");
}

TEST_F(CodeCommandTest, StopsWithItsSenderAndAnswersWaitingCodes) {
  auto sender = make_code_sender({.command = {"sleep", "600"}, .command_timeout = Seconds(600)},
                                 nullptr, nullptr, 2);
  std::vector<std::future<Result<void>>> answers;
  for (int i = 0; i < 8; ++i) answers.push_back(send(*sender, "123456"));
  sender->stop();
  EXPECT_EQ(send(*sender, "123456").get().error().code, Errc::unavailable);
  int refused = 0;
  int stopped = 0;
  for (auto& answer : answers) {
    const Result<void> result = answer.get();
    ASSERT_FALSE(result);
    ++(result.error().code == Errc::too_many_requests ? refused : stopped);
  }
  EXPECT_GE(refused, 5);
  EXPECT_GE(stopped, 2);
}

TEST_F(CodeCommandTest, AllowsCodesInTheLogInstead) {
  EXPECT_FALSE(make_code_sender({})->ready());
  EXPECT_FALSE(send(*make_code_sender({}), "123456").get());
  const auto sender = make_code_sender({.command = {}, .to_log = true});
  EXPECT_TRUE(sender->ready());
  EXPECT_TRUE(send(*sender, "123456").get());
}

}  // namespace
}  // namespace holdfast::app
