// Tests the client's address and scheme behind trusted proxies.

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/net/trusted_proxies.hpp>

#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Seen {
  std::string address;
  bool secure = false;
  bool operator==(const Seen&) const = default;
};

Seen seen(const std::vector<std::string>& trusted, const std::string& peer, Headers headers,
          bool secure = false) {
  RequestHead head;
  head.remote_address = peer;
  head.headers = std::move(headers);
  head.secure = secure;
  TrustedProxies::parse(trusted).value().resolve(head);
  return {head.remote_address, head.secure};
}

TEST(TrustedProxiesTest, TakesTheLastAddressThatIsNoProxy) {
  const std::vector<std::string> trusted = {"10.0.0.0/8", "fd00::/8", "192.0.2.1"};
  EXPECT_EQ(seen(trusted, "10.1.2.3", {{"X-Forwarded-For", "203.0.113.9"}}).address, "203.0.113.9");
  EXPECT_EQ(
      seen(trusted, "10.1.2.3", {{"x-forwarded-for", "1.1.1.1, 203.0.113.9 , 192.0.2.1"}}).address,
      "203.0.113.9");
  EXPECT_EQ(seen(trusted, "fd00::1",
                 {{"X-Forwarded-For", "1.1.1.1"}, {"X-Forwarded-For", "2001:db8::7,10.0.0.1"}})
                .address,
            "2001:db8::7");
  EXPECT_EQ(seen(trusted, "::ffff:10.1.2.3", {{"X-Forwarded-For", "[2001:db8::7]:443"}}).address,
            "2001:db8::7");
  EXPECT_EQ(seen(trusted, "10.1.2.3", {{"X-Forwarded-For", "203.0.113.9:5678"}}).address,
            "203.0.113.9");
  EXPECT_EQ(seen({"unix"}, "unix", {{"X-Forwarded-For", "203.0.113.9"}}).address, "203.0.113.9");
}

TEST(TrustedProxiesTest, StopsAtInvalidAddressesAndAtTheEnd) {
  const std::vector<std::string> trusted = {"10.0.0.0/8"};
  EXPECT_EQ(seen(trusted, "10.1.2.3", {}).address, "unknown");
  EXPECT_EQ(seen({"unix"}, "unix", {}).address, "unknown");
  EXPECT_EQ(seen(trusted, "10.1.2.3", {{"X-Forwarded-For", "1.1.1.1, nobody, 10.0.0.2"}}).address,
            "unknown");
  EXPECT_EQ(seen(trusted, "10.1.2.3", {{"X-Forwarded-For", ""}}).address, "unknown");
  EXPECT_EQ(seen(trusted, "10.1.2.3", {{"X-Forwarded-For", "10.0.0.5"}}).address, "unknown");
  EXPECT_EQ(seen({"unix"}, "unix", {{"X-Forwarded-For", "unix"}}).address, "unknown");
  std::string many = "203.0.113.9";
  for (int i = 0; i < 41; ++i) many += ", 10.0.0.5";
  EXPECT_EQ(seen(trusted, "10.1.2.3", {{"X-Forwarded-For", many}}).address, "unknown");
  Headers apart(41, {"X-Forwarded-For", "10.0.0.5"});
  EXPECT_EQ(seen(trusted, "10.1.2.3", apart).address, "unknown");
  EXPECT_EQ(seen(trusted, "10.1.2.3", {{"X-Forwarded-For", "[, ,"}}).address, "unknown");
}

TEST(TrustedProxiesTest, IgnoresUntrustedPeers) {
  const Headers forged = {{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}};
  EXPECT_EQ(seen({"10.0.0.0/8"}, "11.0.0.1", forged), (Seen{"11.0.0.1", false}));
  EXPECT_EQ(seen({}, "10.1.2.3", forged), (Seen{"10.1.2.3", false}));
  EXPECT_EQ(seen({"10.0.0.0/8"}, "unix", forged), (Seen{"unix", false}));
}

TEST(TrustedProxiesTest, ShowsAddressesInTheirShortestForm) {
  const auto address = [](const std::string& forwarded) {
    return seen({"10.0.0.1"}, "10.0.0.1", {{"X-Forwarded-For", forwarded}}).address;
  };
  EXPECT_EQ(address("::ffff:203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(address("[::FFFF:cb00:7109]:443"), "203.0.113.9");
  EXPECT_EQ(address("2001:0DB8:0:0::7"), "2001:db8::7");
}

// Of several schemes only one is the last proxy's, and it let through what somebody else wrote.
TEST(TrustedProxiesTest, TakesASingleScheme) {
  const auto secure = [](const Headers& headers, bool before) {
    return seen({"10.0.0.1"}, "10.0.0.1", headers, before).secure;
  };
  const std::string name = "X-Forwarded-Proto";
  for (const bool before : {false, true}) {
    EXPECT_TRUE(secure({{name, "HTTPS"}}, before));
    for (const char* other : {"http", "gopher", "", "http, https", "https, http", "https, https",
                              "https,", ",https", "https https"}) {
      EXPECT_FALSE(secure({{name, other}}, before)) << other;
    }
    EXPECT_FALSE(secure({{name, "https"}, {name, "https"}}, before));
    EXPECT_EQ(secure({}, before), before) << "the connection's own";
  }
}

TEST(TrustedProxiesTest, RefusesInvalidNetworks) {
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::1/129",
                           "host.example", "10.0.0", "/8"}) {
    const auto parsed = TrustedProxies::parse({text});
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().where, text);
  }
  EXPECT_TRUE(TrustedProxies::parse({"0.0.0.0/0", "::/0"}));
}

TEST(TrustedProxiesTest, ServesTheListener) {
  const auto service = std::make_shared<test::FakeService>();
  service->on_handle = [](Request request, Responder respond) {
    respond({.body = request.head.remote_address + (request.head.secure ? " secure" : " plain")});
  };
  const auto shards = make_shards(1);
  const auto listener =
      make_listener({.name = "test",
                     .address = "127.0.0.1:0",
                     .limits = {},
                     .access_log = false,
                     .trusted_proxies = TrustedProxies::parse({"127.0.0.0/8"}).value()},
                    *shards, system_clock());
  shards->start();
  ASSERT_TRUE(listener->start(service));
  test::RawClient client(listener->address());
  ASSERT_TRUE(
      client.send("GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 203.0.113.9\r\n"
                  "X-Forwarded-Proto: https\r\n\r\n"));
  EXPECT_EQ(client.read_response().value().body, "203.0.113.9 secure");
  // The next request of the same connection may be another's.
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_EQ(client.read_response().value().body, "unknown plain");
  listener->close();
  shards->stop();
}

}  // namespace
}  // namespace holdfast::net
