#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/delivery/client_protocol.hpp>
#include <holdfast/delivery/mailboxes.hpp>
#include <holdfast/delivery/send_limits.hpp>

namespace holdfast::api {

/// The names that AWS's tools see: in ARNs, signatures and CloudFormation's answers.
struct AwsNames {
  std::string partition = "aws";
  std::string region = "us-east-1";
  std::string account = "000000000000";
  std::string api_id = "holdfast";
  std::string stage = "prod";  ///< every route is served with and without `/{stage}`
  std::string stack_name = "ServerlessAsyncMessagingGatewayStack";
  /// The URL under which clients reach the sample application.
  std::string sample_app_url = "http://127.0.0.1:8090";
};

/// Limits of what a call may take, and of how often it may come.
struct Limits {
  delivery::SendLimits message;
  std::size_t body_bytes = 1 << 20;  ///< of `POST /message` and `POST /messages`
  std::size_t batch_messages = 500;
  /// Maximum of remembered signatures, so that each changes something only once. One key has an
  /// eighth. A reload does not change this.
  std::size_t signatures = 2'000'000;
  /// Signed requests per second of an access key without its own rate; 0 means unlimited.
  std::uint32_t key_requests_per_second = 0;
  /// `/tokens` for one user per second, and in one burst; 0 means unlimited.
  std::uint32_t token_requests_per_second = 10;
  std::uint32_t token_requests_burst = 30;
};

struct WebSocketOptions {
  /// The frame for a WebSocket without a subprotocol: `payload` or `raw`.
  delivery::FrameFormat frame = delivery::FrameFormat::payload;
  /// Origins from which browsers may log in, get tokens and connect, besides the gateway's own and
  /// the Host that they ask, as `https://chat.example.com`; `*` stands for every origin.
  std::vector<std::string> allowed_origins;
};

/// The facts of the running instance, which no reload changes.
struct Instance {
  std::string pool_id;    ///< of the user pool: its JWKS route and its ARN
  std::string client_id;  ///< of its one client
  std::string issuer;     ///< of its tokens
  std::string url;        ///< under which clients reach the gateway
  /// The gateway's own origin, under which clients reach it; may be empty.
  std::string origin;
  /// Origins of its console, from which pages may do what listed ones may.
  std::vector<std::string> console_origins;
  WallTime created_at;  ///< of CloudFormation's stack
};

/// The settings of the gateway's routes.
struct GatewayOptions {
  AwsNames aws;
  Limits limits;
  WebSocketOptions websocket;
  Instance instance;
  /// The longest validity of a signature after its date. A reload does not change this.
  Seconds signature_lifetime{300};
  /// Under which `docs/` is published; refusals then name the entry of `errors.md` in a `Link`
  /// header. Empty: none.
  std::string documentation_url;
  /// `client` refuses a WebSocket without `holdfast.v1` (400).
  delivery::Acknowledge acknowledge = delivery::Acknowledge::pong;
};

/// The groups of routes that one listener serves. Other routes are unknown paths there.
struct ServedParts {
  bool ingest = true;      ///< `POST /message`, `POST /messages`
  bool websocket = true;   ///< the WebSocket
  bool tokens = true;      ///< `/tokens`
  bool login = true;       ///< the user pool and its keys
  bool management = true;  ///< `/@connections`, CloudFormation
};

}  // namespace holdfast::api
