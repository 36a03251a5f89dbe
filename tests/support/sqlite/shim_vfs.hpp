#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::test {

/// SQLite's default file system with a layer that can fail calls, that has a size, and that knows
/// what a power cut would leave. One at a time; stores are opened after it and closed before it
/// goes.
class ShimVfs {
 public:
  ShimVfs();
  ~ShimVfs();
  ShimVfs(const ShimVfs&) = delete;
  ShimVfs& operator=(const ShimVfs&) = delete;

  enum class Call { read, write, sync, truncate, shm };
  /// Asked before each call on a file (its path): SQLITE_OK lets it through, anything else is its
  /// result.
  using Judge = std::function<int(Call, std::string_view path)>;
  void judge_with(Judge judge);

  /// Syncs say that all is well and do nothing, as with synchronous=OFF or a disk that lies.
  void ignore_syncs() { ignores_syncs_ = true; }
  /// All files together take so many bytes and no more: SQLITE_FULL for what would need others; 0:
  /// no bound. Counts the files that were opened from now on, each once.
  void limit_bytes(std::int64_t bytes);
  /// Returns the bytes of the counted files.
  [[nodiscard]] std::int64_t used_bytes();
  /// Returns the bytes left of the limit; the maximum without a limit.
  [[nodiscard]] std::int64_t free_bytes();
  /// Starts to remember which writes are synced, from the opening of a file on.
  void track_durability() { tracks_ = true; }
  /// Copies to `folder` what a power cut at this moment would leave there: what was synced, and of
  /// the rest some sectors, by `seed`. A write whose sync failed is among neither: the kernel
  /// forgets that it has to be written, while reads still show it.
  void cut_power(const std::filesystem::path& folder, unsigned seed);
  /// Copies to `folder` what the end of the process at this moment would leave there: every write.
  void copy_files(const std::filesystem::path& folder);
  /// Forgets the files of a folder: another process goes on with a copy of them.
  void forget_files(const std::filesystem::path& folder);

  // The layer's own side.
  struct Write {
    std::int64_t offset = 0;
    std::string bytes;
    bool is_truncate = false;
  };
  struct TrackedFile {
    std::string durable;
    std::vector<Write> unsynced;
  };
  [[nodiscard]] int judge(Call call, std::string_view path);
  /// Returns whether the disk has room for a file of this size.
  [[nodiscard]] bool has_room(const std::string& path, std::int64_t size);
  /// Takes room for a file that is not SQLite's. Its bytes are durable. Returns false without room.
  [[nodiscard]] bool allocate(const std::string& path, std::int64_t size);
  void opened(const std::string& path);
  void wrote(const std::string& path, Write write);
  void synced(const std::string& path);
  void failed_to_sync(const std::string& path);
  void removed(const std::string& path);
  [[nodiscard]] bool ignores_syncs() const noexcept { return ignores_syncs_; }
  [[nodiscard]] bool tracks() const noexcept { return tracks_; }

 private:
  struct Registration;
  std::unique_ptr<Registration> registration_;
  std::mutex mutex_;
  Judge judge_;
  bool ignores_syncs_ = false;
  bool tracks_ = false;
  std::int64_t bytes_max_ = 0;
  std::map<std::string, TrackedFile> files_;
  std::map<std::string, std::int64_t> sizes_;
};

}  // namespace holdfast::test
