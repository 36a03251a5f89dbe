// Clients that no one here wrote receive, and acknowledge by the Pongs of their WebSocket stacks.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;

const std::vector<std::string> kHeld = {"held 1", "held 2", "held \u20ac \U0001F680"};

std::string frame(const std::string& text) { return "{\"Payload\":\"" + text + "\"}"; }

class OtherClientsTest : public ::testing::Test {
 protected:
  void start(std::vector<std::pair<std::string, std::string>> environment = {}) {
    // Long enough for a Pong on a busy machine: a client that never answers still ends in STORED.
    environment.insert(environment.begin(), {"HOLDFAST_DELIVERY__ACK_WAIT_MS", "9000"});
    gateway_ = std::make_unique<GatewayProcess>(
        GatewayProcess::Options{.data_dir = data_dir_, .environment = std::move(environment)});
    user_ = make_user(*gateway_, "alice");
  }
  void hold_messages() {
    for (const std::string& text : kHeld) ASSERT_EQ(publish(*gateway_, user_.id, text), "STORED");
    ASSERT_EQ(pending(data_dir_, user_.id), kHeld.size());
  }
  // `start_of_frame` is what the client prints before each frame.
  void expect_the_story(ChildProcess& client, const std::string& start_of_frame) {
    const std::vector<std::string> held = wait_for_lines(client, start_of_frame, kHeld.size());
    EXPECT_THAT(held, ElementsAre(frame(kHeld[0]), frame(kHeld[1]), frame(kHeld[2])))
        << transcript(client);
    // Nothing but Pongs has come from it.
    EXPECT_TRUE(wait_until_nothing_pending(data_dir_, user_.id));
    const std::string large(100'000, 'x');
    EXPECT_EQ(publish(*gateway_, user_.id, "live"), "DELIVERED") << transcript(client);
    EXPECT_EQ(publish(*gateway_, user_.id, large), "DELIVERED");
    EXPECT_THAT(wait_for_lines(client, start_of_frame, kHeld.size() + 2),
                ElementsAre(frame(kHeld[0]), frame(kHeld[1]), frame(kHeld[2]), frame("live"),
                            frame(large)));
    EXPECT_EQ(pending(data_dir_, user_.id), 0U);
  }

  TempDir dir_;
  std::string data_dir_ = dir_.file("data");
  std::unique_ptr<GatewayProcess> gateway_;
  OutsideUser user_;
};

TEST_F(OtherClientsTest, WsFromNpmReceivesAndAcknowledgesByPongAlone) {
  start();
  hold_messages();
  const auto client = start_client_script("receive_ws.js", {websocket_url(*gateway_, user_)});
  expect_the_story(*client, "frame ");
  client->close_input();
  EXPECT_EQ(client->wait(kPatience), 0) << transcript(*client);
}

TEST_F(OtherClientsTest, TakesNoAcknowledgementFromAClientWithoutPongs) {
  start({{"HOLDFAST_DELIVERY__ACK_WAIT_MS", "100"}});
  hold_messages();
  const auto client =
      start_client_script("receive_ws.js", {websocket_url(*gateway_, user_), "--silent"});
  EXPECT_EQ(wait_for_lines(*client, "frame ", kHeld.size()).size(), kHeld.size());
  EXPECT_EQ(publish(*gateway_, user_.id, "live"), "STORED");
  EXPECT_EQ(wait_for_lines(*client, "frame ", kHeld.size() + 1).size(), kHeld.size() + 1);
  EXPECT_EQ(pending(data_dir_, user_.id), kHeld.size() + 1);
}

TEST_F(OtherClientsTest, PythonsWebsocketsReceivesAndAcknowledgesByPongAlone) {
  start();
  hold_messages();
  const auto client =
      start_client_script("receive_websockets.py", {websocket_url(*gateway_, user_)});
  expect_the_story(*client, "frame ");
  client->close_input();
  EXPECT_EQ(client->wait(kPatience), 0) << transcript(*client);
  EXPECT_EQ(client->output().back(), "closed 1000");
}

TEST_F(OtherClientsTest, LetsWscatReceiveAndAcknowledgeByPongAlone) {
  start();
  hold_messages();
  // On something other than a terminal it prints the bare frames.
  ChildProcess client(
      {.command = {clients_node(), wscat(), "--connect", websocket_url(*gateway_, user_)}});
  expect_the_story(client, "");
}

TEST_F(OtherClientsTest, LetsABrowserReceiveAndAcknowledgeByPongAlone) {
  const auto program = find_browser();
  if (!program) GTEST_SKIP() << "there is no Chromium or Google Chrome on the PATH";
  const auto server = start_client_script(
      "serve_page.py", {HOLDFAST_SOURCE_DIR "/tests/e2e/clients/plain_page.html"});
  const auto origin = wait_for_lines(*server, "origin ", 1);
  ASSERT_EQ(origin.size(), 1U) << transcript(*server);
  start({{"HOLDFAST_WEBSOCKET__ALLOWED_ORIGINS", "[\"" + origin[0] + "\"]"}});
  hold_messages();
  server->write("gateway " + gateway_->url() + " " + user_.id_token + "\n");
  const auto browser = start_browser(*program, dir_.file("profile"), origin[0]);
  expect_the_story(*server, "report frame ");
  end_browser(*browser);
}

}  // namespace
}  // namespace holdfast::test
