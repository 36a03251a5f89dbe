// Tests the blocking HTTP and WebSocket clients, and the URLs that they take.

#include <future>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <holdfast/net/client.hpp>

#include "support/base/temp_dir.hpp"
#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using test::FakeService;
using test::RecordedEvents;
using test::TestServer;

Url url_of(const TestServer& server, const std::string& scheme = "http",
           const std::string& target = "/") {
  return parse_url(scheme + "://" + server.address() + target).value();
}

TEST(UrlTest, TakesItsPartsApart) {
  const Url url = parse_url("HTTPS://[::1]:8443/a/b?c=d").value();
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, "8443");
  EXPECT_EQ(url.target, "/a/b?c=d");
  EXPECT_EQ(url.authority(), "[::1]:8443");
  EXPECT_EQ(parse_url("ws://host").value().authority(), "host");
  EXPECT_EQ(parse_url("wss://host?x").value().target, "/?x");
  EXPECT_EQ(parse_url("wss://host:443").value().authority(), "host");
  EXPECT_EQ(parse_url("http://host:443").value().authority(), "host:443");
  EXPECT_EQ(parse_url("unix:/run/x.sock").value().host, "/run/x.sock");
}

TEST(UrlTest, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "host",
                           "ftp://host",
                           "http://",
                           "http://:80",
                           "http://host:0",
                           "http://host:65536",
                           "http://host:x",
                           "http://host:",
                           "http://a@host",
                           "http://[::1",
                           "http://[::1]x",
                           "http://host/a b",
                           "http://host/a\nb",
                           "http://[[]:80",
                           "http://[]",
                           "http://[host]",
                           "http://a\\b",
                           "http://ho<st",
                           "http://a]b"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Errc::invalid_argument);
  }
}

TEST(HttpClientTest, KeepsItsConnection) {
  TestServer server(std::make_shared<FakeService>());
  const auto client = make_http_client(url_of(server));
  for (int i = 0; i < 3; ++i) {
    const auto response = client->request({.method = "POST", .target = "/x", .body = "hello"});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "/x|hello");
  }
  EXPECT_EQ(server.listener().stats().open_sockets, 1U);
}

TEST(HttpClientTest, ConnectsAgainWhenTheServerHasEndedTheConnection) {
  const auto service = std::make_shared<FakeService>();
  HttpLimits limits;
  limits.idle_timeout = Milliseconds(20);
  TestServer server(service, 1, limits);
  const auto client = make_http_client(url_of(server));
  EXPECT_TRUE(client->request({}));
  ASSERT_TRUE(test::eventually([&] { return server.listener().stats().open_sockets == 0; }));
  EXPECT_TRUE(client->request({}));
}

TEST(HttpClientTest, WaitsNoLongerThanItsDeadline) {
  const auto service = std::make_shared<FakeService>();
  std::vector<Responder> waiting;
  service->on_handle = [&](Request, Responder respond) { waiting.push_back(std::move(respond)); };
  TestServer server(service);
  const auto client = make_http_client(url_of(server));
  const auto response = client->request({}, Milliseconds(50));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::unavailable);
  server.run_on(0, [&] { waiting.clear(); });
}

TEST(HttpClientTest, SaysThatNobodyListens) {
  TestServer server(std::make_shared<FakeService>());
  const auto client = make_http_client(url_of(server));
  server.stop();
  EXPECT_EQ(client->request({}).error().code, Errc::unavailable);
}

TEST(HttpClientTest, TalksOverAUnixSocket) {
  const test::TempDir directory;
  const std::string address = "unix:" + directory.file("control.sock");
  TestServer server(std::make_shared<FakeService>(), 1, {}, address);
  const auto client = make_http_client(parse_url(address).value());
  EXPECT_EQ(client->request({.target = "/a"}).value().body, "/a|");
}

TEST(HttpClientTest, RefusesToSendALineBreak) {
  TestServer server(std::make_shared<FakeService>());
  const auto client = make_http_client(url_of(server));
  EXPECT_EQ(client->request({.headers = {{"A", "b\r\nC: d"}}}).error().code,
            Errc::invalid_argument);
  EXPECT_EQ(client->request({.target = "/a b"}).error().code, Errc::invalid_argument);
}

/// Accepts every upgrade and keeps the connection.
struct Echo {
  Echo() : service(std::make_shared<FakeService>()) {
    service->on_open = [this](RequestHead head, LiveResponder respond) {
      protocol = head.header("sec-websocket-protocol") != nullptr
                     ? *head.header("sec-websocket-protocol")
                     : "";
      if (const std::string* const agent = head.header("User-Agent")) user_agent = *agent;
      respond(LiveAccepted{.shard = 0,
                           .subprotocol = protocol,
                           .on_open = [this](std::shared_ptr<delivery::Connection> opened) {
                             connection = opened;
                             opened->start(events);
                           }});
    };
  }
  std::shared_ptr<FakeService> service;
  std::shared_ptr<delivery::Connection> connection;
  std::string protocol;
  std::string user_agent;
  RecordedEvents events;
};

TEST(WebSocketClientTest, ReadsWritesAndAnswersPings) {
  Echo echo;
  TestServer server(echo.service);
  auto client =
      connect_websocket(url_of(server, "ws", "/ws"), {}, "holdfast.v1", Milliseconds(5000));
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_EQ(echo.protocol, "holdfast.v1");
  EXPECT_TRUE(echo.user_agent.starts_with("holdfast/")) << echo.user_agent;
  EXPECT_EQ((*client)->read(Milliseconds(10)).value(), std::nullopt);
  server.run_on(0, [&] {
    echo.connection->write_text("one");
    echo.connection->write_fence("fence");
    echo.connection->write_text(std::string(200'000, 'x'));
    echo.connection->flush();
  });
  EXPECT_EQ((*client)->read(Milliseconds(5000)).value(), "one");
  EXPECT_EQ((*client)->read(Milliseconds(5000)).value()->size(), 200'000U);
  EXPECT_TRUE(echo.events.saw("pong:fence"));
  EXPECT_TRUE((*client)->write("two"));
  EXPECT_TRUE(echo.events.saw("text:two"));
  server.run_on(0, [&] { echo.connection->close(delivery::CloseReason::shutting_down, "bye"); });
  EXPECT_EQ((*client)->read(Milliseconds(5000)).error().code, Errc::unavailable);
  EXPECT_EQ((*client)->close_code(), 1001);
  EXPECT_TRUE(echo.events.saw("closed"));
}

TEST(WebSocketClientTest, SaysThatTheUpgradeWasRefused) {
  TestServer server(std::make_shared<FakeService>());
  const auto client = connect_websocket(url_of(server, "ws", "/ws"), {}, "", Milliseconds(5000));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, Errc::unauthenticated);
}

TEST(WebSocketClientTest, EndsFromAnotherThread) {
  Echo echo;
  TestServer server(echo.service);
  auto client = connect_websocket(url_of(server, "ws", "/ws"), {}, "", Milliseconds(5000));
  ASSERT_TRUE(client);
  auto reading =
      std::async(std::launch::async, [&] { return (*client)->read(Milliseconds(20'000)); });
  (*client)->close();
  EXPECT_FALSE(reading.get());
  EXPECT_TRUE(echo.events.saw("closed"));
}

TEST(WebSocketClientTest, ReportsAnAbnormalEndAs1006) {
  Echo echo;
  TestServer server(echo.service);
  auto client = connect_websocket(url_of(server, "ws", "/ws"), {}, "", Milliseconds(5000));
  ASSERT_TRUE(client);
  server.run_on(0, [&] { echo.connection->abort(); });
  EXPECT_FALSE((*client)->read(Milliseconds(5000)));
  EXPECT_EQ((*client)->close_code(), 1006);
}

}  // namespace
}  // namespace holdfast::net
