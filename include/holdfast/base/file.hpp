#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

#include <holdfast/base/error.hpp>

namespace holdfast {

/// Owns a file descriptor and closes it; negative: none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Gives the descriptor away, open.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  /// Closes the descriptor and owns another. Keeps errno.
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// Opens a file that no child inherits (O_CLOEXEC). A new one gets `mode`. None, and errno, when it
/// fails.
[[nodiscard]] UniqueFd open_file(const std::string& path, int flags, unsigned mode = 0600);

/// Returns `io`: `cannot DOING PATH: REASON`, the reason from errno.
[[nodiscard]] std::unexpected<Error> file_error(const std::string& doing, const std::string& path);

/// Writes all of `bytes`. Returns false, and sets errno, when it fails; some may be written by
/// then.
[[nodiscard]] bool write_all(int fd, std::string_view bytes) noexcept;

/// Reads until `bytes` are filled or the file ends. Returns how many were read; nullopt, and sets
/// errno, when it fails.
[[nodiscard]] std::optional<std::size_t> read_up_to(int fd, char* into, std::size_t bytes) noexcept;

/// Syncs a folder, so that the names in it survive a power cut. Error: `io`.
[[nodiscard]] Result<void> sync_folder(const std::string& folder);

/// Returns the folder that a path is in; "." where the path names none.
[[nodiscard]] std::string folder_of(const std::string& path);

}  // namespace holdfast
