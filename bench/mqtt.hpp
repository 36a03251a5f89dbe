#pragma once

#include <string>
#include <string_view>

#include "clients.hpp"

// MQTT 3.1.1, as far as publishing and receiving with quality of service 1 needs it.
namespace bench {

/// Appends a PUBLISH that the broker acknowledges.
void append_publish(std::string& out, std::string_view topic, std::string_view message);

/// A client that is connected, and is sent packets.
class MqttConnection {
 public:
  MqttConnection(Loop& loop, std::uint16_t port, Loop::Handler* handler);
  ~MqttConnection();
  MqttConnection(const MqttConnection&) = delete;
  MqttConnection& operator=(const MqttConnection&) = delete;

  void write(std::string_view packet);
  using OnPacket = std::function<void(std::uint8_t type, std::string_view body)>;
  void ready(std::uint32_t events, const OnPacket& on_packet);

 private:
  void flush();

  Loop& loop_;
  Loop::Handler* handler_;
  int fd_;
  std::string out_;
  std::string in_;
};

/// Publishes: a request is one PUBLISH, its PUBACK the answer.
class MqttProducer final : public ProducerConnection {
 public:
  MqttProducer(Loop& loop, std::uint16_t port) : connection_(loop, port, this) {}

  void send(std::string_view request, OnResponse on_response) override;
  void ready(std::uint32_t events) override;

 private:
  MqttConnection connection_;
  OnResponse on_response_;
};

/// Subscribes to one topic, and acknowledges what it is sent.
class MqttSubscriber final : public SubscriberConnection {
 public:
  MqttSubscriber(Loop& loop, std::uint16_t port, std::string_view topic, OnText on_text);

  [[nodiscard]] bool open() const noexcept override { return subscribed_; }
  void ready(std::uint32_t events) override;

 private:
  MqttConnection connection_;
  bool subscribed_ = false;
  OnText on_text_;
};

}  // namespace bench
