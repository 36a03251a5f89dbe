// Kills the daemon under load, and checks the promises of delivery.

#include <chrono>
#include <csignal>
#include <iostream>
#include <list>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/client/control_client.hpp>

#include "support/base/ledger.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/load.hpp"
#include "support/gateway/raw_subscriber.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::IsEmpty;

constexpr milliseconds kCrashPatience{60'000};

// Producers and clients around one data directory, whose gateway comes and goes.
class CrashTest : public ::testing::Test {
 protected:
  void start() {
    gateway_.emplace(GatewayProcess::Options{
        .data_dir = dir_.file("data"), .environment = environment(), .listen = address_});
    address_ = gateway_->address();
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment() const {
    return {{"HOLDFAST_AUTH__HASH_MEMORY_KIB", "1024"},
            {"HOLDFAST_AUTH__HASH_ITERATIONS", "1"},
            {"HOLDFAST_SERVER__WORKERS", "2"},
            // A client that is killed over and over leaves unused tokens behind.
            {"HOLDFAST_TOKENS__MAX_OUTSTANDING", "1000"},
            {"HOLDFAST_DELIVERY__CLOSE_WAIT_MS", std::to_string(drain_.count())},
            {"HOLDFAST_LIMITS__CLOSE_TIMEOUT_MS", std::to_string(drain_.count())},
            {"HOLDFAST_SHUTDOWN__DRAIN_SECONDS", std::to_string(drain_.count() / 1'000)}};
  }
  // A kill before it listens, while it opens and recovers its database.
  void start_and_kill(milliseconds after) {
    ChildProcess process({.command = {holdfast_binary(), "serve", "--data-dir", dir_.file("data"),
                                      "--listen", address_, "--control-listen", "127.0.0.1:0"},
                          .environment = environment()});
    EXPECT_EQ(process.wait(after), std::nullopt);
    process.kill();
  }
  void start_load() {
    start();
    const auto root = gateway_->client();
    for (const char* const name : {"alice", "bob", "carol"}) {
      users_.push_back(make_user(*root, name));
    }
    const std::vector<std::string> ids = {users_[0].id, users_[1].id, users_[2].id};
    receive(users_[0], "");
    receive(users_[1], "holdfast.v1");
    // Two devices, of each kind one.
    receive(users_[2], "");
    receive(users_[2], "holdfast.v1");
    for (const char* const name : {"p0", "p1", "p2"}) {
      producers_.emplace_back(gateway_->client(),
                              Producer::Options{.name = name, .users = ids, .seed = random_()},
                              ledger_);
    }
  }
  void receive(const TestUser& user, const std::string& subprotocol) {
    receivers_.emplace_back(
        gateway_->client(),
        Receiver::Options{.user = user, .subprotocol = subprotocol, .seed = random_()}, ledger_);
  }
  // Until so much more has been answered and received, or for a time that is long for it.
  void pass(std::size_t events) {
    const std::size_t goal = progress() + events;
    static_cast<void>(eventually([&] { return progress() >= goal; }, milliseconds(800)));
  }
  [[nodiscard]] std::size_t progress() const {
    return ledger_.acknowledged_count() + ledger_.received_count();
  }
  // The producers come to an end; the clients receive the rest.
  void expect_nothing_lost() {
    for (Producer& producer : producers_) producer.stop();
    for (Receiver& receiver : receivers_) receiver.stay();
    EXPECT_TRUE(eventually([&] { return ledger_.missing_count() == 0; }, kCrashPatience));
    const auto control =
        std::make_unique<client::ControlClient>(dir_.file("data") + "/control.sock");
    for (const TestUser& user : users_) {
      EXPECT_TRUE(eventually([&] { return pending(*control, user) == 0; }, kCrashPatience))
          << user.name;
    }
    for (Receiver& receiver : receivers_) receiver.stop();
    EXPECT_THAT(ledger_.check(), IsEmpty());
  }
  static std::size_t pending(client::ControlClient& control, const TestUser& user) {
    const auto answer = control.call("GET", "/v1/pending/" + user.id + "?limit=10");
    if (!answer) throw std::runtime_error(answer.error().text());
    return answer->at("messages").size();
  }

  milliseconds drain_{2'000};
  TempDir dir_;
  const std::uint64_t seed_ = load_seed();
  std::mt19937_64 random_{seed_};
  std::string address_ = "127.0.0.1:0";
  Ledger ledger_;
  std::vector<TestUser> users_;
  std::optional<GatewayProcess> gateway_;
  std::list<Producer> producers_;
  std::list<Receiver> receivers_;
};

TEST_F(CrashTest, LosesInventsAndReordersNothingOverFiftyKills) {
  start_load();
  for (int kill = 0; kill < 50; ++kill) {
    pass(random_() % 500);
    gateway_->kill();
    if (kill % 5 == 0) start_and_kill(milliseconds(random_() % 100));
    start();
  }
  expect_nothing_lost();
  std::cout << ledger_.acknowledged_count() << " answered, " << ledger_.received_count()
            << " received on " << ledger_.connection_count() << " connections" << std::endl;
  // The kills came under load, not before it.
  EXPECT_GT(ledger_.acknowledged_count(), 300U);
  EXPECT_GT(ledger_.connection_count(), 20U);
  EXPECT_EQ(gateway_->terminate(kCrashPatience), 0);
}

TEST_F(CrashTest, EndsInOrderOnSigtermUnderLoad) {
  start_load();
  for (int round = 0; round < 3; ++round) {
    pass(300 + random_() % 500);
    const auto before = steady_clock::now();
    EXPECT_EQ(gateway_->terminate(kCrashPatience), 0);
    EXPECT_LT(steady_clock::now() - before, drain_ + std::chrono::seconds(5));
    start();
  }
  expect_nothing_lost();
}

TEST_F(CrashTest, EndsAtOnceOnASecondSigtermUnderLoadAndLosesNothing) {
  drain_ = milliseconds(60'000);
  start_load();
  pass(500);
  // One whose fence the shutdown awaits in vain.
  const auto root = gateway_->client();
  const TestUser gone = make_user(*root, "gone");
  RawSubscriber vanished(*root, address_, gone);
  vanished.vanish();
  ASSERT_TRUE(root->publish({.user_id = gone.id,
                             .text = "unanswered",
                             .deduplication_id = std::nullopt,
                             .ttl = std::nullopt}));
  gateway_->process().signal(SIGTERM);
  ASSERT_TRUE(gateway_->process().wait_for_output(
      [](const std::string& line) { return line.find("\"stopping\"") != std::string::npos; },
      kCrashPatience));
  EXPECT_EQ(gateway_->process().wait(milliseconds(300)), std::nullopt);
  const auto before = steady_clock::now();
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(gateway_->process().wait(kCrashPatience), 128 + SIGTERM);
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(2));
  start();
  expect_nothing_lost();
}

}  // namespace
}  // namespace holdfast::test
