// The bytes that a connection has to send.

#include "outbound.hpp"

#include <algorithm>
#include <utility>

#include "socket_io.hpp"
#include "tls_stream.hpp"

namespace holdfast::net {
namespace {

// Removes sent bytes from the buffer when there are this many.
constexpr std::size_t kCompactBytes = 64 << 10;

}  // namespace

void Outbound::allow_long(const ListenerShard& shard, std::size_t size) noexcept {
  const std::size_t bound = shard.limits().outbound_bytes;
  if (long_bytes_ == 0 && waiting() <= bound && waiting() + size > bound) long_bytes_ = size;
}

void Outbound::append(ListenerShard& shard, std::string_view first, std::string_view second) {
  if (out_.capacity() <= std::string().capacity()) out_ = shard.loop().take_buffer();
  out_.append(first).append(second);
  bytes_written_ += first.size() + second.size();
}

Outbound::Flushed Outbound::flush(ListenerShard& shard, int fd, TlsStream* tls, Counter& counted) {
  if (waiting() == 0) return Flushed::all;
  const std::string_view left = std::string_view(out_).substr(out_sent_);
  const IoOutcome outcome = tls != nullptr ? tls->send_some(left) : send_some(fd, left);
  if (outcome.ended) return Flushed::broken;
  out_sent_ += outcome.bytes;
  bytes_sent_ += outcome.bytes;
  counted.add(outcome.bytes);
  if (out_sent_ == out_.size()) {
    shard.loop().give_buffer(std::move(out_));
    out_sent_ = 0;
    long_bytes_ = 0;
    return Flushed::all;
  }
  if (out_sent_ > kCompactBytes) {
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  return Flushed::waits;
}

std::string Outbound::take_rest() {
  std::string rest = std::exchange(out_, std::string());
  rest.erase(0, std::exchange(out_sent_, 0));
  return rest;
}

void Outbound::clear() noexcept {
  out_ = std::string();
  out_sent_ = 0;
}

void Outbound::look_at_queue(int fd, const TlsStream* tls) noexcept {
  const std::uint64_t queued = send_queue_bytes(fd);
  const std::uint64_t given = tls != nullptr ? tls->bytes_given() : bytes_sent_;
  // The kernel may count a queue with its overhead, so progress is the highest number seen.
  if (queued < given) bytes_taken_ = std::max(bytes_taken_, given - queued);
  if (queued < bytes_sent_) bytes_arrived_ = std::max(bytes_arrived_, bytes_sent_ - queued);
}

}  // namespace holdfast::net
