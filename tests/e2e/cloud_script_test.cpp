// Runs a cloud tester's script over TLS, which finds everything by the stack's name.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

class CloudScriptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ChildProcess certificates({.command = {holdfast_binary(), "dev-certs", tls_}});
    ASSERT_EQ(certificates.wait(kPatience), 0) << transcript(certificates);
    // The gateway tells where the sample application is, which asks the gateway for its keys: a
    // first run finds a port, and makes the access key.
    std::string address;
    {
      GatewayProcess first({.data_dir = data_dir_});
      address = first.address();
      ASSERT_EQ(first.terminate(), 0);
    }
    url_ = "https://localhost:" + port_of(address);
    start_sample_app(read_credentials(data_dir_ + "/credentials"));
    gateway_ = std::make_unique<GatewayProcess>(GatewayProcess::Options{
        .data_dir = data_dir_,
        .arguments = {"--tls-cert", tls_ + "/server.pem", "--tls-key", tls_ + "/server.key"},
        .environment = {{"HOLDFAST_SERVER__PUBLIC_URL", url_},
                        {"HOLDFAST_AWS__SAMPLE_APP_URL", sample_app_url_}},
        .listen = address});
  }
  void start_sample_app(const std::map<std::string, std::string>& credentials) {
    std::vector<std::pair<std::string, std::string>> environment(credentials.begin(),
                                                                 credentials.end());
    for (auto& [name, value] : environment) {
      if (name == "HOLDFAST_URL") value = url_;
    }
    environment.emplace_back("SSL_CERT_FILE", tls_ + "/ca.pem");
    sample_app_ = std::make_unique<ChildProcess>(ChildProcess::Options{
        .command = {holdfast_binary(), "sample-app", "--listen", "127.0.0.1:0", "--tls-cert",
                    tls_ + "/server.pem", "--tls-key", tls_ + "/server.key"},
        .environment = std::move(environment)});
    const auto listening = sample_app_->wait_for_output(
        [](const std::string& line) { return line.contains("\"listening\""); }, kPatience);
    ASSERT_TRUE(listening) << transcript(*sample_app_);
    const std::string key = R"("address":")";
    const auto begin = listening->find(key) + key.size();
    sample_app_url_ = "https://localhost:" +
                      port_of(listening->substr(begin, listening->find('"', begin) - begin));
  }

  // The script in an environment with nothing in it but what AWS's own tools would want.
  [[nodiscard]] std::unique_ptr<ChildProcess> start(std::vector<std::string> arguments) const {
    const auto& credentials = gateway_->credentials();
    std::vector<std::string> command = {
        "env",
        "-i",
        "NODE_PATH=" + node_modules(),
        "AWS_ENDPOINT_URL=" + url_,
        "NODE_EXTRA_CA_CERTS=" + tls_ + "/ca.pem",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_ACCESS_KEY_ID=" + credentials.at("AWS_ACCESS_KEY_ID"),
        "AWS_SECRET_ACCESS_KEY=" + credentials.at("AWS_SECRET_ACCESS_KEY"),
        "ID_TOKEN=" + id_token_,
        clients_node(),
        HOLDFAST_SOURCE_DIR "/tests/e2e/clients/cloud_script.js"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return std::make_unique<ChildProcess>(ChildProcess::Options{.command = std::move(command)});
  }
  std::vector<std::string> run(std::vector<std::string> arguments, int status = 0) const {
    const auto script = start(std::move(arguments));
    EXPECT_EQ(script->wait(kPatience), status) << transcript(*script);
    return status == 0 ? script->output() : script->errors();
  }
  void log_in() {
    ASSERT_THAT(run({"create-user", "testUser", "Abcdef1!"}), SizeIs(0));
    const auto said = run({"auth", "testUser", "Abcdef1!"});
    ASSERT_THAT(said, ElementsAre(HasSubstr("export ID_TOKEN=\"")));
    id_token_ = said[0].substr(said[0].find('"') + 1);
    id_token_.pop_back();
  }

  TempDir dir_;
  std::string data_dir_ = dir_.file("data");
  std::string tls_ = dir_.file("tls");
  std::string url_;
  std::string sample_app_url_;
  std::string id_token_;
  std::unique_ptr<ChildProcess> sample_app_;
  std::unique_ptr<GatewayProcess> gateway_;
};

TEST_F(CloudScriptTest, PlaysTheStoryOverTlsByTheStacksNameAlone) {
  log_in();
  EXPECT_THAT(run({"create-user", "testUser", "Abcdef1!"}, 1),
              ElementsAre("UsernameExistsException: User account already exists"));
  EXPECT_THAT(run({"auth", "testUser", "Abcdef2!"}, 1),
              ElementsAre("NotAuthorizedException: Incorrect username or password."));

  auto receiver = start({"connect-websocket"});
  ASSERT_THAT(wait_for_lines(*receiver, "Connected", 1), SizeIs(1)) << transcript(*receiver);
  run({"send-message", "Serverless is cool \u20ac", "1"});
  EXPECT_THAT(wait_for_lines(*receiver, "< ", 1),
              ElementsAre("{\"Payload\":\"Serverless is cool \u20ac\"}"));
  receiver->close_input();
  ASSERT_EQ(receiver->wait(kPatience), 0) << transcript(*receiver);
  EXPECT_EQ(receiver->output().back(), "Closed: 1000");

  std::vector<std::string> held;
  for (int i = 1; i <= 3; ++i) {
    const std::string text = "while away " + std::to_string(i);
    run({"send-message", text, "0"});
    held.push_back("{\"Payload\":\"" + text + "\"}");
  }
  receiver = start({"connect-websocket"});
  EXPECT_THAT(wait_for_lines(*receiver, "< ", 3), ::testing::UnorderedElementsAreArray(held))
      << transcript(*receiver);
  char& digit = id_token_[id_token_.rfind('.') + 20];
  digit = digit == 'A' ? 'B' : 'A';
  EXPECT_THAT(run({"send-message", "text", "0"}, 1), ElementsAre(HasSubstr("401")));
}

TEST_F(CloudScriptTest, MakesTokensThatAwsJwtVerifyAccepts) {
  log_in();
  const auto script = start_client_script(
      "verify_tokens.js", {url_, id_token_},
      {{"NODE_EXTRA_CA_CERTS", tls_ + "/ca.pem"},
       {"HOLDFAST_USER_POOL_ID", gateway_->credentials().at("HOLDFAST_USER_POOL_ID")},
       {"HOLDFAST_CLIENT_ID", gateway_->credentials().at("HOLDFAST_CLIENT_ID")}});
  expect_passed(*script);
}

}  // namespace
}  // namespace holdfast::test
