#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/net/response_writer.hpp>

#include "listener_shard.hpp"
#include "outbound.hpp"
#include "poller.hpp"
#include "socket_io.hpp"
#include "tls_stream.hpp"

namespace holdfast::net {

/// A socket on its way to a streamed answer, maybe on another shard.
struct OpeningStream {
  /// The way in which a client learns where the body ends.
  enum class Body : std::uint8_t {
    none,         ///< of `HEAD`, 204 and 304
    chunked,      ///< RFC 9112 section 7.1
    until_close,  ///< of HTTP/1.0
  };

  UniqueFd fd;
  std::shared_ptr<TlsStream> tls;  ///< null on a plain socket
  bool early = false;              ///< bytes came behind the request
  OpenSocketGuard slot;
  RequestTrace request;
  std::string head;
  Body body = Body::chunked;
  StreamAccepted accepted;
};

/// Writes the head on the accepted shard, in a later turn, and hands the writer to `on_open`.
void open_stream_later(ListenerState& listener, OpeningStream opening);

/// Writes one streamed answer on its shard. Written bytes gather until one `send` takes them all.
/// When idle it holds its socket, and no buffer.
class ResponseStream final : public ResponseWriter,
                             public SocketOwner,
                             public std::enable_shared_from_this<ResponseStream>,
                             private PolledSocket::Events {
 public:
  ResponseStream(ListenerShard& shard, OpeningStream& opening);
  ~ResponseStream() override;

  /// Writes the head, and watches for the client's end from now on.
  void start(const OpeningStream& opening);

  void on_closed(std::move_only_function<void()> told) override;
  WriteResult write(std::string_view bytes) override;
  void flush() override;
  void end() override;
  void abort() override;
  [[nodiscard]] std::uint64_t bytes_sent() const override { return out_.bytes_sent(); }
  [[nodiscard]] std::uint64_t bytes_taken() const override;
  [[nodiscard]] std::uint64_t bytes_arrived() const override;

  void on_deadline() override;
  void on_drain() override;

 private:
  enum class Last : std::uint8_t { orderly, abrupt };

  void on_receive_ready() override;
  void on_send_ready() override;
  void on_wait_failed() override { abort(); }
  void wait_readable();
  void receive();
  void watch();
  void end_for_client();
  void finish(Last last);
  void end_socket(Last last);
  void log_end();
  void tell_later();

  ListenerShard& shard_;
  const std::shared_ptr<ListenerState> listener_;  ///< a handle may outlive the listener
  std::optional<OpenSocketGuard> slot_;            ///< until it has ended
  PolledSocket socket_;
  std::shared_ptr<TlsStream> tls_;  ///< null on a plain socket
  mutable Outbound out_;
  RequestTrace request_;
  LogFields log_fields_;
  const int status_;
  const OpeningStream::Body body_;
  const bool ends_on_drain_;
  std::uint64_t taken_at_watch_ = 0;  ///< by the client's kernel, when its deadline was set
  std::move_only_function<void()> told_;
  std::shared_ptr<ResponseStream> self_;  ///< from `on_closed` to its call
  bool sealed_ = false;                   ///< nothing more is written
  bool waiting_writable_ = false;
  bool watched_ = false;     ///< its deadline runs
  bool over_limit_ = false;  ///< bytes were refused
  bool ended_ = false;
};

}  // namespace holdfast::net
