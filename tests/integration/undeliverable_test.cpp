// Clients whose connections end at one message, and links that are slow, over real sockets.

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holdfast/base/json.hpp>

#include "support/gateway/raw_subscriber.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool is_away(const TestGateway& gateway, const TestUser& user) {
  return eventually([&] {
    return gateway.control("GET", "/v1/connections?userId=" + user.id).at("connections").empty();
  });
}

/// Ends with a reset when the client's kernel has acknowledged all that came. Behind a Pong it puts
/// that off for a moment (40 ms on Linux), and a reset before it destroys the only proof that the
/// message was taken: the gateway's kernel drops the number that the reset itself carries. Such an
/// end is a network's by the rule, so a client that resets faster than this is no case here.
void reset_behind_acknowledgement(RawSubscriber& client) {
  const int now = 1;
  do {
    setsockopt(client.socket().descriptor(), IPPROTO_TCP, TCP_QUICKACK, &now, sizeof now);
  } while (!client.socket().receive_some(Milliseconds(20)).empty());
  client.socket().reset();
}

TEST(UndeliverableTest, BecomesADeadLetterSoThatWhatIsBehindArrives) {
  TestGateway gateway({.settings = {"delivery.ack_timeout_ms=400"}});
  struct Case {
    const char* name;
    std::size_t bytes;  ///< of the text
    std::function<void(RawSubscriber&)> end;
    int connections;
    const char* told;
  };
  const auto closes = [](int code) {
    return [code](RawSubscriber& client) {
      (void)client.socket().send(make_close_frame(code));
      (void)client.socket().ends();
    };
  };
  const Case cases[] = {
      {"too big", 40'000, closes(1009), 1, "1009"},
      {"broken text", 10, closes(1007), 5, "1007"},
      {"failed handler", 40'000, closes(1011), 5, "1011"},
      {"broken frame", 10,
       [](RawSubscriber& client) {
         (void)client.socket().send(make_frame("x", {.masked = false}));
       },
       5, "1002"},
      {"reset", 10, reset_behind_acknowledgement, 5, "1006"},
      {"long, and reset", 40'000, reset_behind_acknowledgement, 5, "1006"},
      {"cut off", 10, [](RawSubscriber& client) { client.socket().close(); }, 5, "1006"},
      {"silent", 10, [](RawSubscriber& client) { (void)client.socket().ends(); }, 5, "silent"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    std::string name(one.name);
    std::ranges::replace_if(name, [](char c) { return c == ' ' || c == ','; }, '-');
    const TestUser user = gateway.make_user(name);
    for (const std::string& text : {std::string("before"), "poison" + std::string(one.bytes, 'x'),
                                    std::string("behind 1"), std::string("behind 2")}) {
      gateway.publish(user.id, text);
    }
    std::vector<std::string> received;
    int ended = 0;
    while (ended < 20) {
      RawSubscriber client(gateway.root(), gateway.address(), user);
      bool poison = false;
      while (const auto text = client.read_payload()) {
        poison = text->starts_with("poison");
        if (poison) break;
        if (std::ranges::find(received, *text) == received.end()) received.push_back(*text);
        if (*text == "behind 2") break;
      }
      if (!poison) {
        (void)client.socket().receive_some(Milliseconds(0));
        break;
      }
      ++ended;
      one.end(client);
      client.socket().close();
      ASSERT_TRUE(is_away(gateway, user));
    }
    EXPECT_LE(ended, one.connections);
    EXPECT_THAT(received, ElementsAre("before", "behind 1", "behind 2"));
    const Json letters = gateway.control("GET", "/v1/dead-letters?userId=" + user.id);
    ASSERT_EQ(letters["deadLetters"].size(), 1U);
    EXPECT_EQ(letters["deadLetters"][0]["reason"], "undeliverable");
    EXPECT_THAT(letters["deadLetters"][0]["detail"].get<std::string>(), HasSubstr(one.told));
  }
}

/// A proxy that takes what the gateway sends at once and passes it on at so many bytes a second.
class SlowProxy {
 public:
  SlowProxy(const std::string& gateway, std::size_t bytes_per_second)
      : rate_(bytes_per_second), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in here = loopback(0);
    socklen_t size = sizeof here;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&here), sizeof here) != 0 ||
        listen(listener_, 1) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size) != 0) {
      throw std::runtime_error("the proxy cannot listen");
    }
    port_ = ntohs(here.sin_port);
    const auto to = static_cast<std::uint16_t>(std::stoi(gateway.substr(gateway.rfind(':') + 1)));
    threads_.emplace_back([this, to] { run(to); });
  }
  ~SlowProxy() {
    over_ = true;
    for (const int fd : {listener_, client_.load(), gateway_.load()}) shutdown(fd, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : {listener_, client_.load(), gateway_.load()}) {
      if (fd >= 0) close(fd);
    }
  }
  SlowProxy(const SlowProxy&) = delete;
  SlowProxy& operator=(const SlowProxy&) = delete;

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out.sin_port = htons(port);
    return out;
  }
  void run(std::uint16_t to) {
    client_ = accept(listener_, nullptr, nullptr);
    gateway_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in there = loopback(to);
    if (connect(gateway_, reinterpret_cast<sockaddr*>(&there), sizeof there) != 0) return;
    std::thread up([this] {
      std::array<char, 4096> bytes;
      for (ssize_t n = 0; (n = recv(client_, bytes.data(), bytes.size(), 0)) > 0;) {
        (void)::send(gateway_, bytes.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL);
      }
    });
    std::thread take([this] {
      std::array<char, 65'536> bytes;
      for (ssize_t n = 0; (n = recv(gateway_, bytes.data(), bytes.size(), 0)) > 0;) {
        const std::lock_guard lock(mutex_);
        taken_.append(bytes.data(), static_cast<std::size_t>(n));
      }
    });
    constexpr std::size_t kParts = 100;  // a second
    while (!over_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1'000 / kParts));
      const std::lock_guard lock(mutex_);
      const std::size_t part = std::min(taken_.size(), rate_ / kParts);
      (void)::send(client_, taken_.data(), part, MSG_NOSIGNAL);
      taken_.erase(0, part);
    }
    up.join();
    take.join();
  }

  std::size_t rate_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> client_{-1};
  std::atomic<int> gateway_{-1};
  std::atomic<bool> over_ = false;
  std::mutex mutex_;
  std::string taken_;
  std::vector<std::thread> threads_;
};

TEST(SlowLinkTest, GetsALongMessageOnceThroughAProxyThatTakesAllAtOnce) {
  // All of it a tenth of what it is in a slow train.
  TestGateway gateway(
      {.settings = {"delivery.ack_timeout_ms=1000", "delivery.least_bytes_per_second=40960"}});
  const TestUser user = gateway.make_user();
  gateway.publish(user.id, std::string(125'000, 'x'));
  gateway.publish(user.id, "behind");
  const SlowProxy proxy(gateway.address(), 50'000);
  RawSubscriber client(gateway.root(), proxy.address(), user);
  const auto text = client.read_payload(Milliseconds(20'000));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->size(), 125'000U);
  EXPECT_EQ(client.read_payload(Milliseconds(10'000)), "behind");
  gateway.publish(user.id, "last");  // its Ping is behind those of the others
  EXPECT_EQ(client.read_payload(Milliseconds(10'000)), "last");
  EXPECT_TRUE(eventually([&] { return gateway.pending(user.id) <= 1; }));
}

}  // namespace
}  // namespace holdfast::test
