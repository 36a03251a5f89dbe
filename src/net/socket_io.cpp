// System calls on sockets.

#include "socket_io.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <system_error>

#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "addresses.hpp"
#include "unix_address.hpp"

namespace holdfast::net {
namespace {

constexpr int kBacklog = 4096;

IoOutcome outcome_of(ssize_t count) noexcept {
  if (count > 0) return {.bytes = static_cast<std::size_t>(count)};
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    return {.blocked = true};
  }
  return {.ended = true};
}

std::string errno_text(int error) { return std::system_category().message(error); }

std::unexpected<Error> io_failure(const std::string& what, const std::string& address) {
  return fail(Errc::io, "cannot " + what + " " + address + ": " + errno_text(errno), address);
}

enum class ShowPort : std::uint8_t { no, yes };

std::string format_address(const sockaddr_storage& storage, ShowPort show) {
  IpBytes bytes{};
  in_port_t port = 0;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &v4.sin_addr, 4);
    port = v4.sin_port;
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    port = v6.sin6_port;
  } else {
    return "unix";
  }
  std::string text = format_ip(bytes);
  if (show == ShowPort::no) return text;
  const std::string host = text.contains(':') ? "[" + text + "]" : text;
  return host + ":" + std::to_string(ntohs(port));
}

Result<void> remove_stale_socket(const std::string& path, const UnixAddress& address) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return fail(Errc::io, path + " exists and is not a socket", path);
  }
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(probe.get(), address.raw(), address.size()) == 0 || errno != ECONNREFUSED) {
    return fail(Errc::io, "another process listens on " + path, path);
  }
  unlink(path.c_str());
  return {};
}

Result<ListeningSocket> bind_unix(const std::string& path, std::uint32_t mode) {
  const auto address = UnixAddress::of(path);
  if (!address) return std::unexpected(address.error());
  if (auto removed = remove_stale_socket(path, *address); !removed) {
    return std::unexpected(removed.error());
  }
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return io_failure("open", path);
  if (bind(fd.get(), address->raw(), address->size()) != 0) return io_failure("bind", path);
  // Clients cannot connect before listen(), so none gets in under the mode that bind() gave the
  // file.
  if (chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) return io_failure("protect", path);
  return ListeningSocket{.fd = std::move(fd), .address = "unix:" + path, .unix_path = path};
}

struct HostPort {
  std::string host;
  std::string port;
};

Result<HostPort> split_host_port(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) {
    return fail(Errc::invalid_argument, "an address is host:port or unix:/path: " + address,
                address);
  }
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return HostPort{.host = std::move(host), .port = address.substr(colon + 1)};
}

Result<ListeningSocket> bind_tcp(const addrinfo& info, const std::string& address) {
  UniqueFd fd(socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return io_failure("open", address);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), info.ai_addr, info.ai_addrlen) != 0) return io_failure("bind", address);
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  return ListeningSocket{
      .fd = std::move(fd), .address = format_address(bound, ShowPort::yes), .unix_path = {}};
}

}  // namespace

IoOutcome receive_some(int fd, std::span<char> into) noexcept {
  return outcome_of(recv(fd, into.data(), into.size(), MSG_DONTWAIT));
}

IoOutcome send_some(int fd, std::string_view first, std::string_view second) noexcept {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (second.empty()) return outcome_of(send(fd, first.data(), first.size(), kFlags));
  std::array<iovec, 2> parts{{{const_cast<char*>(first.data()), first.size()},
                              {const_cast<char*>(second.data()), second.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return outcome_of(sendmsg(fd, &message, kFlags));
}

void reset_on_close(int fd) noexcept {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

std::size_t send_queue_bytes(int fd) noexcept {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

Result<ListeningSocket> bind_socket(const std::string& address, std::uint32_t unix_mode) {
  if (address.starts_with("unix:")) return bind_unix(address.substr(5), unix_mode);
  auto parts = split_host_port(address);
  if (!parts) return std::unexpected(parts.error());
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(parts->host.empty() ? nullptr : parts->host.c_str(),
                                parts->port.c_str(), &hints, &found);
  if (error != 0) {
    return fail(Errc::invalid_argument, "cannot resolve " + address + ": " + gai_strerror(error),
                address);
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> infos(found, &freeaddrinfo);
  return bind_tcp(*infos, address);
}

Result<void> listen_on(const ListeningSocket& bound) {
  if (listen(bound.fd.get(), kBacklog) != 0) return io_failure("listen on", bound.address);
  return {};
}

Accepted accept_one(int listening_fd) noexcept {
  sockaddr_storage remote{};
  socklen_t size = sizeof(remote);
  UniqueFd fd(accept4(listening_fd, reinterpret_cast<sockaddr*>(&remote), &size,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return {.fd = {}, .remote_address = {}, .error = errno};
  if (remote.ss_family != AF_UNIX) {
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return {.fd = std::move(fd), .remote_address = format_address(remote, ShowPort::no), .error = 0};
}

std::string peer_of(int fd, std::string_view remote_address) {
  if (remote_address != "unix") return {};
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  return "uid:" + std::to_string(peer.uid);
}

}  // namespace holdfast::net
