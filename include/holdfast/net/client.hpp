#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::net {

/// A parsed URL of the scheme `http`, `https`, `ws`, `wss` or `unix`.
struct Url {
  std::string scheme;
  std::string host;  ///< without brackets; of `unix`, the socket's path
  std::string port;
  std::string target;  ///< path and query, at least `/`

  /// Returns `host` or `host:port`, as a Host header has it.
  [[nodiscard]] std::string authority() const;
};
/// Parses a URL. Error `invalid_argument` with the text at fault.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers{};  ///< without Host and Content-Length
  std::string body{};
  /// Limits the answer's body. A longer one is an `invalid_argument`, before all of it has come.
  std::size_t response_bytes_max = 256 << 20;
};

/// A blocking HTTP/1.1 client with one kept-alive connection, for commands and tests. One thread at
/// a time; not for shards. Every call has a deadline.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  /// Sends a request and waits for its answer. A redirect is an answer, and is not followed.
  /// Errors: `unavailable` (cannot connect, connection lost, deadline), `invalid_argument` (not
  /// HTTP, or too long).
  [[nodiscard]] virtual Result<Response> request(const ClientRequest& request,
                                                 Milliseconds timeout = Milliseconds(30'000)) = 0;
};
struct TlsClientOptions {
  std::string ca_file;  ///< empty: the system's
};
[[nodiscard]] std::unique_ptr<HttpClient> make_http_client(Url base, TlsClientOptions tls = {});

/// A blocking WebSocket client. One thread reads; `close` from another ends it.
class WebSocketClient {
 public:
  virtual ~WebSocketClient() = default;
  /// Returns the next text message, or nullopt at the deadline. Answers Pings while it runs.
  /// `unavailable` when the connection has ended.
  [[nodiscard]] virtual Result<std::optional<std::string>> read(Milliseconds timeout) = 0;
  [[nodiscard]] virtual Result<void> write(std::string_view text) = 0;
  virtual void close() = 0;
  /// Returns the code of the peer's Close, once the connection has ended; 1006 if no Close came.
  [[nodiscard]] virtual int close_code() const = 0;
};
/// Connects and upgrades. Errors: `unauthenticated` (401), `unavailable`, and `invalid_argument`
/// for a refusal that a retry would get again (any other 4xx but 408 and 429).
[[nodiscard]] Result<std::unique_ptr<WebSocketClient>> connect_websocket(
    const Url& url, const std::vector<std::pair<std::string, std::string>>& headers,
    const std::string& subprotocol, Milliseconds timeout, TlsClientOptions tls = {});

}  // namespace holdfast::net
