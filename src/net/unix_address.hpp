#pragma once

#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include <holdfast/base/error.hpp>

#include "socket_io.hpp"

namespace holdfast::net {

/// A Unix socket's path for system calls. `sun_path` holds 107 bytes; a longer path goes through
/// `/proc/self/fd/N/NAME`. N is the folder's descriptor, which stays open as long as this.
class UnixAddress {
 public:
  /// Makes an address. Errors: `invalid_argument` for an empty path or a name behind the last `/`
  /// that is too long, `io` when the folder of a long path cannot be opened.
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
