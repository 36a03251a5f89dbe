#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/net/client.hpp>

#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {

/// A client that stays connected: a thread of its own reads, and so answers pings, for as long as
/// this lives.
class Inbox {
 public:
  explicit Inbox(std::unique_ptr<net::WebSocketClient> socket);
  /// Connects with a new temporary token.
  Inbox(TestGateway& gateway, const TestUser& user, const std::string& subprotocol = "");
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  [[nodiscard]] std::vector<std::string> frames() const;
  /// The first `count` frames; fewer when the deadline passes or the connection ends first.
  [[nodiscard]] std::vector<std::string> wait_for(std::size_t count,
                                                  Milliseconds timeout = kPatience) const;
  /// The code of the Close with which the server ended the connection; 0 when the deadline passes
  /// first.
  [[nodiscard]] int wait_closed(Milliseconds timeout = kPatience) const;
  [[nodiscard]] bool write(const std::string& text);
  void close();

  static constexpr Milliseconds kPatience{15'000};

 private:
  void read_on();

  std::unique_ptr<net::WebSocketClient> socket_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> frames_;
  bool ended_ = false;
  bool closing_ = false;
  std::thread reader_;
};

/// The frame of a message for a client without a subprotocol.
[[nodiscard]] std::string payload_frame(const std::string& text);

}  // namespace holdfast::test
