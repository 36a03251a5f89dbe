// Tests that a shutdown closes connections one by one.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(GradualShutdownTest, ClosesTwoHundredClientsOverTheWindowAndNotAtOneInstant) {
  constexpr std::size_t kUsers = 10;
  constexpr std::size_t kClients = 200;
  TestGateway gateway({.settings = {"delivery.connections_per_user=20", "shutdown.drain_seconds=4",
                                    "limits.token_requests_per_second=0"},
                       .close_spread = milliseconds(3'000)});
  std::vector<TestUser> users;
  users.reserve(kUsers);
  for (std::size_t i = 0; i < kUsers; ++i) {
    users.push_back(gateway.make_user("user" + std::to_string(i)));
  }
  std::vector<std::unique_ptr<Inbox>> clients;
  clients.reserve(kClients);
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Inbox>(gateway, users[i % kUsers]));
  }
  std::vector<int> codes(kClients, 0);
  std::vector<std::size_t> each_half_second(7, 0);
  std::atomic<bool> clean{false};
  const auto begin = steady_clock::now();
  std::thread stopping([&] { clean = gateway.stop(); });
  std::size_t open = kClients;
  while (open > 0 && steady_clock::now() - begin < std::chrono::seconds(20)) {
    for (std::size_t i = 0; i < kClients; ++i) {
      if (codes[i] != 0) continue;
      codes[i] = clients[i]->wait_closed(Milliseconds(0));
      if (codes[i] == 0) continue;
      --open;
      const auto half = static_cast<std::size_t>((steady_clock::now() - begin) / milliseconds(500));
      ++each_half_second[std::min(half, each_half_second.size() - 1)];
    }
    std::this_thread::yield();
  }
  stopping.join();
  EXPECT_TRUE(clean) << "something was cut short";
  EXPECT_THAT(codes, testing::Each(1001));
  // Three seconds: a sixth in each half of one, give or take, whatever else the machine does.
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_GE(each_half_second[i], kClients / 20) << "half second " << i;
    EXPECT_LE(each_half_second[i], kClients / 3) << "half second " << i;
  }
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(GradualShutdownTest, RefusesNewWorkAtOnceAndStillDeliversWhatIsHeld) {
  TestGateway gateway({.settings = {"shutdown.drain_seconds=6", "delivery.first_page_bytes=1024",
                                    "delivery.credit_messages=1"},
                       .close_spread = milliseconds(4'000)});
  const TestUser alice = gateway.make_user();
  constexpr std::size_t kHeld = 150;
  for (std::size_t i = 0; i < kHeld; ++i) gateway.publish(alice.id, std::to_string(i));
  const auto client = gateway.client();
  std::thread stopping;
  {
    // Eight connections: the last of them is closed late enough to take all of it.
    std::vector<std::unique_ptr<Inbox>> inboxes;
    inboxes.reserve(8);
    for (int i = 0; i < 8; ++i) inboxes.push_back(std::make_unique<Inbox>(gateway, alice));
    stopping = std::thread([&] { gateway.stop(); });
    bool refused = false;
    while (!refused) {
      const auto sent =
          client->publish({.user_id = "bob", .text = "m", .deduplication_id = {}, .ttl = {}});
      refused = !sent;
    }
    for (const auto& inbox : inboxes) EXPECT_EQ(inbox->wait_closed(), 1001);
    stopping.join();
  }
  gateway.start();
  EXPECT_EQ(gateway.pending(alice.id), 0u);
}

}  // namespace
}  // namespace holdfast::test
