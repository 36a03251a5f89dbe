// A WebSocket server that echoes, for third-party suites.

#include "support/net/echo_server.hpp"

#include <string_view>
#include <utility>

#include "net/websocket_connection.hpp"

namespace holdfast::test {
namespace {

/// One client. Keeps itself until its connection is gone.
class Echo final : public delivery::ConnectionEvents, public net::BinaryEvents {
 public:
  static void start(std::shared_ptr<delivery::Connection> connection) {
    auto* const echo = new Echo(std::move(connection));
    echo->connection_->take_binary(*echo);
    echo->connection_->start(*echo);
  }

  void on_fence(std::string_view /*bytes*/) override {}
  void on_text(std::string_view text) override {
    connection_->write_text(text);
    connection_->flush();
  }
  void on_binary(std::string_view bytes) override {
    connection_->write_binary(bytes);
    connection_->flush();
  }
  void on_closed(const delivery::ConnectionEnd& /*end*/) override { delete this; }

 private:
  explicit Echo(std::shared_ptr<delivery::Connection> connection)
      : connection_(std::static_pointer_cast<net::WebSocketConnection>(std::move(connection))) {}

  std::shared_ptr<net::WebSocketConnection> connection_;
};

class EchoService : public FakeService {
 public:
  EchoService() {
    on_open = [](net::RequestHead head, net::LiveResponder respond) {
      net::LiveAccepted accepted;
      accepted.shard = head.shard;
      accepted.message_bytes_max = EchoServer::kMessageBytesMax;
      accepted.on_open = Echo::start;
      respond(std::move(accepted));
    };
  }
  std::optional<net::RouteTag> opens(const net::RequestHead& head) const override {
    return head.path() == "/" ? std::optional(open_route) : FakeService::opens(head);
  }
};

net::ListenerOptions echo_options(std::string address) {
  net::ListenerOptions options{
      .name = "echo", .address = std::move(address), .limits = {}, .access_log = false};
  options.limits.outbound_bytes = 2 * EchoServer::kMessageBytesMax;
  return options;
}

}  // namespace

EchoServer::EchoServer(std::string address, std::size_t shards)
    : server_(std::make_unique<TestServer>(std::make_shared<EchoService>(), shards,
                                           echo_options(std::move(address)))) {}

}  // namespace holdfast::test
