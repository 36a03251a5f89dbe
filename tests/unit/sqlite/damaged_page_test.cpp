// Damage of one user's rows is felt by that user alone.
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "unit/sqlite/turned_store.hpp"

namespace holdfast::test {
namespace {

using testing::Each;

constexpr std::size_t kPageBytes = 4'096;
// https://www.sqlite.org/fileformat2.html section 1.6: what the first byte of such a page is.
constexpr char kLeaf = '\x0a';

#include "support/base/files.hpp"
/// Spoils the heads of the leaves that hold `text`.
int damage_pages_with(const std::string& path, const std::string& text) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  in.close();
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  int damaged = 0;
  for (std::size_t page = 1; page * kPageBytes < bytes.size(); ++page) {
    const std::string_view here(bytes.data() + page * kPageBytes, kPageBytes);
    if (here.front() != kLeaf || here.find(text) == std::string_view::npos) continue;
    out.seekp(static_cast<std::streamoff>(page * kPageBytes));
    out.write("\x7f\x7f\x7f\x7f", 4);
    ++damaged;
  }
  return damaged;
}

std::int64_t big_endian(std::string_view bytes, std::size_t size) {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < size; ++i) out = (out << 8) | static_cast<unsigned char>(bytes[i]);
  return out;
}
std::string as_stored(std::int64_t number) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
  return out;
}

enum class Where : std::uint8_t { first, middle, last };

class DamagedPageTest : public testing::Test {
 protected:
  void execute(const std::string& sql) {
    if (!std::filesystem::exists(path_)) const OpenedStore made(path_);
    auto database = sqlite::Database::open(path_);
    ASSERT_TRUE(database);
    ASSERT_TRUE((*database)->execute(sql.c_str())) << (*database)->message();
  }
  /// Where in the file a leaf of the tree begins.
  std::size_t leaf_of(const std::string& tree, Where where) {
    const std::string sql = "SELECT rootpage FROM sqlite_schema WHERE name = '" + tree + "'";
    std::int64_t page = (*sqlite::Database::open(path_))->integer(sql.c_str());
    const std::string bytes = read_file(path_);
    while (true) {
      const auto at = static_cast<std::size_t>(page - 1) * kPageBytes;
      const std::string_view here(bytes.data() + at, kPageBytes);
      if (here.front() == kLeaf) return at;
      const auto cells = static_cast<std::size_t>(big_endian(here.substr(3), 2));
      const std::size_t cell = where == Where::first ? 0 : cells / 2;
      const auto left = static_cast<std::size_t>(big_endian(here.substr(12 + 2 * cell), 2));
      page =
          where == Where::last ? big_endian(here.substr(8), 4) : big_endian(here.substr(left), 4);
    }
  }
  void damage(const std::string& tree, Where where) {
    std::string bytes = read_file(path_);
    bytes.replace(leaf_of(tree, where), 4, "\x7f\x7f\x7f\x7f");
    write_file(path_, bytes);
  }
  /// Flips a bit of the one place that holds `text`.
  void flip(const std::string& text, std::size_t at, unsigned bit) {
    std::string bytes = read_file(path_);
    const std::size_t found = bytes.find(text);
    ASSERT_NE(found, std::string::npos);
    ASSERT_EQ(bytes.find(text, found + 1), std::string::npos);
    bytes[found + at] = static_cast<char>(bytes[found + at] ^ (1U << bit));
    write_file(path_, bytes);
  }
  /// `count` of them. The last one, whose id is the highest, died first.
  void make_letters(int count) {
    const std::string n = std::to_string(count);
    execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < " + n +
        ") INSERT INTO dead_letters (id, user, sequence, accepted_at, expires_at, died_at, reason,"
        " payload) SELECT CAST(printf('%016d', i) AS BLOB), 'old', i, 1, 2, " +
        std::to_string(kDiedAt) + " - i, 'old', zeroblob(60) FROM n;" +
        "UPDATE dead_letter_totals SET messages = " + n + ", bytes = 60 * " + n);
  }
  /// Of each of `users`, one that is short-lived and two others.
  void make_messages(const std::vector<std::string>& users) {
    OpenedStore opened(path_);
    for (const std::string& user : users) {
      ASSERT_TRUE(opened.calls().insert({make_message(user, kFirst, "short", Seconds(1)),
                                         make_message(user, kFirst + 1, "good 1"),
                                         make_message(user, kFirst + 2, "good 2")}));
    }
  }
  /// `count` users with a message of one second each.
  void make_many_users(int count) {
    OpenedStore opened(path_);
    std::vector<delivery::Insert> inserts;
    int waiting = 0;
    for (int user = 0; user < count; ++user) {
      inserts.clear();
      inserts.push_back(
          opened.calls().as_insert(make_message(name_of(user), kFirst, "short", Seconds(1))));
      ++waiting;
      opened.messages().insert(std::move(inserts), [&](Result<void> done) {
        EXPECT_TRUE(done);
        --waiting;
      });
    }
    opened.executor().run_until([&] { return waiting == 0; });
  }
  static std::string name_of(int user) { return "user-" + std::to_string(100'000 + user); }
  /// Whose names lie on the page.
  std::vector<std::string> users_of(std::size_t at) {
    const std::string bytes = read_file(path_).substr(at, kPageBytes);
    std::set<std::string> out;
    for (std::size_t i = 0; (i = bytes.find("user-", i)) != std::string::npos; ++i) {
      out.insert(bytes.substr(i, name_of(0).size()));
    }
    return {out.begin(), out.end()};
  }

  static constexpr std::int64_t kDiedAt = 1'700'000'000'000'000;
  static constexpr Sequence kFirst = 1'769'000'000'000'000;
  static constexpr WallTime kLater = kTestTime + Seconds(2);

  // Users whose rows fill pages of their own.
  void make_users() {
    OpenedStore opened(path_);
    Sequence sequence = 0;
    for (int user = 10; user < 20; ++user) {
      const std::string name = "user-" + std::to_string(user);
      for (int i = 0; i < 40; ++i) {
        // Pages are balanced with those beside them, which must be the user's own.
        const std::string what = i > 15 && i < 25 ? "middle of " : "rows of ";
        ASSERT_TRUE(opened.calls().insert(
            {make_message(name, sequence += 10, what + name + std::string(900, 'x'))}));
      }
    }
  }

  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
};

TEST_F(DamagedPageTest, FailsWhatTouchesItAndNothingElseInTheSameCommit) {
  make_users();
  ASSERT_GT(damage_pages_with(path_, "middle of user-15"), 1);
  TurnedStore store(path_);
  std::vector<bool> of_others;
  std::vector<bool> of_the_user;
  std::optional<bool> erased;
  std::optional<bool> raised;
  const auto insert = [&](const std::string& user, Sequence sequence) {
    std::vector<delivery::Insert> inserts;
    inserts.push_back(store.calls().as_insert(make_message(user, sequence)));
    auto& answers = user == "user-15" ? of_the_user : of_others;
    store.messages().insert(std::move(inserts),
                            [&answers](Result<void> done) { answers.push_back(done.has_value()); });
  };
  store.messages().erase(UserId("user-11"), 0, 450,
                         [&](const Result<delivery::PendingTotals>& done) { erased = !!done; });
  for (Sequence i = 0; i < 5; ++i) {
    for (int user = 10; user < 20; ++user) {
      // Between that user's rows, and behind the others'.
      insert("user-" + std::to_string(user), user == 15 ? 2'201 + i : 10'000 + i);
    }
  }
  store.messages().extend_ceiling(7, [&](Result<void> done) { raised = !!done; });
  store.run_until(
      [&] { return of_others.size() == 45 && of_the_user.size() == 5 && erased && raised; });
  EXPECT_THAT(of_others, Each(true));
  EXPECT_THAT(of_the_user, Each(false)) << "one that came later would be stored before the first";
  EXPECT_EQ(erased, true);
  EXPECT_EQ(raised, true);
  EXPECT_GE(store.metrics().failed_transactions.read(), 1U);
  EXPECT_TRUE(store.metrics().writable.read() != 0);
}

TEST_F(DamagedPageTest, LetsOthersEraseWhileThatUsersEraseIsTriedAgain) {
  make_users();
  ASSERT_GT(damage_pages_with(path_, "middle of user-15"), 1);
  TurnedStore store(path_);
  std::size_t erased = 0;
  for (int user = 10; user < 20; ++user) {
    const UserId id("user-" + std::to_string(user));
    store.messages().erase(id, 0, INT64_MAX, [&](const Result<delivery::PendingTotals>& done) {
      if (done && done->messages > 0) ++erased;
    });
  }
  store.run_until([&] { return erased == 9; });
}

using testing::ElementsAre;

// ---- dead letters that are damaged

TEST_F(DamagedPageTest, LeavesDeliveryAloneInTheDeadLetters) {
  make_letters(2'000);
  make_messages({"anna", "bert"});
  damage("dead_letters_by_death", Where::last);
  TurnedStore store(path_, {.messages = 5'000, .bytes = 1 << 20});
  EXPECT_THAT(store.sequences("anna", kLater), ElementsAre(kFirst + 1, kFirst + 2));
  EXPECT_FALSE(store.expire("bert", kLater));
  EXPECT_TRUE(store.insert(make_message("bert", kFirst + 3)));
  EXPECT_EQ(store.pending().size(), 2U);
}

TEST_F(DamagedPageTest, LetsAPageReadReportTheRowsThatItPassesOver) {
  make_letters(2'000);
  make_messages({"anna"});
  damage("dead_letters_by_death", Where::last);
  TurnedStore store(path_, {.messages = 5'000, .bytes = 1 << 20});
  const auto page = store.read("anna", kLater);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->messages.size(), 2U);
  EXPECT_THAT(page->passed_over,
              ElementsAre(delivery::SequenceRange{.above = kFirst - 1, .up_to = kFirst}));
  EXPECT_EQ(page->expired.messages, 0);
}

TEST_F(DamagedPageTest, LetsEvictionSkipTheOldestDeadLetters) {
  make_letters(2'000);
  make_messages({"anna", "bert", "carl"});
  damage("dead_letters", Where::last);
  TurnedStore store(path_, {.messages = 2'000, .bytes = 1 << 20});
  EXPECT_EQ(store.expire("anna", kLater)->messages, 1);
  EXPECT_TRUE(store.insert(make_message("anna", kFirst + 3)));
  EXPECT_THAT(store.sequences("bert", kLater), ElementsAre(kFirst + 1, kFirst + 2));
  store.run_until([&] { return store.metrics().dead_letters.read() <= 2'000; });
  EXPECT_EQ(store.expire("carl", kLater)->messages, 1);
  store.run_until([&] { return store.metrics().dead_letters.read() <= 2'000; });
  EXPECT_LT(store.metrics().failed_transactions.read(), 20U);
}

TEST_F(DamagedPageTest, AllowsASmallerLimitOfDeadLetters) {
  make_letters(2'000);
  damage("dead_letters", Where::last);
  TurnedStore store(path_, {.messages = 500, .bytes = 1 << 20});
  EXPECT_TRUE(store.insert(make_message("anna", kFirst)));
  store.run_until([&] { return store.metrics().dead_letters.read() <= 500; });
}

// The store retries until there is room, which there never is.
TEST_F(DamagedPageTest, LeavesDeliveryAloneInTheIndexOfDeaths) {
  make_letters(2'000);
  make_messages({"anna", "bert"});
  damage("dead_letters_by_death", Where::first);
  TurnedStore store(path_, {.messages = 500, .bytes = 1 << 20});
  EXPECT_TRUE(store.insert(make_message("carl", kFirst)));
  EXPECT_THAT(store.sequences("anna", kLater), ElementsAre(kFirst + 1, kFirst + 2));
  EXPECT_FALSE(store.expire("bert", kLater)) << "it would be waited for";
  const std::uint64_t before = store.metrics().transactions.read();
  for (int i = 0; i < 1'000; ++i) store.turn();
  EXPECT_LT(store.metrics().transactions.read() - before, 20U);
}

TEST_F(DamagedPageTest, LetsEvictionSkipAnEntryWithoutARow) {
  make_letters(2'000);
  make_messages({"anna", "bert"});
  flip(as_stored(kDiedAt - 1'999) + "0000000000001999", 20, 7);
  TurnedStore store(path_, {.messages = 2'000, .bytes = 1 << 20});
  EXPECT_THAT(store.sequences("anna", kLater), ElementsAre(kFirst + 1, kFirst + 2));
  EXPECT_EQ(store.expire("bert", kLater)->messages, 1);
  EXPECT_EQ(store.metrics().dead_letters.read(), 2'000);
  EXPECT_LT(store.metrics().transactions.read(), 100U);
}

// ---- keys that are damaged

struct DamagedKey {
  const char* what;
  std::size_t at;  ///< in the eight bytes of the sequence
  unsigned bit;
};
class DamagedSequenceTest : public DamagedPageTest, public testing::WithParamInterface<DamagedKey> {
 protected:
  void SetUp() override {
    OpenedStore opened(path_);
    for (Sequence i = 0; i < 12; ++i) {
      ASSERT_TRUE(opened.calls().insert(
          {make_message("anna", kFirst + 8 * i, "text", i == 5 ? Seconds(1) : Seconds(9'000))}));
    }
    ASSERT_TRUE(opened.calls().insert({make_message("bert", kFirst)}));
  }
  void damage_key() { flip("anna" + as_stored(kFirst + 40), 4 + GetParam().at, GetParam().bit); }
  static void expect_totals(TurnedStore& store, std::int64_t messages) {
    const auto pending = store.pending();
    ASSERT_EQ(pending.size(), messages == 0 ? 1U : 2U);
    if (messages == 0) return;
    EXPECT_EQ(pending.front().second.messages, messages);
    EXPECT_EQ(pending.front().second.bytes, 4 * messages);
  }
};

TEST_P(DamagedSequenceTest, MakesADeadLetterOfTheRowThatIsRead) {
  damage_key();
  TurnedStore store(path_);
  EXPECT_EQ(store.sequences("anna").size(), 11U) << "and what is behind it";
  EXPECT_EQ(store.letters("damaged"), 1U);
  EXPECT_EQ(store.file_metrics().damaged.read(), 1U);
  expect_totals(store, 11);
  EXPECT_EQ(store.sequences("anna").size(), 11U);
  EXPECT_EQ(store
                .answer<Result<delivery::PendingTotals>>([&](auto done) {
                  store.messages().erase(UserId("anna"), 0, kFirst + 1'000, std::move(done));
                })
                ->messages,
            11);
  expect_totals(store, 0);
  EXPECT_EQ(store.letters("damaged"), 1U);
}

TEST_P(DamagedSequenceTest, MakesADeadLetterOfTheRowThatIsMoved) {
  damage_key();
  TurnedStore store(path_);
  std::int64_t moved = 0;
  for (int i = 0; i < 3; ++i) {
    moved += store
                 .answer<Result<delivery::PendingTotals>>([&](auto done) {
                   store.messages().move_to_dead_letters(
                       UserId("anna"), 0, kFirst + 200, "user_deleted", kTestTime, std::move(done));
                 })
                 ->messages;
  }
  EXPECT_EQ(moved, 12);
  EXPECT_EQ(store.letters("damaged"), 1U);
  EXPECT_EQ(store.letters("user_deleted"), 11U);
  expect_totals(store, 0);
}

TEST_P(DamagedSequenceTest, MakesADeadLetterOfTheRowThatExpires) {
  damage_key();
  TurnedStore store(path_);
  EXPECT_EQ(store.expire("anna", kLater)->messages, 1);
  EXPECT_EQ(store.letters("damaged"), 1U);
  expect_totals(store, 11);
  EXPECT_EQ(store.sequences("anna", kLater).size(), 11U);
}

INSTANTIATE_TEST_SUITE_P(OfManyBits, DamagedSequenceTest,
                         testing::Values(DamagedKey{"smaller", 3, 4}, DamagedKey{"larger", 2, 7},
                                         DamagedKey{"the same as another", 7, 3},
                                         DamagedKey{"a little larger", 7, 0}),
                         [](const auto& info) {
                           std::string name = info.param.what;
                           std::ranges::replace(name, ' ', '_');
                           return name;
                         });

// ---- many at once

TEST_F(DamagedPageTest, FailsItsUsersAloneInACommit) {
  make_many_users(3'000);
  for (const char* tree : {"messages", "pending"}) {
    const std::string good = read_file(path_);
    const std::vector<std::string> touched = users_of(leaf_of(tree, Where::middle));
    ASSERT_GT(touched.size(), 40U) << tree;
    damage(tree, Where::middle);
    {
      TurnedStore store(path_);
      int answers = 0;
      int stored = 0;
      std::vector<std::string> users = touched;
      for (int i = 0; i < 60; ++i) {
        users.insert(users.begin() + 2 * i % static_cast<int>(users.size()),
                     "other-" + std::to_string(i));
      }
      for (const std::string& user : users) {
        std::vector<delivery::Insert> inserts;
        inserts.push_back(store.calls().as_insert(make_message(user, kFirst + 1)));
        store.messages().insert(std::move(inserts), [&, user](Result<void> done) {
          ++answers;
          if (!user.starts_with("other")) return;
          EXPECT_TRUE(done) << tree << " " << user;
          ++stored;
        });
      }
      store.run_until([&] { return answers == static_cast<int>(users.size()); });
      EXPECT_EQ(stored, 60) << tree;
      EXPECT_TRUE(store.metrics().writable.read() != 0);
    }
    std::filesystem::remove(path_ + "-wal");
    write_file(path_, good);
  }
}

TEST_F(DamagedPageTest, LetsTheLifetimesOfAllOthersMove) {
  make_many_users(3'000);
  for (const std::vector<const char*>& trees : {std::vector{"messages"}, std::vector{"pending"}}) {
    const std::string good = read_file(path_);
    const std::vector<std::string> touched = users_of(leaf_of(trees.front(), Where::middle));
    for (const char* tree : trees) damage(tree, Where::middle);
    {
      TurnedStore store(path_);
      delivery::LifetimeMove move;
      move.up_to = INT64_MAX;
      move.by = Seconds(7'000);
      EXPECT_TRUE(store.answer<Result<void>>(
          [&](auto done) { store.messages().move_lifetimes(move, std::move(done)); }, 100'000));
      EXPECT_EQ(store.sequences(name_of(0), kLater).size(), 1U);
      EXPECT_EQ(store.sequences(name_of(2'999), kLater).size(), 1U) << trees.front();
    }
    std::filesystem::remove(path_ + "-wal");
    write_file(path_, good);
  }
}

TEST_F(DamagedPageTest, HidesNoDueUserInTheIndexOfLifetimes) {
  make_many_users(3'000);
  damage("pending_by_expiry", Where::middle);
  TurnedStore store(path_);
  delivery::ExpiryQuery query;
  query.now = kLater;
  query.limit = 100;
  std::set<UserId> found;
  do {
    const auto page = store.answer<Result<delivery::ExpiryPage>>(
        [&](auto done) { store.messages().find_expired(query, std::move(done)); });
    ASSERT_TRUE(page);
    found.insert(page->users.begin(), page->users.end());
    query.after = page->next;
  } while (query.after);
  EXPECT_EQ(found.size(), 3'000U);
}

}  // namespace
}  // namespace holdfast::test
