// Files by their descriptors.

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include <holdfast/base/file.hpp>

namespace holdfast {

void UniqueFd::reset(int fd) noexcept {
  const int before = std::exchange(fd_, fd);
  if (before < 0) return;
  const int code = errno;
  ::close(before);
  errno = code;
}

UniqueFd open_file(const std::string& path, int flags, unsigned mode) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, static_cast<mode_t>(mode)));
}

std::unexpected<Error> file_error(const std::string& doing, const std::string& path) {
  const int code = errno;
  return fail(Errc::io, "cannot " + doing + " " + path + ": " + std::strerror(code), path);
}

bool write_all(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

std::optional<std::size_t> read_up_to(int fd, char* into, std::size_t bytes) noexcept {
  std::size_t size = 0;
  while (size < bytes) {
    const ssize_t got = ::read(fd, into + size, bytes - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return size;
}

Result<void> sync_folder(const std::string& folder) {
  const UniqueFd directory = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (!directory || ::fsync(directory.get()) != 0) return file_error("sync", folder);
  return {};
}

std::string folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace holdfast
