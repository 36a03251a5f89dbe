// Tests that a killed process loses no acknowledged row.

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "unit/sqlite/child.hpp"
#include "unit/sqlite/ledger.hpp"

namespace holdfast::test {
namespace {

/// Inserts and erases without end, and reports each step in a line: `i user sequence` when an
/// insert was acknowledged, `c user sequence` before an erase is called, `e user sequence` when it
/// was confirmed.
class Load {
 public:
  Load(const std::string& path, int output, unsigned seed)
      : opened_(small_log(path)), output_(output), random_(seed) {
    sequence_ = opened_.store().take_start_state().counter_start;
  }

  int run() {
    for (int producer = 0; producer < 24; ++producer) insert();
    opened_.executor().run_until([] { return false; });
    return 1;
  }

 private:
  static sqlite::Options small_log(const std::string& path) {
    auto options = OpenedStore::options_for(path);
    options.wal_checkpoint_bytes = 256 << 10;  // so that kills hit checkpoints too
    return options;
  }
  void report(char kind, const std::string& user, Sequence sequence) const {
    const std::string line =
        std::string(1, kind) + ' ' + user + ' ' + std::to_string(sequence) + '\n';
    if (::write(output_, line.data(), line.size()) < 0) std::abort();
  }
  void insert() {
    const std::string user = "user-" + std::to_string(random_() % 12);
    std::vector<delivery::Insert> inserts;
    const std::size_t count = 1 + random_() % 4;
    for (std::size_t i = 0; i < count; ++i) {
      inserts.push_back(opened_.calls().as_insert(
          make_message(user, ++sequence_, std::string(random_() % 6'000, 'x'))));
    }
    opened_.messages().insert(std::move(inserts),
                              [this, user, count, last = sequence_](Result<void> done) {
                                for (std::size_t i = 0; done && i < count; ++i) {
                                  report('i', user, last - static_cast<Sequence>(i));
                                }
                                if (random_() % 4 == 0) erase(user, last - 20);
                                insert();
                              });
  }
  void erase(const std::string& user, Sequence up_to) {
    report('c', user, up_to);
    opened_.messages().erase(UserId(user), 0, up_to,
                             [this, user, up_to](Result<delivery::PendingTotals> done) {
                               if (done) report('e', user, up_to);
                             });
  }

  OpenedStore opened_;
  int output_;
  std::mt19937 random_;
  Sequence sequence_ = 0;
};

void raise_to(std::map<std::string, Sequence>& marks, const std::string& user, Sequence sequence) {
  marks[user] = std::max(marks[user], sequence);
}

void add(Ledger& ledger, const std::string& lines) {
  std::istringstream in(lines);
  char kind = 0;
  std::string user;
  Sequence sequence = 0;
  while (in >> kind >> user >> sequence) {
    if (kind == 'i') ledger.acknowledged[user].insert(sequence);
    if (kind == 'c') raise_to(ledger.erase_called, user, sequence);
    if (kind == 'e') raise_to(ledger.erase_confirmed, user, sequence);
  }
}

TEST(CrashTest, LosesNothingAcknowledgedWhenKilledAtAnyMoment) {
  const TempDir folder;
  const std::string path = folder.file("holdfast.db");
  Ledger ledger;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Child child([&](int output) { return Load(path, output, seed).run(); });
    // Some die while they open the store, the others under load.
    if (seed % 4 != 0) child.wait_for_output();
    // The moment is what the test is about: nothing is waited for.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 150'000));
    child.kill();
    const auto end = child.wait();
    ASSERT_EQ(end.code, -9);
    add(ledger, end.output);

    OpenedStore opened(path);
    ASSERT_EQ(ledger.missing(opened), 0U);
    ASSERT_EQ(ledger.risen(opened), 0U);
    expect_totals_equal_rows(opened);
  }
  std::size_t rows = 0;
  for (const auto& [user, sequences] : ledger.acknowledged) rows += sequences.size();
  EXPECT_GT(rows, 50U);
}

}  // namespace
}  // namespace holdfast::test
