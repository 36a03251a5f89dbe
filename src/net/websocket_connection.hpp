#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <holdfast/delivery/connection.hpp>

#include "close_code.hpp"
#include "frame_reader.hpp"
#include "listener_shard.hpp"
#include "outbound.hpp"
#include "poller.hpp"
#include "socket_io.hpp"
#include "tls_stream.hpp"

namespace holdfast::net {

/// Receives binary messages, which no mailbox takes.
class BinaryEvents {
 public:
  virtual ~BinaryEvents() = default;
  virtual void on_binary(std::string_view bytes) = 0;
};

/// The server's end of one WebSocket, on its shard. Written frames gather until one `send` takes
/// them all. When idle it holds its socket, and no buffer, timer or coroutine.
class WebSocketConnection final : public delivery::Connection,
                                  public SocketOwner,
                                  public std::enable_shared_from_this<WebSocketConnection>,
                                  private PolledSocket::Events {
 public:
  WebSocketConnection(ListenerShard& shard, UniqueFd fd, std::shared_ptr<TlsStream> tls,
                      std::string early, std::size_t message_bytes_max, OpenSocketGuard slot);
  ~WebSocketConnection() override;

  /// Writes `response`, the 101. Returns false if the client has gone.
  [[nodiscard]] bool accept(std::string_view response);

  /// Passes binary messages to `events`. Without this they end the connection with 1003. Call it
  /// before `start`.
  void take_binary(BinaryEvents& events) {
    binary_ = &events;
    reader_.allow_binary();
  }
  void write_binary(std::string_view bytes) { write_frame(kBinaryFrame, bytes); }

  void start(delivery::ConnectionEvents& events) override;
  WriteResult write_text(std::string_view frame) override;
  [[nodiscard]] bool can_fence() const noexcept override { return true; }
  void write_fence(std::string_view bytes) override;
  void flush() override;
  [[nodiscard]] std::uint64_t bytes_sent() const override { return out_.bytes_sent(); }
  [[nodiscard]] std::uint64_t bytes_taken() const override;
  [[nodiscard]] std::uint64_t bytes_arrived() const override;
  void close(delivery::CloseReason reason, std::string_view text) override;
  void abort() override;

  void on_deadline() override;
  void on_drain() override {}

 private:
  // The first byte of an unfragmented frame (RFC 6455 section 5.2).
  static constexpr std::uint8_t kTextFrame = 0x81;
  static constexpr std::uint8_t kBinaryFrame = 0x82;
  static constexpr std::uint8_t kCloseFrame = 0x88;
  static constexpr std::uint8_t kPingFrame = 0x89;
  static constexpr std::uint8_t kPongFrame = 0x8a;

  void gather(std::string_view head, std::string_view rest);
  void write_frame(std::uint8_t first, std::string_view payload);
  void wait_readable();
  void on_readable();
  void on_receive_ready() override { on_readable(); }
  void on_send_ready() override;
  void on_wait_failed() override { abort(); }
  /// Reads once and handles the bytes. Returns false when no more are there, or the connection has
  /// ended.
  bool receive();
  /// Ends a connection whose peer takes nothing more, after its last bytes were read.
  void cannot_send();
  void take(std::span<char> bytes);
  void on_event(FrameReader::Event event);
  /// Returns whether the peer has sent too many control frames.
  bool is_flood();
  void write_close(CloseCode code, std::string_view text);
  void fail(CloseCode code);
  enum class Close : std::uint8_t { at_once, lingering };
  void finish(Close close, delivery::ConnectionEnd end);
  void report_outbound_limit();
  void leave_later();
  void wait_writable();
  [[nodiscard]] int descriptor() const noexcept;

  ListenerShard& shard_;
  const std::shared_ptr<ListenerState> listener_;  ///< a handle may outlive the listener
  std::optional<OpenSocketGuard> slot_;            ///< until it has ended
  PolledSocket socket_;
  std::shared_ptr<TlsStream> tls_;  ///< null on a plain socket
  std::string early_;               ///< came with the request, before the socket was handed over
  FrameReader reader_;
  delivery::ConnectionEvents* events_ = nullptr;
  BinaryEvents* binary_ = nullptr;
  std::shared_ptr<WebSocketConnection> self_;  ///< from start to on_closed

  mutable Outbound out_;
  SteadyTime flood_window_start_{};
  std::uint32_t flood_frames_ = 0;
  std::uint32_t pings_outstanding_ = 0;
  delivery::ConnectionEnd end_;
  bool sealed_ = false;  ///< a Close is the last frame that is sent
  bool closing_ = false;
  bool ended_ = false;
  bool told_ = false;  ///< the end was reported
  bool waiting_writable_ = false;
  bool over_limit_ = false;  ///< too much waited for the peer
  bool begun_ = false;       ///< a frame or message has begun, and its deadline runs
};

}  // namespace holdfast::net
