// The poller: how often a shard asks the kernel, and that it sleeps when nobody waits.

#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using namespace holdfast::test;

std::int64_t process_cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

// A server that keeps the requests for /later until it is told to answer.
class PollerTest : public testing::Test {
 protected:
  PollerTest() {
    service_->on_handle = [this](Request request, Responder respond) {
      if (request.head.target != "/later") return respond({.body = request.head.target});
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(respond));
    };
  }

  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  void answer() {
    server_.run_on(0, [this] {
      const std::lock_guard lock(mutex_);
      for (Responder& respond : waiting_) respond({.body = "answered"});
      waiting_.clear();
    });
  }
  /// A client whose socket was waited for before.
  RawClient served_client() {
    RawClient client(server_.address());
    client.send("GET /first HTTP/1.1\r\nHost: test\r\n\r\n");
    EXPECT_EQ(client.read_response()->body, "/first");
    return client;
  }
  void expect_sleep() {
    const std::int64_t before = process_cpu_ms();
    std::this_thread::sleep_for(Milliseconds(300));
    EXPECT_LT(process_cpu_ms() - before, 100);
  }

  std::mutex mutex_;
  std::vector<Responder> waiting_;
  std::shared_ptr<FakeService> service_ = std::make_shared<FakeService>();
  TestServer server_{service_};
};

constexpr std::string_view kLater = "GET /later HTTP/1.1\r\nHost: test\r\n\r\n";

TEST_F(PollerTest, SleepsWhileARequestIsHandledAndTheNextHasCome) {
  RawClient client = served_client();
  ASSERT_TRUE(client.send(kLater));
  ASSERT_TRUE(eventually([this] { return waiting() == 1; }));
  ASSERT_TRUE(client.send("GET /next HTTP/1.1\r\nHost: test\r\n\r\n"));
  expect_sleep();
  answer();
  EXPECT_EQ(client.read_response()->body, "answered");
  EXPECT_EQ(client.read_response()->body, "/next");
  // Waiting is as before.
  ASSERT_TRUE(client.send("GET /third HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_EQ(client.read_response()->body, "/third");
}

TEST_F(PollerTest, SleepsWhileARequestOfAClientThatHasEndedIsHandled) {
  RawClient client = served_client();
  ASSERT_TRUE(client.send(kLater));
  ASSERT_TRUE(eventually([this] { return waiting() == 1; }));
  client.shutdown_send();
  expect_sleep();
  answer();
  EXPECT_EQ(client.read_response()->body, "answered");
  EXPECT_TRUE(client.ends());
}

TEST_F(PollerTest, SleepsWhileARequestOfAClientThatWasResetIsHandled) {
  RawClient client = served_client();
  ASSERT_TRUE(client.send(kLater));
  ASSERT_TRUE(eventually([this] { return waiting() == 1; }));
  client.reset();
  expect_sleep();
  answer();
  EXPECT_TRUE(eventually([this] { return server_.listener().stats().open_sockets == 0; }));
}

TEST_F(PollerTest, SleepsAgainWhenASlowClientHasTakenItsAnswer) {
  const std::string large(8 << 20, 'x');
  service_->on_handle = [&](Request, Responder respond) { respond({.body = large}); };
  RawClient client(server_.address());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  std::this_thread::sleep_for(Milliseconds(50));
  expect_sleep();
  EXPECT_EQ(client.read_response()->body.size(), large.size());
  expect_sleep();
}

// Many sockets become ready in one turn, and what one handler does ends others of the same turn.
TEST_F(PollerTest, KeepsApartWhatEndsInTheTurnInWhichItIsReady) {
  std::vector<RawClient> clients;
  for (int i = 0; i < 300; ++i) clients.emplace_back(server_.address());
  for (int round = 0; round < 5; ++round) {
    server_.run_on(0, [&] {  // the shard is busy while all of it comes
      for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i].send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: test\r\n" +
                        (i % 7 == 3 && round == 4 ? "Connection: close\r\n\r\n" : "\r\n"));
      }
    });
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const auto response = clients[i].read_response();
      ASSERT_TRUE(response) << i;
      EXPECT_EQ(response->body, "/" + std::to_string(i));
    }
  }
}

}  // namespace
}  // namespace holdfast::net
