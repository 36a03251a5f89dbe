// Much to do at once: however much it is, a transaction does a bounded part, and others' commits go
// between.
#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/delivery/mailboxes.hpp>
#include <holdfast/delivery/router.hpp>

#include "sqlite/work_budget.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "unit/sqlite/ledger.hpp"

namespace holdfast::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kScale = 1;
#else
constexpr int kScale = 4;
#endif

using sqlite::WorkBudget;
using TestClock = std::chrono::steady_clock;

std::string name_of(int user) { return "user-" + std::to_string(user); }

class ScaleTest : public testing::Test {
 protected:
  ScaleTest() {
    options_.path = folder_.file("holdfast.db");
    options_.wal_checkpoint_bytes = 4 << 20;
  }

  void open() {
    opened_.reset();
    opened_ = std::make_unique<OpenedStore>(options_, system_clock());
  }

  /// Rows that ended a second ago, `rows` for each user, in some large transactions.
  void fill(int users, int rows, std::size_t bytes) {
    const WallTime now = system_clock().wall_now();
    int waiting = 0;
    for (int user = 0; user < users; ++user) {
      std::vector<delivery::Insert> inserts;
      for (int row = 1; row <= rows; ++row) {
        auto message = *make_message(name_of(user), row, std::string(bytes, 'x'));
        message.accepted_at = now - Seconds(2);
        message.expires_at = now - Seconds(1);
        inserts.push_back(
            calls().as_insert(std::make_shared<const delivery::Message>(std::move(message))));
      }
      ++waiting;
      opened_->messages().insert(std::move(inserts), [&](Result<void> done) {
        EXPECT_TRUE(done);
        --waiting;
      });
      if (waiting >= 2'000 / rows) opened_->executor().run_until([&] { return waiting == 0; });
    }
    opened_->executor().run_until([&] { return waiting == 0; });
  }

  /// Waits until `done`, while somebody else stores one small message after the other; tells what
  /// that took at most.
  Microseconds longest_commit_until(const std::function<bool()>& done) {
    Microseconds longest{0};
    bool stored = true;
    TestClock::time_point since;
    opened_->executor().run_until([&] {
      if (stored) {
        stored = false;
        since = TestClock::now();
        std::vector<delivery::Insert> inserts;
        inserts.push_back(calls().as_insert(make_message("somebody else", ++probe_)));
        opened_->messages().insert(std::move(inserts), [&](Result<void> committed) {
          EXPECT_TRUE(committed);
          stored = true;
          longest = std::max(longest, std::chrono::floor<Microseconds>(TestClock::now() - since));
          most_log_bytes_ =
              std::max(most_log_bytes_, opened_->store().file_metrics().log_bytes.read());
          most_letters_ = std::max(most_letters_, opened_->store().metrics().dead_letters.read());
        });
      }
      return done();
    });
    opened_->executor().run_until([&] { return stored; });
    return longest;
  }

  [[nodiscard]] MessageCalls calls() { return opened_->calls(); }
  [[nodiscard]] std::uint64_t transactions() {
    return opened_->store().metrics().transactions.read();
  }

  /// A wall that a busy machine does not reach, and a transaction that does all at once does.
  static constexpr Milliseconds kLongestCommit{750};

  TempDir folder_;
  sqlite::Options options_;
  std::unique_ptr<OpenedStore> opened_;
  Sequence probe_ = 0;
  std::int64_t most_log_bytes_ = 0;
  std::int64_t most_letters_ = 0;
};

TEST_F(ScaleTest, SweepsOfManyRowsShareNoTransaction) {
  constexpr int users = 10 * kScale;
  constexpr int rows = 1'000;
  open();
  fill(users, rows, 2'000);
  const std::uint64_t before = transactions();
  int over = 0;
  std::int64_t moved = 0;
  for (int user = 0; user < users; ++user) {
    const auto count = [&](const Result<delivery::PendingTotals>& result) {
      ASSERT_TRUE(result);
      moved += result->messages;
      ++over;
    };
    opened_->messages().expire(UserId(name_of(user)), 0, rows, system_clock().wall_now(), count);
  }
  EXPECT_LT(longest_commit_until([&] { return over == users; }), kLongestCommit);
  EXPECT_EQ(moved, users * rows);
  EXPECT_GE(transactions() - before,
            moved * WorkBudget::of_move(2'000) / (2 * WorkBudget::kPerTransaction));
  EXPECT_LT(most_log_bytes_, 16 << 20);
  expect_totals_equal_rows(*opened_);
}

TEST_F(ScaleTest, PurgesOfManyUsersShareNoTransaction) {
  constexpr int users = 200 * kScale;
  constexpr int rows = 40;
  open();
  fill(users, rows, 500);
  const std::uint64_t before = transactions();
  int over = 0;
  std::function<void(int)> move_to_dead_letters = [&](int user) {
    opened_->messages().move_to_dead_letters(
        UserId(name_of(user)), 0, rows, "user_deleted", system_clock().wall_now(),
        [&, user](const Result<delivery::PendingTotals>& moved) {
          ASSERT_TRUE(moved);
          moved->messages == 0 ? void(++over) : move_to_dead_letters(user);
        });
  };
  for (int user = 0; user < users; ++user) move_to_dead_letters(user);
  EXPECT_LT(longest_commit_until([&] { return over == users; }), kLongestCommit);
  EXPECT_GE(transactions() - before,
            users * rows * WorkBudget::of_move(500) / (2 * WorkBudget::kPerTransaction));
  EXPECT_LT(most_log_bytes_, 16 << 20);
  expect_totals_equal_rows(*opened_);
}

TEST_F(ScaleTest, SeparatesPageReadsThatExpire) {
  constexpr int users = 10 * kScale;
  constexpr int rows = 500;
  open();
  fill(users, rows, 1'000);
  const std::uint64_t before = transactions();
  int over = 0;
  std::int64_t moved = 0;
  for (int user = 0; user < users; ++user) {
    delivery::PageQuery query;
    query.user = UserId(name_of(user));
    query.up_to = rows;
    query.messages = 256;
    query.bytes = 64 << 10;
    query.now = system_clock().wall_now();
    query.expire_above = 0;
    opened_->messages().read_page(std::move(query), [&](const Result<delivery::Page>& page) {
      ASSERT_TRUE(page);
      EXPECT_TRUE(page->end);
      EXPECT_TRUE(page->messages.empty());
      moved += page->expired.messages;
      ++over;
    });
  }
  EXPECT_LT(longest_commit_until([&] { return over == users; }), kLongestCommit);
  EXPECT_EQ(moved, users * rows);
  EXPECT_GE(transactions() - before,
            moved * WorkBudget::of_move(1'000) / (2 * WorkBudget::kPerTransaction));
  expect_totals_equal_rows(*opened_);
}

TEST_F(ScaleTest, SeparatesUsersWhoComeBackTogether) {
  constexpr int users = 500 * kScale;
  constexpr int rows = 60;
  open();
  fill(users, rows, 100);
  const std::uint64_t before = transactions();
  int over = 0;
  std::int64_t read = 0;
  std::int64_t erased = 0;
  for (int user = 0; user < users; ++user) {
    delivery::PageQuery query;
    query.user = UserId(name_of(user));
    query.up_to = rows;
    query.messages = 256;
    query.bytes = 64 << 10;
    query.now = system_clock().wall_now();
    opened_->messages().read_page(query, [&, user](const Result<delivery::Page>& page) {
      ASSERT_TRUE(page);
      ASSERT_FALSE(page->messages.empty());
      read += static_cast<std::int64_t>(page->messages.size());
      opened_->messages().erase(UserId(name_of(user)), 0, rows,
                                [&](const Result<delivery::PendingTotals>& removed) {
                                  ASSERT_TRUE(removed);
                                  erased += removed->messages;
                                  ++over;
                                });
    });
  }
  EXPECT_LT(longest_commit_until([&] { return over == users; }), kLongestCommit);
  EXPECT_GT(read, users * rows / 2);
  EXPECT_EQ(erased, users * rows);
  EXPECT_GE(transactions() - before,
            erased * (WorkBudget::of_erase(100)) / (2 * WorkBudget::kPerTransaction));
  expect_totals_equal_rows(*opened_);
}

TEST_F(ScaleTest, KeepsNoMoreDeadLettersThanAllowed) {
  constexpr int users = 5 * kScale;
  constexpr int rows = 500;
  options_.dead_letters_max = 300;
  open();
  fill(users, rows, 100);
  int over = 0;
  for (int user = 0; user < users; ++user) {
    opened_->messages().expire(UserId(name_of(user)), 0, rows, system_clock().wall_now(),
                               [&](const Result<delivery::PendingTotals>& moved) {
                                 EXPECT_EQ(moved->messages, rows);
                                 ++over;
                               });
  }
  EXPECT_LT(longest_commit_until([&] { return over == users; }), kLongestCommit);
  EXPECT_EQ(most_letters_, 300) << "at no time more, and no fewer in the end";
  EXPECT_EQ(opened_->store().metrics().dead_letters.read(), 300);
  expect_totals_equal_rows(*opened_);
}

// With a bound on bytes a large one pushes out many small ones: as many as it takes, in as many
// transactions, and nothing is added meanwhile.
TEST_F(ScaleTest, EvictsManySmallDeadLettersForALargeOne) {
  options_.dead_letters_bytes_max = 500'000;
  open();
  fill(1, 5'000, 100);
  ASSERT_EQ(calls().expire(name_of(0), 0, 5'000, system_clock().wall_now())->messages, 5'000);
  ASSERT_EQ(opened_->store().metrics().dead_letters.read(), 5'000);
  for (Sequence i = 1; i <= 40; ++i) {
    ASSERT_TRUE(calls().insert({make_message("large", i, std::string(100'000, 'x'), Seconds(1))}));
  }
  int over = 0;
  opened_->messages().expire(UserId("large"), 0, 40, system_clock().wall_now(),
                             [&](const Result<delivery::PendingTotals>& moved) {
                               EXPECT_EQ(moved->messages, 40);
                               ++over;
                             });
  std::int64_t most_bytes = 0;
  (void)longest_commit_until([&] {
    most_bytes = std::max(most_bytes, opened_->store().metrics().dead_letter_bytes.read());
    return over == 1;
  });
  // One transaction's worth is the most that may be too much.
  EXPECT_LT(most_bytes, 500'000 + 100 * WorkBudget::kPerTransaction + 100'000);
  ASSERT_TRUE(calls().insert({make_message("anna", 1)}));
  EXPECT_LE(opened_->store().metrics().dead_letter_bytes.read(), 500'000);
  EXPECT_EQ(opened_->store().metrics().dead_letters.read(), 5);
}

TEST_F(ScaleTest, ReachesASmallerLimitWhenIdle) {
  open();
  fill(2 * kScale, 1'000, 10);
  for (int user = 0; user < 2 * kScale; ++user) {
    ASSERT_TRUE(calls().expire(name_of(user), 0, 1'000, system_clock().wall_now()));
  }
  ASSERT_EQ(opened_->store().metrics().dead_letters.read(), 2'000 * kScale);
  options_.dead_letters_max = 7;
  open();
  const auto deadline = TestClock::now() + std::chrono::seconds(20);
  while (opened_->store().metrics().dead_letters.read() != 7 && TestClock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(opened_->store().metrics().dead_letters.read(), 7);
  EXPECT_GT(transactions(), 2U) << "in bounded parts";
  expect_totals_equal_rows(*opened_);
}

TEST_F(ScaleTest, WalksOverDueUsersInLinearTime) {
  const auto walk = [&](int users) {
    options_.path = folder_.file("walk-" + std::to_string(users));
    open();
    fill(users, 1, 10);
    delivery::ExpiryQuery query;
    query.now = system_clock().wall_now();
    query.limit = 100;
    int found = 0;
    const auto begin = TestClock::now();
    do {
      const delivery::ExpiryPage page = calls().find_expired(query);
      found += static_cast<int>(page.users.size());
      query.after = page.next;
    } while (query.after);
    EXPECT_EQ(found, users);
    return TestClock::now() - begin;
  };
  const auto few = std::min(walk(1'000 * kScale), walk(1'001 * kScale));
  const auto many = walk(15'000 * kScale);
  EXPECT_LT(many, 60 * few) << "15 by the law, 225 by its square";
}

/// Two shards over the one store, as in a gateway, on the test's own thread.
TEST_F(ScaleTest, ExpiresManyUsersWithoutDelayingOthers) {
  constexpr int users = 5'000 * kScale;
  constexpr std::size_t shards = 2;
  open();
  fill(users, 1, 100);
  open();
  storage::StoreHandles& other = opened_->store().handles(opened_->executor());
  const delivery::StartState start = opened_->store().take_start_state();
  ASSERT_EQ(start.pending.size(), static_cast<std::size_t>(users));
  std::vector<std::unique_ptr<delivery::Mailboxes>> mailboxes;
  for (std::size_t i = 0; i < shards; ++i) {
    delivery::MailboxesOptions options;
    options.shard = i;
    options.shards = shards;
    options.counter_start = start.counter_start;
    options.ceiling = start.ceiling;
    for (const auto& entry : start.pending) {
      if (delivery::home_shard(entry.first, shards) == i) options.pending.push_back(entry);
    }
    storage::StoreHandles& handles = i == 0 ? opened_->handles() : other;
    mailboxes.push_back(delivery::make_mailboxes(std::move(options), system_clock(),
                                                 opened_->executor(), *handles.messages,
                                                 *handles.connections));
  }
  const std::uint64_t before = transactions();
  const auto expired = [&] {
    std::uint64_t sum = 0;
    for (const auto& one : mailboxes) sum += one->metrics().expired.read();
    return sum;
  };
  for (const auto& one : mailboxes) one->tick();
  const Microseconds longest = longest_commit_until([&] {
    for (const auto& one : mailboxes) one->tick();
    return expired() == users;
  });
  EXPECT_LT(longest, kLongestCommit);
  EXPECT_GE(transactions() - before,
            users * WorkBudget::of_move(100) / (2 * WorkBudget::kPerTransaction));
  for (const auto& one : mailboxes) {
    EXPECT_EQ(one->metrics().pending_messages.read(), 0);
    EXPECT_EQ(one->metrics().mailboxes.read(), 0);
  }
  opened_->store().stop();
}

}  // namespace
}  // namespace holdfast::test
