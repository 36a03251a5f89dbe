#include "net/websocket_connection.hpp"

#include <algorithm>
#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>

#include "net/linger.hpp"
#include "net/socket_io.hpp"

namespace holdfast::net {
namespace {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

// Pings and unasked Pongs that a peer may send in a window. Clients ping every few seconds.
constexpr std::uint32_t kFloodFrames = 100;
constexpr Seconds kFloodWindow{10};
// A read brings 1 536 bytes: this many without a byte of payload are nothing but empty frames.
constexpr std::uint16_t kIdleReadsMax = 64;
constexpr std::size_t kControlBytesMax = 125;
constexpr std::size_t kMessagePartBytes = 4096;
// What has been sent is cut off the buffer when it is this much.
constexpr std::size_t kCompactBytes = 64 << 10;
constexpr std::uint16_t kCloseCodeMax = 4999;

}  // namespace

WebSocketConnection::WebSocketConnection(Part& part, Socket socket, std::shared_ptr<TlsSession> tls,
                                         std::string early, std::size_t message_bytes_max,
                                         SocketSlot slot)
    : part_(part),
      listener_(part.listener().shared_from_this()),
      slot_(std::move(slot)),
      stream_(std::in_place, static_cast<GatherStream::Owner&>(*this), std::move(socket),
              std::move(tls), std::move(early)) {
  ++listener_->open_websockets;
  stream_->read_message_max(message_bytes_max);
  stream_->auto_fragment(false);
  stream_->text(true);
  stream_->control_callback([this](websocket::frame_type kind, beast::string_view payload) {
    on_control(kind, {payload.data(), payload.size()});
  });
  part_.rest(*this);
}

WebSocketConnection::~WebSocketConnection() {
  if (!ended_) --listener_->open_websockets;
}

void WebSocketConnection::accept(const std::string& key, const std::string& subprotocol) {
  namespace http = beast::http;
  // HTTP has checked the request; Beast gets what it makes its answer from.
  http::request<http::empty_body> request(http::verb::get, "/", 11);
  request.set(http::field::host, "-");
  request.set(http::field::connection, "upgrade");
  request.set(http::field::upgrade, "websocket");
  request.set(http::field::sec_websocket_version, "13");
  request.set(http::field::sec_websocket_key, key);
  stream_->set_option(
      websocket::stream_base::decorator([this, &subprotocol](websocket::response_type& response) {
        response.set(http::field::date, part_.date());
        if (!subprotocol.empty()) response.set(http::field::sec_websocket_protocol, subprotocol);
      }));
  ErrorCode ec;
  stream_->accept(request, ec);
  stream_->set_option(websocket::stream_base::decorator([](websocket::response_type&) {}));
  if (ec) return abort();
  flush();
}

void WebSocketConnection::start(delivery::ConnectionEvents& events) {
  events_ = &events;
  self_ = shared_from_this();
  if (ended_) return leave_later();
  read();
}

std::uint64_t WebSocketConnection::write_text(std::string_view frame) {
  ErrorCode ec;
  if (!sealed_ && !ended_) stream_->write_some(true, asio::buffer(frame), ec);
  return bytes_written_;
}

void WebSocketConnection::write_ping(std::string_view bytes) {
  if (sealed_ || ended_) return;
  ErrorCode ec;
  bytes = bytes.substr(0, kControlBytesMax);
  stream_->ping({bytes.data(), bytes.size()}, ec);
  ++pings_outstanding_;
}

void WebSocketConnection::gather(std::string_view bytes) {
  if (sealed_ || ended_) return;
  if (out_.size() - out_sent_ + bytes.size() > part_.limits().outbound_bytes) {
    part_.report_outbound_limit();
    return abort();
  }
  if (out_.capacity() <= std::string().capacity()) out_ = part_.loop().take_buffer();
  out_.append(bytes);
  bytes_written_ += bytes.size();
}

void WebSocketConnection::flush() {
  if (waiting_writable_ || ended_ || out_sent_ == out_.size()) return;
  const IoOutcome outcome = stream_->next_layer().send(std::string_view(out_).substr(out_sent_));
  if (outcome.ended) return abort();
  out_sent_ += outcome.bytes;
  bytes_sent_ += outcome.bytes;
  part_.counted().websocket_bytes.add(outcome.bytes);
  if (out_sent_ == out_.size()) {
    part_.loop().give_buffer(std::move(out_));
    out_sent_ = 0;
    return;
  }
  if (out_sent_ > kCompactBytes) {
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  wait_writable();
}

void WebSocketConnection::wait_writable() {
  waiting_writable_ = true;
  stream_->next_layer().socket().async_wait(Socket::wait_write,
                                            [weak = weak_from_this()](ErrorCode ec) {
                                              const auto self = weak.lock();
                                              if (!self || ec) return;
                                              self->waiting_writable_ = false;
                                              self->flush();
                                            });
}

std::uint64_t WebSocketConnection::bytes_taken() const {
  if (!ended_) {
    const std::uint64_t queued = send_queue_bytes(descriptor());
    const std::uint64_t given = stream_->next_layer().bytes_given(bytes_sent_);
    // A queue may be counted with its overhead: progress is what never falls.
    if (queued < given) bytes_taken_ = std::max(bytes_taken_, given - queued);
  }
  return bytes_taken_;
}

// The Close goes past Beast, which would take no Pong for an answer any more once it has sent one.
void WebSocketConnection::write_close(delivery::CloseCode code, std::string_view reason) {
  reason = reason.substr(0, kControlBytesMax - 2);
  const auto number = static_cast<std::uint16_t>(code);
  std::string frame;
  frame += static_cast<char>(0x88);
  frame += static_cast<char>(reason.size() + 2);
  frame += static_cast<char>(number >> 8);
  frame += static_cast<char>(number & 0xff);
  frame += reason;
  gather(frame);
  sealed_ = true;
}

void WebSocketConnection::close(delivery::CloseCode code, std::string_view reason) {
  if (closing_ || ended_) return;
  closing_ = true;
  write_close(code, reason);
  flush();
  if (ended_) return;
  // Nobody reads before start, so the peer's Close would not be seen.
  if (events_ == nullptr) return finish(true);
  part_.watch(*this, part_.now() + part_.limits().close_timeout);
}

void WebSocketConnection::abort() {
  if (ended_) return;
  finish(false);
}

void WebSocketConnection::on_deadline() {
  if (closing_) return abort();
  fail(delivery::CloseCode::policy_violation);
}

void WebSocketConnection::read() {
  asio::mutable_buffer into = asio::buffer(chunk_);
  if (in_message_) {
    const std::size_t size = message_.size();
    message_.resize(size + kMessagePartBytes);
    into = asio::buffer(message_.data() + size, kMessagePartBytes);
  }
  stream_->async_read_some(into, [weak = weak_from_this()](ErrorCode ec, std::size_t bytes) {
    const auto self = weak.lock();
    if (self && !self->ended_) self->on_read(ec, bytes);
  });
}

void WebSocketConnection::on_read(ErrorCode ec, std::size_t bytes) {
  if (!ec) {
    on_message_part(bytes);
    if (!ended_) read();
    return;
  }
  if (idle_reads_ > kIdleReadsMax) return fail(delivery::CloseCode::policy_violation);
  // Beast has answered a Close with its own, and a broken frame with the Close that it deserves.
  const bool told = ec.category() == make_error_code(websocket::error::closed).category();
  if (told) flush();
  if (!ended_) finish(told);
}

void WebSocketConnection::on_message_part(std::size_t bytes) {
  if (bytes > 0) idle_reads_ = 0;
  if (!stream_->got_text()) return fail(delivery::CloseCode::unsupported_data);
  const bool done = stream_->is_message_done();
  if (!in_message_) {
    const std::string_view part(chunk_.data(), bytes);
    if (done) {
      if (!closing_ || events_ != nullptr) events_->on_text(part);
      return;
    }
    message_.assign(part);
    in_message_ = true;
    if (!closing_) part_.watch(*this, part_.now() + part_.limits().body_timeout);
    return;
  }
  message_.resize(message_.size() - kMessagePartBytes + bytes);
  if (!done) return;
  in_message_ = false;
  const std::string text = std::exchange(message_, std::string());
  if (!closing_) part_.rest(*this);
  events_->on_text(text);
}

void WebSocketConnection::on_control(websocket::frame_type kind, std::string_view payload) {
  idle_reads_ = 0;
  if (ended_) return;
  switch (kind) {
    case websocket::frame_type::pong:
      if (pings_outstanding_ > 0) {
        --pings_outstanding_;
      } else if (is_flood()) {
        return fail(delivery::CloseCode::policy_violation);
      }
      events_->on_pong(payload);
      return;
    case websocket::frame_type::ping:
      if (is_flood()) fail(delivery::CloseCode::policy_violation);
      return;
    case websocket::frame_type::close:
      on_close_frame();
      return;
  }
}

// Beast echoes the code; RFC 6455 section 7.4.2 knows none above 4999.
void WebSocketConnection::on_close_frame() {
  if (stream_->reason().code > kCloseCodeMax) write_close(delivery::CloseCode::protocol_error, {});
}

bool WebSocketConnection::is_flood() {
  const SteadyTime now = part_.now();
  if (now - flood_window_start_ > kFloodWindow) {
    flood_window_start_ = now;
    flood_frames_ = 0;
  }
  return ++flood_frames_ > kFloodFrames;
}

void WebSocketConnection::on_own_frame() { flush(); }

bool WebSocketConnection::may_read() {
  if (ended_) return false;
  return ++idle_reads_ <= kIdleReadsMax;
}

void WebSocketConnection::fail(delivery::CloseCode code) {
  if (ended_) return;
  write_close(code, {});
  flush();
  if (!ended_) finish(true);
}

void WebSocketConnection::finish(bool linger) {
  ended_ = true;
  --listener_->open_websockets;
  Socket& socket = stream_->next_layer().socket();
  auto tls = stream_->next_layer().release_tls();
  if (linger) {
    out_.erase(0, out_sent_);
    ErrorCode ignored;
    socket.cancel(ignored);
    Linger::start(part_, std::move(socket), std::move(tls), std::move(out_), std::move(*slot_));
  } else {
    if (tls) tls->say_goodbye();
    ErrorCode ignored;
    socket.close(ignored);
  }
  slot_.reset();
  out_ = std::string();
  out_sent_ = 0;
  message_ = std::string();
  if (is_linked()) unlink();
  leave_later();
}

// In a turn of its own: what led here may be a command of the one who is told, or Beast's own code.
// The stream goes first: a handle that somebody keeps must not reach the shard any more.
void WebSocketConnection::leave_later() {
  part_.loop().post([self = shared_from_this()] {
    self->stream_.reset();
    self->self_ = nullptr;
    if (self->events_ == nullptr || std::exchange(self->told_, true)) return;
    self->events_->on_closed();
  });
}

int WebSocketConnection::descriptor() const noexcept {
  return stream_->next_layer().socket().native_handle();
}

void open_websocket_later(ListenerCore& listener, OpeningWebSocket opening) {
  Part& part = *listener.parts[opening.accepted.shard % listener.parts.size()];
  part.loop().post([&part, opening = std::move(opening)]() mutable {
    Socket socket(part.loop().context().get_executor());
    ErrorCode ec;
    socket.assign(asio::generic::stream_protocol(AF_INET, 0), opening.fd.get(), ec);
    if (ec) return;
    (void)opening.fd.release();
    const auto connection = std::make_shared<WebSocketConnection>(
        part, std::move(socket), std::move(opening.tls), std::move(opening.early),
        opening.accepted.message_bytes_max, std::move(opening.slot));
    connection->accept(opening.key, opening.accepted.subprotocol);
    opening.accepted.on_open(connection);
  });
}

}  // namespace holdfast::net
