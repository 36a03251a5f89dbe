#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <holdfast/base/error.hpp>
#include <holdfast/base/file.hpp>

namespace holdfast::net {

/// What one system call that does not block did.
struct IoOutcome {
  std::size_t bytes = 0;
  bool blocked = false;  ///< nothing now; wait
  bool ended = false;    ///< the peer's end, or the connection is broken
};
[[nodiscard]] IoOutcome receive_some(int fd, std::span<char> into) noexcept;
/// Both parts in one call.
[[nodiscard]] IoOutcome send_some(int fd, std::string_view first,
                                  std::string_view second = {}) noexcept;
/// Bytes in the socket's send queue that the peer has not acknowledged.
[[nodiscard]] std::size_t send_queue_bytes(int fd) noexcept;

/// Has a close tell the peer that what it has got is not all.
void reset_on_close(int fd) noexcept;

/// A socket that listens, or is to, and what a client types to reach it.
struct ListeningSocket {
  UniqueFd fd;
  std::string address;
  std::string unix_path;  ///< empty for TCP
};
/// Binds `host:port`, `[v6]:port` or `unix:/path`; nobody can connect yet. A Unix socket's file
/// gets `unix_mode`; one that nobody listens on any more is replaced. Errors: `invalid_argument`,
/// `io`, with the address.
[[nodiscard]] Result<ListeningSocket> bind_socket(const std::string& address,
                                                  std::uint32_t unix_mode);
/// The kernel queues who connects from here on. Error `io` with the address.
[[nodiscard]] Result<void> listen_on(const ListeningSocket& bound);

struct Accepted {
  UniqueFd fd;
  std::string remote_address;  ///< without the port; `unix` for a Unix socket
  int error = 0;               ///< errno when there is no fd
};
[[nodiscard]] Accepted accept_one(int listening_fd) noexcept;

/// `uid:N` of who has the other end of a Unix socket, as the kernel knows it (unix(7),
/// SO_PEERCRED); empty for every other address.
[[nodiscard]] std::string peer_of(int fd, std::string_view remote_address);

}  // namespace holdfast::net
