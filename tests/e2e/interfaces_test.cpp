// Compares the gateway with docs/openapi.yaml and docs/asyncapi.yaml.

#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

using ::testing::SizeIs;

// Thousands of requests, on a machine that does other things as well.
constexpr std::chrono::minutes kLongPatience{4};

std::string document(const std::string& name) { return HOLDFAST_SOURCE_DIR "/docs/" + name; }

TEST(InterfacesTest, HasAValidOpenApiDocument) {
  ChildProcess validator({.command = {clients_python(), "-m", "openapi_spec_validator", "--schema",
                                      "3.1", document("openapi.yaml")}});
  EXPECT_EQ(validator.wait(kPatience), 0) << transcript(validator);
}

TEST(InterfacesTest, HasAValidAsyncApiDocument) {
  const auto script = start_client_script("validate_asyncapi.js", {document("asyncapi.yaml")});
  expect_passed(*script);
}

TEST(InterfacesTest, MatchesTheOpenApiDocument) {
  TempDir dir;
  const std::string code_file = dir.file("code");
  const Json code_command = {"/bin/sh", "-c",
                             "cat >" + code_file + ".new && mv " + code_file + ".new " + code_file};
  GatewayProcess gateway(
      {.data_dir = dir.file("data"),
       .environment = {{"HOLDFAST_USER_POOL__SELF_SIGN_UP", "true"},
                       {"HOLDFAST_USER_POOL__CODE_COMMAND", code_command.dump()}}});
  auto environment = gateway.environment();
  environment.emplace_back("HOLDFAST_BINARY", holdfast_binary());
  const auto script =
      start_client_script("http_contract.py",
                          {document("openapi.yaml"), "http://" + gateway.control_address(),
                           dir.file("data"), code_file},
                          environment);
  EXPECT_EQ(script->wait(kLongPatience), 0) << transcript(*script);
  EXPECT_THAT(lines_after(*script, "passed"), SizeIs(1)) << transcript(*script);
  for (const std::string& line : script->output()) std::printf("%s\n", line.c_str());
}

// Every path of the document with every method, on both listeners, and what net answers by itself.
TEST(InterfacesTest, RestrictsBrowsersInEveryAnswer) {
  TempDir dir;
  GatewayProcess gateway({.data_dir = dir.file("data")});
  std::vector<std::string> requests = {"rubbish\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
                                       "GET / HTTP/1.1\r\n\r\n"};
  std::ifstream lines(document("openapi.yaml"));
  std::size_t paths = 0;
  for (std::string line; std::getline(lines, line);) {
    const bool path = line.starts_with("  /") && line.ends_with(":");
    if (!path) continue;
    ++paths;
    const std::string target = line.substr(2, line.size() - 3);
    for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO"}) {
      requests.push_back(std::string(method) + " " + target +
                         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                         "Connection: close\r\n\r\n");
    }
  }
  ASSERT_GT(paths, 20U);
  for (const std::string& address : {gateway.address(), gateway.control_address()}) {
    for (const std::string& request : requests) {
      RawClient client(address);
      ASSERT_TRUE(client.send(request));
      const auto response = client.read_response(RawClient::kPatience, request.starts_with("HEAD"));
      ASSERT_TRUE(response) << address << " " << request;
      EXPECT_EQ(response->header("X-Content-Type-Options"), "nosniff") << request;
      EXPECT_THAT(response->header("Content-Security-Policy"),
                  ::testing::HasSubstr("default-src 'none'"))
          << request;
      const std::string cache = response->header("Cache-Control");
      EXPECT_THAT(cache, ::testing::AnyOf("no-store", "no-cache", "public, max-age=300"))
          << request;
    }
  }
}

class WebSocketFramesTest : public ::testing::Test {
 protected:
  void start(const std::string& frame) {
    gateway_ = std::make_unique<GatewayProcess>(GatewayProcess::Options{
        .data_dir = dir_.file("data"),
        .environment = {{"HOLDFAST_WEBSOCKET__FRAME", frame == "raw" ? "raw" : "payload"},
                        {"HOLDFAST_DELIVERY__ACK_WAIT_MS", "9000"}}});
    user_ = make_user(*gateway_, "alice");
    script_ = start_client_script("websocket_frames.py",
                                  {document("asyncapi.yaml"), user_.id, user_.id_token, frame},
                                  gateway_->environment());
  }

  TempDir dir_;
  OutsideUser user_;
  std::unique_ptr<GatewayProcess> gateway_;
  std::unique_ptr<ChildProcess> script_;
};

TEST_F(WebSocketFramesTest, MatchesTheAsyncApiDocument) {
  start("plain");
  // It signs the user out on its way.
  script_->write(make_user(*gateway_, "bob").id_token + "\n");
  ASSERT_THAT(wait_for_lines(*script_, "stop the gateway", 1), SizeIs(1)) << transcript(*script_);
  EXPECT_EQ(gateway_->terminate(), 0);
  EXPECT_EQ(script_->wait(kPatience), 0) << transcript(*script_);
}

TEST_F(WebSocketFramesTest, SendsBareTextWhereConfigured) {
  start("raw");
  expect_passed(*script_);
}

}  // namespace
}  // namespace holdfast::test
