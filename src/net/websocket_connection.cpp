// The server's end of a WebSocket.

#include "websocket_connection.hpp"

#include <algorithm>
#include <utility>

#include <holdfast/base/assert.hpp>

#include "lingering_close.hpp"

namespace holdfast::net {
namespace {

using Event = FrameReader::Event;

// Limits Pings and unasked Pongs in a window. Clients ping every few seconds.
constexpr std::uint32_t kFloodFrames = 100;
constexpr Seconds kFloodWindow{10};
constexpr std::size_t kControlBytesMax = 125;
// The longest header of a frame that is not masked.
constexpr std::size_t kHeaderMax = 10;
// Limits the reads of a peer's last bytes. A kernel's receive buffer is empty sooner.
constexpr int kLastReads = 1024;

// Returns the code of a Close that the reader has checked (RFC 6455 section 7.1.5).
std::uint16_t code_of(std::string_view close) {
  if (close.size() < 2) return delivery::ConnectionEnd::kNoCode;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(close[i]); };
  return static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
}

// Returns the code for a reason (section 7.4).
CloseCode close_code_of(delivery::CloseReason reason) {
  using delivery::CloseReason;
  switch (reason) {
    case CloseReason::requested:
      return CloseCode::normal;
    case CloseReason::closed_by_operator:
    case CloseReason::shutting_down:
    case CloseReason::too_old:
    case CloseReason::try_again:
      break;
    case CloseReason::policy_violation:
      return CloseCode::policy_violation;
    case CloseReason::access_ended:
      return CloseCode::access_ended;
    case CloseReason::too_many_connections:
      return CloseCode::too_many_connections;
  }
  return CloseCode::going_away;
}

// Appends the header of a server's frame, which is not masked (section 5.2).
void append_frame_header(std::string& out, std::uint8_t first, std::size_t size) {
  out += static_cast<char>(first);
  const int extended = size > 0xffff ? 8 : size > 125 ? 2 : 0;
  out += static_cast<char>(extended == 8 ? 127 : extended == 2 ? 126 : size);
  for (int shift = (extended - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(size >> shift & 0xff);
  }
}

}  // namespace

WebSocketConnection::WebSocketConnection(ListenerShard& shard, UniqueFd fd,
                                         std::shared_ptr<TlsStream> tls, std::string early,
                                         std::size_t message_bytes_max, OpenSocketGuard slot)
    : shard_(shard),
      listener_(shard.listener().shared_from_this()),
      slot_(std::move(slot)),
      socket_(shard.loop().poller(), std::move(fd), *this),
      tls_(std::move(tls)),
      early_(std::move(early)),
      reader_(message_bytes_max) {
  ++listener_->open_websockets;
  shard_.rest(*this);
}

WebSocketConnection::~WebSocketConnection() {
  if (!ended_) --listener_->open_websockets;
}

bool WebSocketConnection::accept(std::string_view response) {
  gather(response, {});
  flush();
  return !ended_ && !sealed_;
}

void WebSocketConnection::start(delivery::ConnectionEvents& events) {
  events_ = &events;
  self_ = shared_from_this();
  if (ended_) return leave_later();
  if (early_.empty()) return wait_readable();
  // Events never come from inside a command.
  shard_.loop().post([self = shared_from_this()] { self->on_readable(); });
}

WriteResult WebSocketConnection::write_text(std::string_view frame) {
  const auto result = [this](WriteResult::State state) {
    return WriteResult{.end = out_.bytes_written(), .state = state};
  };
  if (sealed_ || ended_) return result(WriteResult::State::closed);
  out_.allow_long(shard_, kHeaderMax + frame.size());
  std::string header;
  append_frame_header(header, kTextFrame, frame.size());
  if (!out_.has_room(shard_, header.size() + frame.size())) {
    report_outbound_limit();
    return result(WriteResult::State::backpressure);
  }
  out_.append(shard_, header, frame);
  return result(WriteResult::State::ok);
}

void WebSocketConnection::report_outbound_limit() {
  if (!std::exchange(over_limit_, true)) shard_.report_outbound_limit();
}

void WebSocketConnection::write_fence(std::string_view bytes) {
  if (sealed_ || ended_) return;
  write_frame(kPingFrame, bytes.substr(0, kControlBytesMax));
  ++pings_outstanding_;
}

void WebSocketConnection::write_frame(std::uint8_t first, std::string_view payload) {
  std::string header;
  append_frame_header(header, first, payload.size());
  gather(header, payload);
}

void WebSocketConnection::gather(std::string_view head, std::string_view rest) {
  if (sealed_ || ended_) return;
  if (!out_.has_room(shard_, head.size() + rest.size())) {
    report_outbound_limit();
    return abort();
  }
  out_.append(shard_, head, rest);
}

void WebSocketConnection::flush() {
  if (waiting_writable_ || ended_) return;
  switch (out_.flush(shard_, descriptor(), tls_.get(), shard_.metrics().websocket_bytes)) {
    case Outbound::Flushed::all:
      return;
    case Outbound::Flushed::waits:
      return wait_writable();
    case Outbound::Flushed::broken:
      return cannot_send();
  }
}

// Ends the connection after a failed send. A peer that closes while it is written to resets the
// connection. Its earlier bytes are still here, and its Close may say why.
void WebSocketConnection::cannot_send() {
  sealed_ = true;
  out_.clear();
  // Nobody reads before `start`.
  if (events_ == nullptr) return finish(Close::at_once, {});
  // Events never come from inside a command.
  shard_.loop().post([self = shared_from_this()] {
    for (int i = 0; i < kLastReads && self->receive(); ++i) {
    }
    if (!self->ended_) self->finish(Close::at_once, {});
  });
}

void WebSocketConnection::wait_writable() {
  waiting_writable_ = true;
  const bool to_receive = tls_ && tls_->send_waits_to_receive();
  socket_.await_send(to_receive ? PolledSocket::Wait::readable : PolledSocket::Wait::writable);
}

void WebSocketConnection::on_send_ready() {
  const auto self = shared_from_this();
  waiting_writable_ = false;
  flush();
}

std::uint64_t WebSocketConnection::bytes_taken() const {
  if (!ended_) out_.look_at_queue(descriptor(), tls_.get());
  return out_.bytes_taken();
}

std::uint64_t WebSocketConnection::bytes_arrived() const {
  if (!ended_) out_.look_at_queue(descriptor(), tls_.get());
  return out_.bytes_arrived();
}

void WebSocketConnection::write_close(CloseCode code, std::string_view text) {
  const auto number = static_cast<std::uint16_t>(code);
  std::string payload = {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
  payload += text.substr(0, kControlBytesMax - payload.size());
  write_frame(kCloseFrame, payload);
  sealed_ = true;
}

void WebSocketConnection::close(delivery::CloseReason reason, std::string_view text) {
  if (closing_ || ended_) return;
  closing_ = true;
  write_close(close_code_of(reason), text);
  flush();
  if (ended_) return;
  // Nobody reads before `start`, so the peer's Close would not be seen.
  if (events_ == nullptr)
    return finish(Close::lingering, {.by = delivery::ConnectionEnd::By::gateway});
  shard_.watch(*this, shard_.now() + shard_.limits().close_timeout);
}

void WebSocketConnection::abort() {
  if (!ended_) finish(Close::at_once, {.by = delivery::ConnectionEnd::By::gateway});
}

void WebSocketConnection::on_deadline() {
  if (closing_) return abort();
  fail(CloseCode::policy_violation);
}

void WebSocketConnection::wait_readable() {
  if (tls_ && tls_->has_more()) {
    shard_.loop().post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->on_readable();
    });
    return;
  }
  const bool to_send = tls_ && tls_->receive_waits_to_send();
  socket_.await_receive(to_send ? PolledSocket::Wait::writable : PolledSocket::Wait::readable);
}

void WebSocketConnection::on_readable() {
  const auto self = shared_from_this();
  receive();
  if (ended_) return;
  flush();
  if (!ended_) wait_readable();
}

bool WebSocketConnection::receive() {
  if (ended_) return false;
  std::string early = std::exchange(early_, std::string());
  if (!early.empty()) {
    take(early);
    return !ended_;
  }
  std::vector<char>& scratch = shard_.loop().scratch();
  const IoOutcome outcome =
      tls_ ? tls_->receive_some(scratch) : receive_some(descriptor(), scratch);
  if (outcome.ended) {
    finish(Close::at_once, {});
    return false;
  }
  take(std::span(scratch).first(outcome.bytes));
  return !ended_ && !outcome.blocked;
}

void WebSocketConnection::take(std::span<char> bytes) {
  for (;;) {
    const Event event = reader_.read(bytes);
    if (event == Event::bad) return fail(reader_.error());
    if (event == Event::more) break;
    on_event(event);
    if (ended_) return;
    if (!reader_.is_within()) begun_ = false;
  }
  if (closing_ || begun_ == reader_.is_within()) {
    if (!closing_ && !begun_) shard_.rest(*this);
    return;
  }
  // A frame or message that has begun has a deadline, however slowly it comes.
  begun_ = true;
  shard_.watch(*this, shard_.now() + shard_.limits().body_timeout);
}

void WebSocketConnection::on_event(Event event) {
  HOLDFAST_ASSERT(events_ != nullptr, "websocket.reads_after_start");
  const std::string_view payload = reader_.payload();
  switch (event) {
    case Event::text:
      return events_->on_text(payload);
    case Event::binary:
      HOLDFAST_ASSERT(binary_ != nullptr, "websocket.binary_is_taken");
      return binary_->on_binary(payload);
    case Event::pong:
      if (pings_outstanding_ > 0) {
        --pings_outstanding_;
      } else if (is_flood()) {
        return fail(CloseCode::policy_violation);
      }
      return events_->on_fence(payload);
    case Event::ping:
      if (is_flood()) return fail(CloseCode::policy_violation);
      return write_frame(kPongFrame, payload);
    case Event::close:
      // The answer repeats the code (section 5.5.1). A Close without a code gets the normal one, so
      // that clients report no error.
      if (payload.empty()) {
        write_close(CloseCode::normal, {});
      } else {
        write_frame(kCloseFrame, payload.substr(0, 2));
      }
      sealed_ = true;
      flush();
      if (!ended_)
        finish(Close::lingering,
               {.by = delivery::ConnectionEnd::By::client, .code = code_of(payload)});
      return;
    case Event::more:
    case Event::bad:
      return;
  }
}

bool WebSocketConnection::is_flood() {
  const SteadyTime now = shard_.now();
  if (now - flood_window_start_ > kFloodWindow) {
    flood_window_start_ = now;
    flood_frames_ = 0;
  }
  return ++flood_frames_ > kFloodFrames;
}

void WebSocketConnection::fail(CloseCode code) {
  if (ended_) return;
  write_close(code, {});
  flush();
  if (ended_) return;
  finish(Close::lingering,
         {.by = delivery::ConnectionEnd::By::client, .code = static_cast<std::uint16_t>(code)});
}

void WebSocketConnection::finish(Close close, delivery::ConnectionEnd end) {
  out_.look_at_queue(descriptor(), tls_.get());
  if (closing_) end.by = delivery::ConnectionEnd::By::gateway;
  end_ = end;
  ended_ = true;
  --listener_->open_websockets;
  auto tls = std::exchange(tls_, nullptr);
  if (close == Close::lingering) {
    LingeringClose::start(shard_, socket_.release(), std::move(tls), out_.take_rest(),
                          std::move(*slot_));
  } else {
    if (tls) tls->send_close_notify();
    socket_.close();
  }
  slot_.reset();
  out_.clear();
  early_ = std::string();
  if (is_linked()) unlink();
  leave_later();
}

// Runs in a turn of its own, because the caller may be the one who is told.
void WebSocketConnection::leave_later() {
  shard_.loop().post([self = shared_from_this()] {
    self->self_ = nullptr;
    if (self->events_ == nullptr || std::exchange(self->told_, true)) return;
    self->events_->on_closed(self->end_);
  });
}

int WebSocketConnection::descriptor() const noexcept { return socket_.descriptor(); }

}  // namespace holdfast::net
