#pragma once

#include <expected>
#include <memory>
#include <string>

#include <holdfast/net/live_connection.hpp>

#include "http_head.hpp"
#include "listener_shard.hpp"
#include "socket_io.hpp"

namespace holdfast::net {

class TlsStream;

/// The fault of a request with `Upgrade: websocket` that is no opening handshake.
struct HandshakeFault {
  int status;           ///< 426 or 400
  const char* message;  ///< for the client
  const char* why;      ///< for the log; null: the message
};
/// Returns the Sec-WebSocket-Key of an opening handshake (RFC 6455 section 4.2.1).
[[nodiscard]] std::expected<std::string, HandshakeFault> read_handshake(const RequestHead& head,
                                                                        const Framing& framing);

/// A socket on its way from HTTP to WebSocket, maybe on another shard.
struct OpeningWebSocket {
  UniqueFd fd;
  std::shared_ptr<TlsStream> tls;  ///< null on a plain socket
  std::string early;               ///< received behind the request
  std::string key;                 ///< Sec-WebSocket-Key
  OpenSocketGuard slot;
  RequestTrace request;
  LiveAccepted accepted;
};

/// Writes the 101 on the accepted shard, in a later turn, and hands the connection to `on_open`.
/// HTTP sees nothing else of the WebSocket, and compiles without it.
void open_websocket_later(ListenerState& listener, OpeningWebSocket opening);

}  // namespace holdfast::net
