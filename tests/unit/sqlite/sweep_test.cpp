// Tests sweeps: limited steps, found by an index, while others' commits go on.
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "sqlite/data_file.hpp"
#include "sqlite/stepped_store.hpp"
#include "sqlite/tables.hpp"
#include "support/base/manual_clock.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "support/storage/message_calls.hpp"
#include "unit/sqlite/copied_rows.hpp"

namespace holdfast::test {
namespace {

using sqlite::WorkBudget;

constexpr int kExpired = 8'000;

/// Rows of one table that expired, and one that did not.
struct Swept {
  const char* table;
  const char* insert;  ///< of row `i`, at `at`
  std::function<void(storage::StoreHandles&, Completion<Result<void>>)> sweep;
};

std::ostream& operator<<(std::ostream& out, const Swept& swept) { return out << swept.table; }

class SweepTest : public testing::TestWithParam<Swept> {
 protected:
  SweepTest() {
    {
      const OpenedStore made(path_);
    }
    auto database = sqlite::Database::open(path_);
    const std::string rows =
        std::string("INSERT INTO ") + GetParam().table + " " + GetParam().insert +
        " FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
        " SELECT i + 1 FROM n WHERE i <= " +
        std::to_string(kExpired) + ") SELECT i, CASE WHEN i <= " + std::to_string(kExpired) +
        " THEN " + std::to_string(unix_micros(kTestTime)) + " - i ELSE " +
        std::to_string(unix_micros(kTestTime)) + " END AS at FROM n)";
    if (!database || !(*database)->execute(rows.c_str())) {
      throw std::runtime_error((*database)->message());
    }
  }
  void open() {
    auto store = sqlite::open_stepped_store(OpenedStore::options_for(path_), clock_);
    if (!store) throw std::runtime_error(store.error().message);
    store_ = std::move(*store);
    handles_ = &store_->handles(executor_);
  }
  std::int64_t rows() const {
    return ask_copy(path_, std::string("SELECT count(*) FROM ") + GetParam().table);
  }
  void turn() {
    ASSERT_TRUE(store_->turn());
    bool is_idle = false;
    executor_.post([&is_idle] { is_idle = true; });
    executor_.run_until([&is_idle] { return is_idle; });
  }

  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
  ManualClock clock_{unix_micros(kTestTime)};
  PumpExecutor executor_;
  std::unique_ptr<sqlite::SteppedStore> store_;
  storage::StoreHandles* handles_ = nullptr;
};

TEST_P(SweepTest, TakesManyBoundedTransactionsAndOthersGoBetween) {
  open();
  int answers = 0;
  GetParam().sweep(*handles_, [&](Result<void> done) {
    ++answers;
    EXPECT_TRUE(done);
  });
  std::int64_t left = kExpired + 1;
  int turns = 0;
  Sequence sequence = 0;
  for (; answers == 0; ++turns) {
    ASSERT_LT(turns, 100);
    int inserted = 0;
    std::vector<delivery::Insert> inserts;
    inserts.push_back(
        MessageCalls(*handles_->messages, executor_).as_insert(make_message("anna", ++sequence)));
    handles_->messages->insert(std::move(inserts), [&](Result<void> done) {
      EXPECT_TRUE(done);
      ++inserted;
    });
    turn();
    EXPECT_EQ(inserted, 1) << "an insert waits for one step at most";
    const std::int64_t now = rows();
    EXPECT_LE(left - now, WorkBudget::kPerTransaction / WorkBudget::of_erase(0) + 1);
    left = now;
  }
  EXPECT_EQ(left, 1);
  EXPECT_GT(turns, 4);
}

TEST_P(SweepTest, DoesNotHoldUpTheEnd) {
  open();
  int answers = 0;
  GetParam().sweep(*handles_, [&](Result<void>) { ++answers; });
  turn();
  store_->stop();
  executor_.run_until([&] { return answers == 1; });
  EXPECT_GT(rows(), kExpired / 2);
}

INSTANTIATE_TEST_SUITE_P(
    Of, SweepTest,
    testing::Values(
        Swept{"temp_keys", "(token_hash, user, ttl) SELECT CAST('token ' || i AS BLOB), 'u', at",
              [](auto& handles, auto done) { handles.tokens->sweep(kTestTime, std::move(done)); }},
        Swept{"refresh_tokens",
              "(user, origin, token_hash, issued_at, expires_at, revoked)"
              " SELECT 'u' || i, 'o', CAST('token ' || i AS BLOB), 0, at, 0",
              [](auto& handles, auto done) {
                handles.refresh_tokens->sweep(kTestTime, std::move(done));
              }},
        Swept{"confirmation_codes",
              "(user, purpose, sealed, expires_at, attempts) SELECT 'u' || i, 1, x'00', at, 0",
              [](auto& handles, auto done) { handles.codes->sweep(kTestTime, std::move(done)); }},
        Swept{"known_addresses",
              "(user, address, seen_at) SELECT 'u' || i, CAST('a' || i AS BLOB), at",
              [](auto& handles, auto done) {
                handles.known_addresses->sweep(kTestTime, std::move(done));
              }},
        Swept{"users",
              "(sub, username, folded_username, status, enabled, password_hash, revision,"
              " attributes, created_at, modified_at)"
              " SELECT 'u' || i, 'n' || i, 'n' || i, 0, 1, '', 1, '{}', at, at",
              [](auto& handles, auto done) {
                handles.users->sweep_unconfirmed(kTestTime, std::move(done));
              }},
        Swept{"deduplication",
              "(user, caller, key, payload_hash, message_id, sequence, status, committed_at)"
              " SELECT 'u', 'c', 'k' || i, zeroblob(32), zeroblob(16), i, 1, at",
              [](auto& handles, auto done) {
                handles.messages->forget_deduplication(kTestTime, std::move(done));
              }}),
    [](const auto& info) { return std::string(info.param.table); });

// Of all the statements that a tables has prepared.
TEST(DeletesTest, FindsRowsByAnIndex) {
  const TempDir folder;
  auto database = sqlite::open_data_file(folder.file("holdfast.db"), sqlite::embedded_migrations());
  ASSERT_TRUE(database);
  const sqlite::Tables tables(**database, {.messages = 10, .bytes = 1'000});
  // At the start, of what is read as a whole anyway.
  const std::vector<std::string> whole = {"DELETE FROM connections",
                                          "DELETE FROM attempts WHERE forgotten_at <= ?1"};
  int deletes = 0;
  sqlite3_stmt* next = nullptr;
  while ((next = sqlite3_next_stmt((*database)->handle(), next)) != nullptr) {
    const std::string sql = sqlite3_sql(next);
    if (!sql.starts_with("DELETE")) continue;
    ++deletes;
    if (std::ranges::find(whole, sql) != whole.end()) continue;
    sqlite::Statement plan(**database, ("EXPLAIN QUERY PLAN " + sql).c_str());
    while (plan.step()) {
      const std::string step = plan.string(3);
      // A list that a subquery has gathered is small.
      EXPECT_TRUE(!step.starts_with("SCAN") || step.starts_with("SCAN (")) << sql << "\n" << step;
      // One user's few may be sorted.
      EXPECT_TRUE(!step.contains("TEMP B-TREE") || sql.contains("user = ?1")) << sql;
    }
  }
  EXPECT_GT(deletes, 20);
}

}  // namespace
}  // namespace holdfast::test
