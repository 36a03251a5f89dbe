#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/net/log_fields.hpp>

namespace holdfast::net {

/// The name, of a service's own, of one of its routes: found once, and carried with the request.
using RouteTag = std::uint8_t;

/// The header section as it came, before anything decoded or merged it: signatures are verified on
/// it.
struct RequestHead {
  std::string method;
  std::string target;  ///< raw; never decoded here
  int minor_version = 1;
  std::vector<std::pair<std::string, std::string>>
      headers;                 ///< in order, duplicates kept, names as they came
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

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>>
      headers{};  ///< without Content-Length, Date, Connection
  std::string body{};
  bool close = false;  ///< end the connection after it
  /// For the access line alone, and nothing secret: why it refuses.
  std::string refused{};
  LogFields log_fields{};  ///< for the access line, too
  bool by_user = false;    ///< for a service's audit log: the user of its fields has called
};

/// Answers one request: called once, on the request's shard; may be called inside the handler. One
/// that is dropped uncalled ends the connection.
using Responder = std::move_only_function<void(Response)>;

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
