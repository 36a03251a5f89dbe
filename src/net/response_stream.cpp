// An answer that is written bit by bit.

#include "response_stream.hpp"

#include <array>
#include <charconv>
#include <span>
#include <utility>

#include <string.h>

#include "lingering_close.hpp"

namespace holdfast::net {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::size_t kChunkHeadMax = 2 * sizeof(std::size_t) + kLineEnd.size();

/// The line before a chunk (RFC 9112 section 7.1).
struct ChunkHead {
  explicit ChunkHead(std::size_t size) {
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), size, 16);
    length = static_cast<std::size_t>(kLineEnd.copy(end, kLineEnd.size()) + (end - text.data()));
  }
  [[nodiscard]] std::string_view view() const { return {text.data(), length}; }

  std::array<char, kChunkHeadMax> text{};
  std::size_t length = 0;
};

void open_stream(ListenerShard& shard, OpeningStream opening) {
  const auto stream = std::make_shared<ResponseStream>(shard, opening);
  stream->start(opening);
  opening.accepted.on_open(stream);
  if (shard.draining()) stream->on_drain();
}

}  // namespace

ResponseStream::ResponseStream(ListenerShard& shard, OpeningStream& opening)
    : shard_(shard),
      listener_(shard.listener().shared_from_this()),
      slot_(std::move(opening.slot)),
      socket_(shard.loop().poller(), std::move(opening.fd), *this),
      tls_(std::move(opening.tls)),
      request_(std::move(opening.request)),
      log_fields_(std::move(opening.accepted.log_fields)),
      status_(opening.accepted.status),
      body_(opening.body),
      ends_on_drain_(opening.accepted.ends_on_drain) {
  shard_.rest(*this);
}

ResponseStream::~ResponseStream() {
  if (!ended_) end_socket(Last::abrupt);
}

void ResponseStream::start(const OpeningStream& opening) {
  out_.append(shard_, opening.head);
  sealed_ = body_ == OpeningStream::Body::none;
  flush();
  if (out_.bytes_sent() > 0) shard_.count_response(status_);
  if (ended_) return;
  opening.early ? end_for_client() : wait_readable();
}

void ResponseStream::on_closed(std::move_only_function<void()> told) {
  told_ = std::move(told);
  self_ = shared_from_this();
  if (ended_) tell_later();
}

WriteResult ResponseStream::write(std::string_view bytes) {
  const auto result = [this](WriteResult::State state) {
    return WriteResult{.end = out_.bytes_written(), .state = state};
  };
  if (sealed_ || ended_) return result(WriteResult::State::closed);
  // An empty chunk would end the body.
  if (bytes.empty()) return result(WriteResult::State::ok);
  const bool chunked = body_ == OpeningStream::Body::chunked;
  const ChunkHead head(bytes.size());
  const std::size_t framing = chunked ? head.length + kLineEnd.size() : 0;
  out_.allow_long(shard_, bytes.size() + framing);
  if (!out_.has_room(shard_, bytes.size() + framing)) {
    if (!std::exchange(over_limit_, true)) shard_.report_outbound_limit();
    return result(WriteResult::State::backpressure);
  }
  if (chunked) out_.append(shard_, head.view());
  out_.append(shard_, bytes, chunked ? kLineEnd : std::string_view());
  return result(WriteResult::State::ok);
}

void ResponseStream::flush() {
  if (waiting_writable_ || ended_) return;
  const bool had = out_.waiting() > 0;
  switch (out_.flush(shard_, socket_.descriptor(), tls_.get(), shard_.metrics().http_bytes)) {
    case Outbound::Flushed::broken:
      return finish(Last::abrupt);
    case Outbound::Flushed::all:
      if (sealed_) return finish(Last::orderly);
      break;
    case Outbound::Flushed::waits: {
      waiting_writable_ = true;
      const bool to_receive = tls_ && tls_->send_waits_to_receive();
      socket_.await_send(to_receive ? PolledSocket::Wait::readable : PolledSocket::Wait::writable);
      break;
    }
  }
  if (had && !std::exchange(watched_, true)) watch();
}

// Sets a deadline for the bytes that wait for the client. It must take some of them in time.
void ResponseStream::watch() {
  taken_at_watch_ = bytes_taken();
  shard_.watch(*this, shard_.now() + shard_.limits().write_timeout);
}

void ResponseStream::end() {
  if (sealed_ || ended_) return;
  if (body_ == OpeningStream::Body::chunked) out_.append(shard_, kLastChunk);
  sealed_ = true;
  flush();
}

void ResponseStream::abort() {
  if (!ended_) finish(Last::abrupt);
}

std::uint64_t ResponseStream::bytes_taken() const {
  if (!ended_) out_.look_at_queue(socket_.descriptor(), tls_.get());
  return out_.bytes_taken();
}

std::uint64_t ResponseStream::bytes_arrived() const {
  if (!ended_) out_.look_at_queue(socket_.descriptor(), tls_.get());
  return out_.bytes_arrived();
}

// Ends the connection if the client took nothing. The kernel's queue alone proves little: it takes
// much that a hanging client never reads.
void ResponseStream::on_deadline() {
  if (out_.waiting() == 0 && send_queue_bytes(socket_.descriptor()) == 0) {
    watched_ = false;
    return shard_.rest(*this);
  }
  bytes_taken() > taken_at_watch_ ? watch() : abort();
}

void ResponseStream::on_drain() {
  if (ends_on_drain_) end();
}

void ResponseStream::wait_readable() {
  if (tls_ && tls_->has_more()) {
    shard_.loop().post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->receive();
    });
    return;
  }
  const bool to_send = tls_ && tls_->receive_waits_to_send();
  socket_.await_receive(to_send ? PolledSocket::Wait::writable : PolledSocket::Wait::readable);
}

void ResponseStream::on_receive_ready() {
  const auto self = shared_from_this();
  receive();
}

// Waits for the client's end alone. TLS may still have bytes of its own to read.
void ResponseStream::receive() {
  if (ended_) return;
  std::vector<char>& scratch = shard_.loop().scratch();
  const IoOutcome outcome =
      tls_ ? tls_->receive_some(scratch) : receive_some(socket_.descriptor(), scratch);
  explicit_bzero(scratch.data(), outcome.bytes);
  if (outcome.ended) return finish(Last::abrupt);
  outcome.bytes > 0 ? end_for_client() : wait_readable();
}

// Ends the answer. A client that sends anything more has had enough.
void ResponseStream::end_for_client() {
  finish(body_ == OpeningStream::Body::until_close ? Last::abrupt : Last::orderly);
}

void ResponseStream::on_send_ready() {
  const auto self = shared_from_this();
  waiting_writable_ = false;
  flush();
}

void ResponseStream::finish(Last last) {
  end_socket(last);
  tell_later();
}

void ResponseStream::end_socket(Last last) {
  out_.look_at_queue(socket_.descriptor(), tls_.get());
  ended_ = true;
  auto tls = std::exchange(tls_, nullptr);
  if (last == Last::orderly) {
    LingeringClose::start(shard_, socket_.release(), std::move(tls), out_.take_rest(),
                          std::move(*slot_));
  } else {
    // An orderly end would tell an HTTP/1.0 client that the body is whole.
    if (body_ == OpeningStream::Body::until_close && !sealed_) {
      reset_on_close(socket_.descriptor());
    } else if (tls) {
      tls->send_close_notify();
    }
    socket_.close();
  }
  slot_.reset();
  out_.clear();
  if (is_linked()) unlink();
  log_end();
}

void ResponseStream::log_end() {
  if (out_.bytes_sent() == 0) return shard_.report_failed_handover(request_);
  listener_->log_access({.method = request_.method,
                         .path = request_.path,
                         .status = status_,
                         .bytes = static_cast<std::size_t>(out_.bytes_sent()),
                         .duration = shard_.now() - request_.started,
                         .remote = request_.remote,
                         .fields = log_fields_,
                         .refused = {}});
}

// Runs in a turn of its own, because the caller may be the one who is told.
void ResponseStream::tell_later() {
  shard_.loop().post([self = shared_from_this()] {
    self->self_ = nullptr;
    if (auto told = std::exchange(self->told_, nullptr)) told();
  });
}

void open_stream_later(ListenerState& listener, OpeningStream opening) {
  ListenerShard& shard = *listener.shards[opening.accepted.shard % listener.shards.size()];
  shard.loop().post(
      [&shard, opening = std::move(opening)]() mutable { open_stream(shard, std::move(opening)); });
}

}  // namespace holdfast::net
