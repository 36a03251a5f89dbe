#pragma once

#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace holdfast::test {

/// The service manager's end of NOTIFY_SOCKET.
class NotifySocket {
 public:
  /// `@` at the start of the name stands for the NUL before a name that no file has.
  explicit NotifySocket(const std::string& name)
      : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
      throw std::runtime_error("cannot bind " + name);
    }
  }
  ~NotifySocket() { close(socket_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  /// The next message; nullopt when none comes in time.
  [[nodiscard]] std::optional<std::string> next(
      std::chrono::milliseconds timeout = std::chrono::milliseconds(10'000)) const {
    pollfd wait_for{.fd = socket_, .events = POLLIN, .revents = 0};
    if (poll(&wait_for, 1, static_cast<int>(timeout.count())) != 1) return std::nullopt;
    std::string out(4'096, '\0');
    const ssize_t got = recv(socket_, out.data(), out.size(), 0);
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return out;
  }
  /// Reads on until one begins so.
  [[nodiscard]] std::optional<std::string> wait_for(const std::string& start) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      const auto message = next(std::chrono::milliseconds(1'000));
      if (message && message->starts_with(start)) return message;
    }
    return std::nullopt;
  }

 private:
  int socket_;
};

}  // namespace holdfast::test
