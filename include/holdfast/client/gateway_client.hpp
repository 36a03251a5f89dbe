#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/iam/credentials.hpp>
#include <holdfast/net/client.hpp>

namespace holdfast::client {

/// Why a call failed, in the server's words where it had any.
struct CallError {
  int status = 0;       ///< of HTTP; 0 when no answer came
  std::string type;     ///< AWS's name (`AccessDeniedException`); may be empty
  std::string message;  ///< for people
  std::optional<Seconds> retry_after;

  /// Returns whether a retry may succeed: after no answer, 408, 429 or a 5xx.
  [[nodiscard]] bool transient() const noexcept;
  /// `AccessDeniedException: User: … is not authorized …`.
  [[nodiscard]] std::string text() const;
};
template <class T>
using CallResult = std::expected<T, CallError>;

struct GatewayOptions {
  std::string url = "http://127.0.0.1:8080";  ///< a path is put before every route's
  std::string ingest_url;  ///< for messages, where another listener takes them; empty: `url`
  std::string region = "us-east-1";
  std::string user_pool_id;
  std::string client_id;
  iam::Credentials credentials;  ///< for signed calls alone
  std::string ca_file;           ///< empty: the system's
  Milliseconds timeout{30'000};  ///< of each call
};

struct Tokens {
  std::string id_token;
  std::string access_token;
};
/// The user pool's challenge before it gives tokens: `NEW_PASSWORD_REQUIRED`.
struct Challenge {
  std::string name;
  std::string session;
};
using AuthAnswer = std::variant<Tokens, Challenge>;

/// A message to send.
struct OutgoingMessage {
  std::string user_id;
  std::string text;
  std::optional<std::string> deduplication_id;
  std::optional<Seconds> ttl;
};
/// The gateway's answer for one message.
struct Receipt {
  std::string message_id;
  Sequence sequence = 0;
  std::string status;  ///< `DELIVERED` or `STORED`
};
/// The gateway's answer for a batch, by the index of the entry.
struct BatchAnswer {
  struct Success {
    std::size_t index = 0;
    Receipt receipt;
  };
  struct Failure {
    std::size_t index = 0;
    std::string code;
    std::string message;
  };
  std::vector<Success> successful;
  std::vector<Failure> failed;
};

/// A client of the gateway's public API, for programs, commands and tests. Blocking and not
/// thread-safe. Keeps one connection alive. Does not retry; `transient` says whether you may.
class GatewayClient {
 public:
  virtual ~GatewayClient() = default;

  /// `POST /message`, signed for `execute-api`.
  [[nodiscard]] virtual CallResult<Receipt> publish(const OutgoingMessage& message) = 0;
  /// `POST /messages`, signed for `execute-api`; 1 to 500 entries.
  [[nodiscard]] virtual CallResult<BatchAnswer> publish_all(
      const std::vector<OutgoingMessage>& messages) = 0;

  /// AdminCreateUser, signed for `cognito-idp`: the user's `sub`.
  [[nodiscard]] virtual CallResult<std::string> admin_create_user(
      const std::string& username, const std::string& temporary_password) = 0;
  /// AdminInitiateAuth with `ADMIN_USER_PASSWORD_AUTH`, signed.
  [[nodiscard]] virtual CallResult<AuthAnswer> admin_initiate_auth(const std::string& username,
                                                                   const std::string& password) = 0;
  /// AdminRespondToAuthChallenge to `NEW_PASSWORD_REQUIRED`, signed.
  [[nodiscard]] virtual CallResult<AuthAnswer> admin_respond_new_password(
      const std::string& username, const std::string& new_password, const std::string& session) = 0;
  /// AdminSetUserPassword with `Permanent`, signed.
  [[nodiscard]] virtual CallResult<void> admin_set_user_password(const std::string& username,
                                                                 const std::string& password) = 0;
  /// InitiateAuth with `USER_PASSWORD_AUTH`; needs no access key.
  [[nodiscard]] virtual CallResult<AuthAnswer> initiate_auth(const std::string& username,
                                                             const std::string& password) = 0;

  /// `GET /tokens`: a temporary token, good for one connection within 30 s.
  [[nodiscard]] virtual CallResult<std::string> temporary_token(std::string_view id_token) = 0;
  /// Returns the URL for a WebSocket with this temporary token. It is a secret, like the token.
  [[nodiscard]] virtual net::Url websocket_url(std::string_view token) const = 0;
  /// Opens a WebSocket with a temporary token. An empty subprotocol asks for none.
  [[nodiscard]] virtual CallResult<std::unique_ptr<net::WebSocketClient>> open_websocket(
      std::string_view token, const std::string& subprotocol) = 0;

  /// `GET /{userPoolId}/.well-known/jwks.json`.
  [[nodiscard]] virtual CallResult<std::string> jwks() = 0;

  /// Sends any request under the gateway's URL, signed for `service` unless that is empty. Returns
  /// every answer, whatever its status. An error means that no answer came.
  [[nodiscard]] virtual CallResult<net::Response> send(net::ClientRequest request,
                                                       std::string_view service) = 0;
};
/// Makes a client without connecting. `invalid_argument` for an invalid URL.
[[nodiscard]] Result<std::unique_ptr<GatewayClient>> make_gateway_client(GatewayOptions options,
                                                                         const Clock& clock);

/// Returns the error of an answer with a status other than 2xx.
[[nodiscard]] CallError error_of(const net::Response& response);

/// Returns the `sub` of an ID token without verifying it. Only for the token's own user.
[[nodiscard]] Result<std::string> id_token_subject(std::string_view id_token);

}  // namespace holdfast::client
