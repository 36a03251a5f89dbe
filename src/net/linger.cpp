#include "net/linger.hpp"

#include <utility>

#include "net/socket_io.hpp"

namespace holdfast::net {

void Linger::start(Part& part, Socket socket, std::string rest, SocketSlot slot) {
  const auto linger =
      std::make_shared<Linger>(part, std::move(socket), std::move(rest), std::move(slot));
  linger->self_ = linger;
  part.watch(*linger, part.now() + part.limits().close_timeout);
  linger->send_rest();
}

Linger::Linger(Part& part, Socket socket, std::string rest, SocketSlot slot)
    : part_(part), slot_(std::move(slot)), socket_(std::move(socket)), rest_(std::move(rest)) {}

void Linger::send_rest() {
  while (sent_ < rest_.size()) {
    const IoOutcome outcome =
        send_some(socket_.native_handle(), std::string_view(rest_).substr(sent_));
    if (outcome.ended) return end();
    if (outcome.blocked) {
      socket_.async_wait(Socket::wait_write, [self = shared_from_this()](ErrorCode ec) {
        if (!ec && self->self_) self->send_rest();
      });
      return;
    }
    sent_ += outcome.bytes;
  }
  rest_ = std::string();
  sent_ = 0;
  ErrorCode ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  discard();
}

void Linger::discard() {
  const IoOutcome outcome = receive_some(socket_.native_handle(), part_.loop().scratch());
  if (outcome.ended) return end();
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](ErrorCode ec) {
    if (!ec && self->self_) self->discard();
  });
}

void Linger::end() {
  ErrorCode ignored;
  socket_.close(ignored);
  const auto last = std::exchange(self_, nullptr);
}

}  // namespace holdfast::net
