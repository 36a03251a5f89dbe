// The opening of a WebSocket: from a request to a connection on its shard.

#include "websocket_handshake.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <openssl/evp.h>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>

#include "websocket_connection.hpp"

namespace holdfast::net {
namespace {

constexpr std::size_t kWebSocketKeyBytes = 16;

bool has_one(const RequestHead& head, std::string_view name) {
  return std::ranges::count_if(head.headers, [name](const auto& header) {
           return ascii::iequals(header.first, name);
         }) == 1;
}

// Computes the Sec-WebSocket-Accept of a checked key (RFC 6455 section 4.2.2).
std::string accept_of(const std::string& key) {
  const std::string joined = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(joined.data(), joined.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return base64_encode({reinterpret_cast<const char*>(digest.data()), size});
}

std::string switching_protocols(const OpeningWebSocket& opening, const std::string& date) {
  std::string out =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: " +
      accept_of(opening.key) + "\r\nDate: " + date + "\r\n";
  const std::string& subprotocol = opening.accepted.subprotocol;
  if (!subprotocol.empty()) out += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n";
  return out + "\r\n";
}

void count_opening(ListenerShard& shard, const RequestTrace& request) {
  shard.count_response(101);
  shard.listener().log_access({.method = request.method,
                               .path = request.path,
                               .status = 101,
                               .bytes = 0,
                               .duration = shard.now() - request.started,
                               .remote = request.remote,
                               .fields = {},
                               .refused = {}});
}

void open_websocket(ListenerShard& shard, OpeningWebSocket opening) {
  const auto connection = std::make_shared<WebSocketConnection>(
      shard, std::move(opening.fd), std::move(opening.tls), std::move(opening.early),
      opening.accepted.message_bytes_max, std::move(opening.slot));
  if (connection->accept(switching_protocols(opening, shard.date()))) {
    count_opening(shard, opening.request);
  } else {
    shard.report_failed_handover(opening.request);
  }
  opening.accepted.on_open(connection);
}

}  // namespace

std::expected<std::string, HandshakeFault> read_handshake(const RequestHead& head,
                                                          const Framing& framing) {
  constexpr const char* kUpgradeRequired = "Upgrade Required";
  constexpr const char* kMalformedKey = "Bad Request: malformed Sec-WebSocket-Key";
  constexpr const char* kBody = "Bad Request: an upgrade has no body";
  if (head.method != "GET" || head.minor_version != 1) {
    return std::unexpected(
        HandshakeFault{426, kUpgradeRequired, "an upgrade is a GET of HTTP/1.1"});
  }
  const std::string* const version = head.header("sec-websocket-version");
  if (version == nullptr || *version != "13" || !has_one(head, "sec-websocket-version")) {
    return std::unexpected(
        HandshakeFault{426, kUpgradeRequired, "Sec-WebSocket-Version is not 13"});
  }
  const std::string* const key = head.header("sec-websocket-key");
  const auto nonce = key == nullptr ? std::nullopt : base64_decode(*key);
  if (!nonce || nonce->size() != kWebSocketKeyBytes || !has_one(head, "sec-websocket-key")) {
    return std::unexpected(HandshakeFault{400, kMalformedKey, nullptr});
  }
  if (framing.chunked || framing.content_length.value_or(0) != 0) {
    return std::unexpected(HandshakeFault{400, kBody, nullptr});
  }
  return *key;
}

void open_websocket_later(ListenerState& listener, OpeningWebSocket opening) {
  ListenerShard& shard = *listener.shards[opening.accepted.shard % listener.shards.size()];
  shard.loop().post([&shard, opening = std::move(opening)]() mutable {
    open_websocket(shard, std::move(opening));
  });
}

}  // namespace holdfast::net
