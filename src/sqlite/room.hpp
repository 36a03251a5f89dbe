#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast::sqlite {

/// The sizes of a file system, in bytes.
struct DiskSpace {
  std::int64_t bytes = 0;
  std::int64_t free_bytes = 0;  ///< for this process, without the superuser's reserve
};
/// Returns the sizes of the file system that `path` is on; nullopt if it does not report them.
[[nodiscard]] std::optional<DiskSpace> look_at_disk(const std::string& path);

/// Divides the disk of the database. The configured sizes fit a disk of some gigabytes. A small
/// disk is divided by its size, so that messages get most of it.
struct RoomPlan {
  std::int64_t free_min = 0;          ///< inserts leave it free; 0: the disk is not watched
  std::int64_t checkpoint_bytes = 0;  ///< size of the log from which it is moved into the file
  std::int64_t ballast_bytes = 0;     ///< twice that: a whole log, and the file growing by as much
};
[[nodiscard]] RoomPlan plan_room(std::int64_t disk_bytes, std::int64_t free_min,
                                 std::int64_t checkpoint_bytes);

/// A file beside the database that only takes up room. It is released when deletes, checkpoints or
/// a start find none. One thread.
class Ballast {
 public:
  /// Takes over an existing file if its size is right.
  Ballast(const std::string& database_path, std::int64_t bytes);

  [[nodiscard]] bool is_there() const noexcept { return is_there_; }
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }
  /// Removes the file. Returns whether it was there.
  bool let_go();
  /// Makes the file. Returns whether it is there now.
  bool make();

 private:
  std::string path_;
  std::int64_t bytes_;
  bool is_there_ = false;
};

}  // namespace holdfast::sqlite
