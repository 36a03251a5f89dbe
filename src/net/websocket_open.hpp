#pragma once

#include <memory>
#include <string>

#include <holdfast/net/http.hpp>

#include "part.hpp"
#include "socket_io.hpp"

namespace holdfast::net {

class TlsSession;

/// A socket on its way from HTTP to WebSocket, maybe to another shard.
struct OpeningWebSocket {
  UniqueFd fd;
  std::shared_ptr<TlsSession> tls;  ///< null on a plain socket
  std::string early;                ///< received behind the request
  std::string key;                  ///< Sec-WebSocket-Key
  SocketSlot slot;
  UpgradeAccepted accepted;
};

/// Writes the 101 on the accepted shard, in a later turn, and hands the connection to `on_open`.
/// This and nothing else of the WebSocket is seen by HTTP, which so compiles without it.
void open_websocket_later(ListenerCore& listener, OpeningWebSocket opening);

}  // namespace holdfast::net
