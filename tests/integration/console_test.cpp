// The way into the console, and what it changes for the gateway.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/gateway/test_gateway.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::optional<RawResponse> ask_over_socket(const std::string& address, const std::string& head,
                                           const std::string& body = {}) {
  RawClient client(address);
  client.send(head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  return client.read_response();
}
std::string request_line(const std::string& method, const std::string& target,
                         const std::string& host) {
  return method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n";
}
// Returns the status of a preflight for a login from this origin.
int preflight(const TestGateway& gateway, const std::string& origin) {
  const auto answer = ask_over_socket(
      gateway.address(), request_line("OPTIONS", "/", gateway.address()) + "Origin: " + origin +
                             "\r\nAccess-Control-Request-Method: POST\r\n");
  return answer ? answer->status : 0;
}
std::string port_of(const std::string& address) { return address.substr(address.rfind(':')); }

TEST(ConsoleOnTheControlListenerTest, OpensByTheLinkOfTheControlSocket) {
  TestGateway gateway;
  const std::string& control = gateway.info().control_address;
  const Json made = gateway.control("POST", "/v1/console-links");
  const auto url = made["url"].get<std::string>();
  EXPECT_THAT(url, StartsWith("http://" + control + "/console/#link="));
  EXPECT_EQ(made["expiresInSeconds"], 60);
  const Json entry = {{"link", url.substr(url.find("#link=") + 6)}};
  const std::string own = "X-Holdfast-Console: person\r\nOrigin: http://" + control + "\r\n";
  const auto head = request_line("POST", "/console/api/session", control) + own;
  const auto entered = ask_over_socket(control, head, entry.dump());
  ASSERT_TRUE(entered);
  EXPECT_EQ(entered->status, 200) << entered->body;
  const std::string set = entered->header("Set-Cookie");
  const auto status = ask_over_socket(
      control, request_line("GET", "/console/api/v1/status", control) + own +
                   "Cookie: " + set.substr(0, set.find(';')) + "\r\nX-Holdfast-Session: " +
                   parse_json(entered->body).value()["session"].get<std::string>() + "\r\n");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->status, 200);
  EXPECT_THAT(status->body, HasSubstr("\"state\":\"ready\""));
  EXPECT_THAT(status->header("Content-Security-Policy"),
              HasSubstr("connect-src 'self' http://" + gateway.address()));
  const auto again = ask_over_socket(control, head, entry.dump());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->status, 403);
}

TEST(ConsoleOnTheControlListenerTest, CallsTheGatewayFromItsOwnOriginsAlone) {
  TestGateway gateway;
  const std::string port = port_of(gateway.info().control_address);
  EXPECT_EQ(preflight(gateway, "http://127.0.0.1" + port), 204);
  EXPECT_EQ(preflight(gateway, "http://localhost" + port), 204);
  EXPECT_EQ(preflight(gateway, "https://127.0.0.1" + port), 403);
  EXPECT_EQ(preflight(gateway, "http://127.0.0.1:1"), 403);
  EXPECT_EQ(preflight(gateway, "http://127.0.0.1" + port + "1"), 403);
}

TEST(ConsoleOnTheControlListenerTest, AnswersUnderItsPublicUrl) {
  TestGateway gateway({.settings = {"server.control_public_url=https://ops.example.com"}});
  EXPECT_THAT(gateway.control("POST", "/v1/console-links")["url"].get<std::string>(),
              StartsWith("https://ops.example.com/console/#link="));
  EXPECT_EQ(preflight(gateway, "https://ops.example.com"), 204);
  const std::string& control = gateway.info().control_address;
  const auto page = ask_over_socket(control, request_line("GET", "/console/", "ops.example.com"));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  const auto foreign = ask_over_socket(control, request_line("GET", "/console/", "example.com"));
  ASSERT_TRUE(foreign);
  EXPECT_EQ(foreign->status, 403);
}

TEST(ConsoleOnTheControlListenerTest, GivesNotFoundWhenSwitchedOff) {
  TestGateway gateway({.settings = {"console.enabled=false"}});
  const std::string& control = gateway.info().control_address;
  const auto page = ask_over_socket(control, request_line("GET", "/console/", control));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 404);
  EXPECT_EQ(preflight(gateway, "http://" + control), 403);
  EXPECT_ANY_THROW((void)gateway.control("POST", "/v1/console-links"));
}

}  // namespace
}  // namespace holdfast::test
