// What the docs tell people to type, and the browser client that they give them, work as they
// stand.

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAre;

std::optional<std::string> wait_for_text(const ChildProcess& child, const std::string& text) {
  return child.wait_for_output(
      [&text](const std::string& line) { return line.find(text) != std::string::npos; }, kPatience);
}

TEST(Docs, TellTheStoryByHandWithCurlAndWscat) {
  TempDir dir;
  const std::string data_dir = dir.file("data");
  GatewayProcess gateway(
      {.data_dir = data_dir, .environment = {{"HOLDFAST_DELIVERY__ACK_WAIT_MS", "9000"}}});
  const std::string block = code_block(source_file("docs/quick-start.md"), "<!-- story:", "sh");
  // What a person pastes, and a line that tells which user it was, ahead of the one that stays.
  const auto last = block.rfind("wscat --connect");
  ASSERT_NE(last, std::string::npos);
  write_file(dir.file("story.sh"),
             block.substr(0, last) + "echo \"user $user_id\"\n" + block.substr(last));

  (void)installed("curl");
  const std::string tools = std::filesystem::path(wscat()).parent_path().string();
  // On a terminal of its own, as a person has: wscat prints otherwise into a pipe.
  ChildProcess story(
      {.command = {installed("script"), "-qec", "bash story.sh", "/dev/null"},
       .environment = {{"PATH", tools + ":" + std::getenv("PATH")}, {"TERM", "dumb"}},
       .directory = dir.path().string()});
  ASSERT_TRUE(wait_for_text(story, "\"Username\":\"bob\"")) << transcript(story);
  ASSERT_TRUE(wait_for_text(story, "\"status\":\"STORED\"}")) << transcript(story);
  ASSERT_TRUE(wait_for_text(story, R"(< {"Payload":"You were away"})")) << transcript(story);
  std::string user_id = lines_after(story, "user ").at(0);
  user_id.erase(user_id.find_last_not_of('\r') + 1);

  EXPECT_TRUE(wait_until_nothing_pending(data_dir, user_id));
  EXPECT_EQ(publish(gateway, user_id, "You are here"), "DELIVERED");
  EXPECT_TRUE(wait_for_text(story, R"(< {"Payload":"You are here"})")) << transcript(story);
}

TEST(Docs, NameOnlyWhatThereIs) {
  TempDir dir;
  GatewayProcess gateway({.data_dir = dir.file("data")});
  const auto script = start_client_script("docs_check.py", {HOLDFAST_SOURCE_DIR, holdfast_binary(),
                                                            "http://" + gateway.control_address()});
  expect_passed(*script);
}

// The page around the docs' client: its last call, which is the reader's to change, replaced by
// `call` of a `url`, a `getToken` and a `report`.
std::string page_with_the_client(const std::string& call) {
  const std::string code =
      code_block(source_file("docs/sending-and-receiving.md"), "## A client for the browser", "js");
  const auto last_call = code.rfind("\nholdfast(");
  if (last_call == std::string::npos) throw std::runtime_error("the client has no call");
  return "<!doctype html><title>client</title><script>\n" + code.substr(0, last_call) + R"(
const report = async (text) => {
  const answer = await fetch("/", { method: "POST", body: text });
  if (!answer.ok) throw new Error("not reported");
};
(async () => {
  let answer;
  do { answer = await fetch("/token"); } while (!answer.ok);
  const { url } = await answer.json();
  const getToken = async () => {
    const response = await fetch("/token");
    if (!response.ok) throw new Error("no token");
    return (await response.json()).token;
  };
)" + call +
         R"(
})();
</script><body>)";
}

constexpr const char* kOneTab =
    "holdfast(url, getToken, (payload) => report(`got ${payload}`),"
    " (status, reason) => report(`status ${status} ${reason}`));";

// A frame is as another tab to the locks and channels of its origin. The second begins when the
// first is connected, which lets go when it is told to.
constexpr const char* kTwoTabs = R"(
  const name = window === top ? "first" : "second";
  const client = holdfast(url, getToken, async (payload) => {
    await report(`got ${name} ${payload}`);
    if (payload === `${name} leaves`) client.stop();
  }, (status) => {
    report(`status ${name} ${status}`);
    if (name === "second" || document.querySelector("iframe")) return;
    document.body.append(Object.assign(document.createElement("iframe"), { src: "/" }));
  }, "alice");
)";

class BrowserClient : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto program = find_browser();
    if (!program) GTEST_SKIP() << "there is no Chromium or Google Chrome on the PATH";
    write_file(dir_.file("page.html"), page_with_the_client(call_));
    server_ = start_client_script("serve_page.py", {dir_.file("page.html")});
    const auto origin = wait_for_lines(*server_, "origin ", 1);
    ASSERT_EQ(origin.size(), 1U) << transcript(*server_);
    origin_ = origin[0];
    start_gateway("127.0.0.1:0");
    user_ = make_user(*gateway_, "alice");
    server_->write("gateway " + gateway_->url() + " " + user_.id_token + "\n");
    browser_ = start_browser(*program, dir_.file("profile"), origin_);
  }
  void TearDown() override {
    if (browser_) end_browser(*browser_);
  }
  void start_gateway(const std::string& listen) {
    gateway_ = std::make_unique<GatewayProcess>(GatewayProcess::Options{
        .data_dir = data_dir_,
        .environment = {{"HOLDFAST_WEBSOCKET__ALLOWED_ORIGINS", "[\"" + origin_ + "\"]"}},
        .listen = listen});
  }
  void kill_and_start_gateway() {
    const std::string address = gateway_->address();
    gateway_->kill();
    start_gateway(address);
  }
  // Accepted, whatever became of it.
  void send(const std::string& text) {
    const std::string status = publish(*gateway_, user_.id, text);
    EXPECT_TRUE(status == "DELIVERED" || status == "STORED") << status;
  }
  [[nodiscard]] std::vector<std::string> reports(std::size_t count) const {
    return wait_for_lines(*server_, "report got ", count);
  }

  [[nodiscard]] bool said(const std::string& text) const {
    return server_
        ->wait_for_output(
            [&](const std::string& line) { return line.find("status " + text) != line.npos; },
            kPatience)
        .has_value();
  }

  const char* call_ = kOneTab;
  TempDir dir_;
  std::string data_dir_ = dir_.file("data");
  std::string origin_;
  OutsideUser user_;
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<GatewayProcess> gateway_;
  std::unique_ptr<ChildProcess> browser_;
};

TEST_F(BrowserClient, ReceivesEverythingOnceAndInOrderAcrossAKilledGateway) {
  send("1");
  send("2");
  ASSERT_THAT(reports(2), ElementsAre("1", "2")) << transcript(*browser_);
  send("3");
  kill_and_start_gateway();
  send("4");
  send("5");
  EXPECT_THAT(reports(5), ElementsAre("1", "2", "3", "4", "5")) << transcript(*browser_);
  EXPECT_TRUE(wait_until_nothing_pending(data_dir_, user_.id));
  EXPECT_EQ(reports(0).size(), 5U);
}

TEST_F(BrowserClient, HandlesOnceWhatComesTwiceAndAcknowledgesItThen) {
  send("HOLD this one");
  ASSERT_THAT(reports(1), ElementsAre("HOLD this one")) << transcript(*browser_);
  // The page is still handling it, so nothing has acknowledged it: it will come again.
  EXPECT_EQ(pending(data_dir_, user_.id), 1U);
  kill_and_start_gateway();
  server_->write("release\n");
  EXPECT_TRUE(wait_until_nothing_pending(data_dir_, user_.id));
  send("next");
  EXPECT_THAT(reports(2), ElementsAre("HOLD this one", "next")) << transcript(*browser_);
}

TEST_F(BrowserClient, SaysHowItStands) {
  EXPECT_TRUE(said("connected")) << transcript(*browser_);
  // As many newer connections as are allowed displace it; it says so, and stays away.
  const auto client = gateway_->client();
  std::vector<std::unique_ptr<net::WebSocketClient>> others;
  for (int i = 0; i < 8; ++i) {
    const auto token = client->temporary_token(user_.id_token).value();
    others.push_back(client->open_websocket(token, {}).value());
  }
  EXPECT_TRUE(said("displaced the user has too many connections")) << transcript(*browser_);
  EXPECT_TRUE(wait_for_text(gateway_->process(), "\"event\":\"connection_displaced\""))
      << transcript(gateway_->process());
}

class BrowserClientOfTwoTabs : public BrowserClient {
 protected:
  BrowserClientOfTwoTabs() { call_ = kTwoTabs; }
  [[nodiscard]] std::size_t connections() const {
    const auto socket = client::make_control_client(data_dir_ + "/control.sock");
    return socket->call("GET", "/v1/connections").value().at("connections").size();
  }
};

TEST_F(BrowserClientOfTwoTabs, HasOneConnectionForBothAndHandsItOver) {
  ASSERT_TRUE(said("second connected")) << transcript(*browser_);
  EXPECT_EQ(connections(), 1U);
  send("1");
  send("2");
  EXPECT_THAT(reports(4), UnorderedElementsAre("first 1", "second 1", "first 2", "second 2"))
      << transcript(*browser_);
  EXPECT_TRUE(wait_until_nothing_pending(data_dir_, user_.id));
  send("first leaves");
  EXPECT_THAT(reports(6), IsSupersetOf({"first first leaves", "second first leaves"}))
      << transcript(*browser_);
  send("3");
  EXPECT_THAT(reports(7).back(), "second 3") << transcript(*browser_);
  EXPECT_TRUE(wait_until_nothing_pending(data_dir_, user_.id));
  EXPECT_EQ(connections(), 1U);
  EXPECT_EQ(reports(0).size(), 7U);
}

}  // namespace
}  // namespace holdfast::test
