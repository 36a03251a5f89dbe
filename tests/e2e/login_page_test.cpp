// A browser's page from another origin: whether it may log in, get a token and connect.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;

class LoginPageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    browser_ = find_browser();
    if (!browser_) GTEST_SKIP() << "there is no Chromium or Google Chrome on the PATH";
    server_ = start_client_script(
        "serve_page.py",
        {HOLDFAST_SOURCE_DIR "/tests/e2e/clients/login_page.html",
         node_modules() + "/amazon-cognito-identity-js/dist/amazon-cognito-identity.min.js"});
    const auto origin = wait_for_lines(*server_, "origin ", 1);
    ASSERT_EQ(origin.size(), 1U) << transcript(*server_);
    origin_ = origin[0];
  }
  void start_gateway(const std::string& allowed_origin) {
    gateway_ = std::make_unique<GatewayProcess>(GatewayProcess::Options{
        .data_dir = dir_.file("data"),
        .environment = {
            {"HOLDFAST_WEBSOCKET__ALLOWED_ORIGINS", Json::array({allowed_origin}).dump()},
            {"HOLDFAST_TOKENS__LIFETIME_SECONDS", "3600"}}});
    user_ = make_user(*gateway_, "alice");
    websocket_url_ = websocket_url(*gateway_, user_);
  }
  // Returns the first `count` reports of the page.
  std::vector<std::string> reports_of_the_page(std::size_t count) {
    const Json given = {{"url", gateway_->url()},
                        {"pool", gateway_->credentials().at("HOLDFAST_USER_POOL_ID")},
                        {"client", gateway_->credentials().at("HOLDFAST_CLIENT_ID")},
                        {"username", "alice"},
                        {"password", user_.password},
                        {"idToken", user_.id_token},
                        {"token", websocket_url_.substr(websocket_url_.find("token=") + 6)}};
    const auto browser = start_browser(*browser_, dir_.file("profile"),
                                       origin_ + "/#" + percent_encode(given.dump()));
    auto reports = wait_for_lines(*server_, "report ", count);
    end_browser(*browser);
    return reports;
  }

  TempDir dir_;
  std::optional<std::string> browser_;
  std::unique_ptr<ChildProcess> server_;
  std::string origin_;
  std::unique_ptr<GatewayProcess> gateway_;
  OutsideUser user_;
  std::string websocket_url_;
};

TEST_F(LoginPageTest, ConnectsFromAnAllowedOrigin) {
  start_gateway(origin_);
  EXPECT_EQ(publish(*gateway_, user_.id, "held"), "STORED");
  EXPECT_THAT(reports_of_the_page(5),
              ElementsAre("wrong password refused: NotAuthorizedException", "login done",
                          "token done", "connected", R"(frame {"Payload":"held"})"))
      << transcript(*server_) << transcript(gateway_->process());
}

TEST_F(LoginPageTest, RefusesAnotherOrigin) {
  // Another port is another origin.
  start_gateway("http://127.0.0.1:1");
  EXPECT_THAT(reports_of_the_page(4),
              ElementsAre("wrong password refused: NetworkError", "login refused: NetworkError",
                          "token refused: TypeError", "closed 1006"))
      << transcript(*server_) << transcript(gateway_->process());
  // The refused handshake has not used the token up.
  const auto client = start_client_script("receive_ws.js", {websocket_url_});
  EXPECT_THAT(wait_for_lines(*client, "connected", 1), ElementsAre("")) << transcript(*client);
}

}  // namespace
}  // namespace holdfast::test
