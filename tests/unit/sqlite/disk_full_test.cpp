// A disk without room: messages alone are refused, and all that gives room back goes on.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <unistd.h>

#include "sqlite/data_file.hpp"
#include "sqlite/room.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "support/sqlite/shim_vfs.hpp"
#include "unit/sqlite/child.hpp"
#include "unit/sqlite/ledger.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

constexpr int kMountRefused = 77;
constexpr std::int64_t kMiB = std::int64_t{1} << 20;

bool becomes_true(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Takes all that is free on the file system of `path`.
void take_all_room(const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  const std::string bytes(4'096, 'x');
  while (out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
  }
}

/// A store on a small disk, and what it has acknowledged.
class SmallDisk {
 public:
  explicit SmallDisk(std::string folder) : path_(std::move(folder) + "/holdfast.db") {}

  void open() { opened_.emplace(path_); }
  void close() { opened_.reset(); }
  OpenedStore& store() { return *opened_; }
  bool insert(std::size_t bytes) {
    auto reservation = opened_->messages().reserve(bytes);
    if (!reservation) return false;
    delivery::Insert insert;
    insert.message = make_message("anna", ++sequence_, std::string(bytes, 'x'));
    insert.reservation = std::move(*reservation);
    std::vector<delivery::Insert> inserts;
    inserts.push_back(std::move(insert));
    if (!opened_->calls().insert(std::move(inserts))) return false;
    kept_.insert(sequence_);
    return true;
  }
  /// Until messages are refused for longer than the store trusts its last look at the disk.
  void fill(std::size_t bytes) {
    const auto now = [] { return std::chrono::steady_clock::now(); };
    auto last = now();
    while (now() < last + std::chrono::milliseconds(500)) {
      if (insert(bytes)) last = now();
    }
  }
  /// All but `left` go, a page at a time, as a client's acknowledgements come.
  bool drain(std::size_t left = 0) {
    while (kept_.size() > left) {
      const Sequence up_to = *kept_.begin() + 19;
      if (!opened_->calls().erase("anna", 0, up_to)) return false;
      kept_.erase(kept_.begin(), kept_.upper_bound(up_to));
    }
    return true;
  }
  bool keeps_what_it_acknowledged() {
    const auto there = opened_->calls().sequences("anna");
    expect_totals_equal_rows(*opened_);
    return std::set<Sequence>(there.begin(), there.end()) == kept_;
  }
  [[nodiscard]] std::size_t kept() const { return kept_.size(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::optional<OpenedStore> opened_;
  std::set<Sequence> kept_;
  Sequence sequence_ = 0;
};

std::string fill_drain_and_fill_again(const std::string& folder, std::size_t bytes) {
  SmallDisk disk(folder);
  disk.open();
  if (disk.store().store().file_metrics().disk_low.read() != 0) return "low from the start";
  disk.fill(bytes);
  const std::size_t first = disk.kept();
  if (static_cast<std::int64_t>(first * bytes) < sqlite::look_at_disk(disk.path())->bytes / 3) {
    return "only " + std::to_string(first) + " fitted";
  }
  if (disk.store().store().file_metrics().disk_low.read() == 0)
    return "it does not tell that the disk is low";
  if (!disk.store().store().stats().writable) return "more than the messages was refused";
  if (!disk.keeps_what_it_acknowledged()) return "rows while full";
  if (!disk.store().calls().extend_ceiling(1)) return "no other write goes on";
  if (!disk.drain()) return "an erase failed";
  if (!becomes_true([&] { return disk.insert(bytes); })) return "inserts do not come back";
  disk.fill(bytes);
  if (disk.kept() < first / 2) return "only " + std::to_string(disk.kept()) + " fitted again";

  // Somebody else takes all that is left.
  const std::string foreign = folder + "/foreign";
  take_all_room(foreign);
  if (!becomes_true([&] { return disk.store().store().file_metrics().disk_full.read() != 0; }))
    return "not full";
  disk.fill(bytes);
  if (!disk.drain(disk.kept() / 2)) return "an erase failed on a disk without any room";
  disk.close();
  disk.open();
  if (!disk.keeps_what_it_acknowledged()) return "rows after a stop and a start on a full disk";
  if (!disk.drain()) return "an erase failed after that start";
  fs::remove(foreign);
  if (!becomes_true([&] { return disk.insert(bytes); })) return "inserts do not come back later";
  disk.fill(bytes);
  if (!becomes_true([&] { return fs::exists(disk.path() + ".ballast"); }))
    return "the ballast is not made anew";
  take_all_room(foreign);
  if (!disk.drain(10)) return "an erase failed on a disk that was filled a second time";
  fs::remove(foreign);
  disk.close();
  disk.open();
  if (!disk.keeps_what_it_acknowledged()) return "rows at the end";
  return {};
}

class FullDiskTest : public testing::TestWithParam<std::pair<const char*, std::size_t>> {};

TEST_P(FullDiskTest, RefusesMessagesAloneAndHasAlwaysRoomForTheWayOut) {
  const TempDir folder;
  Child child([&](int output) {
    // A mount of the child's own: it goes with the child.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", folder.path().c_str(), "tmpfs", 0, GetParam().first) != 0) {
      return kMountRefused;
    }
    const std::string wrong = fill_drain_and_fill_again(folder.path(), GetParam().second);
    static_cast<void>(!::write(output, wrong.data(), wrong.size()));
    return 0;
  });
  const auto end = child.wait();
  if (end.code == kMountRefused) GTEST_SKIP() << "mounting a file system is not allowed here";
  EXPECT_EQ(end.code, 0);
  EXPECT_EQ(end.output, "");
}

INSTANTIATE_TEST_SUITE_P(OfManySizes, FullDiskTest,
                         testing::Values(std::pair{"size=6m", std::size_t{300}},
                                         std::pair{"size=16m", std::size_t{20'000}},
                                         std::pair{"size=24m", std::size_t{20'000}},
                                         std::pair{"size=40m", std::size_t{100'000}}));

// As a quota does it: the file system says that there is room.
TEST(DiskFullTest, FailsInsertsAndRecoversByItself) {
  const TempDir folder;
  ShimVfs vfs;
  std::atomic<std::uintmax_t> bytes_max = 2 << 20;
  const auto is_database = [](const fs::path& path) { return path.extension() != ".ballast"; };
  vfs.judge_with([&](ShimVfs::Call call, std::string_view) {
    if (call != ShimVfs::Call::write) return SQLITE_OK;
    std::uintmax_t used = 0;
    for (const auto& entry : fs::directory_iterator(folder.path())) {
      if (is_database(entry.path())) used += entry.file_size();
    }
    return used > bytes_max ? SQLITE_FULL : SQLITE_OK;
  });
  SmallDisk disk(folder.path());
  disk.open();
  disk.fill(20'000);
  EXPECT_GT(disk.kept(), 20U);
  EXPECT_TRUE(disk.keeps_what_it_acknowledged());
  EXPECT_TRUE(disk.store().store().file_metrics().disk_full.read() != 0);
  bytes_max = 8 << 20;
  EXPECT_TRUE(becomes_true([&] { return disk.insert(20'000); }));
  EXPECT_TRUE(
      becomes_true([&] { return disk.store().store().file_metrics().disk_full.read() == 0; }));
  disk.close();
  disk.open();
  EXPECT_TRUE(disk.keeps_what_it_acknowledged());
}

TEST(DiskFullTest, FailsAmongTheOperationsOfACommitTheInsertsAlone) {
  const TempDir folder;
  ShimVfs vfs;
  OpenedStore opened(folder.file("holdfast.db"));
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 1), make_message("anna", 2)}));
  // The log has room for some writes, and for as many after each rollback: for a delete, and for no
  // message of this size.
  constexpr int kRoom = 40;
  std::atomic<int> room = kRoom;
  vfs.judge_with([&](ShimVfs::Call call, std::string_view path) {
    if (call != ShimVfs::Call::write || !path.ends_with("-wal") || --room > 0) return SQLITE_OK;
    room = kRoom;
    return SQLITE_FULL;
  });
  for (int i = 0; i < 50; ++i) {
    room = kRoom;
    int answers = 0;
    std::vector<delivery::Insert> inserts;
    inserts.push_back(
        opened.calls().as_insert(make_message("berta", 9 + i, std::string(200'000, 'x'))));
    opened.messages().insert(std::move(inserts), [&](Result<void> done) {
      EXPECT_FALSE(done);
      ++answers;
    });
    opened.messages().extend_ceiling(1'000 + i, [&](Result<void> done) {
      EXPECT_TRUE(done);
      ++answers;
    });
    opened.messages().erase(UserId("anna"), 0, 1, [&](Result<delivery::PendingTotals> done) {
      EXPECT_TRUE(done);
      ++answers;
    });
    opened.executor().run_until([&] { return answers == 3; });
  }
  vfs.judge_with(nullptr);
  EXPECT_TRUE(opened.store().stats().writable);
  EXPECT_EQ(opened.calls().sequences("anna"), std::vector<Sequence>{2});
}

TEST(DiskFullTest, DeletesWithTheBallastsRoom) {
  const TempDir folder;
  const std::string path = folder.file("holdfast.db");
  const std::string ballast = path + ".ballast";
  ShimVfs vfs;
  OpenedStore opened(path);
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 1), make_message("anna", 2)}));
  ASSERT_TRUE(becomes_true([&] { return fs::exists(ballast); }));
  // Lets the log be moved, as a move that finds no room lets go of the ballast by itself.
  vfs.judge_with([&](ShimVfs::Call call, std::string_view file) {
    const bool is_log = call == ShimVfs::Call::write && file.ends_with("-wal");
    return is_log && fs::exists(ballast) ? SQLITE_FULL : SQLITE_OK;
  });
  EXPECT_TRUE(opened.calls().erase("anna", 0, 1));
  EXPECT_FALSE(fs::exists(ballast));
  vfs.judge_with(nullptr);
  EXPECT_EQ(opened.calls().sequences("anna"), std::vector<Sequence>{2});
}

TEST(DiskFullTest, UpgradesWithTheBallastsRoom) {
  const TempDir folder;
  const std::string path = folder.file("holdfast.db");
  const auto migrations = sqlite::embedded_migrations();
  ASSERT_TRUE(sqlite::open_data_file(path, migrations.first(migrations.size() - 1)));
  ShimVfs vfs;
  bool has_room = false;
  vfs.judge_with([&](ShimVfs::Call call, std::string_view written) {
    const bool is_log = call == ShimVfs::Call::write && written.ends_with("-wal");
    return is_log && !has_room ? SQLITE_FULL : SQLITE_OK;
  });
  EXPECT_FALSE(sqlite::open_data_file(path, migrations));
  EXPECT_TRUE(sqlite::open_data_file(path, migrations, {}, [&] { return has_room = true; }));
}

TEST(RoomPlanTest, DividesASmallDiskByItsSize) {
  using sqlite::plan_room;
  const auto large = plan_room(1'000 * kMiB, 64 * kMiB, 16 * kMiB);
  EXPECT_EQ(large.free_min, 64 * kMiB);
  EXPECT_EQ(large.checkpoint_bytes, 16 * kMiB);
  EXPECT_EQ(large.ballast_bytes, 32 * kMiB);
  for (const std::int64_t mib : {4, 16, 40, 100, 250}) {
    const auto small = plan_room(mib * kMiB, 256 * kMiB, 64 * kMiB);
    EXPECT_EQ(small.free_min, mib * kMiB / 8);
    EXPECT_LE(small.free_min + small.ballast_bytes + small.checkpoint_bytes, mib * kMiB / 3 + kMiB);
  }
  EXPECT_EQ(plan_room(16 * kMiB, 0, kMiB).free_min, 0);
}

}  // namespace
}  // namespace holdfast::test
