#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <holdfast/delivery/connection.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::net {

/// Opens a live connection for an accepted request.
struct LiveAccepted {
  std::size_t shard = 0;      ///< where the connection will live
  std::string subprotocol{};  ///< empty for none
  std::size_t message_bytes_max = 128 << 10;
  /// Called on that shard when the 101 is written. The callee calls `start` on the connection, now
  /// or later, or `abort`.
  std::move_only_function<void(std::shared_ptr<delivery::Connection>)> on_open{};
};
/// Decides about a live connection; a response refuses it. Called once, on the request's shard.
using LiveResponder = std::move_only_function<void(std::variant<Response, LiveAccepted>)>;

/// A service that opens live connections for some of its requests.
class LiveService : public HttpService {
 public:
  [[nodiscard]] LiveService* live() noexcept final { return this; }
  /// Returns the route of a request with `Upgrade: websocket` if it opens connections. Any other
  /// request is served as a plain one.
  [[nodiscard]] virtual std::optional<RouteTag> opens(const RequestHead& head) const = 0;
  /// Opens or refuses the connection. Net has checked the method, version and key (426, 400).
  virtual void open(RequestHead head, LiveResponder respond) = 0;
};

}  // namespace holdfast::net
