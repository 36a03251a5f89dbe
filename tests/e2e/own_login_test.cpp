// Services with a login of their own, as docs/my-own-login.md writes them.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class OwnLoginTest : public ::testing::Test {
 protected:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  static std::string code(const std::string& mark, const std::string& language) {
    return code_block(source_file("docs/my-own-login.md"), mark, language);
  }
  // Returns the environment of a key with the page's policy.
  Environment key_of_the_page() {
    write_file(dir_.file("web.json"), code("## Make a key", "json"));
    return environment_of_key(gateway_, {"web", "--policy", dir_.file("web.json")},
                              dir_.file("data"));
  }
  std::unique_ptr<ChildProcess> start(std::vector<std::string> command, Environment environment) {
    const Environment more = {{"NODE_PATH", node_modules()},
                              {"PORT", "0"},
                              {"AWS_CONFIG_FILE", "/dev/null"},
                              {"AWS_SHARED_CREDENTIALS_FILE", "/dev/null"},
                              {"AWS_EC2_METADATA_DISABLED", "true"}};
    environment.insert(environment.end(), more.begin(), more.end());
    return std::make_unique<ChildProcess>(ChildProcess::Options{
        .command = std::move(command), .environment = std::move(environment)});
  }
  // Runs the page's function in Python once for each user.
  std::unique_ptr<ChildProcess> ask_in_python(const std::vector<std::string>& users,
                                              Environment environment) {
    write_file(dir_.file("ask.py"), code("In Python", "python") +
                                        "\n\nimport sys\nfor user in sys.argv[1:]:\n"
                                        "    print('token', temporary_token(user), flush=True)\n");
    std::vector<std::string> command = {clients_python(), dir_.file("ask.py")};
    command.insert(command.end(), users.begin(), users.end());
    return start(std::move(command), std::move(environment));
  }
  // Connects with the token, twice, and receives what is sent to the user.
  void expect_one_connection(const std::string& token, const std::string& user) {
    const std::string url = "ws://" + gateway_.address() + "/ws?token=" + token;
    const auto first = start_client_script("receive_ws.js", {url});
    ASSERT_THAT(wait_for_lines(*first, "connected", 1), SizeIs(1)) << transcript(*first);
    // Stored first when it comes before the gateway has checked the login once more.
    EXPECT_THAT(publish(gateway_, user, "to " + user), AnyOf("DELIVERED", "STORED"));
    EXPECT_THAT(wait_for_lines(*first, "frame ", 1),
                ElementsAre(R"({"Payload":"to )" + user + R"("})"));
    const auto second = start_client_script("receive_ws.js", {url});
    EXPECT_EQ(second->wait(kPatience), 1);
    EXPECT_THAT(transcript(*second), HasSubstr("401"));
  }

  TempDir dir_;
  GatewayProcess gateway_{{.data_dir = dir_.file("data")}};
};

TEST_F(OwnLoginTest, ConnectsUsersOfTheServiceInNode) {
  write_file(dir_.file("service.js"), code("In Node", "js"));
  const auto service = start({clients_node(), dir_.file("service.js")}, key_of_the_page());
  const auto port = wait_for_lines(*service, "port ", 1);
  ASSERT_THAT(port, SizeIs(1)) << transcript(*service);
  const auto ask = [&](const std::string& cookie) {
    ChildProcess curl({.command = {installed("curl"), "-sS", "-X", "POST", "-b", cookie,
                                   "http://127.0.0.1:" + port[0] + "/holdfast-token"}});
    EXPECT_EQ(curl.wait(kPatience), 0) << transcript(curl);
    return transcript(curl);
  };
  const auto answer = parse_json(ask("session=demo"));
  ASSERT_TRUE(answer) << transcript(*service);
  expect_one_connection(answer->at("token"), "customer-42");
  EXPECT_EQ(ask("session=none"), "");
}

TEST_F(OwnLoginTest, ConnectsUsersOfTheServiceInPython) {
  // Two tokens of one second: each request has a signature of its own.
  const auto script = ask_in_python({"customer-1", "customer-1"}, key_of_the_page());
  ASSERT_EQ(script->wait(kPatience), 0) << transcript(*script);
  const auto tokens = lines_after(*script, "token ");
  ASSERT_THAT(tokens, SizeIs(2));
  expect_one_connection(tokens[0], "customer-1");
}

TEST_F(OwnLoginTest, RefusesKeysAndUsersThatThePolicyLeavesOut) {
  const auto other_user = ask_in_python({"employee-1"}, key_of_the_page());
  EXPECT_EQ(other_user->wait(kPatience), 1);
  EXPECT_THAT(transcript(*other_user), HasSubstr("403"));
  const auto sender =
      ask_in_python({"customer-1"}, environment_of_key(gateway_, {"sender"}, dir_.file("data")));
  EXPECT_EQ(sender->wait(kPatience), 1);
  EXPECT_THAT(transcript(*sender), HasSubstr("403"));
}

}  // namespace
}  // namespace holdfast::test
