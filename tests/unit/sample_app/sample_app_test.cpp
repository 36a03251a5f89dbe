// Tests the sample application as a whole.

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holdfast/sample_app/sample_app.hpp>

#include "support/base/manual_clock.hpp"
#include "support/client/eventually.hpp"
#include "support/client/fake_gateway.hpp"
#include "support/sample_app/test_issuer.hpp"

namespace holdfast::sample_app {
namespace {

using test::eventually;
using test::json_response;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kPool = "us-east-1_abcdefghi";
constexpr const char* kClient = "client1";
constexpr const char* kReceipt = R"({"messageId":"m","sequence":1,"status":"STORED"})";

class SampleAppTest : public testing::Test {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override { app_->stop(Milliseconds(0)); }

  void start(SampleAppOptions options) {
    if (app_) app_->stop(Milliseconds(0));
    options.listen = "127.0.0.1:0";
    options.gateway.url = gateway_.url();
    options.gateway.user_pool_id = kPool;
    options.gateway.client_id = kClient;
    options.gateway.credentials = {"AKIA", "secret", ""};
    options.retry = {Milliseconds(1'000), Milliseconds(8'000)};
    options.access_log = false;
    app_ = SampleApp::make(options, clock_).value();
    const auto started = app_->start();
    ASSERT_TRUE(started) << started.error().message;
  }

  // The gateway: its keys, and the scripted answers of /message, the last of which stays.
  net::Response answer(const net::Request& request) {
    if (request.head.method == "GET") return json_response(200, issuer_.jwks());
    const std::lock_guard lock(mutex_);
    net::Response response = answers_.front();
    if (answers_.size() > 1) answers_.pop_front();
    return response;
  }
  void script(std::deque<net::Response> answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
  }
  // The bodies of the messages that the gateway was sent, in their order.
  std::vector<Json> sent() const {
    std::vector<Json> out;
    for (const net::Request& request : gateway_.requests()) {
      if (request.head.target == "/message") out.push_back(*parse_json(request.body));
    }
    return out;
  }

  std::string issuer_url() const { return gateway_.url() + "/" + kPool; }
  std::string token(const std::string& sub, Seconds lifetime = Seconds(3600)) const {
    return issuer_.id_token(issuer_url(), kClient, sub, clock_.wall_now(), lifetime);
  }
  static std::string order(const std::string& user, const std::string& text, int wait) {
    return Json{{"wait", wait}, {"userId", user}, {"message", text}}.dump();
  }
  net::Response call(const std::string& method, const std::string& target,
                     const std::string& authorization, const std::string& body) const {
    auto http = net::make_http_client(*net::parse_url("http://" + app_->address()));
    net::ClientRequest request;
    request.method = method;
    request.target = target;
    if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = body;
    const auto response = http->request(request);
    EXPECT_TRUE(response) << response.error().message;
    return response.value_or(net::Response{.status = 0, .headers = {}, .body = {}});
  }
  net::Response post(const std::string& authorization, const std::string& body) const {
    return call("POST", "/", authorization, body);
  }

  test::ManualClock clock_;
  test::TestIssuer issuer_{"k1"};
  std::mutex mutex_;
  std::deque<net::Response> answers_{json_response(200, kReceipt)};
  test::FakeGateway gateway_{[this](const net::Request& request) { return answer(request); }};
  std::optional<SampleApp> app_;
};

TEST_F(SampleAppTest, AcceptsAtOnceAndSendsWhenTheWaitIsOver) {
  const auto response = post(token("ann"), order("ann", "hello", 30));
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body, "");
  EXPECT_TRUE(sent().empty());
  clock_.advance(Seconds(29));
  EXPECT_TRUE(sent().empty());
  clock_.advance(Seconds(2));
  ASSERT_TRUE(eventually([&] { return sent().size() == 1; }));
  EXPECT_EQ(sent()[0]["userId"], "ann");
  EXPECT_EQ(sent()[0]["message"], "hello");
  EXPECT_FALSE(sent()[0]["deduplicationId"].get<std::string>().empty());
  const auto requests = gateway_.requests();
  EXPECT_THAT(*requests.back().head.header("Authorization"),
              StartsWith("AWS4-HMAC-SHA256 Credential=AKIA/"));
}

TEST_F(SampleAppTest, TakesTheTokenWithAndWithoutBearer) {
  EXPECT_EQ(post("Bearer " + token("ann"), order("ann", "hello", 0)).status, 202);
  EXPECT_EQ(post(token("ann"), order("ann", "hello", 0)).status, 202);
}

TEST_F(SampleAppTest, AnswersABadTokenWith401) {
  const std::string body = order("ann", "hello", 0);
  const std::string good = token("ann");
  const auto now = clock_.wall_now();
  for (const std::string& bad :
       {std::string(), std::string("x"), std::string("Bearer "), good + "A",
        test::TestIssuer("k1").id_token(issuer_url(), kClient, "ann", now),
        issuer_.id_token("http://elsewhere", kClient, "ann", now),
        issuer_.id_token(issuer_url(), "other", "ann", now)}) {
    const auto response = post(bad, body);
    EXPECT_EQ(response.status, 401) << bad;
    EXPECT_EQ(response.body, R"({"message":"Unauthorized"})") << bad;
  }
  const std::string expired = token("ann", Seconds(60));
  clock_.advance(Seconds(120));
  const auto response = post(expired, body);
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.body, R"({"message":"The incoming token has expired"})");
  EXPECT_TRUE(sent().empty());
}

TEST_F(SampleAppTest, AnswersAnothersUserIdWith403) {
  EXPECT_EQ(post(token("ann"), order("bob", "hello", 0)).status, 403);
  EXPECT_TRUE(sent().empty());
}

TEST_F(SampleAppTest, AnswersABadBodyWith400AndATokenlessOneWith401First) {
  const auto response = post(token("ann"), R"({"userId":"ann"})");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("message"));
  EXPECT_EQ(post("", "{").status, 401);
  EXPECT_EQ(post(token("ann"), order("ann", std::string(131'073, 'm'), 0)).status, 413);
  EXPECT_EQ(post(token("ann"), order("ann", std::string(2 << 20, 'm'), 0)).status, 413);
}

TEST_F(SampleAppTest, KnowsOneRouteOnly) {
  EXPECT_EQ(call("POST", "/other", token("ann"), "{}").status, 404);
  const auto response = call("GET", "/", token("ann"), "");
  EXPECT_EQ(response.status, 405);
  EXPECT_THAT(response.headers, testing::Contains(testing::Pair("Allow", "POST")));
}

TEST_F(SampleAppTest, RetriesUnderOneDeduplicationIdUntilItIsAnswered) {
  auto busy = json_response(503, R"({"message":"Service Unavailable"})");
  auto limited = json_response(429, R"({"message":"Limit Exceeded"})");
  limited.headers.emplace_back("Retry-After", "5");
  script({busy, limited, busy, json_response(200, kReceipt)});
  ASSERT_EQ(post(token("ann"), order("ann", "hello", 0)).status, 202);
  for (std::size_t tries = 1; tries <= 4; ++tries) {
    ASSERT_TRUE(eventually([&] {
      clock_.advance(Milliseconds(100));
      return sent().size() >= tries;
    })) << tries;
  }
  std::set<std::string> ids;
  for (const Json& body : sent()) ids.insert(body["deduplicationId"].get<std::string>());
  EXPECT_EQ(ids.size(), 1U);
  app_->stop(Milliseconds(60'000));
  EXPECT_EQ(sent().size(), 4U);
}

TEST_F(SampleAppTest, WaitsAsLongAsTheGatewayAsks) {
  auto limited = json_response(429, "{}");
  limited.headers.emplace_back("Retry-After", "60");
  script({limited, json_response(200, kReceipt)});
  ASSERT_EQ(post(token("ann"), order("ann", "hello", 0)).status, 202);
  ASSERT_TRUE(eventually([&] { return sent().size() == 1; }));
  // Another user's message shows that the sender is awake, and that the first still waits.
  clock_.advance(Seconds(59));
  ASSERT_EQ(post(token("bob"), order("bob", "me too", 0)).status, 202);
  ASSERT_TRUE(eventually([&] { return sent().size() == 2; }));
  EXPECT_EQ(sent()[1]["userId"], "bob");
  ASSERT_TRUE(eventually([&] {
    clock_.advance(Milliseconds(100));
    return sent().size() == 3;
  }));
  EXPECT_EQ(sent()[2]["userId"], "ann");
}

TEST_F(SampleAppTest, GivesUpOnARefusalThatStays) {
  script(
      {json_response(400, R"({"message":"Invalid request body"})"), json_response(200, kReceipt)});
  ASSERT_EQ(post(token("ann"), order("ann", "bad", 0)).status, 202);
  ASSERT_EQ(post(token("ann"), order("ann", "good", 0)).status, 202);
  ASSERT_TRUE(eventually([&] { return sent().size() == 2; }));
  EXPECT_EQ(sent()[1]["message"], "good");
}

TEST_F(SampleAppTest, KeepsTheOrderOfAUsersMessagesAcrossARetry) {
  script({json_response(503, "{}"), json_response(200, kReceipt)});
  for (const char* text : {"one", "two", "three"}) {
    ASSERT_EQ(post(token("ann"), order("ann", text, 0)).status, 202);
  }
  ASSERT_TRUE(eventually([&] {
    clock_.advance(Milliseconds(100));
    return sent().size() == 4;
  }));
  std::vector<std::string> texts;
  for (const Json& body : sent()) texts.push_back(body["message"]);
  EXPECT_THAT(texts, ElementsAre("one", "one", "two", "three"));
}

TEST_F(SampleAppTest, RefusesMoreJobsThanItHolds) {
  SampleAppOptions options;
  options.jobs_max = 2;
  start(options);
  EXPECT_EQ(post(token("ann"), order("ann", "1", 900)).status, 202);
  EXPECT_EQ(post(token("ann"), order("ann", "2", 900)).status, 202);
  const auto response = post(token("ann"), order("ann", "3", 900));
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.headers, testing::Contains(testing::Key("Retry-After")));
}

TEST_F(SampleAppTest, SendsWhatIsDueAndCountsTheRestWhenItStops) {
  ASSERT_EQ(post(token("ann"), order("ann", "due soon", 3)).status, 202);
  ASSERT_EQ(post(token("ann"), order("ann", "due late", 900)).status, 202);
  clock_.advance(Seconds(3));
  EXPECT_EQ(app_->stop(Milliseconds(5'000)), 1U);
  ASSERT_EQ(sent().size(), 1U);
  EXPECT_EQ(sent()[0]["message"], "due soon");
}

TEST_F(SampleAppTest, AcceptsAChunkedBody) {
  const std::string body = order("ann", "in pieces", 0);
  std::string request = "POST / HTTP/1.1\r\nHost: sample\r\nAuthorization: " + token("ann") +
                        "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 9) {
    const std::string piece = body.substr(at, 9);
    request += std::to_string(piece.size()) + "\r\n" + piece + "\r\n";
  }
  request += "0\r\n\r\n";

  const std::string& address = app_->address();
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_GE(socket, 0);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  peer.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  const timeval patience{10, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ASSERT_EQ(connect(socket, reinterpret_cast<const sockaddr*>(&peer), sizeof peer), 0);
  ASSERT_EQ(send(socket, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer(512, '\0');
  answer.resize(
      static_cast<std::size_t>(std::max<ssize_t>(recv(socket, answer.data(), 512, 0), 0)));
  close(socket);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 202 "));
  ASSERT_TRUE(eventually([&] { return sent().size() == 1; }));
  EXPECT_EQ(sent()[0]["message"], "in pieces");
}

TEST_F(SampleAppTest, Answers503WhileTheGatewaysKeysCannotBeHad) {
  SampleAppOptions options;
  std::string gone;
  {
    const test::FakeGateway other([](const net::Request&) { return net::Response{}; });
    gone = other.url();
  }
  options.listen = "127.0.0.1:0";
  options.gateway.url = gone;
  options.gateway.user_pool_id = kPool;
  options.gateway.client_id = kClient;
  options.access_log = false;
  app_->stop(Milliseconds(0));
  app_ = SampleApp::make(options, clock_).value();
  ASSERT_TRUE(app_->start());
  EXPECT_EQ(post(token("ann"), order("ann", "hello", 0)).status, 503);
}

TEST_F(SampleAppTest, TellsThatItsAddressIsTaken) {
  SampleAppOptions options;
  options.listen = app_->address();
  options.gateway.url = gateway_.url();
  auto second = SampleApp::make(options, clock_).value();
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::io);
}

}  // namespace
}  // namespace holdfast::sample_app
