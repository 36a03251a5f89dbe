// The program on a disk that it fills itself, and that somebody else fills.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/load.hpp"
#include "support/gateway/metrics.hpp"

namespace holdfast::test {
namespace {

using std::chrono::steady_clock;

/// A gateway on a file system of its own, whose size is `size`.
class SmallGateway {
 public:
  explicit SmallGateway(const std::string& folder) : data_(folder + "/data"), rest_(folder + "/x") {
    start();
  }

  void start() {
    gateway_ = std::make_unique<GatewayProcess>(
        GatewayProcess::Options{.data_dir = data_, .listen = address_});
    address_ = gateway_->address();
    client_ = gateway_->client();
  }
  void kill() { gateway_->kill(); }
  [[nodiscard]] int stop() { return gateway_->terminate().value_or(-1); }

  [[nodiscard]] client::GatewayClient& root() { return *client_; }
  [[nodiscard]] int publish(const TestUser& user, const std::string& text) {
    const auto answer = client_->publish(
        {.user_id = user.id, .text = text, .deduplication_id = std::nullopt, .ttl = std::nullopt});
    return answer ? 200 : answer.error().status;
  }
  /// Until nothing is taken for longer than the store trusts its last look at the disk. Answers the
  /// frames that the user is to get.
  [[nodiscard]] std::vector<std::string> fill(const TestUser& user, std::size_t bytes) {
    std::vector<std::string> taken;
    auto last = steady_clock::now();
    while (steady_clock::now() < last + std::chrono::milliseconds(700)) {
      const std::string text = std::to_string(taken.size()) + std::string(bytes, 'x');
      const int status = publish(user, text);
      if (status != 200) {
        EXPECT_EQ(status, 503);
        continue;
      }
      taken.push_back(payload_frame(text));
      last = steady_clock::now();
    }
    return taken;
  }
  /// Somebody else's file takes all that is left.
  void take_rest() const {
    std::ofstream out(rest_, std::ios::binary | std::ios::app);
    const std::string bytes(4'096, 'x');
    while (out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
    }
  }
  void give_rest_back() const { std::filesystem::remove(rest_); }

  [[nodiscard]] std::vector<std::string> receive(const TestUser& user, std::size_t count) {
    const auto token = client_->temporary_token(user.id_token);
    if (!token) return {token.error().text()};
    auto socket = client_->open_websocket(*token, "");
    if (!socket) return {"no websocket"};
    const Inbox inbox(std::move(*socket));
    auto frames = inbox.wait_for(count);
    EXPECT_TRUE(wait_for_metric("holdfast_pending_messages", 0));
    return frames;
  }
  [[nodiscard]] bool wait_for_metric(const std::string& name, double value) const {
    const auto deadline = steady_clock::now() + kPatience;
    while (scrape(gateway_->control_address()).at(name) != value) {
      if (steady_clock::now() > deadline) return false;
    }
    return true;
  }
  [[nodiscard]] std::string readyz() const {
    return ask_control(gateway_->control_address(), "/readyz");
  }
  [[nodiscard]] bool takes_messages_by_itself(const TestUser& user) {
    const auto deadline = steady_clock::now() + kPatience;
    while (publish(user, "anew") != 200) {
      if (steady_clock::now() > deadline) return false;
    }
    return true;
  }

 private:
  std::string data_;
  std::string rest_;
  std::string address_ = "127.0.0.1:0";  ///< tokens are good for it alone
  std::unique_ptr<GatewayProcess> gateway_;
  std::unique_ptr<client::GatewayClient> client_;
};

void fill_and_drain(const std::string& folder, std::size_t bytes) {
  SmallGateway gateway(folder);
  const TestUser alice = make_user(gateway.root(), "alice");
  const TestUser bob = make_user(gateway.root(), "bob");
  EXPECT_EQ(gateway.readyz(), "200 ready");

  const auto first = gateway.fill(alice, bytes);
  ASSERT_GT(first.size(), 20U);
  EXPECT_THAT(gateway.readyz(), testing::StartsWith("200 ready, disk_low"));
  EXPECT_TRUE(gateway.wait_for_metric("holdfast_store_disk_low", 1));
  EXPECT_TRUE(gateway.wait_for_metric("holdfast_store_writable", 1));
  EXPECT_NO_THROW((void)make_user(gateway.root(), "carol")) << "a login on a full disk";
  EXPECT_TRUE(gateway.receive(alice, first.size()) == first);
  EXPECT_TRUE(gateway.takes_messages_by_itself(bob));
  EXPECT_EQ(gateway.receive(bob, 1), std::vector{payload_frame("anew")});

  // The log, the reserve and the ballast, too.
  const auto second = gateway.fill(bob, bytes);
  gateway.take_rest();
  EXPECT_TRUE(gateway.wait_for_metric("holdfast_store_disk_full", 1));
  EXPECT_EQ(gateway.readyz(), "200 ready, disk_low, messages_refused");
  EXPECT_EQ(gateway.publish(bob, std::string(bytes, 'x')), 503);
  EXPECT_EQ(gateway.stop(), 0);
  gateway.start();
  EXPECT_TRUE(
      gateway.wait_for_metric("holdfast_pending_messages", static_cast<double>(second.size())))
      << "what alice has acknowledged comes again";
  gateway.kill();
  gateway.start();
  EXPECT_TRUE(gateway.receive(bob, second.size()) == second);
  gateway.give_rest_back();
  EXPECT_TRUE(gateway.takes_messages_by_itself(bob));
  EXPECT_EQ(gateway.stop(), 0);
}

class FullDiskTest : public testing::TestWithParam<std::pair<const char*, std::size_t>> {};

TEST_P(FullDiskTest, LetsUsersDrainWhatIsHeldAndTakesMessagesAgainByItself) {
  const TempDir folder;
  bool is_mounted = false;
  // A mount of the thread's own, and of the processes that it starts: it goes with them.
  std::thread([&] {
    is_mounted = ::unshare(CLONE_NEWNS) == 0 &&
                 ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                 ::mount("none", folder.path().c_str(), "tmpfs", 0, GetParam().first) == 0;
    if (is_mounted) fill_and_drain(folder.path(), GetParam().second);
  }).join();
  if (!is_mounted) GTEST_SKIP() << "mounting a file system is not allowed here";
}

INSTANTIATE_TEST_SUITE_P(OfManySizes, FullDiskTest,
                         testing::Values(std::pair{"size=16m", std::size_t{20'000}},
                                         std::pair{"size=40m", std::size_t{90'000}}));

}  // namespace
}  // namespace holdfast::test
