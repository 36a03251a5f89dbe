// The story that Holdfast is for, as a person plays it: the demonstration, and the tester's
// commands one by one.

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(DemoTest, PlaysTheWholeStoryAndShowsEachStepWithItsCommand) {
  ChildProcess demo({.command = {holdfast_binary(), "demo", "--once"}});
  ASSERT_EQ(demo.wait(2 * kPatience), 0) << transcript(demo);
  const std::string shown = transcript(demo);
  std::size_t at = 0;
  // Each behind the one before it.
  for (const std::string expected : {"serve --data-dir",
                                     "/credentials",
                                     "sample-app --listen",
                                     "create-user -u testUser",
                                     "eval \"$(",
                                     "connect-websocket",
                                     "send-message -w 2",
                                     "< {\"Payload\":",
                                     "^C",
                                     "Held message 1",
                                     "Held message 5",
                                     "pending show",
                                     "5 messages",
                                     "connect-websocket",
                                     "< {\"Payload\":\"Held message 1\"}",
                                     "< {\"Payload\":\"Held message 2\"}",
                                     "< {\"Payload\":\"Held message 3\"}",
                                     "< {\"Payload\":\"Held message 4\"}",
                                     "< {\"Payload\":\"Held message 5\"}",
                                     "pending list",
                                     "Nothing is pending",
                                     "Survivor 3",
                                     "kill -9",
                                     "serve --data-dir",
                                     "connect-websocket",
                                     "< {\"Payload\":\"Survivor 1\"}",
                                     "< {\"Payload\":\"Survivor 2\"}",
                                     "< {\"Payload\":\"Survivor 3\"}",
                                     "Nothing is pending"}) {
    const auto found = shown.find(expected, at);
    ASSERT_NE(found, std::string::npos) << "no " << expected << " behind " << at << "\n" << shown;
    at = found + expected.size();
  }
}

TEST(DemoTest, LeavesNothingBehind) {
  TempDir folder;
  ChildProcess demo({.command = {holdfast_binary(), "demo", "--once"},
                     .environment = {{"TMPDIR", folder.path().string()}}});
  ASSERT_EQ(demo.wait(2 * kPatience), 0) << transcript(demo);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// A shell that knows nothing but `credentials`, and where the sample application is.
class TesterTest : public ::testing::Test {
 protected:
  struct Said {
    int status = -1;
    std::vector<std::string> output;
    std::string all;
  };
  [[nodiscard]] std::unique_ptr<ChildProcess> shell(const std::string& script) const {
    const std::string whole =
        "set -eu\n. data/credentials\nholdfast() { " + holdfast_binary() + " \"$@\"; }\n" + script;
    return std::make_unique<ChildProcess>(ChildProcess::Options{
        .command = {"env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", "bash", "-c", whole},
        .directory = dir_.path().string()});
  }
  [[nodiscard]] Said type(const std::string& script) const {
    const auto child = shell(script);
    const auto status = child->wait(kPatience);
    return {.status = status.value_or(-1), .output = child->output(), .all = transcript(*child)};
  }
  // Where a sample application listens; empty when it does not.
  [[nodiscard]] static std::string listening_address(const ChildProcess& sample_app) {
    const auto line = sample_app.wait_for_output(
        [](const std::string& text) { return text.find("\"listening\"") != std::string::npos; },
        kPatience);
    if (!line) return {};
    const std::string key = "\"address\":\"";
    const auto begin = line->find(key) + key.size();
    return line->substr(begin, line->find('"', begin) - begin);
  }
  // Replaces the shell by the command, so that a signal reaches it.
  [[nodiscard]] std::unique_ptr<ChildProcess> receiver() const {
    return shell(log_in_ + "exec " + holdfast_binary() + " connect-websocket");
  }

  const std::string log_in_ = "eval \"$(holdfast auth -u tester -p 'correct horse')\"\n";
  TempDir dir_;
  GatewayProcess gateway_{{.data_dir = dir_.file("data")}};
};

TEST_F(TesterTest, PlaysTheStoryWithNothingButTheCredentials) {
  const Said created = type("holdfast create-user -u tester -p 'correct horse'");
  ASSERT_EQ(created.status, 0) << created.all;
  ASSERT_EQ(created.output.size(), 1U) << "the user's id, and nothing else, on standard output";
  const std::string user_id = created.output[0];

  const Said logged_in = type("holdfast auth -u tester -p 'correct horse'");
  ASSERT_EQ(logged_in.status, 0) << logged_in.all;
  ASSERT_EQ(logged_in.output.size(), 1U);
  EXPECT_THAT(logged_in.output[0], HasSubstr("export ID_TOKEN="));

  const auto sample_app = shell("exec " + holdfast_binary() + " sample-app --listen 127.0.0.1:0");
  const std::string address = listening_address(*sample_app);
  ASSERT_NE(address, "") << transcript(*sample_app);
  const std::string send =
      log_in_ + "export HOLDFAST_SAMPLE_APP_URL=http://" + address + "\nholdfast send-message ";

  auto receiver = this->receiver();
  const auto asked_at = steady_clock::now();
  const Said sent = type(send + "-w 2 Hello from the sample application");
  ASSERT_EQ(sent.status, 0) << sent.all;
  EXPECT_THAT(wait_for_lines(*receiver, "< ", 1),
              ElementsAre(R"({"Payload":"Hello from the sample application"})"))
      << transcript(*receiver);
  EXPECT_GE(steady_clock::now() - asked_at, std::chrono::seconds(2));

  receiver->signal(SIGINT);
  ASSERT_EQ(receiver->wait(kPatience), 130) << transcript(*receiver);
  const Said held = type("for i in 1 2 3; do holdfast publish " + user_id + " \"held $i\"; done");
  ASSERT_EQ(held.status, 0) << held.all;
  for (const std::string& line : held.output) EXPECT_THAT(line, HasSubstr("STORED"));
  EXPECT_THAT(type("holdfast pending list --data-dir data").all, HasSubstr(user_id));

  receiver = this->receiver();
  EXPECT_THAT(
      wait_for_lines(*receiver, "< ", 3),
      ElementsAre(R"({"Payload":"held 1"})", R"({"Payload":"held 2"})", R"({"Payload":"held 3"})"))
      << transcript(*receiver);
  EXPECT_TRUE(wait_until_nothing_pending(dir_.file("data"), user_id));
  EXPECT_THAT(type("holdfast pending list --data-dir data").all, HasSubstr("Nothing is pending"));
  EXPECT_EQ(type("holdfast status --data-dir data").status, 0);
}

TEST_F(TesterTest, PlaysTheStoryWithWhatRunsAlreadyAndLeavesItAsItWas) {
  const auto sample_app = shell("exec " + holdfast_binary() + " sample-app --listen 127.0.0.1:0");
  const std::string address = listening_address(*sample_app);
  ASSERT_NE(address, "") << transcript(*sample_app);
  const std::string demo =
      "HOLDFAST_SAMPLE_APP_URL=http://" + address + " holdfast demo --data-dir data";
  // Twice: the first leaves no user behind that would be in the way of the second.
  for (int i = 0; i < 2; ++i) {
    const Said played = type(demo);
    ASSERT_EQ(played.status, 0) << played.all;
    EXPECT_THAT(played.all, HasSubstr("< {\"Payload\":\"Held message 5\"}"));
    EXPECT_THAT(played.all, HasSubstr("Nothing is pending"));
    EXPECT_THAT(played.all, HasSubstr("< {\"Payload\":\"Survivor 3\"}"));
  }
  EXPECT_EQ(type("holdfast status --ready --data-dir data").status, 0) << "it was not ours to kill";
  EXPECT_THAT(type("holdfast user list --data-dir data").all, Not(HasSubstr("demo-")));
}

TEST_F(TesterTest, SeesTheErrorWithStatusOneOrTwo) {
  const Said unknown = type("holdfast auth -u nobody -p 'correct horse'");
  EXPECT_EQ(unknown.status, 1) << unknown.all;
  EXPECT_TRUE(unknown.output.empty()) << "nothing that `eval` would run";
  EXPECT_EQ(type("holdfast publish").status, 2);
  EXPECT_EQ(type("AWS_SECRET_ACCESS_KEY=wrong holdfast publish someone text").status, 1);
  EXPECT_EQ(type("holdfast connect-websocket -t not-a-token").status, 1);
}

}  // namespace
}  // namespace holdfast::test
