// Divides the disk, and keeps a reserve on it.

#include "room.hpp"

#include <algorithm>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace holdfast::sqlite {
namespace {

// Shares of a small disk.
constexpr std::int64_t kFreePart = 8;
constexpr std::int64_t kLogPart = 16;
constexpr std::int64_t kSmallestLog = std::int64_t{256} << 10;

}  // namespace

std::optional<DiskSpace> look_at_disk(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  struct statvfs found{};
  if (::statvfs(folder.empty() ? "." : folder.c_str(), &found) != 0 || found.f_blocks == 0) {
    return std::nullopt;
  }
  const auto unit = static_cast<std::int64_t>(found.f_frsize);
  return DiskSpace{.bytes = static_cast<std::int64_t>(found.f_blocks) * unit,
                   .free_bytes = static_cast<std::int64_t>(found.f_bavail) * unit};
}

RoomPlan plan_room(std::int64_t disk_bytes, std::int64_t free_min, std::int64_t checkpoint_bytes) {
  RoomPlan plan;
  plan.free_min = std::min(free_min, disk_bytes / kFreePart);
  plan.checkpoint_bytes = std::min(checkpoint_bytes, std::max(disk_bytes / kLogPart, kSmallestLog));
  plan.ballast_bytes = 2 * plan.checkpoint_bytes;
  return plan;
}

Ballast::Ballast(const std::string& database_path, std::int64_t bytes)
    : path_(database_path + ".ballast"), bytes_(bytes) {
  struct stat found{};
  if (::lstat(path_.c_str(), &found) != 0) return;
  is_there_ = S_ISREG(found.st_mode) && found.st_size == bytes_;
  if (!is_there_) ::unlink(path_.c_str());
}

bool Ballast::let_go() {
  if (!is_there_) return false;
  is_there_ = false;
  return ::unlink(path_.c_str()) == 0;
}

bool Ballast::make() {
  if (is_there_) return true;
  const int file =
      ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return false;
  is_there_ = ::posix_fallocate(file, 0, bytes_) == 0;
  ::close(file);
  if (!is_there_) ::unlink(path_.c_str());
  return is_there_;
}

}  // namespace holdfast::sqlite
