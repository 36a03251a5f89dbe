#include "api/paths.hpp"

#include <optional>
#include <string>

#include <holdfast/base/encoding.hpp>

#include "api/text.hpp"

namespace holdfast::api {
namespace {

// The path without its leading slash and the stage; nullopt when it is no path of a route.
std::optional<std::string_view> below_stage(std::string_view path, std::string_view stage) {
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  if (!path.starts_with(stage)) return path;
  const std::string_view rest = path.substr(stage.size());
  if (rest.empty()) return rest;
  return rest.starts_with('/') ? rest.substr(1) : path;
}

bool is_jwks(std::string_view path, std::string_view pool_id) {
  return !pool_id.empty() && path.starts_with(pool_id) &&
         path.substr(pool_id.size()) == "/.well-known/jwks.json";
}

Route by_path(const GatewayOptions& options, std::string_view raw_path) {
  std::string decoded;
  if (raw_path.contains('%')) {
    auto path = percent_decode(raw_path);
    if (!path || path->contains('\0')) return Route::none;
    decoded = std::move(*path);
    raw_path = decoded;
  }
  const auto path = below_stage(raw_path, options.stage);
  if (!path) return Route::none;
  if (*path == "message") return Route::message;
  if (*path == "messages") return Route::messages;
  if (*path == "tokens") return Route::tokens;
  if (*path == "ws") return Route::websocket;
  if (path->empty()) return Route::websocket_root;
  return is_jwks(*path, options.pool_id) ? Route::jwks : Route::none;
}

}  // namespace

Route find_route(const Context& context, const net::RequestHead& head) {
  const Route route = by_path(context.options, head.path());
  if (route != Route::none && route != Route::websocket_root) return route;
  if (head.method == "POST") {
    const std::string* const target = head.header("X-Amz-Target");
    if (target != nullptr && target->starts_with(kUserPoolTarget)) return Route::user_pool;
  }
  return route;
}

std::string_view method_of(Route route) noexcept {
  switch (route) {
    case Route::message:
    case Route::messages:
    case Route::user_pool:
      return "POST";
    case Route::none:
    case Route::tokens:
    case Route::websocket:
    case Route::websocket_root:
    case Route::jwks:
      break;
  }
  return "GET";
}

bool asks_for_websocket(const net::RequestHead& head) {
  const std::string* const upgrade = head.header("Upgrade");
  bool found = false;
  if (upgrade != nullptr) {
    for_each_element(*upgrade, [&](std::string_view protocol) {
      found = found || equals_ignoring_case(protocol, "websocket");
    });
  }
  return found;
}

}  // namespace holdfast::api
