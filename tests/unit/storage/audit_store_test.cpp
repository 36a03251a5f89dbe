#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/base/temp_dir.hpp"
#include "unit/storage/opened_store.hpp"

namespace holdfast::test {
namespace {

using testing::ElementsAre;

class AuditRecords : public testing::Test {
 protected:
  void append(std::vector<AuditEvent> events, WallTime at = kTestTime,
              std::int64_t records_max = 1'000'000) {
    std::vector<AuditStore::NewRecord> records;
    for (AuditEvent& event : events) records.push_back({at, std::move(event)});
    const auto done = opened_.executor().await<Result<void>>([&](auto completion) {
      opened_.handles().audit->append(std::move(records), records_max, std::move(completion));
    });
    ASSERT_TRUE(done);
  }
  AuditPage list(AuditQuery query = {}) {
    if (query.limit == 0) query.limit = 100;
    const auto page = opened_.executor().await<Result<AuditPage>>(
        [&](auto completion) { opened_.handles().audit->list(query, std::move(completion)); });
    return page.value_or(AuditPage());
  }
  std::vector<std::string> actions(const AuditQuery& query = {}) {
    std::vector<std::string> out;
    for (const AuditRecord& record : list(query).records) out.push_back(record.event.action);
    return out;
  }
  bool sweep(WallTime before) {
    return opened_.executor()
        .await<Result<bool>>(
            [&](auto completion) { opened_.handles().audit->sweep(before, std::move(completion)); })
        .value_or(false);
  }
  static AuditEvent event(std::string action, std::string actor = "uid:0") {
    AuditEvent out;
    out.actor = std::move(actor);
    out.action = std::move(action);
    return out;
  }

  const TempDir folder_;
  OpenedStore opened_{folder_.file("holdfast.db")};
};

TEST_F(AuditRecords, AreListedWholeTheNewestFirst) {
  AuditEvent refused{.actor = "stranger",
                     .action = "login",
                     .target = "name_hash:0123456789abcdef",
                     .outcome = AuditOutcome::refused,
                     .reason = "a wrong password",
                     .address = "192.0.2.7"};
  append({event("user.create"), refused});
  const AuditPage page = list();
  ASSERT_EQ(page.records.size(), 2U);
  EXPECT_FALSE(page.next);
  const AuditRecord& newest = page.records.front();
  EXPECT_EQ(newest.event.actor, refused.actor);
  EXPECT_EQ(newest.event.action, refused.action);
  EXPECT_EQ(newest.event.target, refused.target);
  EXPECT_EQ(newest.event.outcome, refused.outcome);
  EXPECT_EQ(newest.event.reason, refused.reason);
  EXPECT_EQ(newest.event.address, refused.address);
  EXPECT_EQ(newest.at, kTestTime);
  EXPECT_GT(newest.id, page.records.back().id);
}

TEST_F(AuditRecords, AreFoundByWhatTheyHold) {
  append({event("user.create", "uid:0"), event("user.delete", "console:a"),
          event("login", "user:1"), event("users", "uid:0")});
  append({event("late")}, kTestTime + Seconds(10));
  EXPECT_THAT(actions({.action = "user."}), ElementsAre("user.delete", "user.create"));
  EXPECT_THAT(actions({.action = "login"}), ElementsAre("login"));
  EXPECT_THAT(actions({.actor = "console:a"}), ElementsAre("user.delete"));
  EXPECT_THAT(actions({.since = kTestTime + Seconds(1)}), ElementsAre("late"));
  EXPECT_THAT(actions({.outcome = AuditOutcome::failed}), ElementsAre());
}

TEST_F(AuditRecords, ComeInPagesThatLeaveNothingOut) {
  std::vector<AuditEvent> events;
  for (int i = 0; i < 25; ++i) events.push_back(event("a" + std::to_string(i)));
  append(std::move(events));
  std::vector<std::string> seen;
  AuditQuery query{.limit = 10};
  while (true) {
    const AuditPage page = list(query);
    for (const AuditRecord& record : page.records) seen.push_back(record.event.action);
    if (!page.next) break;
    query.before = page.next;
  }
  ASSERT_EQ(seen.size(), 25U);
  EXPECT_EQ(seen.front(), "a24");
  EXPECT_EQ(seen.back(), "a0");
}

TEST_F(AuditRecords, AreKeptUpToTheirBound) {
  for (int i = 0; i < 12; ++i) append({event("a" + std::to_string(i))}, kTestTime, 5);
  EXPECT_THAT(actions(), ElementsAre("a11", "a10", "a9", "a8", "a7"));
}

TEST_F(AuditRecords, GoWhenTheyAreOldInBoundedSteps) {
  for (int i = 0; i < 3; ++i) {
    append(std::vector<AuditEvent>(500, event("old")), kTestTime);
  }
  append({event("new")}, kTestTime + Seconds(100));
  EXPECT_TRUE(sweep(kTestTime + Seconds(50)));
  EXPECT_FALSE(sweep(kTestTime + Seconds(50)));
  EXPECT_THAT(actions(), ElementsAre("new"));
}

}  // namespace
}  // namespace holdfast::test
