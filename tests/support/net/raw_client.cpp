// A client over a bare socket, which can break every rule.

#include "support/net/raw_client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace holdfast::test {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

Deadline in(Milliseconds timeout) { return std::chrono::steady_clock::now() + timeout; }

int connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

int connect_tcp(const std::string& address, const std::string& from) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) return -1;
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (!from.empty()) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    inet_pton(AF_INET, from.c_str(), &own.sin_addr);
    bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof(own));
  }
  if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
    ::close(fd);
    fd = -1;
  }
  freeaddrinfo(found);
  const int on = 1;
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, {}, [](unsigned char c) { return std::tolower(c); },
      [](unsigned char c) { return std::tolower(c); });
}

RawResponse parse_head(std::string_view head) {
  RawResponse response;
  const std::size_t line_end = head.find("\r\n");
  const std::string_view status_line = head.substr(0, line_end);
  if (status_line.size() >= 12) {
    response.status = std::atoi(std::string(status_line.substr(9, 3)).c_str());
    response.reason = status_line.size() > 13 ? status_line.substr(13) : std::string_view();
  }
  head.remove_prefix(line_end + 2);
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    if (line.empty()) break;
    const std::size_t colon = line.find(": ");
    response.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    head.remove_prefix(end + 2);
  }
  return response;
}

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>((value >> shift) & 0xff);
  }
}

}  // namespace

std::string RawResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (same_name(key, name)) return value;
  }
  return {};
}

int RawFrame::close_code() const noexcept {
  if (opcode() != kClose || payload.size() < 2) return 0;
  return static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
}

std::string make_frame(std::string_view payload, const FrameOptions& options) {
  constexpr std::array<char, 4> kMask{0x11, 0x22, 0x33, 0x44};
  std::string frame;
  frame +=
      static_cast<char>((options.fin ? 0x80 : 0) | options.reserved_bits << 4 | options.opcode);
  const int mask_bit = options.masked ? 0x80 : 0;
  if (options.claimed_length) {
    frame += static_cast<char>(mask_bit | 127);
    append_big_endian(frame, *options.claimed_length, 8);
  } else if (payload.size() < 126) {
    frame += static_cast<char>(mask_bit | static_cast<int>(payload.size()));
  } else if (payload.size() < 65536) {
    frame += static_cast<char>(mask_bit | 126);
    append_big_endian(frame, payload.size(), 2);
  } else {
    frame += static_cast<char>(mask_bit | 127);
    append_big_endian(frame, payload.size(), 8);
  }
  if (!options.masked) return frame.append(payload);
  frame.append(kMask.data(), kMask.size());
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame += static_cast<char>(payload[i] ^ kMask[i % kMask.size()]);
  }
  return frame;
}

std::string make_close_frame(int code, std::string_view reason) {
  std::string payload;
  append_big_endian(payload, static_cast<std::uint64_t>(code), 2);
  payload += reason;
  return make_frame(payload, {.opcode = kClose});
}

RawClient::RawClient(const std::string& address, const std::string& from)
    : fd_(address.starts_with("unix:") ? connect_unix(address.substr(5))
                                       : connect_tcp(address, from)) {
  if (fd_ < 0) throw std::runtime_error("cannot connect to " + address);
}

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      ended_(other.ended_),
      reset_(other.reset_),
      pending_(std::move(other.pending_)) {}

RawClient::~RawClient() { close(); }

bool RawClient::send(std::string_view bytes) {
  const Deadline deadline = in(kPatience);
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno != EAGAIN || std::chrono::steady_clock::now() > deadline) return false;
    pollfd waiting{fd_, POLLOUT, 0};
    poll(&waiting, 1, 100);
  }
  return true;
}

bool RawClient::fill(Deadline deadline) {
  while (!ended_) {
    const auto left =
        std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(std::max<long>(left, 0))) <= 0) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      continue;
    }
    std::array<char, 65536> bytes;
    const ssize_t count = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count > 0) {
      pending_.append(bytes.data(), static_cast<std::size_t>(count));
      return true;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    ended_ = true;
    reset_ = count < 0;
  }
  return false;
}

std::string RawClient::receive_some(Milliseconds timeout) {
  if (pending_.empty()) fill(in(timeout));
  return std::exchange(pending_, {});
}

std::optional<RawResponse> RawClient::read_response(Milliseconds timeout, bool head) {
  const Deadline deadline = in(timeout);
  std::size_t end = 0;
  while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill(deadline)) return std::nullopt;
  }
  RawResponse response = parse_head(std::string_view(pending_).substr(0, end + 4));
  const bool bodiless = head || response.status < 200 || response.status == 204;
  const std::string length = response.header("content-length");
  const std::size_t body = bodiless || length.empty() ? 0 : std::stoul(length);
  while (pending_.size() < end + 4 + body) {
    if (!fill(deadline)) return std::nullopt;
  }
  response.body = pending_.substr(end + 4, body);
  pending_.erase(0, end + 4 + body);
  return response;
}

std::optional<RawResponse> RawClient::upgrade(std::string_view target, std::string_view headers) {
  std::string request = "GET " + std::string(target) +
                        " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  request += headers;
  if (!send(request + "\r\n")) return std::nullopt;
  return read_response();
}

std::optional<RawFrame> RawClient::read_frame(Milliseconds timeout) {
  const Deadline deadline = in(timeout);
  const auto need = [&](std::size_t bytes) {
    while (pending_.size() < bytes) {
      if (!fill(deadline)) return false;
    }
    return true;
  };
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(pending_[i]); };
  if (!need(2)) return std::nullopt;
  std::size_t length = at(1) & 0x7f;
  std::size_t header = 2;
  if (const int extra = length == 126 ? 2 : length == 127 ? 8 : 0; extra > 0) {
    header += static_cast<std::size_t>(extra);
    if (!need(header)) return std::nullopt;
    length = 0;
    for (std::size_t i = 2; i < header; ++i) length = length << 8 | at(i);
  }
  if (!need(header + length)) return std::nullopt;
  RawFrame frame{.first_byte = at(0), .payload = pending_.substr(header, length)};
  pending_.erase(0, header + length);
  return frame;
}

bool RawClient::ends(Milliseconds timeout) {
  const Deadline deadline = in(timeout);
  while (fill(deadline)) {
  }
  return ended_;
}

void RawClient::shutdown_send() { ::shutdown(fd_, SHUT_WR); }

void RawClient::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close();
}

void RawClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::set_receive_buffer(int bytes) {
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

}  // namespace holdfast::test
