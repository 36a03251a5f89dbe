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

/// How a live connection begins once its request is accepted.
struct LiveAccepted {
  std::size_t shard = 0;      ///< where the connection is to live
  std::string subprotocol{};  ///< empty for none
  std::size_t message_bytes_max = 128 << 10;
  /// Called on that shard when the 101 is written; the callee calls `start` on the connection, now
  /// or later, or `abort`.
  std::move_only_function<void(std::shared_ptr<delivery::Connection>)> on_open{};
};
/// Decides about a live connection: a response refuses it. Called once, on the request's shard.
using LiveResponder = std::move_only_function<void(std::variant<Response, LiveAccepted>)>;

/// A service of which some requests open live connections.
class LiveService : public HttpService {
 public:
  [[nodiscard]] LiveService* live() noexcept final { return this; }
  /// The route of a request with `Upgrade: websocket`, where it is one that opens connections; to
  /// another it is served as a plain request.
  [[nodiscard]] virtual std::optional<RouteTag> opens(const RequestHead& head) const = 0;
  /// Such a request, whose method, version and key are right (net has checked them: 426, 400).
  virtual void open(RequestHead head, LiveResponder respond) = 0;
};

}  // namespace holdfast::net
