// Tests that a power cut loses no acknowledged row.

#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "support/sqlite/shim_vfs.hpp"
#include "unit/sqlite/ledger.hpp"

namespace holdfast::test {
namespace {

/// Runs a store under load, cuts the power at a moment, and answers how many acknowledged rows the
/// store that starts from what is left does not have.
std::size_t lost_at_power_cut(bool honours_syncs, unsigned seed) {
  const TempDir before;
  const TempDir after;
  Ledger ledger;
  {
    ShimVfs vfs;
    vfs.track_durability();
    auto options = OpenedStore::options_for(before.file("holdfast.db"));
    if (honours_syncs) options.wal_checkpoint_bytes = 128 << 10;
    OpenedStore opened(options);
    if (!honours_syncs) vfs.ignore_syncs();
    std::mt19937 random(seed);
    Sequence sequence = 0;
    std::size_t acknowledged = 0;
    const std::size_t last = 50 + random() % 300;
    bool is_cut = false;
    std::function<void()> insert = [&] {
      const std::string user = "user-" + std::to_string(random() % 5);
      std::vector<delivery::Insert> inserts;
      const auto message = make_message(user, ++sequence, std::string(random() % 3'000, 'x'));
      inserts.push_back(opened.calls().as_insert(message));
      opened.messages().insert(std::move(inserts), [&, message](Result<void> done) {
        if (is_cut || !done) return;
        ledger.acknowledged[message->user.str()].insert(message->sequence);
        if (++acknowledged == last) {
          vfs.cut_power(after.path(), seed);
          is_cut = true;
        } else {
          insert();
        }
      });
    };
    for (int producer = 0; producer < 8; ++producer) insert();
    opened.executor().run_until([&] { return is_cut; });
    opened.store().stop();
  }
  OpenedStore opened(after.file("holdfast.db"));
  expect_totals_equal_rows(opened);
  return ledger.missing(opened);
}

TEST(PowerCutTest, LosesNothingAcknowledged) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    EXPECT_EQ(lost_at_power_cut(true, seed), 0U) << "seed " << seed;
  }
}

// The test of the test: if syncs did nothing, the check above would notice.
TEST(PowerCutTest, LosesAcknowledgedRowsWhenSyncsAreIgnored) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    EXPECT_GT(lost_at_power_cut(false, seed), 0U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace holdfast::test
