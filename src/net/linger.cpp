#include "linger.hpp"

#include <array>
#include <utility>

#include <holdfast/base/crypto.hpp>

#include "tls_session.hpp"

namespace holdfast::net {
namespace {

constexpr std::size_t kDiscardBytes = 16 << 10;

}  // namespace

void Linger::start(Part& part, UniqueFd fd, std::shared_ptr<TlsSession> tls, std::string rest,
                   SocketSlot slot) {
  const auto linger = std::make_shared<Linger>(part, std::move(fd), std::move(tls), std::move(rest),
                                               std::move(slot));
  linger->self_ = linger;
  part.watch(*linger, part.now() + part.limits().close_timeout);
  linger->send_rest();
}

Linger::Linger(Part& part, UniqueFd fd, std::shared_ptr<TlsSession> tls, std::string rest,
               SocketSlot slot)
    : slot_(std::move(slot)),
      socket_(part.loop().poller(), std::move(fd), *this),
      tls_(std::move(tls)),
      rest_(std::move(rest)) {}

void Linger::send_rest() {
  while (sent_ < rest_.size()) {
    const std::string_view left = std::string_view(rest_).substr(sent_);
    const IoOutcome outcome = tls_ ? tls_->send_some(left) : send_some(socket_.descriptor(), left);
    if (outcome.ended) return end();
    sent_ += outcome.bytes;
    if (outcome.blocked) return socket_.await_send(PolledSocket::Wait::writable);
  }
  rest_ = std::string();
  sent_ = 0;
  // What still comes is thrown away undeciphered.
  if (tls_) tls_->say_goodbye();
  tls_ = nullptr;
  socket_.shutdown_send();
  discard();
}

void Linger::discard() {
  // The shard's scratch may be in use where this was called from.
  std::array<char, kDiscardBytes> nowhere;
  const IoOutcome outcome = receive_some(socket_.descriptor(), nowhere);
  // It may be the rest of a request with a password; a stack is not wiped when it is left.
  wipe({nowhere.data(), outcome.bytes});
  if (outcome.ended) return end();
  socket_.await_receive(PolledSocket::Wait::readable);
}

void Linger::end() {
  socket_.close();
  const auto last = std::exchange(self_, nullptr);
}

}  // namespace holdfast::net
