#include "app/data_directory.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>

#include "app/descriptor.hpp"

namespace holdfast::app {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

std::unexpected<Error> io_error(const std::string& doing, const std::string& path) {
  const int code = errno;
  return fail(Errc::io, "cannot " + doing + " " + path + ": " + std::strerror(code), path);
}

Result<void> make_folder(const std::string& path) {
  if (mkdir(path.c_str(), S_IRWXU) == 0) return {};
  if (errno != EEXIST) return io_error("make the data directory", path);
  struct stat found{};
  if (stat(path.c_str(), &found) != 0) return io_error("read", path);
  if (!S_ISDIR(found.st_mode)) {
    return fail(Errc::io, "the data directory " + path + " is not a directory", path);
  }
  // The files in it protect themselves; that others may list them is the operator's choice.
  if ((found.st_mode & kOthers) != 0) log::warn("data_directory_open_to_others", {{"path", path}});
  return {};
}

Result<void> write_all(int descriptor, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = write(descriptor, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return io_error("write", path);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

bool holds(const std::string& path, std::string_view text) {
  struct stat found{};
  if (stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode) ||
      (found.st_mode & kOthers) != 0 || static_cast<std::size_t>(found.st_size) != text.size()) {
    return false;
  }
  std::ifstream in(path, std::ios::binary);
  const std::string there(std::istreambuf_iterator<char>(in), {});
  return in.good() && there == text;
}

Result<void> write_new(const std::string& path, std::string_view text) {
  const Descriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (file.get() < 0) return io_error("create", path);
  // One left behind by a crash keeps its own mode.
  if (fchmod(file.get(), S_IRUSR | S_IWUSR) != 0) return io_error("protect", path);
  if (auto written = write_all(file.get(), text, path); !written) return written;
  if (fsync(file.get()) != 0) return io_error("write", path);
  return {};
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::open(const std::string& path) {
  if (auto made = make_folder(path); !made) return std::unexpected(made.error());
  // The folder itself, not a file in it: the store locks its own file later, but two first starts
  // must not both make a master key before that.
  Descriptor lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.get() < 0) return io_error("open", path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_error("lock", path);
    return fail(Errc::conflict, "the data directory " + path + " is in use by another process",
                path);
  }
  return std::unique_ptr<DataDirectory>(new DataDirectory(path, lock.release()));
}

DataDirectory::~DataDirectory() { close(lock_); }

std::string DataDirectory::file(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

Result<void> write_private_file(const std::string& path, std::string_view text) {
  if (holds(path, text)) return {};
  const std::string aside = path + ".new";
  if (auto written = write_new(aside, text); !written) return written;
  if (rename(aside.c_str(), path.c_str()) != 0) return io_error("replace", path);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Descriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) return io_error("write", folder);
  return {};
}

}  // namespace holdfast::app
