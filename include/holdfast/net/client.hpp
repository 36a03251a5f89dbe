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

/// `http`, `https`, `ws`, `wss` or `unix` and its parts.
struct Url {
  std::string scheme;
  std::string host;  ///< without brackets; for `unix` the socket's path
  std::string port;
  std::string target;  ///< path and query, at least `/`

  /// `host` or `host:port`, as a Host header has it.
  [[nodiscard]] std::string authority() const;
};
/// `invalid_argument` with the text at fault.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers{};  ///< without Host, Content-Length
  std::string body{};
  /// A longer body of the answer is refused (`invalid_argument`), before it has come.
  std::size_t response_bytes_max = 256 << 20;
};

/// A blocking HTTP/1.1 client with one kept-alive connection, for commands and tests. Not for
/// shards; one thread at a time. Every call has a deadline.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  /// Errors: `unavailable` (cannot connect, connection lost, deadline), `invalid_argument` (not
  /// HTTP, or too long). A redirect is an answer, and not followed.
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
  /// The next text message; nullopt when the deadline passes. Pings are answered by themselves,
  /// while this runs. `unavailable` when the connection has ended.
  [[nodiscard]] virtual Result<std::optional<std::string>> read(Milliseconds timeout) = 0;
  [[nodiscard]] virtual Result<void> write(std::string_view text) = 0;
  virtual void close() = 0;
  /// The code of the Close that came, once the connection has ended; 1006 when none did.
  [[nodiscard]] virtual int close_code() const = 0;
};
/// Connects and upgrades. Errors: `unauthenticated` (401), `invalid_argument` (a refusal that would
/// come again: another 4xx, but for 408 and 429), `unavailable`.
[[nodiscard]] Result<std::unique_ptr<WebSocketClient>> connect_websocket(
    const Url& url, const std::vector<std::pair<std::string, std::string>>& headers,
    const std::string& subprotocol, Milliseconds timeout, TlsClientOptions tls = {});

}  // namespace holdfast::net
