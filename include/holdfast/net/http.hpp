#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include <holdfast/net/responder.hpp>

namespace holdfast::net {

/// Names one of a service's routes. The service finds it once, and the request carries it.
using RouteTag = std::uint8_t;

/// The header section as it came, before decoding or merging, because signatures are verified on
/// it.
struct RequestHead {
  std::string method;
  std::string target;  ///< raw; never decoded here
  int minor_version = 1;
  Headers headers;             ///< in order, duplicates kept, names as they came
  std::string remote_address;  ///< without the port
  /// Names who asks: `uid:N` of a Unix socket's peer, or the name that a forwarding service has
  /// proven. Empty: unknown.
  std::string actor;
  bool secure = false;    ///< came over TLS
  RouteTag route = 0;     ///< as `screen` or `opens` found it
  std::size_t shard = 0;  ///< the shard that serves it

  /// Returns the first value of a header, by name without regard to case; nullptr if there is none.
  [[nodiscard]] const std::string* header(std::string_view name) const noexcept;
  /// Returns the raw path, without the query.
  [[nodiscard]] std::string_view path() const noexcept;
  /// Returns the raw query without its `?`; empty if there is none.
  [[nodiscard]] std::string_view query() const noexcept;
};

struct Request {
  RequestHead head;
  std::string body;  ///< de-chunked
};

/// The longest body that a service takes with a request.
struct BodyLimit {
  std::size_t bytes = 0;
  const char* reason = "the body is too long";  ///< the log's reason for refusing a longer one
  RouteTag route = 0;                           ///< for `RequestHead::route`
};

class LiveService;

/// Serves the requests of a listener; `api` and `control` implement it. It is called on the shard
/// that owns the connection. One object may serve several shards, so its state must be per shard or
/// immutable.
class HttpService {
 public:
  virtual ~HttpService() = default;
  /// Examines the header section before the body comes. Refuses the request at once, or limits its
  /// body.
  [[nodiscard]] virtual std::variant<Response, BodyLimit> screen(const RequestHead& head) = 0;
  virtual void handle(Request request, Responder respond) = 0;
  /// Returns the part that opens live connections (`live_connection.hpp`). Null: there is none, and
  /// upgrades are served as plain requests.
  [[nodiscard]] virtual LiveService* live() noexcept { return nullptr; }
  /// Returns whether an HTTP/1.0 request that names no host is served. One of HTTP/1.1 never is.
  [[nodiscard]] virtual bool serves_without_host(const RequestHead& /*head*/) const {
    return false;
  }
  /// Makes the wire form of an error that net finds itself (400, 408, 413, 414, 417, 431, 501, 503,
  /// 505).
  [[nodiscard]] virtual Response error(int status, std::string_view message) const = 0;
};

}  // namespace holdfast::net
