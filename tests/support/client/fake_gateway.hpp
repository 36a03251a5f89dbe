#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/net/live_connection.hpp>
#include <holdfast/net/server.hpp>

namespace holdfast::test {

/// A server on a real socket that answers what a test tells it to, and remembers what it was
/// asked. WebSockets are accepted anywhere under `/ws`: greeted, listened to, closed on demand.
class FakeGateway {
 public:
  using Handler = std::function<net::Response(const net::Request&)>;

  explicit FakeGateway(Handler handler, const std::string& address = "127.0.0.1:0")
      : shards_(net::make_shards(1)), service_(std::make_shared<Service>(std::move(handler))) {
    net::ListenerOptions options;
    options.name = "fake";
    options.address = address;
    options.access_log = false;
    listener_ = net::make_listener(std::move(options), *shards_, system_clock());
    shards_->start();
    if (auto started = listener_->start(service_); !started) {
      throw std::runtime_error(started.error().message);
    }
  }
  ~FakeGateway() {
    listener_->drain();
    listener_->close();
    shards_->stop();
  }
  FakeGateway(const FakeGateway&) = delete;
  FakeGateway& operator=(const FakeGateway&) = delete;

  [[nodiscard]] std::string url() const { return "http://" + listener_->address(); }
  [[nodiscard]] const std::string& address() const { return listener_->address(); }
  [[nodiscard]] std::vector<net::Request> requests() const {
    const std::lock_guard lock(service_->mutex);
    return service_->requests;
  }
  /// Texts that came over WebSockets.
  [[nodiscard]] std::vector<std::string> texts() const {
    const std::lock_guard lock(service_->mutex);
    return service_->texts;
  }
  /// The target and the subprotocol of the last upgrade.
  [[nodiscard]] std::pair<std::string, std::string> upgrade() const {
    const std::lock_guard lock(service_->mutex);
    return service_->upgrade_seen;
  }
  /// Sends these frames on each new WebSocket at once.
  void greet_with(std::vector<std::string> frames) {
    const std::lock_guard lock(service_->mutex);
    service_->greeting = std::move(frames);
  }

 private:
  // Lives until its connection is closed. The text `close` makes it close with 4408.
  struct Peer final : delivery::ConnectionEvents {
    struct Owner {
      virtual ~Owner() = default;
      virtual void heard(std::string text) = 0;
    };
    std::shared_ptr<delivery::Connection> connection;
    Owner* owner = nullptr;

    void on_fence(std::string_view /*bytes*/) override {}
    void on_text(std::string_view text) override {
      owner->heard(std::string(text));
      if (text == "close") {
        connection->close(delivery::CloseReason::too_many_connections, "as told");
      }
    }
    void on_closed(const delivery::ConnectionEnd& /*end*/) override { delete this; }
  };

  struct Service final : net::LiveService, Peer::Owner {
    explicit Service(Handler h) : handler(std::move(h)) {}

    std::variant<net::Response, net::BodyLimit> screen(const net::RequestHead& /*head*/) override {
      return net::BodyLimit{4 << 20};
    }
    void handle(net::Request request, net::Responder respond) override {
      {
        const std::lock_guard lock(mutex);
        requests.push_back(request);
      }
      respond(handler(request));
    }
    std::optional<net::RouteTag> opens(const net::RequestHead& head) const override {
      if (!head.path().contains("/ws")) return std::nullopt;
      return 0;
    }
    void open(net::RequestHead head, net::LiveResponder respond) override {
      if (head.query().find("bad") != std::string_view::npos) {
        respond(net::Response{401, {}, R"({"message":"Unauthorized"})", false});
        return;
      }
      if (head.query().find("malformed") != std::string_view::npos) {
        respond(net::Response{400, {}, R"({"message":"Bad Request"})", false});
        return;
      }
      const std::string* wanted = head.header("Sec-WebSocket-Protocol");
      net::LiveAccepted accepted;
      accepted.shard = head.shard;
      if (wanted != nullptr) accepted.subprotocol = *wanted;
      accepted.on_open = [this](std::shared_ptr<delivery::Connection> connection) {
        auto* peer = new Peer;
        peer->connection = connection;
        peer->owner = this;
        connection->start(*peer);
        const std::lock_guard lock(mutex);
        for (const std::string& frame : greeting) connection->write_text(frame);
        connection->flush();
      };
      const std::lock_guard lock(mutex);
      upgrade_seen = {head.target, accepted.subprotocol};
      respond(std::move(accepted));
    }
    net::Response error(int status, std::string_view message) const override {
      return {status, {}, std::string(message), false};
    }
    void heard(std::string text) override {
      const std::lock_guard lock(mutex);
      texts.push_back(std::move(text));
    }

    Handler handler;
    mutable std::mutex mutex;
    std::vector<net::Request> requests;
    std::vector<std::string> texts;
    std::vector<std::string> greeting;
    std::pair<std::string, std::string> upgrade_seen;
  };

  std::unique_ptr<net::Shards> shards_;
  std::shared_ptr<Service> service_;
  std::unique_ptr<net::Listener> listener_;
};

/// A JSON answer.
inline net::Response json_response(int status, std::string body) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body), false};
}

}  // namespace holdfast::test
