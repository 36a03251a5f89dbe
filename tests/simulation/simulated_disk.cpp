#include "simulation/simulated_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace holdfast::simulation {
namespace {

test::ShimVfs* g_vfs = nullptr;
std::int64_t g_bytes = 0;
int g_let_go = 0;

/// Of an open file; empty when it is not known.
std::string path_of(int file) {
  std::string path(PATH_MAX, '\0');
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return path;
}

}  // namespace

void set_disk(test::ShimVfs* vfs, std::int64_t bytes) {
  g_vfs = vfs;
  g_bytes = bytes;
  g_let_go = 0;
}

int ballasts_let_go() { return g_let_go; }

}  // namespace holdfast::simulation

// A program's own functions are found before its libraries'.
extern "C" {
int statvfs(const char* /*path*/, struct statvfs* out) noexcept {
  using namespace holdfast::simulation;
  if (g_vfs == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  *out = {};
  out->f_bsize = out->f_frsize = 1;
  out->f_blocks = static_cast<fsblkcnt_t>(g_bytes);
  out->f_bavail = out->f_bfree = static_cast<fsblkcnt_t>(std::min(g_bytes, g_vfs->free_bytes()));
  return 0;
}
int posix_fallocate(int file, off_t offset, off_t size) {
  using namespace holdfast::simulation;
  if (g_vfs != nullptr && !g_vfs->allocate(path_of(file), offset + size)) return ENOSPC;
  return ftruncate(file, offset + size) == 0 ? 0 : errno;
}
int unlink(const char* path) noexcept {
  using namespace holdfast::simulation;
  const int result = unlinkat(AT_FDCWD, path, 0);
  if (result == 0 && g_vfs != nullptr) {
    g_vfs->removed(path);
    if (std::string_view(path).ends_with(".ballast")) ++g_let_go;
  }
  return result;
}
}
