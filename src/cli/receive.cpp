// Receives a user's messages and reconnects, for `holdfast connect-websocket`.

#include "receive.hpp"

#include <memory>
#include <optional>
#include <utility>

#include <holdfast/base/json.hpp>

#include "printable.hpp"
#include "settings.hpp"

namespace holdfast::cli {
namespace {

constexpr std::string_view kHoldfastV1 = "holdfast.v1";

// Close codes after which reconnecting would fail the same way.
constexpr int kPolicyViolation = 1008;
constexpr int kAccessEnded = 4401;
constexpr int kTooManyConnections = 4408;

class Receiver {
 public:
  Receiver(const Context& context, client::GatewayClient& gateway, const ReceiveOptions& options,
           const std::function<bool()>& interrupted, const std::function<void(Milliseconds)>& wait)
      : context_(context),
        gateway_(gateway),
        options_(options),
        interrupted_(interrupted),
        wait_(wait) {}

  int run() {
    unsigned failures = 0;
    while (!interrupted_()) {
      const SteadyTime since = context_.clock.steady_now();
      const auto ended = once();
      if (interrupted_()) break;
      if (ended.exit_code) return *ended.exit_code;
      const bool lasted = context_.clock.steady_now() - since >= options_.steady_after;
      failures = lasted ? 1 : failures + 1;
      const Milliseconds pause = client::backoff(options_.retry, failures, ended.retry_after);
      context_.err << "Retrying in " << pause.count() << " ms." << std::endl;
      wait_(pause);
    }
    return kInterrupted;
  }

 private:
  struct Ended {
    std::optional<int> exit_code;  ///< nullopt: retry
    std::optional<Seconds> retry_after;
  };

  // Gets a token, connects, and receives until the connection ends.
  Ended once() {
    const auto token = gateway_.temporary_token(options_.id_token);
    if (!token) return refused(token.error(), token.error().transient());
    auto socket = gateway_.open_websocket(*token, options_.subprotocol);
    // A refused fresh token was used up by a connection that broke while it opened.
    if (!socket) {
      return refused(socket.error(), socket.error().transient() || socket.error().status == 401);
    }
    connected_before_ = true;
    context_.err << "Connected. Ctrl-C ends it." << std::endl;
    return follow(**socket);
  }

  // Fails at once on the first failure, because a person has just typed the command.
  Ended refused(const client::CallError& error, bool worth_trying_again) const {
    if (!connected_before_ || !worth_trying_again) return {call_failed(context_, error), {}};
    context_.err << "Cannot connect: " << error.text() << std::endl;
    return {std::nullopt, error.retry_after};
  }

  Ended follow(net::WebSocketClient& socket) const {
    // Reads once more after Ctrl-C. The fence of the last messages may still be on its way, and
    // without its Pong the gateway would send them again.
    for (bool ending = false; !ending;) {
      ending = interrupted_();
      const auto text = socket.read(options_.look);
      if (!text) return ended_with(socket.close_code());
      if (!*text) continue;
      context_.out << "< " << (context_.out_is_terminal ? printable(**text) : **text) << std::endl;
      // Never acknowledges a message that could not be printed.
      if (!context_.out) return {failed(context_, "cannot write to standard output"), {}};
      if (options_.subprotocol == kHoldfastV1) acknowledge(socket, **text);
    }
    socket.close();
    return {};
  }

  void acknowledge(net::WebSocketClient& socket, const std::string& frame) const {
    const auto message = parse_json(frame);
    if (!message || !message->is_object()) return;
    const auto type = message->find("type");
    const auto sequence = message->find("sequence");
    if (type == message->end() || *type != "message" || sequence == message->end()) return;
    const auto sent = socket.write(Json{{"type", "ack"}, {"sequence", *sequence}}.dump());
    // A failure means that the connection has ended. The next read reports it; the gateway resends.
    if (!sent) context_.err << "Cannot acknowledge: " << sent.error().message << std::endl;
  }

  Ended ended_with(int code) const {
    switch (code) {
      case kAccessEnded:
        return {failed(context_, "this user's access has ended (4401)"), {}};
      case kTooManyConnections:
        return {failed(context_, "the user has opened too many newer connections (4408)"), {}};
      case kPolicyViolation:
        return {failed(context_, "the gateway refused what this client sent (1008)"), {}};
      default:
        context_.err << "Disconnected (" << code << ")." << std::endl;
        return {};
    }
  }

  const Context& context_;
  client::GatewayClient& gateway_;
  const ReceiveOptions& options_;
  const std::function<bool()>& interrupted_;
  const std::function<void(Milliseconds)>& wait_;
  bool connected_before_ = false;
};

}  // namespace

int receive(const Context& context, client::GatewayClient& gateway, const ReceiveOptions& options,
            const std::function<bool()>& interrupted,
            const std::function<void(Milliseconds)>& wait) {
  return Receiver(context, gateway, options, interrupted, wait).run();
}

}  // namespace holdfast::cli
