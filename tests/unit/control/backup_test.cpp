// Tests the backup routes.

#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>
#include <holdfast/control/service.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/delivery/fake_mailboxes.hpp"

namespace holdfast::test {
namespace {

class FakeBackups final : public control::BackupMaker {
 public:
  Result<void> begin() override {
    if (told && std::string(told->stage) == "copying") {
      return fail(Errc::conflict, "a backup is being made");
    }
    told = control::BackupProgress{.stage = "copying",
                                   .path = "/data/backup.partial",
                                   .bytes_done = 0,
                                   .bytes_total = 4'096,
                                   .error = std::nullopt};
    return {};
  }
  std::optional<control::BackupProgress> progress() const override { return told; }
  void cancel() override { cancelled = true; }

  std::optional<control::BackupProgress> told;
  bool cancelled = false;
};

class BackupRoutes : public ::testing::Test {
 protected:
  std::pair<int, Json> ask(const std::string& method) {
    net::Request request;
    request.head.method = method;
    request.head.target = "/v1/backup";
    std::optional<net::Response> out;
    service_->handle(std::move(request),
                     [&](net::Response response) { out = std::move(response); });
    if (!out) return {0, nullptr};
    return {out->status, parse_json(out->body).value_or(Json())};
  }

  ManualClock clock_;
  ManualExecutor executor_;
  FakeMailboxes mailboxes_;
  FakeBackups backups_;
  delivery::Router router_{{{&executor_, &mailboxes_}}};
  std::shared_ptr<net::HttpService> service_ =
      control::make_local_control_service({.clock = clock_,
                                           .router = router_,
                                           .messages = {},
                                           .access_keys = nullptr,
                                           .key_ring = nullptr,
                                           .signer = nullptr,
                                           .keys_executor = executor_,
                                           .state = {},
                                           .process = {},
                                           .user_pools = {},
                                           .user_pool_id = {},
                                           .backups = &backups_});
};

TEST_F(BackupRoutes, BeginOneAtATimeAndTellHowFarItIs) {
  EXPECT_EQ(ask("GET").first, 404);
  const auto [begun, first] = ask("POST");
  EXPECT_EQ(begun, 202);
  EXPECT_EQ(first["stage"], "copying");
  EXPECT_EQ(first["path"], "/data/backup.partial");
  EXPECT_TRUE(first["error"].is_null());
  EXPECT_EQ(ask("POST").first, 409);
  backups_.told->bytes_done = 1'024;
  const auto [status, progress] = ask("GET");
  EXPECT_EQ(status, 200);
  EXPECT_EQ(progress["bytesDone"], 1'024);
  EXPECT_EQ(progress["bytesTotal"], 4'096);
}

TEST_F(BackupRoutes, TellWhyOneFailed) {
  ASSERT_EQ(ask("POST").first, 202);
  backups_.told->stage = "failed";
  backups_.told->error = Error(Errc::io, "no room for a copy");
  const auto [status, progress] = ask("GET");
  EXPECT_EQ(status, 200);
  EXPECT_EQ(progress["stage"], "failed");
  EXPECT_EQ(progress["error"], "no room for a copy");
}

TEST_F(BackupRoutes, EndOneThatIsBeingMade) {
  EXPECT_EQ(ask("DELETE").first, 200);
  EXPECT_TRUE(backups_.cancelled);
}

}  // namespace
}  // namespace holdfast::test
