// Tests the store over a disk whose calls fail.

#include <random>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "support/sqlite/shim_vfs.hpp"
#include "unit/sqlite/child.hpp"
#include "unit/sqlite/ledger.hpp"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using Call = ShimVfs::Call;

bool is_log(std::string_view path) { return path.ends_with("-wal"); }

/// Fails writes to the log with `code` while it is set.
class FailingWrites {
 public:
  explicit FailingWrites(ShimVfs& vfs) {
    vfs.judge_with([this](Call call, std::string_view path) {
      if (call != Call::write || !is_log(path)) return SQLITE_OK;
      if (remaining.load() > 0) --remaining;
      return remaining.load() > 0 || always.load() ? code.load() : SQLITE_OK;
    });
  }
  std::atomic<int> code{SQLITE_IOERR_WRITE};
  std::atomic<int> remaining{0};
  std::atomic<bool> always{false};
};

delivery::PageQuery expiring_page_of_anna() {
  delivery::PageQuery query;
  query.user = UserId("anna");
  query.up_to = 9;
  query.messages = 10;
  query.bytes = 1000;
  query.expire_above = 0;
  query.now = kTestTime + Seconds(2);
  return query;
}

TEST(IoErrorsTest, FailsAnInsertAndGoesOnAfterAFailedWrite) {
  const TempDir folder;
  ShimVfs vfs;
  FailingWrites writes(vfs);
  OpenedStore opened(folder.file("holdfast.db"));
  for (const int code : {SQLITE_IOERR_WRITE, SQLITE_FULL}) {
    writes.code = code;
    writes.always = true;
    const auto failed = opened.calls().insert({make_message("anna", 1)});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Errc::unavailable);
    EXPECT_EQ(opened.store().stats().writable, code == SQLITE_FULL);
    EXPECT_EQ(opened.store().file_metrics().disk_full.read() != 0, code == SQLITE_FULL);
    EXPECT_THAT(opened.calls().sequences("anna"), testing::IsEmpty());
    writes.always = false;
    EXPECT_TRUE(opened.calls().insert({make_message("anna", 2)}));
    EXPECT_TRUE(opened.store().stats().writable);
    EXPECT_THAT(opened.calls().sequences("anna"), ElementsAre(2));
    EXPECT_TRUE(opened.calls().erase("anna", 0, 9));
  }
  expect_totals_equal_rows(opened);
}

// Its rows may have been delivered meanwhile.
TEST(IoErrorsTest, FailsASweepWithoutARetry) {
  const TempDir folder;
  ShimVfs vfs;
  FailingWrites writes(vfs);
  OpenedStore opened(folder.file("holdfast.db"));
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 1, "x", Seconds(1))}));
  writes.remaining = 2;  // the first alone fails
  const auto expired = opened.calls().expire("anna", 0, 9, kTestTime + Seconds(2));
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, Errc::unavailable);
  writes.remaining = 2;
  EXPECT_FALSE(opened.calls().move_to_dead_letters("anna", 0, 9, "user_deleted"));
  // Longer than a retry would wait.
  const auto deadline = std::chrono::steady_clock::now() + Milliseconds(100);
  while (std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(opened.calls().insert({make_message("bert", 1)}));
    ASSERT_TRUE(opened.calls().erase("bert", 0, 1));
  }
  EXPECT_THAT(opened.calls().sequences("anna"), ElementsAre(1));
  EXPECT_THAT(opened.calls().list_dead_letters(), testing::IsEmpty());
}

// A sweep of many rows is cut short: what it moved before is told, so that nobody counts wrong.
TEST(IoErrorsTest, ReportsTheRowsOfAnInterruptedSweep) {
  const TempDir folder;
  ShimVfs vfs;
  OpenedStore opened(folder.file("holdfast.db"));
  std::vector<delivery::MessagePtr> rows;
  for (Sequence i = 1; i <= 3'000; ++i) rows.push_back(make_message("anna", i, "x", Seconds(1)));
  ASSERT_TRUE(opened.calls().insert(rows));
  std::atomic<int> syncs = 0;
  vfs.judge_with([&](Call call, std::string_view path) {
    if (!is_log(path)) return SQLITE_OK;
    if (call == Call::sync) ++syncs;
    return call == Call::write && syncs >= 3 ? SQLITE_FULL : SQLITE_OK;
  });
  const auto moved = opened.calls().expire("anna", 0, 9'999, kTestTime + Seconds(2));
  ASSERT_TRUE(moved);
  vfs.judge_with(nullptr);
  EXPECT_GT(moved->messages, 0);
  EXPECT_LT(moved->messages, 3'000);
  EXPECT_EQ(opened.calls().sequences("anna").size(), 3'000U - moved->messages);
  EXPECT_EQ(opened.calls().find_expired(kTestTime + Seconds(2)).size(), 1U) << "it is due again";
  expect_totals_equal_rows(opened);
}

// A delete of many rows that has begun is ended, however long the disk fails in between.
TEST(IoErrorsTest, CompletesADeleteThatHasBegun) {
  const TempDir folder;
  ShimVfs vfs;
  OpenedStore opened(folder.file("holdfast.db"));
  std::vector<delivery::MessagePtr> rows;
  for (Sequence i = 1; i <= 5'000; ++i) rows.push_back(make_message("anna", i));
  ASSERT_TRUE(opened.calls().insert(rows));
  std::atomic<int> syncs = 0;
  std::atomic<int> failures = 0;
  vfs.judge_with([&](Call call, std::string_view path) {
    if (!is_log(path)) return SQLITE_OK;
    if (call == Call::sync) ++syncs;
    if (call != Call::write || syncs < 2 || failures >= 11) return SQLITE_OK;
    ++failures;
    return SQLITE_FULL;
  });
  const auto removed = opened.calls().erase("anna", 0, 4'999);
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->messages, 4'999);
  EXPECT_EQ(failures, 11) << "more than one that has not begun is given";
  EXPECT_THAT(opened.calls().sequences("anna"), ElementsAre(5'000));
  expect_totals_equal_rows(opened);
}

TEST(IoErrorsTest, LeavesExactlyTheAcknowledgedRows) {
  const TempDir folder;
  ShimVfs vfs;
  std::mt19937 random(20260122);
  std::set<Sequence> acknowledged;
  {
    OpenedStore opened(folder.file("holdfast.db"));
    vfs.judge_with([&](Call call, std::string_view path) {
      if (call != Call::write || !is_log(path) || random() % 12 != 0) return SQLITE_OK;
      return random() % 2 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    });
    int open_calls = 0;
    int failures = 0;
    for (Sequence i = 1; i <= 600; ++i) {
      std::vector<delivery::Insert> inserts;
      inserts.push_back(opened.calls().as_insert(make_message("anna", i, std::string(i * 7, 'x'))));
      ++open_calls;
      opened.messages().insert(std::move(inserts), [&, i](Result<void> done) {
        --open_calls;
        if (done) {
          acknowledged.insert(i);
        } else {
          ++failures;
        }
      });
      if (i % 7 == 0) opened.executor().run_until([&] { return open_calls == 0; });
    }
    opened.executor().run_until([&] { return open_calls == 0; });
    vfs.judge_with(nullptr);
    EXPECT_GT(failures, 20);
    EXPECT_GT(acknowledged.size(), 20U);
    EXPECT_THAT(opened.calls().sequences("anna"), ElementsAreArray(acknowledged));
    expect_totals_equal_rows(opened);
  }
  OpenedStore again(folder.file("holdfast.db"));
  EXPECT_THAT(again.calls().sequences("anna"), ElementsAreArray(acknowledged));
  expect_totals_equal_rows(again);
}

TEST(IoErrorsTest, RetriesErasesAndReadsThatExpire) {
  const TempDir folder;
  ShimVfs vfs;
  FailingWrites writes(vfs);
  OpenedStore opened(folder.file("holdfast.db"));
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 1), make_message("anna", 2),
                                     make_message("anna", 3, "old", Seconds(1))}));
  writes.remaining = 5;
  const auto removed = opened.calls().erase("anna", 0, 1);
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->messages, 1);
  EXPECT_GE(opened.store().metrics().failed_transactions.read(), 4U);

  writes.remaining = 5;
  const auto page = opened.calls().read(expiring_page_of_anna());
  ASSERT_TRUE(page);
  EXPECT_EQ(page->messages.size(), 1U);
  EXPECT_EQ(page->expired.messages, 1);
  expect_totals_equal_rows(opened);
}

TEST(IoErrorsTest, GivesUpAnEraseThatKeepsFailing) {
  const TempDir folder;
  ShimVfs vfs;
  FailingWrites writes(vfs);
  OpenedStore opened(folder.file("holdfast.db"));
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 1)}));
  writes.always = true;
  const auto given_up = opened.calls().erase("anna", 0, 1);
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().code, Errc::unavailable);
  writes.always = false;
  EXPECT_THAT(opened.calls().sequences("anna"), ElementsAre(1));
}

TEST(IoErrorsTest, GivesUpAReadThatKeepsFailing) {
  const TempDir folder;
  ShimVfs vfs;
  FailingWrites writes(vfs);
  OpenedStore opened(folder.file("holdfast.db"));
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 1, "old", Seconds(1))}));
  writes.always = true;
  delivery::PageQuery query = expiring_page_of_anna();
  query.until_read = false;
  const auto given_up = opened.calls().read(query);
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().code, Errc::unavailable);
  writes.always = false;
  EXPECT_TRUE(opened.calls().read(query));
}

/// A store in a child whose `on_fatal` exits with 70, as the daemon's does. The child reports `a`
/// for each acknowledged insert and `f` for the fatal call.
Child::End run_until_fatal(const std::string& path, ShimVfs& vfs, const ShimVfs::Judge& judge) {
  Child child([&](int output) {
    auto options = OpenedStore::options_for(path);
    options.wal_checkpoint_bytes = 64 << 10;
    options.on_fatal = [output](const std::string&) {
      static_cast<void>(!::write(output, "f", 1));
      ::_exit(70);
    };
    OpenedStore opened(options);
    static_cast<void>(opened.calls().insert({make_message("anna", 1)}));
    vfs.judge_with(judge);
    for (Sequence i = 2; i < 2'000; ++i) {
      if (!opened.calls().insert({make_message("anna", i, std::string(2'000, 'x'))})) return 1;
      static_cast<void>(!::write(output, "a", 1));
    }
    return 0;
  });
  return child.wait();
}

TEST(IoErrorsTest, EndsTheProcessUnansweredWhenACommitsSyncFails) {
  const TempDir folder;
  ShimVfs vfs;
  const auto end =
      run_until_fatal(folder.file("holdfast.db"), vfs, [](Call call, std::string_view path) {
        return call == Call::sync && is_log(path) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
      });
  EXPECT_EQ(end.code, 70);
  EXPECT_EQ(end.output, "f") << "nothing of the batch is answered";
  OpenedStore again(folder.file("holdfast.db"));
  const auto kept = again.calls().sequences("anna");
  EXPECT_EQ(kept.front(), 1);
  expect_totals_equal_rows(again);
}

TEST(IoErrorsTest, EndsTheProcessWhenACheckpointsSyncFails) {
  const TempDir folder;
  ShimVfs vfs;
  const auto end =
      run_until_fatal(folder.file("holdfast.db"), vfs, [](Call call, std::string_view path) {
        return call == Call::sync && !is_log(path) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
      });
  EXPECT_EQ(end.code, 70);
  ASSERT_GT(end.output.size(), 1U);
  EXPECT_EQ(end.output.back(), 'f');
  OpenedStore again(folder.file("holdfast.db"));
  EXPECT_GE(again.calls().sequences("anna").size(), end.output.size());
}

TEST(IoErrorsTest, CommitsWhenACheckpointsWritesFail) {
  const TempDir folder;
  ShimVfs vfs;
  auto options = OpenedStore::options_for(folder.file("holdfast.db"));
  options.wal_checkpoint_bytes = 64 << 10;
  OpenedStore opened(options);
  vfs.judge_with([](Call call, std::string_view path) {
    return call == Call::write && !is_log(path) ? SQLITE_FULL : SQLITE_OK;
  });
  for (Sequence i = 1; i <= 100; ++i) {
    ASSERT_TRUE(opened.calls().insert({make_message("anna", i, std::string(2'000, 'x'))}));
  }
  EXPECT_EQ(opened.calls().sequences("anna").size(), 100U);
}

}  // namespace
}  // namespace holdfast::test
