// Tests the console's checks of Host, Origin and cookies.

#include "control/console_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

net::RequestHead request(std::string method,
                         std::vector<std::pair<std::string, std::string>> headers,
                         bool secure = false) {
  net::RequestHead head;
  head.method = std::move(method);
  head.target = "/console/api/session";
  head.headers = std::move(headers);
  head.secure = secure;
  return head;
}
bool own_host(const ConsoleOptions& options, const std::string& host) {
  return is_own_host(options, request("GET", {{"Host", host}}));
}

TEST(ConsoleHost, AcceptsItsNamesOnAnyPort) {
  ConsoleOptions options;
  options.hosts.emplace_back("Ops.Example.com");
  for (const char* const host : {"localhost", "localhost:8081", "LOCALHOST:1", "127.0.0.1:8081",
                                 "[::1]:8081", "[::1]", "ops.example.com", "ops.example.com.:80"}) {
    EXPECT_TRUE(own_host(options, host)) << host;
  }
}

TEST(ConsoleHost, RefusesOtherNames) {
  const ConsoleOptions options;
  for (const char* const host :
       {"evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example",
        "127.0.0.2", "[::2]:8081", "10.0.0.1:8081", "", ":8081", "evil.example#localhost"}) {
    EXPECT_FALSE(own_host(options, host)) << host;
  }
  EXPECT_FALSE(is_own_host(options, request("GET", {})));
}

TEST(ConsoleHost, AcceptsAnyAddressWhenListeningOnAll) {
  ConsoleOptions options;
  options.any_address = true;
  EXPECT_TRUE(own_host(options, "10.0.0.1:8081"));
  EXPECT_TRUE(own_host(options, "[fd00::1]:8081"));
  EXPECT_FALSE(own_host(options, "evil.example"));
  EXPECT_FALSE(own_host(options, "10.0.0.1.evil.example"));
}

TEST(ConsoleHost, AcceptsTheHostOfThePublicOrigin) {
  ConsoleOptions options;
  options.public_origin = "https://ops.example.com";
  EXPECT_TRUE(own_host(options, "ops.example.com"));
  EXPECT_FALSE(own_host(options, "example.com"));
}

TEST(ConsolePage, NeedsItsOwnOriginForWhatChangesAnything) {
  const ConsoleOptions options;
  const auto own = [&](const char* origin, const char* method = "POST") {
    return is_own_page(options, request(method, {{"Host", "127.0.0.1:8081"}, {"Origin", origin}}));
  };
  EXPECT_TRUE(own("http://127.0.0.1:8081"));
  EXPECT_TRUE(own("http://127.0.0.1:8081", "DELETE"));
  for (const char* const origin :
       {"null", "", "http://127.0.0.1", "http://127.0.0.1:8080", "https://127.0.0.1:8081",
        "http://localhost:8081", "http://evil.example", "http://127.0.0.1:8081.evil.example"}) {
    EXPECT_FALSE(own(origin)) << origin;
    EXPECT_FALSE(own(origin, "GET")) << origin;
  }
  for (const char* const method : {"POST", "PUT", "PATCH", "DELETE"}) {
    EXPECT_FALSE(is_own_page(options, request(method, {{"Host", "127.0.0.1:8081"}}))) << method;
  }
  EXPECT_TRUE(is_own_page(options, request("GET", {{"Host", "127.0.0.1:8081"}})));
}

TEST(ConsolePage, BelievesWhatTheBrowserSaysOfTheSite) {
  const ConsoleOptions options;
  const auto own = [&](const char* site) {
    return is_own_page(options, request("POST", {{"Host", "localhost:8081"},
                                                 {"Origin", "http://localhost:8081"},
                                                 {"Sec-Fetch-Site", site}}));
  };
  EXPECT_TRUE(own("same-origin"));
  EXPECT_FALSE(own("same-site"));
  EXPECT_FALSE(own("cross-site"));
  EXPECT_FALSE(own("none"));
}

TEST(ConsolePage, KnowsItsSchemeAndTheDefaultPorts) {
  ConsoleOptions options;
  const std::pair<std::string, std::string> host("Host", "ops.example.com");
  EXPECT_TRUE(
      is_own_page(options, request("POST", {host, {"Origin", "https://ops.example.com"}}, true)));
  EXPECT_TRUE(is_own_page(
      options, request("POST", {host, {"Origin", "https://ops.example.com:443"}}, true)));
  EXPECT_FALSE(
      is_own_page(options, request("POST", {host, {"Origin", "https://ops.example.com"}})));
  // A proxy speaks plainly to the gateway and TLS to the browser.
  options.public_origin = "https://ops.example.com";
  EXPECT_TRUE(is_own_page(options, request("POST", {host, {"Origin", "https://ops.example.com"}})));
}

TEST(ConsolePolicy, AllowsItselfAndTheGatewayAlone) {
  const std::string policy = content_security_policy(
      {"http://127.0.0.1:8080", "https://chat.example.com/gateway", "http://a;script-src *"});
  EXPECT_THAT(policy, HasSubstr("default-src 'none';"));
  EXPECT_THAT(policy, HasSubstr("connect-src 'self' http://127.0.0.1:8080 ws://127.0.0.1:8080 "
                                "https://chat.example.com wss://chat.example.com;"));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'; base-uri 'none'; form-action 'self'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(policy, Not(HasSubstr("*")));
}

TEST(ConsoleCookies, AreFoundByTheirWholeName) {
  EXPECT_THAT(cookies(request("GET", {{"Cookie", "a=1; session=x;session=y; xsession=z; session"},
                                      {"cookie", "session=w=="},
                                      {"X-Cookie", "session=v"}}),
                      "session"),
              ElementsAre("x", "y", "w=="));
}

}  // namespace
}  // namespace holdfast::control
