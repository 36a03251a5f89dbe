// Tests the audit log's file, rates and order.

#include "app/audit_log.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <holdfast/base/json.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

/// Keeps batches until the test lets them complete.
class FakeAuditStore final : public AuditStore {
 public:
  void append(std::vector<NewRecord> records, std::int64_t,
              Completion<Result<void>> done) override {
    for (const NewRecord& record : records) kept.push_back(record.event);
    ++batches;
    waiting.push_back(std::move(done));
  }
  void list(AuditQuery, Completion<Result<AuditPage>>) override {}
  void sweep(WallTime, Completion<Result<bool>>) override {}
  void complete(const Result<void>& result = {}) {
    for (auto& done : std::exchange(waiting, {})) done(result);
  }

  std::vector<AuditEvent> kept;
  std::vector<Completion<Result<void>>> waiting;
  int batches = 0;
};

AuditEvent refusal(std::string address) {
  return {.actor = "stranger",
          .action = "login",
          .target = "name_hash:00",
          .outcome = AuditOutcome::refused,
          .reason = "a wrong password",
          .address = std::move(address)};
}

class AuditLogTest : public testing::Test {
 protected:
  std::shared_ptr<app::AuditLog> open(app::AuditLogOptions options = {}) {
    return app::AuditLog::open(std::move(options), clock_).value();
  }
  static std::vector<Json> lines(const std::string& path) {
    std::ifstream file(path);
    std::vector<Json> out;
    for (std::string line; std::getline(file, line);) out.push_back(parse_json(line).value());
    return out;
  }

  const TempDir folder_;
  ManualClock clock_;
  ManualExecutor executor_;
  FakeAuditStore store_;
};

TEST_F(AuditLogTest, KeepsWhatCameBeforeTheDatabaseWasThere) {
  const auto log = open();
  log->record({.actor = "system", .action = "first"});
  log->attach(store_, executor_);
  log->record({.actor = "system", .action = "second"});
  executor_.run();
  store_.complete();
  ASSERT_EQ(store_.kept.size(), 2U);
  EXPECT_EQ(store_.kept[0].action, "first");
  EXPECT_EQ(store_.kept[1].action, "second");
}

TEST_F(AuditLogTest, GathersWhatComesWhileABatchIsUnderWay) {
  const auto log = open();
  log->attach(store_, executor_);
  log->record({.actor = "system", .action = "a"});
  executor_.run();
  for (int i = 0; i < 50; ++i) log->record({.actor = "system", .action = "b"});
  executor_.run();
  EXPECT_EQ(store_.batches, 1);
  store_.complete();
  EXPECT_EQ(store_.batches, 2);
  EXPECT_EQ(store_.kept.size(), 51U);
}

TEST_F(AuditLogTest, CountsWhatTheDatabaseDidNotTake) {
  const auto log = open({.waiting_max = 3});
  log->attach(store_, executor_);
  for (int i = 0; i < 5; ++i) log->record({.actor = "system", .action = "a"});
  EXPECT_EQ(log->not_kept(), 2U);
  executor_.run();
  store_.complete(fail(Errc::unavailable, "the disk is full"));
  EXPECT_EQ(log->not_kept(), 5U);
}

TEST_F(AuditLogTest, LimitsOneStrangersRefusals) {
  const std::string file = folder_.file("audit.log");
  const auto log = open({.file = file, .refusals_per_minute = 100, .refusals_share = 10});
  log->attach(store_, executor_);
  for (int i = 0; i < 50; ++i) log->record(refusal("192.0.2.7"));
  log->record(refusal("192.0.2.8"));
  log->record({.actor = "uid:0", .action = "user.delete"});
  executor_.run();
  EXPECT_EQ(store_.kept.size(), 12U);
  EXPECT_EQ(log->not_kept(), 40U);
  EXPECT_EQ(lines(file).size(), 12U);
}

TEST_F(AuditLogTest, KeepsNoMoreOfAStrangersWordsThanIsRead) {
  const std::string file = folder_.file("audit.log");
  const auto log = open({.file = file});
  log->attach(store_, executor_);
  AuditEvent event = refusal("192.0.2.7");
  event.target = "username:";
  for (int i = 0; i < 30'000; ++i) event.target += "\xc3\xa4";
  event.reason = "one\nline\x7f\xc2\x9b[2J \xe2\x80\xae" + std::string(5'000, 'x');
  log->record(event);
  executor_.run();
  ASSERT_EQ(store_.kept.size(), 1U);
  EXPECT_EQ(store_.kept[0].target.size(), 255U) << "no half of a letter";
  EXPECT_TRUE(store_.kept[0].target.ends_with("\xc3\xa4"));
  EXPECT_TRUE(store_.kept[0].reason.starts_with("one?line??[2J ?xxx")) << store_.kept[0].reason;
  EXPECT_LE(store_.kept[0].reason.size(), 256U);
  const auto written = lines(file);
  ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(written[0]["target"], store_.kept[0].target);
}

TEST_F(AuditLogTest, WritesLinesToAPrivateFileThatMayBeMovedAway) {
  const std::string file = folder_.file("audit.log");
  const auto log = open({.file = file});
  log->record(refusal("192.0.2.7"));
  struct stat info{};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  std::filesystem::rename(file, file + ".1");
  ASSERT_TRUE(log->reopen());
  log->record({.actor = "system", .action = "after"});
  const auto before = lines(file + ".1");
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0]["action"], "login");
  EXPECT_EQ(before[0]["outcome"], "refused");
  EXPECT_EQ(before[0]["remote_address"], "192.0.2.7");
  const auto after = lines(file);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0]["action"], "after");
}

TEST_F(AuditLogTest, DoesNotStartWithAFileThatCannotBeOpened) {
  const auto log = app::AuditLog::open({.file = folder_.file("no/such/folder")}, clock_);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, Errc::io);
}

}  // namespace
}  // namespace holdfast::test
