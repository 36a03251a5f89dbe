// A disk that does not answer: what is told, what is given up, and what goes on.

#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "support/base/files.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/metrics.hpp"
#include "support/gateway/test_gateway.hpp"
#include "support/sqlite/shim_vfs.hpp"

namespace holdfast::test {
namespace {

/// Syncs of all files take until it goes on.
class HangingDisk {
 public:
  HangingDisk() {
    vfs_.judge_with([this](ShimVfs::Call call, std::string_view) {
      if (call == ShimVfs::Call::sync) hangs_.wait(true);
      return SQLITE_OK;
    });
  }
  HangingDisk(const HangingDisk&) = delete;
  HangingDisk& operator=(const HangingDisk&) = delete;

  void hang() { hangs_ = true; }
  void go_on() {
    hangs_ = false;
    hangs_.notify_all();
  }

 private:
  ShimVfs vfs_;
  std::atomic<bool> hangs_{false};
};

class HangingDiskTest : public testing::Test {
 protected:
  // Before the gateway stops, which waits for its disk.
  void TearDown() override { disk.go_on(); }

  [[nodiscard]] std::string ask(const std::string& path) {
    return ask_control(gateway.info().control_address, path);
  }
  [[nodiscard]] bool becomes(const std::string& readiness) {
    return eventually([&] { return ask("/readyz") == readiness; });
  }
  [[nodiscard]] client::OutgoingMessage job(const std::string& user_id) const {
    return {.user_id = user_id, .text = "done", .deduplication_id = "job", .ttl = std::nullopt};
  }

  HangingDisk disk;
  TestGateway gateway{{.settings = {"storage.hang_after_ms=500"}}};
};

TEST_F(HangingDiskTest, ReportsItAndGivesUpWaitingRequests) {
  const TestUser alice = gateway.make_user("alice");
  const TestUser bob = gateway.make_user("bob");
  const std::string token = gateway.token(bob);
  const Inbox inbox(gateway, alice);
  gateway.publish(alice.id, "before");
  disk.hang();
  const auto refused = gateway.root().publish(job("absent"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 503);
  EXPECT_EQ(refused.error().retry_after, Seconds(1));
  EXPECT_EQ(ask("/readyz"), "503 store_hangs");
  EXPECT_EQ(ask("/livez"), "200 ok");
  const Samples told = scrape(gateway.info().control_address);
  EXPECT_GE(told.at("holdfast_store_oldest_wait_seconds"), 0.5);
  EXPECT_EQ(told.at("holdfast_state{state=\"store_hangs\"}"), 1);
  EXPECT_EQ(told.at("holdfast_state{state=\"ready\"}"), 0);

  // Requests that need no disk succeed.
  EXPECT_EQ(gateway.publish_status(alice.id, "while it hangs"), "DELIVERED");
  EXPECT_EQ(inbox.wait_for(2),
            (std::vector{payload_frame("before"), payload_frame("while it hangs")}));
  // Requests that need it are refused in time: over HTTP, as an upgrade, by an operator.
  const auto answer = gateway.send_bytes(
      "GET /tokens HTTP/1.1\r\nHost: h\r\nAuthorization: " + bob.id_token + "\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  RawClient late = gateway.raw();
  EXPECT_EQ(late.upgrade("/ws?token=" + token)->status, 503);
  EXPECT_ANY_THROW((void)gateway.control("GET", "/v1/pending"));

  disk.go_on();
  EXPECT_TRUE(becomes("200 ready"));
  EXPECT_LT(scrape(gateway.info().control_address).at("holdfast_store_oldest_wait_seconds"), 0.5);
}

// The refused message is stored once when the disk answers, and a repeat gets its answer.
TEST_F(HangingDiskTest, KeepsWhatWasGivenUpUnderItsKey) {
  disk.hang();
  ASSERT_FALSE(gateway.root().publish(job("absent")));
  ASSERT_FALSE(gateway.root().publish(job("absent")));
  disk.go_on();
  ASSERT_TRUE(becomes("200 ready"));
  const auto repeated = gateway.root().publish(job("absent"));
  ASSERT_TRUE(repeated);
  EXPECT_EQ(repeated->status, "STORED");
  EXPECT_EQ(gateway.pending("absent"), 1U);
}

}  // namespace
}  // namespace holdfast::test
