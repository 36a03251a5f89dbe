#include "websocket_connection.hpp"

#include <algorithm>
#include <utility>

#include "linger.hpp"

namespace holdfast::net {
namespace {

using Event = FrameReader::Event;

// Pings and unasked Pongs that a peer may send in a window. Clients ping every few seconds.
constexpr std::uint32_t kFloodFrames = 100;
constexpr Seconds kFloodWindow{10};
constexpr std::size_t kControlBytesMax = 125;
// Of a frame that is not masked.
constexpr std::size_t kHeaderMax = 10;
// What has been sent is cut off the buffer when it is this much.
constexpr std::size_t kCompactBytes = 64 << 10;
// How often what a peer sent before its end is read, at most: a kernel's receive buffer is empty
// sooner.
constexpr int kLastReads = 1024;

// RFC 6455 section 7.1.5, of a Close that the reader has checked.
std::uint16_t code_of(std::string_view close) {
  if (close.size() < 2) return delivery::ConnectionEnd::kNoCode;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(close[i]); };
  return static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
}

// Section 7.4.
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

// Section 5.2: a server's frames are not masked.
void append_frame_header(std::string& out, std::uint8_t first, std::size_t size) {
  out += static_cast<char>(first);
  const int extended = size > 0xffff ? 8 : size > 125 ? 2 : 0;
  out += static_cast<char>(extended == 8 ? 127 : extended == 2 ? 126 : size);
  for (int shift = (extended - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(size >> shift & 0xff);
  }
}

}  // namespace

WebSocketConnection::WebSocketConnection(Part& part, UniqueFd fd, std::shared_ptr<TlsSession> tls,
                                         std::string early, std::size_t message_bytes_max,
                                         SocketSlot slot)
    : part_(part),
      listener_(part.listener().shared_from_this()),
      slot_(std::move(slot)),
      socket_(part.loop().poller(), std::move(fd), *this),
      tls_(std::move(tls)),
      early_(std::move(early)),
      reader_(message_bytes_max) {
  ++listener_->open_websockets;
  part_.rest(*this);
}

WebSocketConnection::~WebSocketConnection() {
  if (!ended_) --listener_->open_websockets;
}

void WebSocketConnection::accept(std::string_view response) {
  gather(response, {});
  flush();
}

void WebSocketConnection::start(delivery::ConnectionEvents& events) {
  events_ = &events;
  self_ = shared_from_this();
  if (ended_) return leave_later();
  if (early_.empty()) return wait_readable();
  // No event comes from inside a command.
  part_.loop().post([self = shared_from_this()] { self->on_readable(); });
}

std::uint64_t WebSocketConnection::write_text(std::string_view frame) {
  // A message was accepted as long as it is, perhaps under a higher bound. One at a time is taken,
  // or it and all behind it would never come.
  const std::size_t bound = part_.limits().outbound_bytes;
  const std::size_t waiting = out_.size() - out_sent_;
  const std::size_t whole = kHeaderMax + frame.size();
  if (long_frame_bytes_ == 0 && waiting <= bound && waiting + whole > bound) {
    long_frame_bytes_ = whole;
  }
  write_frame(kTextFrame, frame);
  return bytes_written_;
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
  const std::size_t size = head.size() + rest.size();
  if (out_.size() - out_sent_ + size > part_.limits().outbound_bytes + long_frame_bytes_) {
    part_.report_outbound_limit();
    return abort();
  }
  if (out_.capacity() <= std::string().capacity()) out_ = part_.loop().take_buffer();
  out_.append(head).append(rest);
  bytes_written_ += size;
}

void WebSocketConnection::flush() {
  if (waiting_writable_ || ended_ || out_sent_ == out_.size()) return;
  const std::string_view left = std::string_view(out_).substr(out_sent_);
  const IoOutcome outcome = tls_ ? tls_->send_some(left) : send_some(descriptor(), left);
  if (outcome.ended) return cannot_send();
  out_sent_ += outcome.bytes;
  bytes_sent_ += outcome.bytes;
  part_.counted().websocket_bytes.add(outcome.bytes);
  if (out_sent_ == out_.size()) {
    part_.loop().give_buffer(std::move(out_));
    out_sent_ = 0;
    long_frame_bytes_ = 0;
    return;
  }
  if (out_sent_ > kCompactBytes) {
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  wait_writable();
}

// A peer that closes while it is written to resets the connection, and what it sent before that is
// still here: its Close says why it goes.
void WebSocketConnection::cannot_send() {
  sealed_ = true;
  out_ = std::string();
  out_sent_ = 0;
  // Nobody reads before start.
  if (events_ == nullptr) return finish(false, {});
  // No event comes from inside a command.
  part_.loop().post([self = shared_from_this()] {
    for (int i = 0; i < kLastReads && self->receive(); ++i) {
    }
    if (!self->ended_) self->finish(false, {});
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
  if (!ended_) look_at_queue();
  return bytes_taken_;
}

std::uint64_t WebSocketConnection::bytes_arrived() const {
  if (!ended_) look_at_queue();
  return bytes_arrived_;
}

void WebSocketConnection::look_at_queue() const {
  const std::uint64_t queued = send_queue_bytes(descriptor());
  const std::uint64_t given = tls_ ? tls_->bytes_given() : bytes_sent_;
  // A queue may be counted with its overhead: progress is what never falls.
  if (queued < given) bytes_taken_ = std::max(bytes_taken_, given - queued);
  if (queued < bytes_sent_) bytes_arrived_ = std::max(bytes_arrived_, bytes_sent_ - queued);
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
  // Nobody reads before start, so the peer's Close would not be seen.
  if (events_ == nullptr) return finish(true, {.by = delivery::ConnectionEnd::By::gateway});
  part_.watch(*this, part_.now() + part_.limits().close_timeout);
}

void WebSocketConnection::abort() {
  if (!ended_) finish(false, {.by = delivery::ConnectionEnd::By::gateway});
}

void WebSocketConnection::on_deadline() {
  if (closing_) return abort();
  fail(CloseCode::policy_violation);
}

void WebSocketConnection::wait_readable() {
  if (tls_ && tls_->has_more()) {
    part_.loop().post([weak = weak_from_this()] {
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
  std::vector<char>& scratch = part_.loop().scratch();
  const IoOutcome outcome =
      tls_ ? tls_->receive_some(scratch) : receive_some(descriptor(), scratch);
  if (outcome.ended) {
    finish(false, {});
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
    if (!closing_ && !begun_) part_.rest(*this);
    return;
  }
  // A frame or a message that has begun has a deadline, however it dribbles.
  begun_ = true;
  part_.watch(*this, part_.now() + part_.limits().body_timeout);
}

void WebSocketConnection::on_event(Event event) {
  const std::string_view payload = reader_.payload();
  switch (event) {
    case Event::text:
      return events_->on_text(payload);
    case Event::binary:
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
      // Section 5.5.1: the answer has the code that was received. To a Close without one it has the
      // normal one, so that clients report an end that nothing was wrong with.
      if (payload.empty()) {
        write_close(CloseCode::normal, {});
      } else {
        write_frame(kCloseFrame, payload.substr(0, 2));
      }
      sealed_ = true;
      flush();
      if (!ended_)
        finish(true, {.by = delivery::ConnectionEnd::By::client, .code = code_of(payload)});
      return;
    case Event::more:
    case Event::bad:
      return;
  }
}

bool WebSocketConnection::is_flood() {
  const SteadyTime now = part_.now();
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
  finish(true,
         {.by = delivery::ConnectionEnd::By::client, .code = static_cast<std::uint16_t>(code)});
}

void WebSocketConnection::finish(bool linger, delivery::ConnectionEnd end) {
  look_at_queue();
  if (closing_) end.by = delivery::ConnectionEnd::By::gateway;
  end_ = end;
  ended_ = true;
  --listener_->open_websockets;
  auto tls = std::exchange(tls_, nullptr);
  if (linger) {
    out_.erase(0, out_sent_);
    Linger::start(part_, socket_.release(), std::move(tls), std::move(out_), std::move(*slot_));
  } else {
    if (tls) tls->say_goodbye();
    socket_.close();
  }
  slot_.reset();
  out_ = std::string();
  out_sent_ = 0;
  early_ = std::string();
  if (is_linked()) unlink();
  leave_later();
}

// In a turn of its own: what led here may be a command of the one who is told.
void WebSocketConnection::leave_later() {
  part_.loop().post([self = shared_from_this()] {
    self->self_ = nullptr;
    if (self->events_ == nullptr || std::exchange(self->told_, true)) return;
    self->events_->on_closed(self->end_);
  });
}

int WebSocketConnection::descriptor() const noexcept { return socket_.descriptor(); }

}  // namespace holdfast::net
