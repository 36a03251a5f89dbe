// The store as a whole: group commit, its bounds, its order, its end.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sqlite/sqlite.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "support/sqlite/shim_vfs.hpp"
#include "unit/sqlite/copied_rows.hpp"
#include "unit/sqlite/ledger.hpp"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class StoreTest : public testing::Test {
 protected:
  sqlite::Options options() const { return OpenedStore::options_for(path_); }

  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
};

void insert_one(OpenedStore& opened, delivery::MessagePtr message, Completion<Result<void>> done) {
  std::vector<delivery::Insert> inserts;
  inserts.push_back(opened.calls().as_insert(std::move(message)));
  opened.messages().insert(std::move(inserts), std::move(done));
}

// It may be as large as all users who have something pending.
TEST_F(StoreTest, HandsOverWhatItStartedWithAndKeepsNoneOfIt) {
  {
    OpenedStore opened(path_);
    ASSERT_TRUE(opened.calls().insert({make_message("anna", 1)}));
  }
  OpenedStore opened(path_);
  EXPECT_THAT(opened.store().take_start_state().pending, SizeIs(1));
  EXPECT_THAT(opened.store().take_start_state().pending, SizeIs(0));
}

// The four eyes rule: others see only what is committed.
TEST_F(StoreTest, AnswersOnlyWhatOthersSee) {
  OpenedStore opened(path_);
  int answers = 0;
  for (Sequence i = 1; i <= 200; ++i) {
    insert_one(opened, make_message("anna", i), [&, i](Result<void> done) {
      ++answers;
      EXPECT_TRUE(done);
      const std::string sql = "SELECT count(*) FROM messages WHERE sequence = " + std::to_string(i);
      EXPECT_EQ(ask_copy(path_, sql), 1);
    });
  }
  opened.executor().run_until([&] { return answers == 200; });
}

// The answer of a read waits for its commit too, and a write is never answered before its sync.
TEST_F(StoreTest, AnswersOnlyWhatIsSynced) {
  ShimVfs vfs;
  std::atomic<int> unsynced = 0;
  vfs.judge_with([&](ShimVfs::Call call, std::string_view path) {
    if (path.ends_with("-wal")) {
      if (call == ShimVfs::Call::write) ++unsynced;
      if (call == ShimVfs::Call::sync) unsynced = 0;
    }
    return 0;
  });
  OpenedStore opened(path_);
  for (Sequence i = 1; i <= 50; ++i) {
    ASSERT_TRUE(opened.calls().insert({make_message("anna", i, "x", Seconds(1))}));
    EXPECT_EQ(unsynced, 0);
  }
  delivery::PageQuery query;
  query.user = UserId("anna");
  query.up_to = 100;
  query.messages = 100;
  query.bytes = 1000;
  query.expire_above = 0;
  query.now = kTestTime + Seconds(1);
  EXPECT_EQ(opened.calls().read(query)->expired.messages, 50);
  EXPECT_EQ(unsynced, 0);
}

TEST_F(StoreTest, CommitsWhatWaitsTogetherAndPostsOncePerBatch) {
  OpenedStore opened(path_);
  const auto transactions = opened.store().metrics().transactions.read();
  const auto posts = opened.executor().posts();
  int answers = 0;
  for (Sequence i = 1; i <= 2'000; ++i) {
    insert_one(opened, make_message("anna", i), [&](Result<void>) { ++answers; });
  }
  opened.executor().run_until([&] { return answers == 2'000; });
  const auto batches = opened.store().metrics().transactions.read() - transactions;
  EXPECT_LT(batches, 200U);
  EXPECT_EQ(opened.executor().posts() - posts, batches);
  EXPECT_EQ(opened.store().metrics().operations.read(), 2'000U);
}

TEST_F(StoreTest, TakesNoMoreThanItsBatchAtOnce) {
  auto small = options();
  small.batch_operations = 10;
  OpenedStore opened(small);
  int answers = 0;
  for (Sequence i = 1; i <= 500; ++i) {
    insert_one(opened, make_message("anna", i), [&](Result<void>) { ++answers; });
  }
  opened.executor().run_until([&] { return answers == 500; });
  EXPECT_GE(opened.store().metrics().transactions.read(), 50U);
}

TEST_F(StoreTest, AnswersEachExecutorOnItsOwn) {
  PumpExecutor second;
  OpenedStore opened(path_);
  auto& handles = opened.store().handles(second);
  MessageCalls calls(*handles.messages, second);
  ASSERT_TRUE(calls.insert({make_message("anna", 1)}));
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 2)}));
  EXPECT_EQ(second.posts(), 1U);
  EXPECT_THAT(calls.sequences("anna"), ElementsAre(1, 2));
}

TEST_F(StoreTest, TakesCallsFromManyThreads) {
  constexpr int kThreads = 4;
  std::vector<std::unique_ptr<PumpExecutor>> executors;
  OpenedStore opened(path_);
  std::vector<storage::StoreHandles*> handles;
  for (int i = 0; i < kThreads; ++i) {
    executors.push_back(std::make_unique<PumpExecutor>());
    handles.push_back(&opened.store().handles(*executors.back()));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      MessageCalls calls(*handles[static_cast<std::size_t>(i)]->messages,
                         *executors[static_cast<std::size_t>(i)]);
      const std::string user = "user-" + std::to_string(i);
      for (Sequence sequence = 1; sequence <= 60; ++sequence) {
        EXPECT_TRUE(calls.insert({make_message(user, sequence)}));
        if (sequence % 5 == 0) {
          EXPECT_EQ(calls.erase(user, 0, sequence - 1)->messages, sequence == 5 ? 4 : 5);
        }
        EXPECT_EQ(calls.sequences(user).back(), sequence);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  expect_totals_equal_rows(opened);
  EXPECT_THAT(opened.calls().list_pending(), SizeIs(kThreads));
}

TEST_F(StoreTest, RefusesReservationsBeyondItsBytes) {
  auto small = options();
  small.queue_bytes = 1'000;
  OpenedStore opened(small);
  auto first = opened.messages().reserve(600);
  ASSERT_TRUE(first);
  EXPECT_FALSE(opened.messages().reserve(600));
  first->reset();
  EXPECT_TRUE(opened.messages().reserve(600));
}

TEST_F(StoreTest, RefusesReservationsWhenTheDatabaseIsTooLargeUntilItShrinks) {
  auto small = options();
  small.database_bytes_max = 2 << 20;
  OpenedStore opened(small);
  Sequence sequence = 0;
  while (auto reservation = opened.messages().reserve(50'000)) {
    reservation->reset();
    ASSERT_TRUE(
        opened.calls().insert({make_message("anna", ++sequence, std::string(50'000, 'x'))}));
    ASSERT_LT(sequence, 100);
  }
  EXPECT_GT(sequence, 20);
  EXPECT_LE(opened.store().file_metrics().used_bytes.read(), 2 << 20);
  ASSERT_TRUE(opened.calls().erase("anna", 0, sequence));
  EXPECT_TRUE(opened.messages().reserve(50'000)) << "free pages count for nothing";
}

TEST_F(StoreTest, LetsTheLongestDeadMakeRoomAmongTheDeadLetters) {
  auto small = options();
  small.dead_letters_max = 3;
  small.dead_letters_bytes_max = 100;
  OpenedStore opened(small);
  std::vector<MessageId> ids;
  const auto move_to_dead_letters = [&](Sequence sequence, std::size_t bytes) {
    const auto message = make_message("anna", sequence, std::string(bytes, 'x'), Seconds(1));
    ids.push_back(message->id);
    ASSERT_TRUE(opened.calls().insert({message}));
    ASSERT_TRUE(opened.calls().expire("anna", 0, sequence, kTestTime + Seconds(sequence)));
  };
  for (Sequence i = 1; i <= 5; ++i) move_to_dead_letters(i, 10);
  EXPECT_THAT(opened.calls().list_dead_letters(), SizeIs(3));
  EXPECT_FALSE(opened.calls().find_dead_letter(ids[1]));
  EXPECT_TRUE(opened.calls().find_dead_letter(ids[2]));
  move_to_dead_letters(6, 85);
  EXPECT_THAT(opened.calls().list_dead_letters(), SizeIs(2)) << "95 bytes";
  ASSERT_THAT(opened.calls().delete_dead_letters({ids[5]}), SizeIs(1));
  for (Sequence i = 7; i <= 8; ++i) move_to_dead_letters(i, 10);
  EXPECT_THAT(opened.calls().list_dead_letters(), SizeIs(3));
}

TEST_F(StoreTest, ExpiresAUsersManyRowsInTurns) {
  OpenedStore opened(path_);
  std::vector<delivery::MessagePtr> messages;
  for (Sequence i = 1; i <= 2'500; ++i)
    messages.push_back(make_message("anna", i, "x", Seconds(1)));
  ASSERT_TRUE(opened.calls().insert(messages));
  const std::uint64_t before = opened.store().metrics().transactions.read();
  EXPECT_EQ(opened.calls().expire("anna", 0, 9'999, kTestTime + Seconds(1))->messages, 2'500);
  EXPECT_GT(opened.store().metrics().transactions.read(), before + 5);
  EXPECT_THAT(opened.calls().list_pending(), SizeIs(0));
}

/// A user's access and what is to be purged with it, in the store alone: nothing purges here.
class PendingPurgesTest : public StoreTest {
 protected:
  struct Kept {
    std::string user;
    Sequence up_to;
    std::string reason;
    friend bool operator==(const Kept&, const Kept&) = default;
  };

  void create(const std::string& sub) {
    identity::User user;
    user.sub = UserId(sub);
    user.username = sub;
    ASSERT_TRUE(await<void>(
        [&](auto done) { opened_->handles().users->create(user, sub, std::move(done)); }));
  }
  void change(const std::string& sub, const std::function<void(identity::User&)>& how) {
    auto user = await<std::optional<identity::User>>([&](auto done) {
                  opened_->handles().users->find_by_sub(UserId(sub), std::move(done));
                }).value();
    ASSERT_TRUE(user);
    how(*user);
    ASSERT_TRUE(await<void>([&](auto done) {
      opened_->handles().users->update_and_end_logins(*user, user->revision, "", std::move(done));
    }));
  }
  void remove(const std::string& sub) {
    ASSERT_TRUE(await<void>(
        [&](auto done) { opened_->handles().users->remove(UserId(sub), std::move(done)); }));
  }
  std::vector<Kept> behind_a_restart() {
    opened_.reset();
    opened_ = std::make_unique<OpenedStore>(path_);
    std::vector<Kept> out;
    const delivery::StartState start = opened_->store().take_start_state();
    for (const auto& purge : start.pending_purges) {
      out.push_back({purge.user.str(), purge.up_to, purge.reason});
    }
    return out;
  }
  template <class T, class Call>
  Result<T> await(Call call) {
    return opened_->executor().await<Result<T>>(std::move(call));
  }

  std::unique_ptr<OpenedStore> opened_ = std::make_unique<OpenedStore>(path_);
};

TEST_F(PendingPurgesTest, RemembersThemUntilAllAreDeadLetters) {
  for (const std::string sub : {"deleted", "disabled", "signed out", "has nothing"}) create(sub);
  for (const std::string sub : {"deleted", "disabled", "signed out", "of no pool"}) {
    ASSERT_TRUE(opened_->calls().insert({make_message(sub, 4), make_message(sub, 5)}));
  }
  change("signed out", [](identity::User& user) { user.signed_out_at = kTestTime; });
  change("disabled", [](identity::User& user) { user.enabled = false; });
  remove("deleted");
  remove("has nothing");
  ASSERT_TRUE(opened_->calls().insert({make_message("disabled", 6)}));
  // Nothing is purged that comes behind it, whatever else is changed.
  change("disabled", [](identity::User& user) { user.attributes["email"] = "a@example.org"; });
  const std::vector<Kept> both = {{"deleted", 5, "user_deleted"}, {"disabled", 5, "user_disabled"}};
  EXPECT_EQ(behind_a_restart(), both);
  EXPECT_EQ(behind_a_restart(), both);
  ASSERT_TRUE(opened_->calls().end_purge("deleted", 4));
  EXPECT_EQ(behind_a_restart(), both) << "that was an earlier one";
  ASSERT_TRUE(opened_->calls().end_purge("deleted", 5));
  change("disabled", [](identity::User& user) { user.enabled = true; });
  EXPECT_EQ(behind_a_restart(), std::vector<Kept>());
}

TEST_F(StoreTest, ReadsOnPastManyExpiredRowsToTheFirstLiveOne) {
  OpenedStore opened(path_);
  std::vector<delivery::MessagePtr> messages;
  for (Sequence i = 1; i <= 2'500; ++i) {
    messages.push_back(make_message("anna", i, "x", Seconds(1)));
  }
  messages.push_back(make_message("anna", 2'501, "live"));
  ASSERT_TRUE(opened.calls().insert(messages));
  delivery::PageQuery query;
  query.user = UserId("anna");
  query.up_to = 9'999;
  query.messages = 10;
  query.bytes = 1'000;
  query.expire_above = 0;
  query.now = kTestTime + Seconds(1);
  const auto page = opened.calls().read(query);
  ASSERT_THAT(page->messages, SizeIs(1));
  EXPECT_EQ(page->messages[0]->sequence, 2'501);
  EXPECT_TRUE(page->end);
  EXPECT_EQ(page->expired.messages, 2'500);
  EXPECT_EQ(page->expired.bytes, 2'500);
  expect_totals_equal_rows(opened);
}

TEST_F(StoreTest, ForgetsMoreRecordsThanOneCommitHolds) {
  OpenedStore opened(path_);
  int answers = 0;
  for (int i = 0; i < 5'000; ++i) {
    delivery::DeduplicationRecord record;
    record.caller = "AKIA";
    record.user = UserId("anna");
    record.key = std::to_string(i);
    record.committed_at = kTestTime + Seconds(i == 0 ? 10 : 0);
    opened.messages().record(record, {}, {}, [&](Result<void>) { ++answers; });
  }
  opened.executor().run_until([&] { return answers == 5'000; });
  ASSERT_TRUE(opened.calls().forget_deduplication(kTestTime + Seconds(5)));
  EXPECT_EQ(ask_copy(path_, "SELECT count(*) FROM deduplication"), 1);
}

TEST_F(StoreTest, RunsWhatIsQueuedWhenItStopsAndNothingAfter) {
  OpenedStore opened(path_);
  int answers = 0;
  for (Sequence i = 1; i <= 500; ++i) {
    insert_one(opened, make_message("anna", i), [&](Result<void> done) {
      EXPECT_TRUE(done);
      ++answers;
    });
  }
  auto reservation = opened.messages().reserve(1);
  opened.store().stop();
  opened.executor().run_until([&] { return answers == 500; });
  EXPECT_FALSE(opened.messages().reserve(1));
  const auto late = opened.calls().extend_ceiling(5);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::unavailable);
  opened.store().stop();
}

TEST_F(StoreTest, LetsAReservationOutliveIt) {
  auto opened = std::make_unique<OpenedStore>(path_);
  auto reservation = opened->messages().reserve(1);
  opened.reset();
  reservation->reset();
}

TEST_F(StoreTest, KeepsItsLogSmallUnderLoad) {
  auto small = options();
  small.wal_checkpoint_bytes = 256 << 10;
  OpenedStore opened(small);
  for (Sequence i = 1; i <= 200; ++i) {
    ASSERT_TRUE(opened.calls().insert({make_message("anna", i, std::string(10'000, 'x'))}));
  }
  EXPECT_LT(opened.store().file_metrics().log_bytes.read(), 1 << 20);
}

TEST_F(StoreTest, MovesItsLogIntoTheDatabaseWhenIdle) {
  OpenedStore opened(path_);
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 1, std::string(250'000, 'x'))}));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::filesystem::file_size(path_) < 200'000) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST_F(StoreTest, MeasuresItsTransactionsAndCountsItsDeadLetters) {
  delivery::MessagePtr message = make_message("anna", 1, "text", Seconds(1));
  {
    OpenedStore opened(path_);
    const storage::StoreMetrics& metrics = opened.store().metrics();
    const HistogramReading batch = metrics.batch.read();
    const HistogramReading commit = metrics.commit.read();
    EXPECT_EQ(opened.store().stats().slots, 16'384U);
    EXPECT_EQ(metrics.dead_letters.read(), 0);
    ASSERT_TRUE(opened.calls().insert({message}));
    opened.messages().move_to_dead_letters(UserId("anna"), 0, 1, "deleted", kTestTime,
                                           [](const Result<delivery::PendingTotals>&) {});
    opened.executor().run_until([&] { return metrics.dead_letters.read() == 1; });
    EXPECT_EQ(metrics.dead_letter_bytes.read(), 4);
    EXPECT_EQ(metrics.commit.read().count(), commit.count() + 2);
    EXPECT_EQ(metrics.batch.read().count(), metrics.commit.read().count());
    EXPECT_EQ(metrics.batch.read().sum, batch.sum + 2);
    EXPECT_GT(metrics.commit.read().sum, 0U);
  }
  OpenedStore again(path_);
  EXPECT_EQ(again.store().metrics().dead_letters.read(), 1) << "by the file, not by what happened";
}

}  // namespace
}  // namespace holdfast::test
