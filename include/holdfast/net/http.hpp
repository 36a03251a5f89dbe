#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include <holdfast/net/responder.hpp>

namespace holdfast::net {

/// The name, of a service's own, of one of its routes: found once, and carried with the request.
using RouteTag = std::uint8_t;

/// The header section as it came, before anything decoded or merged it: signatures are verified on
/// it.
struct RequestHead {
  std::string method;
  std::string target;  ///< raw; never decoded here
  int minor_version = 1;
  Headers headers;             ///< in order, duplicates kept, names as they came
  std::string remote_address;  ///< without the port
  /// Who asks, by what the system knows of them: `uid:N` of a Unix socket's peer, or what a service
  /// that hands a request on has found out. Empty: nobody known.
  std::string actor;
  bool secure = false;    ///< came over TLS
  RouteTag route = 0;     ///< as `screen` or `opens` found it
  std::size_t shard = 0;  ///< the shard that serves it

  /// The first value of a header, by name without regard to case; nullptr when there is none.
  [[nodiscard]] const std::string* header(std::string_view name) const noexcept;
  /// The path, raw, without the query.
  [[nodiscard]] std::string_view path() const noexcept;
  /// The query, raw, without its `?`; empty when there is none.
  [[nodiscard]] std::string_view query() const noexcept;
};

struct Request {
  RequestHead head;
  std::string body;  ///< de-chunked
};

/// How much of a request's body a service takes.
struct BodyLimit {
  std::size_t bytes = 0;
  const char* reason = "the body is too long";  ///< why a longer one is refused, for the log
  RouteTag route = 0;                           ///< for `RequestHead::route`
};

class LiveService;

/// What a listener serves. Implemented by `api` and `control`; called on the shard that owns the
/// connection. One object may serve several shards: it must not keep state that is not per shard or
/// immutable.
class HttpService {
 public:
  virtual ~HttpService() = default;
  /// Looks at the header section before the body: refuses at once, or says how large the body may
  /// be.
  [[nodiscard]] virtual std::variant<Response, BodyLimit> screen(const RequestHead& head) = 0;
  virtual void handle(Request request, Responder respond) = 0;
  /// The side of it that opens live connections (`live_connection.hpp`); null: it has none, and
  /// upgrades are served as plain requests.
  [[nodiscard]] virtual LiveService* live() noexcept { return nullptr; }
  /// Whether an HTTP/1.0 request that names no host is served; one of HTTP/1.1 never is.
  [[nodiscard]] virtual bool serves_without_host(const RequestHead& /*head*/) const {
    return false;
  }
  /// The wire form of an error that net finds by itself (400, 408, 413, 414, 417, 431, 501, 503,
  /// 505).
  [[nodiscard]] virtual Response error(int status, std::string_view message) const = 0;
};

}  // namespace holdfast::net
