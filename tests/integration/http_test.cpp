// Tests HTTP on a whole gateway.

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

class HttpTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    gateway_ = new TestGateway(
        {.settings = {"limits.header_timeout_ms=700", "limits.body_timeout_ms=700"}});
  }
  static void TearDownTestSuite() { delete gateway_; }

  static std::string host() { return "Host: " + gateway_->address() + "\r\n"; }
  static std::string post() { return "POST /message HTTP/1.1\r\n" + host(); }

  // The status of these bytes' answer, behind which the connection must end; 0 when it just ends.
  static int refused(const std::string& bytes) {
    RawClient socket = gateway_->raw();
    socket.send(bytes);
    const auto answer = socket.read_response();
    EXPECT_TRUE(socket.ends()) << bytes.substr(0, 120);
    if (!answer) return 0;
    EXPECT_NE(answer->header("Date"), "");
    return answer->status;
  }
  static void expect_served() {
    EXPECT_EQ(gateway_->publish_status("u", "still serving"), "STORED");
  }

  static TestGateway* gateway_;
};
TestGateway* HttpTest::gateway_ = nullptr;

TEST_F(HttpTest, RefusesEveryAmbiguousLength) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::string length = "Content-Length: 5\r\n";
  const std::vector<std::string> heads = {
      length + chunked,
      chunked + length,
      length + length,
      "Content-Length: 5, 5\r\n",
      "Content-Length: -1\r\n",
      "Content-Length: +5\r\n",
      "Content-Length: 0x5\r\n",
      "Content-Length: 99999999999999999999\r\n",
      "Content-Length: \r\n",
      chunked + chunked,
      "Transfer-Encoding : chunked\r\n",
  };
  for (const std::string& head : heads) {
    EXPECT_EQ(refused(post() + head + "\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n"), 400) << head;
  }
  // Codings that nobody here speaks end the connection likewise.
  for (const char* coding : {"xchunked", "gzip, chunked"}) {
    EXPECT_EQ(refused(post() + "Transfer-Encoding: " + coding + "\r\n\r\n0\r\n\r\n"), 501)
        << coding;
  }
  EXPECT_EQ(refused("POST /message HTTP/1.0\r\n" + host() + chunked + "\r\n0\r\n\r\n"), 400);
  expect_served();
}

TEST_F(HttpTest, RefusesBrokenHeaders) {
  const std::vector<std::string> requests = {
      "GET /tokens HTTP/1.1\r\n" + host() + "X: a\r\n b\r\n\r\n",
      "GET /tokens HTTP/1.1\r\n" + host() + "X: a\nY: b\r\n\r\n",
      "GET /tokens HTTP/1.1\r\n" + host() + "X: a\rb\r\n\r\n",
      "GET /tokens HTTP/1.1\r\n" + host() + "X: a" + std::string(1, '\0') + "b\r\n\r\n",
      "GET /tokens HTTP/1.1\r\n" + host() + "X : a\r\n\r\n",
      "GET /tokens HTTP/1.1\r\n\r\n",
      "GET /tokens HTTP/1.1\r\n" + host() + host() + "\r\n",
      "GET http://other.example/tokens HTTP/1.1\r\n" + host() + "\r\n",
  };
  for (const std::string& request : requests) {
    EXPECT_EQ(refused(request), 400) << request.substr(0, 60);
  }
  EXPECT_EQ(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
  // The beginning of a TLS handshake: a line that does not end.
  EXPECT_EQ(refused("\x16\x03\x01\x02\x01"), 408);
  expect_served();
}

TEST(HttpBodiesTest, Answers503BeyondTheSumOfBodies) {
  TestGateway gateway({.settings = {"limits.body_bytes_in_flight=1048576"}});
  const std::string half = "POST /message HTTP/1.1\r\nHost: " + gateway.address() +
                           "\r\nContent-Length: 1000000\r\n\r\n" + std::string(600'000, 'x');
  RawClient first = gateway.raw();
  RawClient second = gateway.raw();
  first.send(half);
  second.send(half);
  std::optional<RawResponse> answer;
  ASSERT_TRUE(eventually([&] {
    answer = second.read_response(Milliseconds(10));
    if (!answer) answer = first.read_response(Milliseconds(10));
    return answer.has_value();
  }));
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->header("x-amzn-ErrorType"), "ServiceUnavailableException");
  EXPECT_NE(answer->header("Retry-After"), "");
  EXPECT_EQ(answer->header("Connection"), "close");
  EXPECT_EQ(gateway.publish_status("u", "what comes whole is served"), "STORED");
}

TEST_F(HttpTest, BoundsHeadersAndTheTarget) {
  EXPECT_EQ(
      refused("GET /tokens HTTP/1.1\r\n" + host() + "X: " + std::string(65'536, 'x') + "\r\n\r\n"),
      431);
  std::string many;
  for (int i = 0; i < 5'000; ++i) many += "X" + std::to_string(i) + ": y\r\n";
  EXPECT_EQ(refused("GET /tokens HTTP/1.1\r\n" + host() + many + "\r\n"), 431);
  EXPECT_EQ(refused("GET /" + std::string(65'536, 'x') + " HTTP/1.1\r\n" + host() + "\r\n"), 414);
  EXPECT_EQ(refused(post() + "Expect: something\r\nContent-Length: 5\r\n\r\n"), 417);
  expect_served();
}

TEST_F(HttpTest, EndsRequestsThatDribbleWithoutDelayingOthers) {
  RawClient header = gateway_->raw();
  RawClient body = gateway_->raw();
  header.send("POST /mess");
  body.send(post() + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
  const auto before = std::chrono::steady_clock::now();
  expect_served();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(600));
  for (RawClient* const socket : {&header, &body}) {
    const auto answer = socket->read_response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 408);
    EXPECT_TRUE(socket->ends());
  }
}

TEST_F(HttpTest, AnswersPipelinedRequestsInOrder) {
  RawClient socket = gateway_->raw();
  const std::string good =
      bytes_of(gateway_->signed_request("/message", R"({"userId":"pipelined","message":"m"})"));
  socket.send(good + good + "GET /tokens HTTP/1.1\r\n" + host() + "\r\n");
  for (const int status : {200, 200, 401}) {
    const auto answer = socket.read_response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status);
  }
}

TEST_F(HttpTest, ServesNothingBehindAnError) {
  RawClient socket = gateway_->raw();
  socket.send(post() + "Content-Length: x\r\n\r\n" + "GET /tokens HTTP/1.1\r\n" + host() + "\r\n");
  const auto answer = socket.read_response();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400);
  EXPECT_FALSE(socket.read_response());
}

TEST_F(HttpTest, TakesChunkedBodiesAndClosesBehindThem) {
  const RequestBuilder request =
      gateway_->signed_request("/message", R"({"userId":"chunky","message":"m"})");
  std::string bytes = "POST /message HTTP/1.1\r\n";
  for (const auto& [name, value] : request.headers) bytes += name + ": " + value + "\r\n";
  bytes += "Transfer-Encoding: chunked\r\n\r\n";
  for (const char c : request.body) bytes += "1\r\n" + std::string(1, c) + "\r\n";
  RawClient socket = gateway_->raw();
  socket.send(bytes + "0\r\n\r\n");
  const auto answer = socket.read_response();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_TRUE(socket.ends());
}

TEST_F(HttpTest, ContinuesWhenAClientWaitsForIt) {
  RequestBuilder request =
      gateway_->signed_request("/message", R"({"userId":"patient","message":"m"})");
  request.headers.emplace_back("Expect", "100-continue");
  const std::string bytes = bytes_of(request);
  const auto split = bytes.find("\r\n\r\n") + 4;
  RawClient socket = gateway_->raw();
  socket.send(bytes.substr(0, split));
  const auto first = socket.read_response();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 100);
  socket.send(bytes.substr(split));
  const auto second = socket.read_response();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->status, 200) << second->body;
}

TEST(ConfiguredHttpTest, AnswersOneConnectionTooManyWith503) {
  TestGateway gateway({.settings = {"limits.connections=4"}});
  std::vector<RawClient> sockets;
  for (int i = 0; i < 4; ++i) {
    sockets.push_back(gateway.raw());
    // A connection counts once it is accepted: an answer proves that it was. One that waits for its
    // next request would make room.
    sockets.back().send("GET /tokens HTTP/1.1\r\nHost: " + gateway.address() + "\r\n\r\nGET");
    ASSERT_TRUE(sockets.back().read_response());
  }
  RawClient one_more = gateway.raw();
  one_more.send("GET /tokens HTTP/1.1\r\nHost: " + gateway.address() + "\r\n\r\n");
  const auto refused = one_more.read_response();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->header("x-amzn-ErrorType"), "ServiceUnavailableException");
  EXPECT_NE(refused->header("Retry-After"), "");
  EXPECT_TRUE(one_more.ends());
  sockets.clear();
  EXPECT_TRUE(eventually([&] {
    const auto answer =
        gateway.send_bytes("GET /tokens HTTP/1.1\r\nHost: " + gateway.address() + "\r\n\r\n");
    return answer && answer->status == 401;
  }));
}

TEST(ConfiguredHttpTest, StaysQuickBesideManyIdleConnections) {
  TestGateway gateway;
  std::vector<RawClient> idle;
  for (int i = 0; i < 5'000; ++i) idle.push_back(gateway.raw());
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(gateway.publish_status("u", "m"), "STORED");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(2));
}

TEST(ConfiguredHttpTest, TellsItsHealthOnTheControlListener) {
  TestGateway gateway;
  const auto ask = [&](const std::string& path) {
    RawClient socket(gateway.info().control_address);
    socket.send("GET " + path + " HTTP/1.1\r\nHost: " + gateway.info().control_address +
                "\r\n\r\n");
    const auto answer = socket.read_response();
    return answer ? std::to_string(answer->status) + " " + answer->body : "";
  };
  EXPECT_EQ(ask("/livez"), "200 ok\n");
  EXPECT_EQ(ask("/readyz"), "200 ready\n");
}

TEST(ConfiguredHttpTest, ShowsItsStatusOnTheControlSocket) {
  TestGateway gateway;
  gateway.publish("u", "m");
  const Json status = gateway.control("GET", "/v1/status");
  EXPECT_EQ(status.at("state"), "ready");
  EXPECT_EQ(status.at("shards"), 2);
  EXPECT_EQ(status.at("delivery").at("accepted"), 1);
  EXPECT_EQ(status.at("delivery").at("pendingMessages"), 1);
  EXPECT_EQ(status.at("listeners").size(), 3u);
  EXPECT_TRUE(status.at("store").at("writable").get<bool>());
  const Json connections = gateway.control("GET", "/v1/connections");
  EXPECT_TRUE(connections.at("connections").empty());
}

}  // namespace
}  // namespace holdfast::test
