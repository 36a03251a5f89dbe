#pragma once

#include <cstdint>
#include <string_view>

#include <holdfast/net/http.hpp>

#include "api/context.hpp"

namespace holdfast::api {

enum class Route : std::uint8_t {
  none,
  message,
  messages,
  tokens,
  websocket,       ///< `/ws`
  websocket_root,  ///< `/` and `/{stage}`, which are a route for upgrades alone
  user_pool,
  jwks,
};

/// The prefix of `X-Amz-Target` that makes a POST one of the user pool's.
inline constexpr std::string_view kUserPoolTarget = "AWSCognitoIdentityProviderService.";

/// The route of a request, by its path (decoded once, with or without the stage) and, for the user
/// pool, its `X-Amz-Target`.
[[nodiscard]] Route find_route(const Context& context, const net::RequestHead& head);
/// The one method of a route: `GET` or `POST`.
[[nodiscard]] std::string_view method_of(Route route) noexcept;
/// Whether an upgrade to this route is a WebSocket.
[[nodiscard]] constexpr bool is_websocket(Route route) noexcept {
  return route == Route::websocket || route == Route::websocket_root;
}
/// Whether the client asks for an upgrade to `websocket` (RFC 6455 section 4.2.1).
[[nodiscard]] bool asks_for_websocket(const net::RequestHead& head);

}  // namespace holdfast::api
