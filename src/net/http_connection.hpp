#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <holdfast/net/live_connection.hpp>

#include "chunked_reader.hpp"
#include "http_head.hpp"
#include "listener_shard.hpp"
#include "poller.hpp"
#include "socket_io.hpp"

namespace holdfast::net {

class TlsStream;

/// Serves one HTTP/1.1 connection on its shard, request after request. It ends by closing or by
/// becoming a live connection. Holds no buffer between requests.
class HttpConnection final : public SocketOwner,
                             public std::enable_shared_from_this<HttpConnection>,
                             private PendingRequest,
                             private PolledSocket::Events {
 public:
  /// `trusted`: the peer is a proxy that may name its clients.
  HttpConnection(ListenerShard& shard, UniqueFd fd, std::string remote_address, bool trusted,
                 OpenSocketGuard slot);
  ~HttpConnection() override;

  /// Begins to read.
  void start();
  /// Answers 503 to the first request, and ends. `why` is for the log.
  void refuse(const char* why);

  void on_deadline() override;
  void on_drain() override;
  void abort() override { end(); }
  [[nodiscard]] std::string_view holder() const override { return slot_.holder(); }

 private:
  enum class Phase { reading, handling, writing, ended };
  struct Exchange;
  class ResponseTicket;
  class LiveTicket;

  IoOutcome receive(std::span<char> into);
  IoOutcome send(std::string_view first, std::string_view second = {});
  void wait_readable();
  void on_readable();
  void on_receive_ready() override;
  void on_send_ready() override;
  void on_wait_failed() override { end(); }
  void start_tls();
  void read_proxy_header();
  void take_proxy_header(std::size_t size, std::string address);
  void refuse_proxy_header(const char* why);
  void advance();
  bool step();
  bool read_head();
  bool screen();
  bool begin_body();
  bool read_body();
  bool read_chunks();
  void dispatch();
  [[nodiscard]] bool opens(RequestHead& head) const;
  void begin_upgrade();
  void refuse_plain_http();
  void save_unread();

  void end();
  [[nodiscard]] bool is_parked() const;
  void park(Told told) override;
  void tell_parked(ParkEnd end);
  void watch_for_answer();
  void give_up_or_wait();
  void answer(Answer&& answer);
  void respond(Response response);
  /// Answers an error. `why` is for the log; without it, `message` is.
  void respond_error(int status, const char* message, const char* why = nullptr);
  [[nodiscard]] bool count_client(const RequestHead& head);
  void respond_upgrade_required(const char* message, const char* why);
  void write(Response response);
  void send_continue();
  void wait_writable();
  void after_write();
  [[nodiscard]] RequestTrace take_trace();
  [[nodiscard]] Seconds transport_security() const;
  void accept_stream(StreamAccepted accepted);
  void accept_live(LiveAccepted accepted);
  void abandon();
  [[nodiscard]] bool hold(std::size_t bytes, Bound bound);
  [[nodiscard]] bool hold_head();
  bool hold_body();
  void log_exchange(const Response& response, std::size_t bytes);

  ListenerShard& shard_;
  OpenSocketGuard slot_;
  PolledSocket socket_;
  std::shared_ptr<TlsStream> tls_;  ///< null on a plain socket
  std::string remote_address_;
  const bool trusted_;                  ///< the peer is a trusted proxy
  bool proxy_header_due_;               ///< nothing else is read before it
  bool secure_by_proxy_ = false;        ///< the proxy says that its client came over TLS
  bool proxy_is_client_ = false;        ///< the proxy says that it speaks for itself
  std::unique_ptr<Exchange> exchange_;  ///< the request that is being read or answered
  std::string_view unread_;             ///< received and not taken: in `kept_` or the scratch
  std::string kept_;
  std::string out_;
  std::size_t sent_ = 0;
  Phase phase_ = Phase::reading;
  bool advancing_ = false;
  bool close_after_write_ = false;
  bool served_ = false;           ///< at least one request
  std::uint8_t blank_lines_ = 0;  ///< since the last request
  std::shared_ptr<HttpConnection> self_;
};

}  // namespace holdfast::net
