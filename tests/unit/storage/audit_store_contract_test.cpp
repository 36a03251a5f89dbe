// Tests the promises of every AuditStore.
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/storage/backends.hpp"

namespace holdfast::test {
namespace {

using testing::ElementsAre;

template <class Backend>
class AuditStoreContractTest : public testing::Test {
 protected:
  void append(std::vector<AuditEvent> events, WallTime at = kTestTime,
              std::int64_t records_max = 1'000'000) {
    std::vector<AuditStore::NewRecord> records;
    for (AuditEvent& event : events) records.push_back({at, std::move(event)});
    const auto done = backend_.executor().template await<Result<void>>([&](auto completion) {
      backend_.handles().audit->append(std::move(records), records_max, std::move(completion));
    });
    ASSERT_TRUE(done);
  }
  AuditPage list(AuditQuery query = {}) {
    if (query.limit == 0) query.limit = 100;
    const auto page = backend_.executor().template await<Result<AuditPage>>(
        [&](auto completion) { backend_.handles().audit->list(query, std::move(completion)); });
    return page.value_or(AuditPage());
  }
  std::vector<std::string> actions(const AuditQuery& query = {}) {
    std::vector<std::string> out;
    for (const AuditRecord& record : list(query).records) out.push_back(record.event.action);
    return out;
  }
  bool sweep(WallTime before) {
    return backend_.executor()
        .template await<Result<bool>>([&](auto completion) {
          backend_.handles().audit->sweep(before, std::move(completion));
        })
        .value_or(false);
  }
  static AuditEvent event(std::string action, std::string actor = "uid:0") {
    AuditEvent out;
    out.actor = std::move(actor);
    out.action = std::move(action);
    return out;
  }

  Backend backend_;
};
TYPED_TEST_SUITE(AuditStoreContractTest, Engines);

TYPED_TEST(AuditStoreContractTest, ListsRecordsWholeTheNewestFirst) {
  AuditEvent refused{.actor = "stranger",
                     .action = "login",
                     .target = "name_hash:0123456789abcdef",
                     .outcome = AuditOutcome::refused,
                     .reason = "a wrong password",
                     .address = "192.0.2.7"};
  this->append({this->event("user.create"), refused});
  const AuditPage page = this->list();
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

TYPED_TEST(AuditStoreContractTest, FindsRecordsByTheirContents) {
  this->append({this->event("user.create", "uid:0"), this->event("user.delete", "console:a"),
                this->event("login", "user:1"), this->event("users", "uid:0")});
  this->append({this->event("late")}, kTestTime + Seconds(10));
  EXPECT_THAT(this->actions({.action = "user."}), ElementsAre("user.delete", "user.create"));
  EXPECT_THAT(this->actions({.action = "login"}), ElementsAre("login"));
  EXPECT_THAT(this->actions({.actor = "console:a"}), ElementsAre("user.delete"));
  EXPECT_THAT(this->actions({.since = kTestTime + Seconds(1)}), ElementsAre("late"));
  EXPECT_THAT(this->actions({.outcome = AuditOutcome::failed}), ElementsAre());
}

TYPED_TEST(AuditStoreContractTest, PagesWithoutOmissions) {
  std::vector<AuditEvent> events;
  for (int i = 0; i < 25; ++i) events.push_back(this->event("a" + std::to_string(i)));
  this->append(std::move(events));
  std::vector<std::string> seen;
  AuditQuery query{.limit = 10};
  while (true) {
    const AuditPage page = this->list(query);
    for (const AuditRecord& record : page.records) seen.push_back(record.event.action);
    if (!page.next) break;
    query.before = page.next;
  }
  ASSERT_EQ(seen.size(), 25U);
  EXPECT_EQ(seen.front(), "a24");
  EXPECT_EQ(seen.back(), "a0");
}

TYPED_TEST(AuditStoreContractTest, KeepsRecordsUpToTheLimit) {
  for (int i = 0; i < 12; ++i) this->append({this->event("a" + std::to_string(i))}, kTestTime, 5);
  EXPECT_THAT(this->actions(), ElementsAre("a11", "a10", "a9", "a8", "a7"));
}

TYPED_TEST(AuditStoreContractTest, SweepsOldRecordsInLimitedSteps) {
  for (int i = 0; i < 3; ++i) {
    this->append(std::vector<AuditEvent>(500, this->event("old")), kTestTime);
  }
  this->append({this->event("new")}, kTestTime + Seconds(100));
  EXPECT_TRUE(this->sweep(kTestTime + Seconds(50)));
  EXPECT_FALSE(this->sweep(kTestTime + Seconds(50)));
  EXPECT_THAT(this->actions(), ElementsAre("new"));
}

}  // namespace
}  // namespace holdfast::test
