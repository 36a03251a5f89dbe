#include "mqtt.hpp"

#include <stdexcept>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr std::uint8_t kConnect = 0x10;
constexpr std::uint8_t kConnectAnswer = 0x20;
constexpr std::uint8_t kPublish = 0x32;  // with quality of service 1
constexpr std::uint8_t kPublishAnswer = 0x40;
constexpr std::uint8_t kSubscribe = 0x82;
constexpr std::uint8_t kSubscribeAnswer = 0x90;

void append_u16(std::string& out, std::size_t number) {
  out.push_back(static_cast<char>(number >> 8U));
  out.push_back(static_cast<char>(number & 0xffU));
}

void append_text(std::string& out, std::string_view text) {
  append_u16(out, text.size());
  out.append(text);
}

std::size_t u16_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])) << 8U |
         static_cast<unsigned char>(bytes[at + 1]);
}

void append_packet(std::string& out, std::uint8_t type, std::string_view body) {
  out.push_back(static_cast<char>(type));
  std::size_t length = body.size();
  do {
    const std::size_t part = length % 128;
    length /= 128;
    out.push_back(static_cast<char>(length > 0 ? part | 0x80U : part));
  } while (length > 0);
  out.append(body);
}

std::string packet(std::uint8_t type, std::string_view body) {
  std::string out;
  append_packet(out, type, body);
  return out;
}

// Takes whole packets off the front, and answers how many bytes they were.
std::size_t consume_packets(std::string_view bytes, const MqttConnection::OnPacket& on_packet) {
  std::size_t taken = 0;
  while (true) {
    std::size_t length = 0;
    std::size_t at = taken + 1;
    for (unsigned shift = 0; at < bytes.size(); shift += 7, ++at) {
      const auto part = static_cast<unsigned char>(bytes[at]);
      length |= static_cast<std::size_t>(part & 0x7fU) << shift;
      if ((part & 0x80U) == 0) break;
    }
    if (at >= bytes.size() || bytes.size() - at - 1 < length) return taken;
    on_packet(static_cast<std::uint8_t>(bytes[taken]), bytes.substr(at + 1, length));
    taken = at + 1 + length;
  }
}

}  // namespace

void append_publish(std::string& out, std::string_view topic, std::string_view message) {
  std::string body;
  append_text(body, topic);
  append_u16(body, 1);  // a producer has one on its way at a time
  body += message;
  append_packet(out, kPublish, body);
}

MqttConnection::MqttConnection(Loop& loop, std::uint16_t port, Loop::Handler* handler)
    : loop_(loop), handler_(handler), fd_(connect_to(port)) {
  loop_.watch(fd_, handler_);
  static std::size_t clients = 0;
  std::string body;
  append_text(body, "MQTT");
  body += '\x04';  // the protocol's version
  body += '\x02';  // nothing is kept of it
  append_u16(body, 0);
  append_text(body, "bench" + std::to_string(++clients));
  write(packet(kConnect, body));
}

MqttConnection::~MqttConnection() { close(fd_); }

void MqttConnection::write(std::string_view packet) {
  out_ += packet;
  flush();
}

void MqttConnection::flush() { write_available(loop_, fd_, handler_, out_); }

void MqttConnection::ready(std::uint32_t events, const OnPacket& on_packet) {
  if ((events & EPOLLOUT) != 0) {
    loop_.want_write(fd_, handler_, false);
    flush();
  }
  if ((events & ~EPOLLOUT) == 0) return;
  read_available(fd_, in_,
                 [&](std::string_view bytes) { return consume_packets(bytes, on_packet); });
}

void MqttProducer::send(std::string_view request, OnResponse on_response) {
  on_response_ = std::move(on_response);
  connection_.write(request);
}

void MqttProducer::ready(std::uint32_t events) {
  connection_.ready(events, [this](std::uint8_t type, std::string_view) {
    if (type != kPublishAnswer) return;
    // The callback may send the next request at once.
    const OnResponse on_response = std::move(on_response_);
    on_response(200, {});
  });
}

MqttSubscriber::MqttSubscriber(Loop& loop, std::uint16_t port, std::string_view topic,
                               OnText on_text)
    : connection_(loop, port, this), on_text_(std::move(on_text)) {
  std::string body;
  append_u16(body, 1);
  append_text(body, topic);
  body += '\x01';
  connection_.write(packet(kSubscribe, body));
}

void MqttSubscriber::ready(std::uint32_t events) {
  std::string answers;
  connection_.ready(events, [&](std::uint8_t type, std::string_view body) {
    if (type == kConnectAnswer && body != std::string_view("\0\0", 2)) {
      throw std::runtime_error("the broker refused a client");
    }
    if (type == kSubscribeAnswer) subscribed_ = true;
    if ((type & 0xf0U) != (kPublish & 0xf0U)) return;
    const std::size_t topic = u16_at(body, 0);
    append_packet(answers, kPublishAnswer, body.substr(2 + topic, 2));
    on_text_(body.substr(4 + topic));
  });
  if (!answers.empty()) connection_.write(answers);
}

}  // namespace bench
