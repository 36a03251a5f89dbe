#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/base/temp_dir.hpp"
#include "unit/storage/child.hpp"
#include "unit/storage/ledger.hpp"
#include "unit/storage/opened_store.hpp"
#include "support/storage/shim_vfs.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

constexpr int kMountRefused = 77;

/// Inserts until the disk is full, then makes room with `make_room` and inserts again. Answers what
/// went wrong, or nothing.
std::string fill_and_recover(const std::string& path, const std::function<void()>& make_room) {
  std::set<Sequence> acknowledged;
  Sequence sequence = 0;
  {
    auto options = OpenedStore::options_for(path);
    options.wal_checkpoint_bytes = 256 << 10;
    OpenedStore opened(options);
    const auto insert = [&] {
      const auto message = make_message("anna", ++sequence, std::string(20'000, 'x'));
      const auto done = opened.calls().insert({message});
      if (done) acknowledged.insert(sequence);
      return done.has_value();
    };
    while (insert()) {
      if (sequence == 2'000) return "the disk did not fill";
    }
    for (int i = 0; i < 20; ++i) static_cast<void>(insert());
    if (opened.calls().sequences("anna").size() != acknowledged.size()) return "rows while full";
    make_room();
    bool is_recovered = false;
    for (int i = 0; i < 20 && !is_recovered; ++i) is_recovered = insert();
    if (!is_recovered) return "it did not recover when there was room";
    if (!opened.calls().erase("anna", 0, 2)) return "the erase failed";
    acknowledged.erase(1);
    acknowledged.erase(2);
  }
  OpenedStore again(path);
  const auto kept = again.calls().sequences("anna");
  if (std::set<Sequence>(kept.begin(), kept.end()) != acknowledged) return "rows after all";
  expect_totals_equal_rows(again);
  return {};
}

TEST(DiskFull, FailsInsertsAndRecoversByItselfOnARealFileSystem) {
  const TempDir folder;
  Child child([&](int output) {
    // A mount of the child's own: it goes with the child.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", folder.path().c_str(), "tmpfs", 0, "size=4m") != 0) {
      return kMountRefused;
    }
    const std::string ballast = folder.file("ballast");
    std::ofstream(ballast) << std::string(1 << 20, 'x');
    const std::string wrong =
        fill_and_recover(folder.file("holdfast.db"), [&] { fs::remove(ballast); });
    static_cast<void>(!::write(output, wrong.data(), wrong.size()));
    return 0;
  });
  const auto end = child.wait();
  if (end.code == kMountRefused) GTEST_SKIP() << "mounting a file system is not allowed here";
  EXPECT_EQ(end.code, 0);
  EXPECT_EQ(end.output, "");
}

TEST(DiskFull, FailsInsertsAndRecoversByItself) {
  const TempDir folder;
  ShimVfs vfs;
  std::atomic<std::uintmax_t> bytes_max = 2 << 20;
  vfs.judge_with([&](ShimVfs::Call call, std::string_view) {
    if (call != ShimVfs::Call::write) return SQLITE_OK;
    std::uintmax_t used = 0;
    for (const auto& entry : fs::directory_iterator(folder.path())) used += entry.file_size();
    return used > bytes_max ? SQLITE_FULL : SQLITE_OK;
  });
  EXPECT_EQ(fill_and_recover(folder.file("holdfast.db"), [&] { bytes_max = 8 << 20; }), "");
}

}  // namespace
}  // namespace holdfast::test
