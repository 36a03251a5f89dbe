// Damage of one user's rows is felt by that user alone.
#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/base/temp_dir.hpp"
#include "unit/storage/opened_store.hpp"
#include "unit/storage/turned_store.hpp"

namespace holdfast::test {
namespace {

using testing::Each;

constexpr std::size_t kPageBytes = 4'096;
// https://www.sqlite.org/fileformat2.html section 1.6: what the first byte of such a page is.
constexpr char kLeaf = '\x0a';

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

class DamagedPage : public testing::Test {
 protected:
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

TEST_F(DamagedPage, FailsWhatTouchesItAndNothingElseInTheSameCommit) {
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
  EXPECT_GE(store.counters().failed_transactions, 1U);
  EXPECT_TRUE(store.counters().writable);
}

TEST_F(DamagedPage, LetsOthersEraseWhileThatUsersEraseIsTriedAgain) {
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

}  // namespace
}  // namespace holdfast::test
