#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <holdfast/base/error.hpp>
#include <holdfast/base/file.hpp>

namespace holdfast::net {

/// The outcome of one system call that does not block.
struct IoOutcome {
  std::size_t bytes = 0;
  bool blocked = false;  ///< no progress now; wait
  bool ended = false;    ///< the peer's end, or a broken connection
};
[[nodiscard]] IoOutcome receive_some(int fd, std::span<char> into) noexcept;
/// Sends both pieces in one call.
[[nodiscard]] IoOutcome send_some(int fd, std::string_view first,
                                  std::string_view second = {}) noexcept;
/// Returns the bytes in the socket's send queue that the peer has not acknowledged.
[[nodiscard]] std::size_t send_queue_bytes(int fd) noexcept;

/// Makes a later close tell the peer that its data is incomplete.
void reset_on_close(int fd) noexcept;

/// A listening socket, or one that will listen, with the address that clients use.
struct ListeningSocket {
  UniqueFd fd;
  std::string address;
  std::string unix_path;  ///< empty for TCP
};
/// Binds `host:port`, `[v6]:port` or `unix:/path`, without taking connections yet. A Unix socket's
/// file gets `unix_mode`; a file that no process listens on is replaced. Errors, with the address:
/// `invalid_argument`, `io`.
[[nodiscard]] Result<ListeningSocket> bind_socket(const std::string& address,
                                                  std::uint32_t unix_mode);
/// Starts listening: the kernel queues connections from now on. Error `io` with the address.
[[nodiscard]] Result<void> listen_on(const ListeningSocket& bound);

struct Accepted {
  UniqueFd fd;
  std::string remote_address;  ///< without the port; `unix` for a Unix socket
  int error = 0;               ///< errno when there is no fd
};
[[nodiscard]] Accepted accept_one(int listening_fd) noexcept;

/// Returns `uid:N` of the process at the other end of a Unix socket, as the kernel knows it
/// (unix(7), SO_PEERCRED). Empty for every other address.
[[nodiscard]] std::string peer_of(int fd, std::string_view remote_address);

}  // namespace holdfast::net
