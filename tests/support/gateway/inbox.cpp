// Collects the texts that a client receives.

#include "support/gateway/inbox.hpp"

#include <stdexcept>
#include <utility>

#include <holdfast/base/encoding.hpp>

namespace holdfast::test {
namespace {

std::unique_ptr<net::WebSocketClient> connected(TestGateway& gateway, const TestUser& user,
                                                const std::string& subprotocol) {
  auto socket = gateway.root().open_websocket(gateway.token(user), subprotocol);
  if (!socket) throw std::runtime_error("connect: " + socket.error().text());
  return std::move(*socket);
}

}  // namespace

Inbox::Inbox(std::unique_ptr<net::WebSocketClient> socket)
    : socket_(std::move(socket)), reader_([this] { read_on(); }) {}

Inbox::Inbox(TestGateway& gateway, const TestUser& user, const std::string& subprotocol)
    : Inbox(connected(gateway, user, subprotocol)) {}

Inbox::~Inbox() {
  close();
  reader_.join();
}

void Inbox::read_on() {
  for (;;) {
    auto frame = socket_->read(Milliseconds(50));
    const std::lock_guard lock(mutex_);
    if (frame && *frame) frames_.push_back(std::move(**frame));
    if (!frame || closing_) {
      ended_ = true;
      changed_.notify_all();
      return;
    }
    changed_.notify_all();
  }
}

std::vector<std::string> Inbox::frames() const {
  const std::lock_guard lock(mutex_);
  return frames_;
}

std::vector<std::string> Inbox::wait_for(std::size_t count, Milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return frames_.size() >= count || ended_; });
  return frames_;
}

int Inbox::wait_closed(Milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return ended_; }) ? socket_->close_code() : 0;
}

bool Inbox::write(const std::string& text) { return socket_->write(text).has_value(); }

void Inbox::close() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closing_, true)) return;
  }
  socket_->close();
}

std::string payload_frame(const std::string& text) {
  std::string out = R"({"Payload":")";
  append_json_escaped(out, text);
  return out + "\"}";
}

}  // namespace holdfast::test
