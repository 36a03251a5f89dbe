// The lock of a data directory, and the check of who may write to it.

#include "data_directory.hpp"

#include <cerrno>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>

namespace holdfast::app {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

Result<void> make_folder(const std::string& path) {
  if (mkdir(path.c_str(), S_IRWXU) == 0 || errno == EEXIST) return {};
  return file_error("make the data directory", path);
}

// Refuses a folder that others may write to, because their files would be taken for ours.
Result<void> check_folder(int folder, const std::string& path, DataDirectory::Use use) {
  struct stat found{};
  if (fstat(folder, &found) != 0) return file_error("read", path);
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Errc::forbidden,
                "other users may write to the data directory " + path + ": chmod 700 " + path,
                path);
  }
  const bool ours = found.st_uid == geteuid() || found.st_uid == 0;
  if (!ours && (use == DataDirectory::Use::serve || geteuid() != 0)) {
    return fail(Errc::forbidden,
                "the data directory " + path + " belongs to another user (" +
                    std::to_string(found.st_uid) + "): run as that user, or change its owner",
                path);
  }
  // The files protect themselves. The operator decides whether others may list them.
  if (use == DataDirectory::Use::serve && (found.st_mode & kOthers) != 0) {
    log::warn("data_directory_open_to_others", {{"path", path}});
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::open(const std::string& path, Use use) {
  if (auto made = make_folder(path); !made) return std::unexpected(made.error());
  // Locks the folder, not a file in it. The store locks its own file later, but two first starts
  // must not both make a master key before that.
  UniqueFd lock = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!lock) {
    if (errno != ENOTDIR) return file_error("open", path);
    return fail(Errc::io, "the data directory " + path + " is not a directory", path);
  }
  if (auto good = check_folder(lock.get(), path, use); !good) return std::unexpected(good.error());
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_error("lock", path);
    return fail(Errc::conflict, "the data directory " + path + " is in use by another process",
                path);
  }
  return std::unique_ptr<DataDirectory>(new DataDirectory(path, std::move(lock)));
}

std::string DataDirectory::file(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

}  // namespace holdfast::app
