// Tests shutdowns: drains, deadlines, a second signal.

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using std::chrono::steady_clock;

TEST(ShutdownTest, ClosesConnectionsWithGoingAway) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const Inbox phone(gateway, alice);
  const Inbox laptop(gateway, alice, "holdfast.v1");
  const auto before = steady_clock::now();
  EXPECT_TRUE(gateway.stop());
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(10));
  EXPECT_EQ(phone.wait_closed(), 1001);
  EXPECT_EQ(laptop.wait_closed(), 1001);
}

TEST(ShutdownTest, EndsAlsoWhenClientsDoNotAnswer) {
  TestGateway gateway({.settings = {"shutdown.drain_seconds=3"}});
  const TestUser alice = gateway.make_user();
  std::vector<RawClient> silent;
  for (int i = 0; i < 4; ++i) {
    silent.push_back(gateway.raw());
    ASSERT_EQ(silent.back().upgrade("/ws?token=" + gateway.token(alice))->status, 101);
  }
  RawClient half_a_request = gateway.raw();
  half_a_request.send("POST /message HTTP/1.1\r\nHost: ");
  gateway.publish(alice.id, "unanswered");
  const auto before = steady_clock::now();
  gateway.stop();
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(8));
  for (RawClient& socket : silent) EXPECT_TRUE(socket.ends());
  EXPECT_TRUE(half_a_request.ends());
  gateway.start();
  EXPECT_EQ(gateway.pending(alice.id), 1u);
}

// A login whose password is being hashed holds on to what the gateway takes down.
TEST(ShutdownTest, EndsInTheMiddleOfLogins) {
  TestGateway gateway({.settings = {"shutdown.drain_seconds=0"}});
  constexpr int kUsers = 4;
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int user = 0; user < kUsers; ++user) {
    threads.emplace_back([&, user, client = gateway.client()] {
      for (int i = 0;; ++i) {
        const std::string name = std::to_string(user) + "-" + std::to_string(i);
        const auto outcome = client->initiate_auth(name, "wrong password");
        if (outcome || outcome.error().type != "NotAuthorizedException") return;
        ++answered;
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return answered > kUsers; }, Milliseconds(30'000)));
  gateway.stop();
  for (std::thread& thread : threads) thread.join();
}

TEST(ShutdownTest, LosesNothingThatWasAnsweredWhileProducersGoOn) {
  TestGateway gateway;
  constexpr int kProducers = 4;
  std::atomic<int> answered{0};
  std::vector<int> counts(kProducers);
  std::vector<std::string> failures(kProducers);
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < kProducers; ++p) {
    threads.emplace_back([&, p, client = gateway.client()] {
      for (;;) {
        const auto receipt = client->publish({.user_id = "user" + std::to_string(p),
                                              .text = std::to_string(counts[p]),
                                              .deduplication_id = std::nullopt,
                                              .ttl = std::nullopt});
        if (!receipt) {
          // Refused while draining, or nobody there any more: never anything else.
          if (!receipt.error().transient()) failures[p] = receipt.error().text();
          return;
        }
        ++counts[p];
        ++answered;
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return answered > 50; }, Milliseconds(30'000)));
  gateway.stop();
  for (std::thread& thread : threads) thread.join();
  gateway.start();
  for (std::size_t p = 0; p < kProducers; ++p) {
    EXPECT_EQ(failures[p], "");
    const Json pending =
        gateway.control("GET", "/v1/pending/user" + std::to_string(p) + "?limit=1");
    // One more may have been committed whose answer did not arrive.
    const int stored = pending.at("totals").at("messages").get<int>();
    EXPECT_GE(stored, counts[p]);
    EXPECT_LE(stored, counts[p] + 1);
  }
}

TEST(ShutdownTest, AppliesWhatWasAcknowledgedLast) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  for (int i = 0; i < 100; ++i) gateway.publish(alice.id, std::to_string(i));
  {
    const Inbox inbox(gateway, alice);
    ASSERT_EQ(inbox.wait_for(100).size(), 100u);
    EXPECT_TRUE(gateway.stop());
  }
  gateway.start();
  EXPECT_EQ(gateway.pending(alice.id), 0u);
}

TEST(ShutdownTest, LeavesNothingInTheWriteAheadLog) {
  TestGateway gateway;
  gateway.publish("u", "m");
  gateway.stop();
  std::error_code missing;
  const auto size = std::filesystem::file_size(gateway.data_dir() + "/holdfast.db-wal", missing);
  EXPECT_TRUE(missing || size == 0) << size;
  EXPECT_FALSE(std::filesystem::exists(gateway.data_dir() + "/control.sock"));
}

TEST(ShutdownTest, AcceptsASecondRequest) {
  TestGateway gateway;
  EXPECT_TRUE(gateway.gateway().stop());
  EXPECT_TRUE(gateway.gateway().stop());
}

}  // namespace
}  // namespace holdfast::test
