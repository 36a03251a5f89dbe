// Maps a request's path to a route.

#include "paths.hpp"

#include <algorithm>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>

#include "text.hpp"

namespace holdfast::api {
namespace {

// The path without its leading slash and the stage; nullopt when it is no path of a route. One
// slash at the end makes no other route of it, two do.
std::optional<std::string_view> below_stage(std::string_view path, std::string_view stage) {
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  if (path.size() > 1 && path.ends_with('/') && !path.ends_with("//")) path.remove_suffix(1);
  if (!path.starts_with(stage)) return path;
  const std::string_view rest = path.substr(stage.size());
  if (rest.empty()) return rest;
  return rest.starts_with('/') ? rest.substr(1) : path;
}

// Returns the route of a document that the pool publishes.
Route published(std::string_view path, std::string_view pool_id) {
  if (pool_id.empty() || !path.starts_with(pool_id)) return Route::none;
  path.remove_prefix(pool_id.size());
  if (path == "/.well-known/jwks.json") return Route::jwks;
  if (path == "/.well-known/openid-configuration") return Route::openid_configuration;
  return Route::none;
}

bool is_form(const net::RequestHead& head) {
  const std::string* const type = head.header("Content-Type");
  if (type == nullptr) return false;
  const std::string_view value = *type;
  return ascii::iequals(ascii::trim(value.substr(0, value.find(';'))),
                        "application/x-www-form-urlencoded");
}

constexpr std::string_view kConnections = "@connections/";
constexpr std::size_t kConnectionIdBytes = 128;

// Returns the connection id in a path. Accepts ids of API Gateway too, whose base64 may have `/`.
std::optional<std::string_view> connection_in(std::string_view path) {
  if (!path.starts_with(kConnections)) return std::nullopt;
  const std::string_view id = path.substr(kConnections.size());
  const bool plain = std::ranges::all_of(id, [](char c) { return c > ' ' && c < 0x7f; });
  if (id.empty() || id.size() > kConnectionIdBytes || !plain) return std::nullopt;
  return id;
}

// The raw path decoded once, in `decoded` where that changes it.
std::optional<std::string_view> decode_path(std::string_view raw_path, std::string& decoded) {
  if (!raw_path.contains('%')) return raw_path;
  auto path = percent_decode(raw_path);
  if (!path || path->contains('\0')) return std::nullopt;
  decoded = std::move(*path);
  return decoded;
}

Route by_path(const GatewayOptions& options, std::string_view raw_path) {
  std::string decoded;
  const auto whole = decode_path(raw_path, decoded);
  if (!whole) return Route::none;
  const auto path = below_stage(*whole, options.aws.stage);
  if (!path) return Route::none;
  if (*path == "message") return Route::message;
  if (*path == "messages") return Route::messages;
  if (*path == "tokens") return Route::tokens;
  if (*path == "ws") return Route::websocket;
  if (path->empty()) return Route::websocket_root;
  if (connection_in(*path)) return Route::connection;
  return published(*path, options.instance.pool_id);
}

}  // namespace

Route find_route(const Context& context, const net::RequestHead& head) {
  const Route route = by_path(context.options, head.path());
  if (route != Route::none && route != Route::websocket_root) return route;
  if (head.method == "POST") {
    const std::string* const target = head.header("X-Amz-Target");
    if (target != nullptr && target->starts_with(kUserPoolTarget)) return Route::user_pool;
    if (target == nullptr && is_form(head)) return Route::cloud_formation;
  }
  return route;
}

std::string_view methods_of(Route route) noexcept {
  switch (route) {
    case Route::message:
    case Route::messages:
    case Route::user_pool:
    case Route::cloud_formation:
      return "POST";
    case Route::connection:
      return "DELETE, GET, POST";
    case Route::tokens:
      return "GET, POST";
    case Route::none:
    case Route::websocket:
    case Route::websocket_root:
    case Route::jwks:
    case Route::openid_configuration:
      break;
  }
  return "GET";
}

bool has_method(Route route, std::string_view method) {
  bool found = false;
  for_each_element(methods_of(route),
                   [&](std::string_view allowed) { found = found || allowed == method; });
  return found;
}

bool has_odd_segments(std::string_view raw_path) {
  std::string decoded;
  const auto whole = decode_path(raw_path, decoded);
  if (!whole) return true;
  std::string_view path = *whole;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  // Of `/` alone nothing is left.
  if (path.empty()) return whole->size() > 1;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment.empty() || segment == "." || segment == "..") return true;
    begin = end + 1;
  }
  return false;
}

std::optional<std::string> managed_connection(const Context& context,
                                              const net::RequestHead& head) {
  std::string decoded;
  const auto whole = decode_path(head.path(), decoded);
  const auto path = whole ? below_stage(*whole, context.options.aws.stage) : std::nullopt;
  const auto id = path ? connection_in(*path) : std::nullopt;
  if (!id) return std::nullopt;
  return std::string(*id);
}

bool asks_for_websocket(const net::RequestHead& head) {
  const std::string* const upgrade = head.header("Upgrade");
  bool found = false;
  if (upgrade != nullptr) {
    for_each_element(*upgrade, [&](std::string_view protocol) {
      found = found || ascii::iequals(protocol, "websocket");
    });
  }
  return found;
}

}  // namespace holdfast::api
