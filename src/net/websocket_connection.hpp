#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/websocket/stream.hpp>

#include <holdfast/delivery/connection.hpp>

#include "net/gather_stream.hpp"
#include "net/part.hpp"
#include "net/websocket_open.hpp"

namespace holdfast::net {

/// The server's end of one WebSocket, on its shard. Idle, it holds Beast's stream with one pending
/// read, and no buffer, timer or coroutine.
class WebSocketConnection final : public delivery::Connection,
                                  public Member,
                                  public std::enable_shared_from_this<WebSocketConnection>,
                                  private GatherStream::Owner {
 public:
  WebSocketConnection(Part& part, Socket socket, std::shared_ptr<TlsSession> tls, std::string early,
                      std::size_t message_bytes_max, SocketSlot slot);
  ~WebSocketConnection() override;

  /// Writes the 101.
  void accept(const std::string& key, const std::string& subprotocol);

  void start(delivery::ConnectionEvents& events) override;
  std::uint64_t write_text(std::string_view frame) override;
  void write_ping(std::string_view bytes) override;
  void flush() override;
  [[nodiscard]] std::uint64_t bytes_sent() const override { return bytes_sent_; }
  [[nodiscard]] std::uint64_t bytes_taken() const override;
  void close(delivery::CloseCode code, std::string_view reason) override;
  void abort() override;

  void on_deadline() override;
  void on_drain() override {}
  void end() override { abort(); }

 private:
  using Stream = boost::beast::websocket::stream<GatherStream, false>;

  void gather(std::string_view bytes) override;
  void on_own_frame() override;
  bool may_read() override;

  void read();
  void on_read(ErrorCode ec, std::size_t bytes);
  void on_message_part(std::size_t bytes);
  void on_control(boost::beast::websocket::frame_type kind, std::string_view payload);
  void on_close_frame();
  /// Whether the peer has sent more than its share of control frames that nobody asked for.
  bool is_flood();
  void write_close(delivery::CloseCode code, std::string_view reason);
  void fail(delivery::CloseCode code);
  void finish(bool linger);
  void leave_later();
  void wait_writable();
  [[nodiscard]] int descriptor() const noexcept;

  Part& part_;
  const std::shared_ptr<ListenerCore> listener_;  ///< a handle may outlive the listener
  std::optional<SocketSlot> slot_;                ///< until it has ended
  mutable std::optional<Stream> stream_;          ///< empty once it has ended
  delivery::ConnectionEvents* events_ = nullptr;
  std::shared_ptr<WebSocketConnection> self_;  ///< from start to on_closed

  std::string out_;
  std::size_t out_sent_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t bytes_sent_ = 0;
  mutable std::uint64_t bytes_taken_ = 0;

  std::string message_;  ///< the parts so far of a message that did not fit `chunk_`
  std::array<char, 128> chunk_;
  SteadyTime flood_window_start_{};
  std::uint32_t flood_frames_ = 0;
  std::uint32_t pings_outstanding_ = 0;
  std::uint16_t idle_reads_ = 0;  ///< reads since the last payload or control frame
  bool sealed_ = false;           ///< a Close is the last frame that is sent
  bool closing_ = false;
  bool ended_ = false;
  bool told_ = false;  ///< of the end
  bool waiting_writable_ = false;
  bool in_message_ = false;
};

}  // namespace holdfast::net
