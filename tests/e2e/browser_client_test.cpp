// @holdfast/client in a browser.

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>
#include <holdfast/client/gateway_client.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAre;

// A page with the client, which runs `call` with a `url`, a `token` and a `report`.
std::string page_with_the_client(const std::string& call) {
  return R"(<!doctype html><title>client</title><script type="module">
import { Holdfast } from "/library.js";
const report = async (text) => {
  const answer = await fetch("/", { method: "POST", body: text });
  if (!answer.ok) throw new Error("not reported");
};
let answer;
do { answer = await fetch("/token"); } while (!answer.ok);
const { url } = await answer.json();
const token = ({ signal }) => fetch("/token", { signal });
)" + call +
         R"(
</script><body>)";
}

constexpr const char* kOneTab = R"(
const client = new Holdfast(url, { token, onMessage: ({ text }) => report(`got ${text}`) });
client.on("state", ({ name, why }) => report(`status ${name} ${why}`));
client.start();
)";

// A frame is as another tab to the locks and channels of its origin. The second begins when the
// first is connected, which stops when it is told to.
constexpr const char* kTwoTabs = R"(
const name = window === top ? "first" : "second";
const client = new Holdfast(url, { token, user: "alice", onMessage: async ({ text }) => {
  await report(`got ${name} ${text}`);
  if (text === `${name} leaves`) setTimeout(() => client.stop(), 200);
} });
client.on("state", (state) => {
  report(`status ${name} ${state.name}`);
  if (state.name !== "open" || name === "second" || document.querySelector("iframe")) return;
  document.body.append(Object.assign(document.createElement("iframe"), { src: "/" }));
});
client.start();
)";

class BrowserClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto program = find_browser();
    if (!program) GTEST_SKIP() << "there is no Chromium or Google Chrome on the PATH";
    write_file(dir_.file("page.html"), page_with_the_client(call_));
    bundle_client();
    server_ = start_client_script("serve_page.py", {dir_.file("page.html"), library()});
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
  [[nodiscard]] std::string library() const { return dir_.file("library.js"); }
  // As a page's own tools do it.
  void bundle_client() const {
    ChildProcess bundler({.command = {javascript_packages() + "/node_modules/esbuild/bin/esbuild",
                                      javascript_packages() + "/client/src/index.ts", "--bundle",
                                      "--minify", "--format=esm", "--outfile=" + library()}});
    ASSERT_EQ(bundler.wait(kPatience), 0) << transcript(bundler);
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

TEST_F(BrowserClientTest, ReceivesEverythingOnceAndInOrderAcrossAKilledGateway) {
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

TEST_F(BrowserClientTest, HandlesOnceWhatComesTwiceAndAcknowledgesItThen) {
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

TEST_F(BrowserClientTest, SaysHowItStands) {
  EXPECT_TRUE(said("open")) << transcript(*browser_);
  // As many newer connections as are allowed displace it; it says so, and stays away.
  const auto client = gateway_->client();
  std::vector<std::unique_ptr<net::WebSocketClient>> others;
  for (int i = 0; i < 8; ++i) {
    const auto token = client->temporary_token(user_.id_token).value();
    others.push_back(client->open_websocket(token, {}).value());
  }
  EXPECT_TRUE(said("stopped the user has too many connections")) << transcript(*browser_);
  EXPECT_TRUE(gateway_->process().wait_for_output(
      [](const std::string& line) { return line.contains("\"event\":\"connection_displaced\""); },
      kPatience))
      << transcript(gateway_->process());
}

class BrowserClientOfTwoTabsTest : public BrowserClientTest {
 protected:
  BrowserClientOfTwoTabsTest() { call_ = kTwoTabs; }
  [[nodiscard]] std::size_t connections() const {
    const auto socket = std::make_unique<client::ControlClient>(data_dir_ + "/control.sock");
    return socket->call("GET", "/v1/connections").value().at("connections").size();
  }
};

TEST_F(BrowserClientOfTwoTabsTest, SharesOneConnectionAndHandsItOver) {
  ASSERT_TRUE(said("second open")) << transcript(*browser_);
  EXPECT_EQ(connections(), 1U);
  send("1");
  send("2");
  EXPECT_THAT(reports(4), UnorderedElementsAre("first 1", "second 1", "first 2", "second 2"))
      << transcript(*browser_);
  EXPECT_TRUE(wait_until_nothing_pending(data_dir_, user_.id));
  send("first leaves");
  EXPECT_THAT(reports(6), IsSupersetOf({"first first leaves", "second first leaves"}))
      << transcript(*browser_);
  ASSERT_TRUE(said("first idle")) << transcript(*browser_);
  send("3");
  EXPECT_THAT(reports(7).back(), "second 3") << transcript(*browser_);
  EXPECT_TRUE(wait_until_nothing_pending(data_dir_, user_.id));
  EXPECT_EQ(connections(), 1U);
  EXPECT_EQ(reports(0).size(), 7U);
}

}  // namespace
}  // namespace holdfast::test
