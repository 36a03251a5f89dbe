#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

enum class Route : std::uint8_t {
  none,
  message,
  messages,
  tokens,
  websocket,       ///< `/ws`
  websocket_root,  ///< `/` and `/{stage}`, which are a route for upgrades alone
  user_pool,
  cloud_formation,
  jwks,
  openid_configuration,
  connection,  ///< `/@connections/{connectionId}`
};

/// The prefix of `X-Amz-Target` that makes a POST one of the user pool's.
inline constexpr std::string_view kUserPoolTarget = "AWSCognitoIdentityProviderService.";

/// The route of a request, by its path (decoded once, with or without the stage and one slash at
/// the end) and, for the user pool, its `X-Amz-Target`.
[[nodiscard]] Route find_route(const Context& context, const net::RequestHead& head);
/// The methods of a route, as `Allow` has them.
[[nodiscard]] std::string_view methods_of(Route route) noexcept;
[[nodiscard]] bool has_method(Route route, std::string_view method);
/// Returns whether a path has an empty segment, `.` or `..`, raw or encoded. Signers remove those,
/// so the signed path would differ from the routed one. One slash at the end begins no segment.
[[nodiscard]] bool has_odd_segments(std::string_view raw_path);
/// The `{connectionId}` of a `Route::connection`, decoded; nullopt for other routes.
[[nodiscard]] std::optional<std::string> managed_connection(const Context& context,
                                                            const net::RequestHead& head);
/// Returns whether an upgrade to this route is a WebSocket.
[[nodiscard]] constexpr bool is_websocket(Route route) noexcept {
  return route == Route::websocket || route == Route::websocket_root;
}
/// Returns whether the client asks for an upgrade to `websocket` (RFC 6455 section 4.2.1).
[[nodiscard]] bool asks_for_websocket(const net::RequestHead& head);

}  // namespace holdfast::api
