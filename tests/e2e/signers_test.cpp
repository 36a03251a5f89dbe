// Requests signed by programs that no one here wrote.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class SignersTest : public ::testing::Test {
 protected:
  // curl's output lines: the body of each answer, and `status NNN new_connections N` behind it.
  [[nodiscard]] std::vector<std::string> curl(const std::string& secret,
                                              const std::vector<std::string>& paths) {
    const auto& credentials = gateway_.credentials();
    write_file(dir_.file("body"), R"({"userId":"u","message":"from curl \u20ac"})");
    std::vector<std::string> command = {installed("curl"),
                                        "-sS",
                                        "--aws-sigv4",
                                        "aws:amz:" + credentials.at("AWS_REGION") + ":execute-api",
                                        "--user",
                                        credentials.at("AWS_ACCESS_KEY_ID") + ":" + secret,
                                        "-H",
                                        "Content-Type: application/json",
                                        "--data-binary",
                                        "@" + dir_.file("body"),
                                        "-w",
                                        "\nstatus %{http_code} new_connections %{num_connects}\n"};
    for (const std::string& path : paths) command.push_back(gateway_.url() + path);
    ChildProcess child({.command = command});
    EXPECT_EQ(child.wait(kPatience), 0) << transcript(child);
    return child.output();
  }
  [[nodiscard]] std::string secret() const {
    return gateway_.credentials().at("AWS_SECRET_ACCESS_KEY");
  }

  TempDir dir_;
  GatewayProcess gateway_{{.data_dir = dir_.file("data")}};
};

TEST_F(SignersTest, AcceptsSeveralRequestsOfCurlOnOneConnection) {
  const auto lines = curl(secret(), {"/message", "/message?again=1", "/prod/message"});
  ASSERT_THAT(lines, SizeIs(6));
  for (const std::size_t i : {0U, 2U, 4U}) {
    EXPECT_THAT(lines[i], HasSubstr(R"("status":"STORED")"));
  }
  EXPECT_EQ(lines[1], "status 200 new_connections 1");
  EXPECT_EQ(lines[3], "status 200 new_connections 0");
  EXPECT_EQ(lines[5], "status 200 new_connections 0");
  EXPECT_EQ(pending(dir_.file("data"), "u"), 3U);
}

TEST_F(SignersTest, RefusesCurlWithAChangedSecret) {
  std::string changed = secret();
  changed.back() = changed.back() == 'A' ? 'B' : 'A';
  const auto lines = curl(changed, {"/message"});
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[1], HasSubstr("status 403"));
  EXPECT_THAT(lines[0], HasSubstr("The request signature we calculated does not match"));
  EXPECT_EQ(pending(dir_.file("data"), "u"), 0U);
}

TEST_F(SignersTest, BotocoresOddHeadersAndQueriesPassAndNoneWithOneByteChanged) {
  const auto script =
      start_client_script("signed_requests.py", {"20240607", "1500"}, gateway_.environment());
  EXPECT_EQ(script->wait(kPatience), 0) << transcript(*script);
  EXPECT_THAT(script->output(), ::testing::ElementsAre("passed 1500")) << transcript(*script);
}

TEST_F(SignersTest, BotocoresClientsManageAConnectionAndFindTheStack) {
  const OutsideUser user = make_user(gateway_, "alice");
  const auto client = start_client_script("receive_websockets.py", {websocket_url(gateway_, user)});
  ASSERT_THAT(wait_for_lines(*client, "connected", 1), SizeIs(1)) << transcript(*client);
  // It receives this once it is admitted.
  (void)publish(gateway_, user.id, "first");
  ASSERT_THAT(wait_for_lines(*client, "frame ", 1), SizeIs(1)) << transcript(*client);
  const auto script = start_client_script(
      "management.py", {connection_of(dir_.file("data"), user.id)}, gateway_.environment());
  expect_passed(*script);
  EXPECT_THAT(wait_for_lines(*client, "frame ", 3),
              ::testing::ElementsAre(R"({"Payload":"first"})", "posted \u20ac", "posted \u20ac"));
  client->close_input();
  EXPECT_TRUE(client->wait(kPatience));
  EXPECT_THAT(transcript(*client), HasSubstr("received 1000"));
}

TEST_F(SignersTest, GivesBotocoreTemporaryCredentialsByShellAndProcess) {
  const std::string key = gateway_.credentials().at("AWS_ACCESS_KEY_ID");
  const std::vector<std::string> command = {holdfast_binary(), "access-key",     "session", key,
                                            "--data-dir",      dir_.file("data")};
  ChildProcess made({.command = command});
  ASSERT_EQ(made.wait(kPatience), 0) << transcript(made);
  auto environment = gateway_.environment();
  std::size_t exported = 0;
  for (const std::string& line : lines_after(made, "export ")) {
    const std::size_t equals = line.find('=');
    std::erase_if(environment,
                  [&](const auto& pair) { return pair.first == line.substr(0, equals); });
    environment.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    ++exported;
  }
  ASSERT_EQ(exported, 3U) << transcript(made);
  const auto from_shell = start_client_script("session.py", {}, environment);
  EXPECT_EQ(from_shell->wait(kPatience), 0) << transcript(*from_shell);
  EXPECT_THAT(from_shell->output(), ::testing::ElementsAre("passed env"));

  std::string process;
  for (const std::string& word : command) process += word + " ";
  write_file(dir_.file("config"), "[default]\ncredential_process = " + process + "--json\n");
  std::erase_if(environment, [](const auto& pair) {
    return pair.first == "AWS_ACCESS_KEY_ID" || pair.first == "AWS_SECRET_ACCESS_KEY" ||
           pair.first == "AWS_SESSION_TOKEN";
  });
  environment.emplace_back("AWS_CONFIG_FILE", dir_.file("config"));
  const auto from_process = start_client_script("session.py", {}, environment);
  EXPECT_EQ(from_process->wait(kPatience), 0) << transcript(*from_process);
  EXPECT_THAT(from_process->output(), ::testing::ElementsAre("passed custom-process"));
}

TEST_F(SignersTest, LetsBotocoreReachTheUserOfItsPolicyAlone) {
  const OutsideUser alice = make_user(gateway_, "alice");
  const OutsideUser bob = make_user(gateway_, "bob");
  const auto receiver = [this](const OutsideUser& user) {
    auto script = start_client_script("receive_websockets.py", {websocket_url(gateway_, user)});
    EXPECT_THAT(wait_for_lines(*script, "connected", 1), SizeIs(1)) << transcript(*script);
    (void)publish(gateway_, user.id, "first");
    EXPECT_THAT(wait_for_lines(*script, "frame ", 1), SizeIs(1)) << transcript(*script);
    return script;
  };
  const auto of_alice = receiver(alice);
  const auto of_bob = receiver(bob);
  const std::string policy =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*",)"
      R"("Action":["execute-api:Invoke","execute-api:ManageConnections"],)"
      R"("Condition":{"StringEquals":{"holdfast:UserId":")" +
      alice.id + R"("}}}]})";
  const auto script = start_client_script(
      "user_policy.py",
      {alice.id, connection_of(dir_.file("data"), alice.id), bob.id,
       connection_of(dir_.file("data"), bob.id)},
      environment_of_key(gateway_, {"tenant", "--policy", policy}, dir_.file("data")));
  expect_passed(*script);
  EXPECT_THAT(wait_for_lines(*of_alice, "frame ", 5), SizeIs(5)) << transcript(*of_alice);
  (void)publish(gateway_, bob.id, "last");
  EXPECT_THAT(wait_for_lines(*of_bob, "frame ", 2),
              ::testing::ElementsAre(R"({"Payload":"first"})", R"({"Payload":"last"})"));
}

TEST_F(SignersTest, AcceptsCurlsSignatureOfAPathWithAnAtSign) {
  const auto lines = curl(secret(), {"/prod/@connections/nobody", "/@connections/L0SM9c%3D"});
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[1], HasSubstr("status 410")) << lines[0];
  EXPECT_THAT(lines[3], HasSubstr("status 410")) << lines[2];
}

}  // namespace
}  // namespace holdfast::test
