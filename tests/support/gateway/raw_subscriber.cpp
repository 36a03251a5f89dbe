// A client that reads only when told.

#include "support/gateway/raw_subscriber.hpp"

#include <chrono>
#include <stdexcept>

#include <linux/filter.h>
#include <sys/socket.h>

#include <holdfast/base/json.hpp>

namespace holdfast::test {

RawSubscriber::RawSubscriber(client::GatewayClient& gateway, const std::string& address,
                             const TestUser& user, int receive_buffer)
    : socket_(address) {
  if (receive_buffer > 0) socket_.set_receive_buffer(receive_buffer);
  const auto token = gateway.temporary_token(user.id_token);
  if (!token) throw std::runtime_error("token: " + token.error().text());
  const auto response = socket_.upgrade("/ws?token=" + *token);
  if (!response || response->status != 101) throw std::runtime_error("the upgrade was refused");
}

std::optional<std::string> RawSubscriber::read_payload(Milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto frame = socket_.read_frame(left);
    if (!frame) return std::nullopt;
    if (frame->opcode() == kText) {
      const auto json = parse_json(frame->payload);
      return json && json->is_object() ? json->value("Payload", frame->payload) : frame->payload;
    }
    if (frame->opcode() == kPing) socket_.send(make_frame(frame->payload, {.opcode = kPong}));
    if (frame->opcode() == kClose) close_code_ = frame->close_code();
  }
}

void RawSubscriber::vanish() {
  // A socket filter that passes nothing drops segments before TCP sees them.
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{.len = 1, .filter = &nothing};
  if (setsockopt(socket_.descriptor(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) !=
      0) {
    throw std::runtime_error("cannot attach a socket filter");
  }
}

}  // namespace holdfast::test
