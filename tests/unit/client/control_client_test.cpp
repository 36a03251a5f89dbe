// Tests the client of the control socket.

#include <gtest/gtest.h>

#include <holdfast/client/control_client.hpp>
#include <holdfast/client/sample_app_client.hpp>

#include "support/base/temp_dir.hpp"
#include "support/client/fake_gateway.hpp"

namespace holdfast::client {
namespace {

using test::FakeGateway;
using test::json_response;

TEST(ControlClient, CallsOverTheUnixSocket) {
  const test::TempDir folder;
  const std::string path = folder.file("control.sock");
  const FakeGateway daemon([](const net::Request&) { return json_response(201, R"({"id":"K"})"); },
                           "unix:" + path);
  const auto client = std::make_unique<ControlClient>(path);
  const auto answer = client->call("POST", "/v1/access-keys", Json{{"name", "ann"}});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(*answer, (Json{{"id", "K"}}));
  const auto request = daemon.requests().at(0);
  EXPECT_EQ(request.head.method, "POST");
  EXPECT_EQ(request.head.target, "/v1/access-keys");
  EXPECT_EQ(request.body, R"({"name":"ann"})");
}

TEST(ControlClient, CarriesTheDaemonsWords) {
  const test::TempDir folder;
  const std::string path = folder.file("control.sock");
  const FakeGateway daemon(
      [](const net::Request&) {
        return json_response(400, R"({"error":{"code":"invalid_argument","message":)"
                                  R"("unknown action","where":"Statement[0].Action"}})");
      },
      "unix:" + path);
  const auto answer = std::make_unique<ControlClient>(path)->call("GET", "/v1/status");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().status, 400);
  EXPECT_EQ(answer.error().type, "invalid_argument");
  EXPECT_EQ(answer.error().message, "Statement[0].Action: unknown action");
}

TEST(ControlClient, SaysThatNobodyListens) {
  const test::TempDir folder;
  const auto answer =
      std::make_unique<ControlClient>(folder.file("control.sock"))->call("GET", "/v1/status");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().status, 0);
}

TEST(SampleAppClient, AsksWithTheIdToken) {
  const FakeGateway sample([](const net::Request&) { return net::Response{202, {}, "", false}; });
  ASSERT_TRUE(ask_sample_app(sample.url() + "/app", "", "the.id.token",
                             {.user_id = "u", .text = "hello", .wait = Seconds(3)}));
  const auto request = sample.requests().at(0);
  EXPECT_EQ(request.head.method, "POST");
  EXPECT_EQ(request.head.target, "/app");
  EXPECT_EQ(*request.head.header("Authorization"), "the.id.token");
  EXPECT_EQ(request.body, R"({"wait":3,"userId":"u","message":"hello"})");
}

TEST(SampleAppClient, CarriesTheWordsOfARefusal) {
  const FakeGateway sample(
      [](const net::Request&) { return json_response(403, R"({"message":"not yours"})"); });
  const auto asked = ask_sample_app(sample.url(), "", "t", {.user_id = "u", .text = "hello"});
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().status, 403);
  EXPECT_EQ(asked.error().message, "not yours");
}

TEST(SampleAppClient, SaysThatNobodyListensAndRefusesAUrlThatIsNone) {
  std::string url;
  {
    const FakeGateway gone([](const net::Request&) { return net::Response{}; });
    url = gone.url();
  }
  EXPECT_EQ(ask_sample_app(url, "", "t", {.user_id = "u", .text = "x"}).error().status, 0);
  EXPECT_EQ(ask_sample_app("::", "", "t", {.user_id = "u", .text = "x"}).error().status, 400);
}

}  // namespace
}  // namespace holdfast::client
