#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <holdfast/base/write_result.hpp>

namespace holdfast::delivery {

/// Why the gateway closes a connection. Its transport has the words for it that clients know.
enum class CloseReason : std::uint8_t {
  requested,  ///< by the back end, through the management API
  closed_by_operator,
  shutting_down,
  too_old,
  try_again,         ///< a failed lookup left open if the user is still admitted
  policy_violation,  ///< the client breaks the rules of its protocol
  access_ended,
  too_many_connections,  ///< of one user
};

/// The end of a connection: who ended it, and with which code.
struct ConnectionEnd {
  enum class By : std::uint8_t {
    gateway,  ///< the gateway closed or ended it, for a reason of its own
    client,   ///< the client sent a Close, or broke the protocol and was answered with one
    network,  ///< it was reset, cut off, or silent for too long
  };
  static constexpr std::uint16_t kViolation =
      1008;                                       ///< its client broke the rules, whoever closed it
  static constexpr std::uint16_t kTooBig = 1009;  ///< a message was too long for the client
  static constexpr std::uint16_t kNoCode = 1005;  ///< the client's Close had no code
  static constexpr std::uint16_t kNoClose = 1006;  ///< there was no Close
  static constexpr std::uint16_t kSilent = 0;      ///< no sign of life for too long

  By by = By::network;
  /// The Close's code (RFC 6455 section 7.4), or one of the above.
  std::uint16_t code = kNoClose;
};

/// Events of a connection for its mailbox, in the order in which they happened. All on the
/// mailbox's shard. After `on_closed` nothing more comes.
class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  /// A client has the fence of these bytes, at most 125, or says so.
  virtual void on_fence(std::string_view bytes) = 0;
  /// A complete text message, valid UTF-8.
  virtual void on_text(std::string_view text) = 0;
  /// The connection is gone. Comes exactly once, and last.
  virtual void on_closed(const ConnectionEnd& end) = 0;
};

/// One open connection of a client, as its mailbox sees it. Commands are ordered; none blocks, none
/// calls an event from inside itself. What is written gathers in memory until `flush`. All on the
/// mailbox's shard. It keeps itself alive until `on_closed`, which always comes once `start` was
/// called, after `abort` too; one that is let go of before `start` is ended.
class Connection {
 public:
  virtual ~Connection() = default;

  /// Begins reading; events go to `events`, which outlives `on_closed`.
  virtual void start(ConnectionEvents& events) = 0;
  /// One text frame, never fragmented. Its end counts what the transport writes by itself, too.
  /// After `backpressure` the caller ends the connection: what comes next would be out of order.
  virtual WriteResult write_text(std::string_view frame) = 0;
  /// The transport can write fences. Else nothing but the client's own word acknowledges, and the
  /// connection is never ended for a fence that does not come back.
  [[nodiscard]] virtual bool can_fence() const noexcept = 0;
  /// A fence of at most 125 printable bytes (WebSocket: a Ping): they come back by `on_fence` when
  /// the client's machine has everything written before.
  virtual void write_fence(std::string_view bytes) = 0;
  /// Hands everything written to the kernel, in one call where it fits.
  virtual void flush() = 0;
  /// Bytes handed to the kernel so far. Never falls.
  [[nodiscard]] virtual std::uint64_t bytes_sent() const = 0;
  /// Bytes that the peer's kernel has taken so far, as they go over the wire (what the kernel was
  /// given less SIOCOUTQ). Never falls: it is the progress of a slow link. Asked only by sweeps.
  [[nodiscard]] virtual std::uint64_t bytes_taken() const = 0;
  /// Bytes written, as `write_text` counts them, that the peer's kernel has taken for certain. May
  /// be asked after the end, and tells then how far it was.
  [[nodiscard]] virtual std::uint64_t bytes_arrived() const = 0;
  /// Says the reason and `text`, which is for people, after what was written, and waits shortly for
  /// the peer's answer. Events still come.
  virtual void close(CloseReason reason, std::string_view text) = 0;
  /// Ends it at once, without a Close.
  virtual void abort() = 0;
};

}  // namespace holdfast::delivery
