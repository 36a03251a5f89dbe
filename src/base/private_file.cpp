// Writes files that only their owner may read.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/file.hpp>
#include <holdfast/base/private_file.hpp>

namespace holdfast {
namespace {

constexpr mode_t kModeBits = 07777;

std::unexpected<Error> private_file_error(const std::string& doing, const std::string& path) {
  const int code = errno;
  return fail(code == EEXIST ? Errc::already_exists : Errc::io,
              "cannot " + doing + " " + path + ": " + std::strerror(code), path);
}

/// A file in a folder that is kept open, so that the folder cannot be replaced meanwhile.
class PrivateFile {
 public:
  PrivateFile(const std::string& path, const PrivateFileOptions& options)
      : path_(path),
        name_(std::filesystem::path(path).filename().string()),
        aside_(name_ + ".new"),
        options_(options),
        folder_(open_file(folder_of(path), O_RDONLY | O_DIRECTORY)) {}

  Result<void> write(std::string_view text) {
    if (!folder_) return private_file_error("open the folder of", path_);
    if (options_.replace && holds(text)) return {};
    if (unlinkat(folder_.get(), aside_.c_str(), 0) != 0 && errno != ENOENT) {
      return private_file_error("remove", path_ + ".new");
    }
    auto written = write_aside(text);
    if (written) written = put_in_place();
    if (!written) (void)unlinkat(folder_.get(), aside_.c_str(), 0);
    return written;
  }

 private:
  [[nodiscard]] bool own(const struct stat& status) const {
    return S_ISREG(status.st_mode) && status.st_uid == geteuid() && status.st_nlink == 1 &&
           (status.st_mode & kModeBits) == options_.mode;
  }

  [[nodiscard]] bool holds(std::string_view text) const {
    const UniqueFd file(openat(folder_.get(), name_.c_str(),
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status{};
    if (!file || fstat(file.get(), &status) != 0 || !own(status) ||
        static_cast<std::size_t>(status.st_size) != text.size()) {
      return false;
    }
    std::string there(text.size(), '\0');
    const bool same = read_up_to(file.get(), there.data(), there.size()) && there == text;
    wipe(there);
    return same;
  }

  Result<void> write_aside(std::string_view text) {
    const UniqueFd file(openat(folder_.get(), aside_.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               S_IRUSR | S_IWUSR));
    if (!file) return private_file_error("create", path_ + ".new");
    if (fchmod(file.get(), options_.mode) != 0 || fstat(file.get(), &made_) != 0) {
      return private_file_error("protect", path_ + ".new");
    }
    // Some file systems give every file to one user.
    if (!own(made_)) {
      return fail(Errc::io, path_ + ".new does not belong to the user who made it", path_);
    }
    if (!write_all(file.get(), text) || fsync(file.get()) != 0) {
      return private_file_error("write", path_ + ".new");
    }
    return {};
  }

  Result<void> put_in_place() const {
    const unsigned flags = options_.replace ? 0 : RENAME_NOREPLACE;
    if (renameat2(folder_.get(), aside_.c_str(), folder_.get(), name_.c_str(), flags) != 0) {
      // A few file systems cannot promise that nothing is replaced.
      if (errno != EINVAL || options_.replace || exists() ||
          renameat(folder_.get(), aside_.c_str(), folder_.get(), name_.c_str()) != 0) {
        return private_file_error("put in place", path_);
      }
    }
    struct stat placed{};
    if (fstatat(folder_.get(), name_.c_str(), &placed, AT_SYMLINK_NOFOLLOW) != 0 ||
        placed.st_ino != made_.st_ino || placed.st_dev != made_.st_dev) {
      return fail(Errc::io, path_ + " was replaced by another user while it was written", path_);
    }
    if (fsync(folder_.get()) != 0) return private_file_error("sync the folder of", path_);
    return {};
  }

  [[nodiscard]] bool exists() const {
    struct stat status{};
    if (fstatat(folder_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
    errno = EEXIST;
    return true;
  }

  const std::string path_;
  const std::string name_;
  const std::string aside_;
  const PrivateFileOptions options_;
  const UniqueFd folder_;
  struct stat made_{};
};

}  // namespace

Result<void> write_private_file(const std::string& path, std::string_view text,
                                const PrivateFileOptions& options) {
  return PrivateFile(path, options).write(text);
}

bool others_may_write(const std::string& folder) {
  struct stat status{};
  if (stat(folder.c_str(), &status) != 0) return false;
  return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
         (status.st_uid != geteuid() && status.st_uid != 0);
}

}  // namespace holdfast
