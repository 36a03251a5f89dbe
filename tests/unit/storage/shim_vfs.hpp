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

/// SQLite's default file system with a layer that can fail writes and syncs, and that knows what a
/// power cut would leave. One at a time; stores are opened after it and closed before it goes.
class ShimVfs {
 public:
  ShimVfs();
  ~ShimVfs();
  ShimVfs(const ShimVfs&) = delete;
  ShimVfs& operator=(const ShimVfs&) = delete;

  enum class Call { write, sync, truncate };
  /// Asked before each call on a file (its path): SQLITE_OK lets it through, anything else is its
  /// result.
  using Judge = std::function<int(Call, std::string_view path)>;
  void judge_with(Judge judge);

  /// Syncs say that all is well and do nothing, as with synchronous=OFF or a disk that lies.
  void ignore_syncs() { ignores_syncs_ = true; }
  /// Starts to remember which writes are synced, from the opening of a file on.
  void track_durability() { tracks_ = true; }
  /// Copies to `folder` what a power cut at this moment would leave there: what was synced, and of
  /// the rest some writes, whole, torn or not at all, by `seed`.
  void cut_power(const std::filesystem::path& folder, unsigned seed);

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
  void opened(const std::string& path);
  void wrote(const std::string& path, Write write);
  void synced(const std::string& path);
  void removed(const std::string& path);
  [[nodiscard]] bool ignores_syncs() const noexcept { return ignores_syncs_; }

 private:
  struct Registration;
  std::unique_ptr<Registration> registration_;
  std::mutex mutex_;
  Judge judge_;
  bool ignores_syncs_ = false;
  bool tracks_ = false;
  std::map<std::string, TrackedFile> files_;
};

}  // namespace holdfast::test
