#include "dialects.hpp"

#include <stdexcept>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

#include "mqtt.hpp"

namespace bench {
namespace {

// Signs as AWS's clients do, with the day's key kept: a producer's program does the same.
class HoldfastDialect final : public Dialect {
 public:
  explicit HoldfastDialect(const Holdfast& server)
      : server_(server), host_("127.0.0.1:" + std::to_string(server.port())) {}

  const Server& server() const override { return server_; }
  bool stores_durably() const override { return true; }
  // What is delivered is gone, and what is held belongs to users of its own scenario.
  void begin() override {}

  void publish(std::string& out, std::size_t user,
               const std::vector<std::string>& messages) override {
    const std::string& id = server_.user_ids()[user];
    std::string body;
    if (messages.size() > 1) body += R"({"messages":[)";
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (i > 0) body += ',';
      body += R"({"userId":")" + id + R"(","message":")" + messages[i] + R"("})";
    }
    if (messages.size() > 1) body += "]}";
    sign(out, messages.size() > 1 ? "/messages" : "/message", body);
  }

  std::unique_ptr<ProducerConnection> producer(Loop& loop) override {
    return std::make_unique<HttpConnection>(loop, server_.port());
  }
  std::unique_ptr<SubscriberConnection> subscribe(Loop& loop, std::size_t user,
                                                  SubscriberConnection::OnText on_text) override {
    if (!tokens_) tokens_ = std::make_unique<HttpConnection>(token_loop_, server_.port());
    std::string target;
    tokens_->send(token_request(server_, user), [&target](int status, std::string_view body) {
      target = websocket_target(status, body);
    });
    token_loop_.run_until([&target] { return !target.empty(); }, 10, "GET /tokens");
    return std::make_unique<WebSocketConnection>(loop, server_.port(), target, std::move(on_text));
  }

 private:
  void sign(std::string& out, const char* path, const std::string& body) {
    using namespace holdfast;
    const std::string date = format_iso8601_basic(system_clock().wall_now());
    const std::string day = date.substr(0, 8);
    if (day != day_) {
      day_ = day;
      key_ = hmac_sha256("AWS4" + server_.secret(), day);
      for (const char* part : {"us-east-1", "execute-api", "aws4_request"}) {
        key_ = hmac_sha256(view(key_), part);
      }
    }
    const std::string scope = day + "/us-east-1/execute-api/aws4_request";
    // Without it two equal messages within one second would be one.
    const std::string call = std::to_string(++calls_);
    const std::string canonical =
        "POST\n" + std::string(path) + "\n\namz-sdk-invocation-id:" + call +
        "\ncontent-type:application/json\nhost:" + host_ + "\nx-amz-date:" + date +
        "\n\namz-sdk-invocation-id;content-type;host;x-amz-date\n" + hex_encode(view(sha256(body)));
    const std::string to_sign =
        "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex_encode(view(sha256(canonical)));
    out += "POST " + std::string(path) + " HTTP/1.1\r\nHost: " + host_ +
           "\r\nContent-Type: application/json\r\namz-sdk-invocation-id: " + call +
           "\r\nX-Amz-Date: " + date +
           "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + server_.access_key_id() + "/" +
           scope +
           ", SignedHeaders=amz-sdk-invocation-id;content-type;host;x-amz-date, Signature=" +
           hex_encode(view(hmac_sha256(view(key_), to_sign))) +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  const Holdfast& server_;
  std::string host_;
  std::string day_;
  std::size_t calls_ = 0;
  holdfast::Digest key_{};
  Loop token_loop_;
  std::unique_ptr<HttpConnection> tokens_;
};

class NchanDialect final : public Dialect {
 public:
  explicit NchanDialect(const Nchan& server) : server_(server) {}

  const Server& server() const override { return server_; }
  bool stores_durably() const override { return false; }
  // Nchan keeps what it has delivered: each scenario has channels of its own.
  void begin() override { ++scenario_; }

  void publish(std::string& out, std::size_t user,
               const std::vector<std::string>& messages) override {
    for (const std::string& message : messages) {
      out += "POST /pub?id=" + channel(user) +
             " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: " +
             std::to_string(message.size()) + "\r\n\r\n" + message;
    }
  }
  std::unique_ptr<ProducerConnection> producer(Loop& loop) override {
    return std::make_unique<HttpConnection>(loop, server_.port());
  }
  std::unique_ptr<SubscriberConnection> subscribe(Loop& loop, std::size_t user,
                                                  SubscriberConnection::OnText on_text) override {
    return std::make_unique<WebSocketConnection>(loop, server_.port(), "/sub?id=" + channel(user),
                                                 std::move(on_text));
  }

 private:
  std::string channel(std::size_t user) const {
    return std::to_string(scenario_) + "-" + std::to_string(user);
  }

  const Nchan& server_;
  std::size_t scenario_ = 0;
};

// Acknowledged by the subscriber and by the broker, in memory.
class MosquittoDialect final : public Dialect {
 public:
  explicit MosquittoDialect(const Mosquitto& server) : server_(server) {}

  const Server& server() const override { return server_; }
  bool stores_durably() const override { return false; }
  void begin() override {}

  void publish(std::string& out, std::size_t user,
               const std::vector<std::string>& messages) override {
    for (const std::string& message : messages) {
      append_publish(out, "users/" + std::to_string(user), message);
    }
  }
  std::unique_ptr<ProducerConnection> producer(Loop& loop) override {
    return std::make_unique<MqttProducer>(loop, server_.port());
  }
  std::unique_ptr<SubscriberConnection> subscribe(Loop& loop, std::size_t user,
                                                  SubscriberConnection::OnText on_text) override {
    return std::make_unique<MqttSubscriber>(loop, server_.port(), "users/" + std::to_string(user),
                                            std::move(on_text));
  }

 private:
  const Mosquitto& server_;
};

class CentrifugoDialect final : public Dialect {
 public:
  explicit CentrifugoDialect(const Centrifugo& server) : server_(server) {}

  const Server& server() const override { return server_; }
  bool stores_durably() const override { return false; }
  void begin() override {}

  void publish(std::string& out, std::size_t user,
               const std::vector<std::string>& messages) override {
    for (const std::string& message : messages) {
      const std::string body =
          R"({"channel":"user)" + std::to_string(user) + R"(","data":")" + message + R"("})";
      out +=
          "POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json"
          "\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n\r\n" + body;
    }
  }
  std::unique_ptr<ProducerConnection> producer(Loop& loop) override {
    return std::make_unique<HttpConnection>(loop, server_.port());
  }
  std::unique_ptr<SubscriberConnection> subscribe(Loop& loop, std::size_t user,
                                                  SubscriberConnection::OnText on_text) override {
    return std::make_unique<CentrifugoConnection>(
        loop, server_.port(), "user" + std::to_string(user), std::move(on_text));
  }

 private:
  const Centrifugo& server_;
};

}  // namespace

std::string token_request(const Holdfast& server, std::size_t user) {
  return "GET /tokens HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
         "\r\nAuthorization: " + server.id_tokens()[user] + "\r\n\r\n";
}

std::string websocket_target(int status, std::string_view answer) {
  const std::size_t from = answer.find("\":\"");
  if (status != 200 || from == std::string_view::npos) {
    throw std::runtime_error("no token: " + std::string(answer));
  }
  return "/ws?token=" + std::string(answer.substr(from + 3, answer.find('"', from + 3) - from - 3));
}

std::unique_ptr<Dialect> holdfast_dialect(const Holdfast& server) {
  return std::make_unique<HoldfastDialect>(server);
}
std::unique_ptr<Dialect> nchan_dialect(const Nchan& server) {
  return std::make_unique<NchanDialect>(server);
}
std::unique_ptr<Dialect> mosquitto_dialect(const Mosquitto& server) {
  return std::make_unique<MosquittoDialect>(server);
}
std::unique_ptr<Dialect> centrifugo_dialect(const Centrifugo& server) {
  return std::make_unique<CentrifugoDialect>(server);
}

}  // namespace bench
