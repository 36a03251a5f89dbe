#pragma once

#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include <holdfast/base/error.hpp>

#include "socket_io.hpp"

namespace holdfast::net {

/// A Unix socket's path as system calls take it. `sun_path` holds 107 bytes: what is longer goes
/// through `/proc/self/fd/N/NAME`, N being the folder, which stays open as long as this.
class UnixAddress {
 public:
  /// Errors: `invalid_argument` for an empty path or a name (behind the last `/`) that is too long
  /// by itself, `io` when the folder of a long path cannot be opened.
  [[nodiscard]] static Result<UnixAddress> of(const std::string& path);

  [[nodiscard]] const sockaddr* raw() const noexcept {
    return reinterpret_cast<const sockaddr*>(&address_);
  }
  [[nodiscard]] socklen_t size() const noexcept { return sizeof(address_); }

 private:
  sockaddr_un address_{};
  UniqueFd folder_;
};

}  // namespace holdfast::net
