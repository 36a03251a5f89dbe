// Requests that are answered late, over real sockets.

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/net/client.hpp>
#include <holdfast/net/http.hpp>
#include <holdfast/net/tls.hpp>

#include "support/base/temp_dir.hpp"
#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using test::FakeService;
using test::RawClient;
using test::TestServer;

constexpr const char* kPoll = "GET /poll HTTP/1.1\r\nHost: test\r\n\r\n";
constexpr const char* kOtherRequest = "GET /other HTTP/1.1\r\nHost: test\r\n\r\n";

ListenerOptions poll_options() {
  return {.name = "test", .address = {}, .limits = {}, .access_log = false};
}

/// Parks each request for `/poll`; the test answers.
class Polls {
 public:
  explicit Polls(ListenerOptions options = poll_options()) {
    service->on_handle = [this](const Request& request, Responder respond) {
      if (request.head.path() != "/poll") return respond({.body = "other"});
      waiting.push_back(std::move(respond).with(
          [](Response& response) { response.headers.emplace_back("X-Passed", "yes"); }));
      waiting.back().park([this](ParkEnd end) {
        ends.push_back(end);
        if (on_end) on_end();
      });
    };
    server = std::make_unique<TestServer>(service, 1, std::move(options));
  }
  ~Polls() {
    run([this] { waiting.clear(); });
    server->stop();
  }

  void run(std::move_only_function<void()> task) { server->run_on(0, std::move(task)); }
  bool has_parked(std::size_t count) {
    return test::eventually([&] {
      std::size_t parked = 0;
      run([&] { parked = waiting.size(); });
      return parked == count;
    });
  }
  std::vector<ParkEnd> told() {
    std::vector<ParkEnd> out;
    run([&] { out = ends; });
    return out;
  }
  bool was_told(ParkEnd end) {
    return test::eventually([&] { return told() == std::vector{end}; });
  }
  bool all_gone() {
    return test::eventually([&] { return server->listener().stats().open_sockets == 0; });
  }

  std::shared_ptr<FakeService> service = std::make_shared<FakeService>();
  std::vector<Responder> waiting;
  std::vector<ParkEnd> ends;
  std::move_only_function<void()> on_end;
  std::unique_ptr<TestServer> server;
};

TEST(ParkedRequestTest, GetsALateAnswer) {
  ListenerOptions options = poll_options();
  options.limits.header_timeout = options.limits.body_timeout = options.limits.write_timeout =
      Milliseconds(200);
  options.answer_patience = Milliseconds(50);
  options.gives_up = [] { return "what others wait for hangs"; };
  Polls polls(std::move(options));
  RawClient client(polls.server->address());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(client.send(kPoll));
    ASSERT_TRUE(polls.has_parked(1));
    EXPECT_FALSE(client.read_response(Milliseconds(1'300)));
    polls.run([&] {
      polls.waiting.back()({.body = "late"});
      polls.waiting.clear();
    });
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "late");
    EXPECT_EQ(response->header("X-Passed"), "yes");
  }
  EXPECT_TRUE(polls.told().empty());
}

TEST(ParkedRequestTest, EndsWhenItsClientLeaves) {
  void (*const ways[])(RawClient&) = {[](RawClient& client) { client.close(); },
                                      [](RawClient& client) { client.reset(); },
                                      [](RawClient& client) { client.shutdown_send(); }};
  for (const auto& leave : ways) {
    for (const char* const request : {kPoll, "GET /poll HTTP/1.0\r\nHost: test\r\n\r\n"}) {
      for (const char* const behind : {"", kOtherRequest}) {
        Polls polls;
        RawClient client(polls.server->address());
        ASSERT_TRUE(client.send(request));
        ASSERT_TRUE(polls.has_parked(1));
        ASSERT_TRUE(client.send(behind));
        leave(client);
        EXPECT_TRUE(polls.was_told(ParkEnd::gone));
        EXPECT_TRUE(polls.all_gone());
        // It crosses the news.
        polls.run([&] { polls.waiting.back()({.body = "to nobody"}); });
        EXPECT_EQ(polls.told().size(), 1U);
      }
    }
  }
}

TEST(ParkedRequestTest, NoticesAClientThatLeftBefore) {
  Polls polls;
  std::optional<Responder> kept;
  polls.service->on_handle = [&](const Request&, Responder respond) { kept = std::move(respond); };
  RawClient client(polls.server->address());
  ASSERT_TRUE(client.send(kPoll));
  ASSERT_TRUE(test::eventually([&] { return polls.server->listener().stats().requests == 1; }));
  client.reset();
  polls.run([&] {
    kept->park([&](ParkEnd end) { polls.ends.push_back(end); });
    EXPECT_TRUE(polls.ends.empty()) << "told inside the call";
  });
  EXPECT_TRUE(polls.was_told(ParkEnd::gone));
  polls.run([&] { kept.reset(); });
}

TEST(ParkedRequestTest, LeavesWhatCameBehindItForLater) {
  Polls polls;
  RawClient client(polls.server->address());
  ASSERT_TRUE(client.send(kPoll));
  ASSERT_TRUE(polls.has_parked(1));
  ASSERT_TRUE(client.send(kOtherRequest));
  EXPECT_FALSE(client.read_response(Milliseconds(100)));
  EXPECT_TRUE(polls.told().empty());
  polls.run([&] { polls.waiting.back()({.body = "first"}); });
  EXPECT_EQ(client.read_response()->body, "first");
  EXPECT_EQ(client.read_response()->body, "other");
  // Its end is seen as ever.
  client.close();
  EXPECT_TRUE(polls.all_gone());
  EXPECT_TRUE(polls.told().empty());
}

TEST(ParkedRequestTest, AcceptsAnAnswerDuringTheDrain) {
  Polls polls;
  polls.on_end = [&] { polls.waiting.back()({.body = "as far as it is"}); };
  RawClient client(polls.server->address());
  ASSERT_TRUE(client.send(kPoll));
  ASSERT_TRUE(polls.has_parked(1));
  polls.server->listener().drain();
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "as far as it is");
  EXPECT_EQ(response->header("Connection"), "close");
  EXPECT_TRUE(polls.was_told(ParkEnd::draining));
}

TEST(ParkedRequestTest, GetsARefusalFromADrainWithoutAnAnswer) {
  Polls polls;
  RawClient client(polls.server->address());
  ASSERT_TRUE(client.send(kPoll));
  ASSERT_TRUE(polls.has_parked(1));
  polls.server->listener().drain();
  EXPECT_EQ(client.read_response()->status, 503);
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(polls.was_told(ParkEnd::draining));
  polls.run([&] { polls.waiting.back()({.body = "too late"}); });
}

TEST(ParkedRequestTest, EndsWithItsListener) {
  Polls polls;
  RawClient client(polls.server->address());
  ASSERT_TRUE(client.send(kPoll));
  ASSERT_TRUE(polls.has_parked(1));
  polls.server->listener().close();
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(polls.was_told(ParkEnd::gone));
}

TEST(ParkedRequestTest, EndsWhenItsResponderIsDropped) {
  Polls polls;
  RawClient client(polls.server->address());
  ASSERT_TRUE(client.send(kPoll));
  ASSERT_TRUE(polls.has_parked(1));
  polls.run([&] { polls.waiting.clear(); });
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(polls.all_gone());
  EXPECT_TRUE(polls.told().empty());
}

TEST(ParkedRequestTest, SurvivesALackOfRoom) {
  ListenerOptions options = poll_options();
  options.limits.connections = 1;
  Polls polls(std::move(options));
  RawClient client(polls.server->address());
  ASSERT_TRUE(client.send(kPoll));
  ASSERT_TRUE(polls.has_parked(1));
  RawClient more(polls.server->address());
  ASSERT_TRUE(more.send(kOtherRequest));
  EXPECT_EQ(more.read_response()->status, 503);
  polls.run([&] { polls.waiting.back()({.body = "at last"}); });
  EXPECT_EQ(client.read_response()->body, "at last");
}

TEST(ParkedRequestTest, GoesOverTls) {
  const test::TempDir dir;
  const auto made = make_dev_certificates(dir.file("tls"), {}).value();
  ListenerOptions options = poll_options();
  options.tls =
      make_tls_server({.certificate_file = made.certificate_file, .key_file = made.key_file})
          .value();
  Polls polls(std::move(options));
  const auto client = make_http_client(
      parse_url("https://" + polls.server->address() + "/").value(), {.ca_file = made.ca_file});
  std::thread answers([&] {
    EXPECT_TRUE(polls.has_parked(1));
    std::this_thread::sleep_for(Milliseconds(50));
    polls.run([&] { polls.waiting.back()({.body = "late"}); });
  });
  const auto response = client->request({.target = "/poll"});
  answers.join();
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "late");
  EXPECT_FALSE(client->request({.target = "/poll"}, Milliseconds(100)));
  EXPECT_TRUE(polls.was_told(ParkEnd::gone));
}

}  // namespace
}  // namespace holdfast::net
