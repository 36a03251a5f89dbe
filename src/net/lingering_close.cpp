// Closes a connection without losing its last answer.

#include "lingering_close.hpp"

#include <array>
#include <utility>

#include <holdfast/base/crypto.hpp>

#include "tls_stream.hpp"

namespace holdfast::net {
namespace {

constexpr std::size_t kDiscardBytes = 16 << 10;

}  // namespace

void LingeringClose::start(ListenerShard& shard, UniqueFd fd, std::shared_ptr<TlsStream> tls,
                           std::string rest, OpenSocketGuard slot) {
  const auto linger = std::make_shared<LingeringClose>(shard, std::move(fd), std::move(tls),
                                                       std::move(rest), std::move(slot));
  linger->self_ = linger;
  shard.watch(*linger, shard.now() + shard.limits().close_timeout);
  linger->send_rest();
}

LingeringClose::LingeringClose(ListenerShard& shard, UniqueFd fd, std::shared_ptr<TlsStream> tls,
                               std::string rest, OpenSocketGuard slot)
    : slot_(std::move(slot)),
      socket_(shard.loop().poller(), std::move(fd), *this),
      tls_(std::move(tls)),
      rest_(std::move(rest)) {}

void LingeringClose::send_rest() {
  while (sent_ < rest_.size()) {
    const std::string_view left = std::string_view(rest_).substr(sent_);
    const IoOutcome outcome = tls_ ? tls_->send_some(left) : send_some(socket_.descriptor(), left);
    if (outcome.ended) return end();
    sent_ += outcome.bytes;
    if (outcome.blocked) return socket_.await_send(PolledSocket::Wait::writable);
  }
  rest_ = std::string();
  sent_ = 0;
  // The rest of the input is dropped undeciphered.
  if (tls_) tls_->send_close_notify();
  tls_ = nullptr;
  socket_.shutdown_send();
  discard();
}

void LingeringClose::discard() {
  // The shard's scratch may be in use by the caller.
  std::array<char, kDiscardBytes> nowhere;
  const IoOutcome outcome = receive_some(socket_.descriptor(), nowhere);
  // The bytes may be the rest of a request with a password, and leaving a stack wipes nothing.
  wipe({nowhere.data(), outcome.bytes});
  if (outcome.ended) return end();
  socket_.await_receive(PolledSocket::Wait::readable);
}

void LingeringClose::end() {
  socket_.close();
  const auto last = std::exchange(self_, nullptr);
}

}  // namespace holdfast::net
