#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>

namespace holdfast::test {

/// An HTTP response as it came.
struct RawResponse {
  int status = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// The first value of a header, without regard to case; empty when there is none.
  [[nodiscard]] std::string header(std::string_view name) const;
};

/// A WebSocket frame as it came.
struct RawFrame {
  std::uint8_t first_byte = 0;  ///< FIN, RSV and opcode
  std::string payload;

  [[nodiscard]] int opcode() const noexcept { return first_byte & 0x0f; }
  [[nodiscard]] bool fin() const noexcept { return (first_byte & 0x80) != 0; }
  /// Of a Close; 0 when it has none.
  [[nodiscard]] int close_code() const noexcept;
};

constexpr int kText = 1;
constexpr int kBinary = 2;
constexpr int kClose = 8;
constexpr int kPing = 9;
constexpr int kPong = 10;

/// Options of `make_frame`, which can break every rule of RFC 6455.
struct FrameOptions {
  bool fin = true;
  int opcode = kText;
  bool masked = true;
  int reserved_bits = 0;                          ///< RSV1 is 4, RSV2 is 2, RSV3 is 1
  std::optional<std::uint64_t> claimed_length{};  ///< instead of the payload's, in 64 bits
};
[[nodiscard]] std::string make_frame(std::string_view payload, const FrameOptions& options = {});
/// A masked Close with its code.
[[nodiscard]] std::string make_close_frame(int code, std::string_view reason = {});

/// A socket and the bytes on it, with nothing helpful between: what a hostile client is. Every wait
/// has a deadline; a connection that ended is told apart from one that is silent.
class RawClient {
 public:
  /// `host:port` or `unix:/path`; `from` is the IPv4 address that it comes from, where it is to be
  /// another than the system's choice. Throws when it cannot connect.
  explicit RawClient(const std::string& address, const std::string& from = {});
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  /// All of it; false when the peer has gone.
  bool send(std::string_view bytes);
  /// Returns the next bytes; empty at the deadline or when the connection has ended.
  std::string receive_some(Milliseconds timeout = kPatience);
  /// One response; nullopt when the connection ends or the deadline passes first.
  std::optional<RawResponse> read_response(Milliseconds timeout = kPatience, bool head = false);
  /// Upgrades with a fixed key; the response, 101 or not.
  std::optional<RawResponse> upgrade(std::string_view target, std::string_view headers = {});
  /// One frame; nullopt when the connection ends or the deadline passes first.
  std::optional<RawFrame> read_frame(Milliseconds timeout = kPatience);
  /// Returns whether the connection ends before the deadline, orderly or not. Keeps the last bytes.
  bool ends(Milliseconds timeout = kPatience);
  /// The connection ended with a reset, not with an orderly end.
  [[nodiscard]] bool was_reset() const noexcept { return reset_; }
  /// Received and not read yet.
  [[nodiscard]] const std::string& pending() const noexcept { return pending_; }

  void shutdown_send();
  /// Ends with a reset.
  void reset();
  void close();
  /// Keeps what the peer may send unread small.
  void set_receive_buffer(int bytes);
  [[nodiscard]] int descriptor() const noexcept { return fd_; }

  static constexpr Milliseconds kPatience{5000};

 private:
  bool fill(std::chrono::steady_clock::time_point deadline);

  int fd_ = -1;
  bool ended_ = false;
  bool reset_ = false;
  std::string pending_;
};

/// Waits until a condition holds; false when the deadline passes first.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition, Milliseconds timeout = RawClient::kPatience) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(Milliseconds(1));
  }
  return true;
}

}  // namespace holdfast::test
