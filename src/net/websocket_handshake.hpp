#pragma once

#include <expected>
#include <memory>
#include <string>

#include <holdfast/net/live_connection.hpp>

#include "http_head.hpp"
#include "part.hpp"
#include "socket_io.hpp"

namespace holdfast::net {

class TlsSession;

/// Why a request with `Upgrade: websocket` is no opening handshake.
struct HandshakeFault {
  int status;           ///< 426 or 400
  const char* message;  ///< for the client
  const char* why;      ///< for the log; null: the message
};
/// The Sec-WebSocket-Key of an opening handshake (RFC 6455 section 4.2.1).
[[nodiscard]] std::expected<std::string, HandshakeFault> read_handshake(const RequestHead& head,
                                                                        const Framing& framing);

/// A socket on its way from HTTP to WebSocket, maybe to another shard.
struct OpeningWebSocket {
  UniqueFd fd;
  std::shared_ptr<TlsSession> tls;  ///< null on a plain socket
  std::string early;                ///< received behind the request
  std::string key;                  ///< Sec-WebSocket-Key
  SocketSlot slot;
  RequestTrace request;
  LiveAccepted accepted;
};

/// Writes the 101 on the accepted shard, in a later turn, and hands the connection to `on_open`.
/// This and nothing else of the WebSocket is seen by HTTP, which so compiles without it.
void open_websocket_later(ListenerCore& listener, OpeningWebSocket opening);

}  // namespace holdfast::net
