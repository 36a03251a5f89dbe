// Tests slow, stopped and vanished clients.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/client/control_client.hpp>

#include "support/base/ledger.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/load.hpp"
#include "support/gateway/raw_subscriber.hpp"

namespace holdfast::test {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::IsEmpty;

constexpr milliseconds kSlowPatience{60'000};
constexpr std::size_t kMiB = 1 << 20;

class SlowClientTest : public ::testing::Test {
 protected:
  void start(int ack_timeout_ms) {
    gateway_.emplace(GatewayProcess::Options{
        .data_dir = dir_.file("data"),
        .environment = {{"HOLDFAST_AUTH__HASH_MEMORY_KIB", "1024"},
                        {"HOLDFAST_AUTH__HASH_ITERATIONS", "1"},
                        {"HOLDFAST_DELIVERY__ACK_TIMEOUT_MS", std::to_string(ack_timeout_ms)},
                        // Memory that a sanitizer keeps back is not the gateway's.
                        {"ASAN_OPTIONS", "quarantine_size_mb=1"}}});
    root_ = gateway_->client();
    user_ = make_user(*root_, "slow");
  }
  // Publishes `count` messages of `bytes` each in batches and writes them down.
  void publish(std::size_t count, std::size_t bytes) { publish_to(user_.id, count, bytes); }
  void publish_to(const std::string& user, std::size_t count, std::size_t bytes) {
    const std::size_t batch_size = std::max<std::size_t>(1, 900'000 / bytes);
    std::vector<client::OutgoingMessage> batch;
    for (std::size_t i = 0; i < count; ++i) {
      std::string text = "m" + std::to_string(published_++) + "-";
      text.resize(std::max(text.size(), bytes), 'x');
      ledger_.sent(user, text);
      batch.push_back({.user_id = user,
                       .text = std::move(text),
                       .deduplication_id = std::nullopt,
                       .ttl = std::nullopt});
      if (batch.size() < batch_size && i + 1 < count) continue;
      const auto answer = root_->publish_all(batch);
      ASSERT_TRUE(answer) << answer.error().text();
      ASSERT_THAT(answer->failed, IsEmpty());
      for (const auto& success : answer->successful) {
        ledger_.acknowledged(batch[success.index].text, success.receipt.sequence);
      }
      batch.clear();
    }
  }
  // Everything up to what is missing, on a connection of its own.
  void receive_the_rest() {
    RawSubscriber client(*root_, gateway_->address(), user_);
    const auto connection = ledger_.open(user_.id);
    while (ledger_.missing_count() > 0) {
      const auto text = client.read_payload(kSlowPatience);
      ASSERT_TRUE(text) << ledger_.missing_count() << " are missing";
      ledger_.received(connection, *text);
    }
  }
  std::size_t connections() {
    const auto answer = std::make_unique<client::ControlClient>(dir_.file("data") + "/control.sock")
                            ->call("GET", "/v1/connections?userId=" + user_.id);
    return answer ? answer->at("connections").size() : 999;
  }
  [[nodiscard]] std::size_t resident_bytes() {
    std::ifstream in("/proc/" + std::to_string(gateway_->process().pid()) + "/status");
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6)) * 1024;
    }
    return 0;
  }

  TempDir dir_;
  std::optional<GatewayProcess> gateway_;
  std::unique_ptr<client::GatewayClient> root_;
  TestUser user_;
  Ledger ledger_;
  std::size_t published_ = 0;
};

TEST_F(SlowClientTest, ClosesAVanishedClientAtTheTimeoutWithoutLoss) {
  start(1'500);
  RawSubscriber client(*root_, gateway_->address(), user_);
  ASSERT_TRUE(eventually([&] { return connections() == 1; }, kSlowPatience));
  client.vanish();
  const auto before = steady_clock::now();
  publish(20, 100);
  EXPECT_TRUE(eventually([&] { return connections() == 0; }, kSlowPatience));
  const auto took = duration_cast<milliseconds>(steady_clock::now() - before);
  EXPECT_GE(took, milliseconds(1'400));
  EXPECT_LT(took, milliseconds(6'000));
  receive_the_rest();
  EXPECT_THAT(ledger_.check(), IsEmpty());
}

TEST_F(SlowClientTest, ClosesAStoppedClientWhichCatchesUpLater) {
  start(1'500);
  auto environment = gateway_->environment();
  environment.emplace_back("ID_TOKEN", user_.id_token);
  ChildProcess client(
      {.command = {holdfast_binary(), "connect-websocket"}, .environment = std::move(environment)});
  ASSERT_TRUE(eventually([&] { return connections() == 1; }, kSlowPatience));
  client.signal(SIGSTOP);
  // More than the kernel's buffers take for a process that does not read.
  publish(128, 65'536);
  EXPECT_TRUE(eventually([&] { return connections() == 0; }, kSlowPatience));
  client.signal(SIGCONT);
  const std::string last = "m" + std::to_string(published_ - 1) + "-";
  EXPECT_TRUE(client.wait_for_output(
      [&](const std::string& line) { return line.find(last) != std::string::npos; },
      kSlowPatience));
  std::size_t next = 0;
  for (const std::string& line : client.output()) {
    if (line.find("\"m" + std::to_string(next) + "-") != std::string::npos) ++next;
  }
  EXPECT_EQ(next, published_);
}

TEST_F(SlowClientTest, LimitsTheMemoryOfAClientThatNeverReads) {
  start(60'000);
  const TestUser other = make_user(*root_, "other");
  RawSubscriber silent(*root_, gateway_->address(), user_, 4'096);
  const auto token = root_->temporary_token(other.id_token);
  ASSERT_TRUE(token);
  auto socket = root_->open_websocket(*token, "");
  ASSERT_TRUE(socket);
  const Inbox inbox(std::move(*socket));
  // Fills the database's page cache of 64 MiB: what it costs is nobody's.
  for (const char* const away : {"away-1", "away-2"}) publish_to(away, 400, 98'304);
  publish(20, 98'304);
  const std::size_t before = resident_bytes();

  std::vector<milliseconds> waits;
  std::size_t peak = before;
  for (int i = 0; i < 40; ++i) {
    publish(9, 98'304);
    const auto sent = steady_clock::now();
    ASSERT_TRUE(root_->publish({.user_id = other.id,
                                .text = "prompt",
                                .deduplication_id = std::nullopt,
                                .ttl = std::nullopt}));
    waits.push_back(duration_cast<milliseconds>(steady_clock::now() - sent));
    peak = std::max(peak, resident_bytes());
  }
  EXPECT_EQ(inbox.wait_for(40).size(), 40U);
  std::ranges::nth_element(waits, waits.begin() + 20);
  EXPECT_LT(waits[20], milliseconds(200));
  // 33 MiB are pending; memory holds its share of the log and of the connection, and no more.
  EXPECT_LT(peak - before, 12 * kMiB);
  EXPECT_EQ(connections(), 1U);
}

// The limits meant for a link of 50 KB/s are 64 KiB between fences and ten seconds without
// progress. Ten times the rate with a tenth of the time strains them alike in a tenth of the time.
TEST_F(SlowClientTest, DeliversTenMegabytesOverASlowLink) {
  constexpr std::size_t kBytesPerSecond = 500'000;
  constexpr std::size_t kMessageBytes = 10'000;
  start(1'000);
  publish(1'000, kMessageBytes);
  RawSubscriber client(*root_, gateway_->address(), user_, 16'384);
  const auto connection = ledger_.open(user_.id);
  const auto begin = steady_clock::now();
  std::size_t received = 0;
  while (ledger_.missing_count() > 0) {
    const auto text = client.read_payload(kSlowPatience);
    ASSERT_TRUE(text) << "closed with " << client.close_code() << " after " << received;
    ledger_.received(connection, *text);
    received += text->size();
    // The pace of the link, not a wait for something.
    std::this_thread::sleep_until(
        begin + std::chrono::microseconds(received * 1'000'000 / kBytesPerSecond));
  }
  EXPECT_GT(steady_clock::now() - begin, std::chrono::seconds(19));
  EXPECT_FALSE(client.socket().ends(milliseconds(0)));
  EXPECT_THAT(ledger_.check(), IsEmpty());
  EXPECT_EQ(ledger_.connection_count(), 1U);
}

}  // namespace
}  // namespace holdfast::test
