#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/api/route_metrics.hpp>
#include <holdfast/base/audit.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/delivery/mailboxes.hpp>
#include <holdfast/delivery/router.hpp>
#include <holdfast/iam/sigv4.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/issuers.hpp>
#include <holdfast/identity/temporary_token.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::identity {
class UserPool;
}

namespace holdfast::api {

/// The settings of the gateway's routes.
struct GatewayOptions {
  std::string partition = "aws";
  std::string region = "us-east-1";
  std::string account = "000000000000";
  std::string api_id = "holdfast";
  std::string stage = "prod";  ///< every route is served with and without `/{stage}`
  std::string pool_id;         ///< of the user pool: its JWKS route and its ARN
  std::string issuer;          ///< of its tokens

  /// The stack in the answer of CloudFormation's DescribeStacks.
  struct Stack {
    std::string name = "ServerlessAsyncMessagingGatewayStack";
    WallTime created_at;
    std::string client_id;
    std::string url;             ///< the URL under which clients reach the gateway
    std::string sample_app_url;  ///< the URL under which clients reach the sample application
  } stack;

  /// The gateway's own, under which clients reach it; may be empty.
  std::string own_origin;
  /// Origins from which browsers may log in, get tokens and connect, besides it and the Host that
  /// they ask: the console's and the listed ones, as `https://chat.example.com`; `*` stands for
  /// every origin.
  std::vector<std::string> allowed_origins;

  /// Signed requests per second of an access key without its own rate; 0 means unlimited.
  std::uint32_t key_requests_per_second = 0;
  /// `/tokens` for one user per second, and in one burst; 0 means unlimited.
  std::uint32_t token_requests_per_second = 0;
  std::uint32_t token_requests_burst = 1;

  /// Maximum of remembered signatures, so that each changes something only once. One key has an
  /// eighth. A reload does not change this and the next.
  std::size_t signatures_max = 2'000'000;
  Seconds signature_lifetime{300};  ///< the longest validity after its date

  /// Under which `docs/` is published; refusals then name the entry of `errors.md` in a `Link`
  /// header. Empty: none.
  std::string documentation_url;

  std::size_t message_bytes_max = 128 << 10;  ///< after unescaping
  std::size_t body_bytes_max = 1 << 20;       ///< of `POST /message` and `POST /messages`
  std::size_t batch_entries_max = 500;

  /// The frame for a WebSocket without a subprotocol: `payload` or `raw`.
  delivery::FrameFormat frame = delivery::FrameFormat::payload;
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

/// The parts that serve one shard's requests, used on that shard only. No pointer is null, and all
/// outlive the service. The router provides the shard's mailboxes and executor.
struct GatewayShard {
  iam::SigV4Verifier* verifier = nullptr;
  identity::UserPool* pool = nullptr;
  identity::Generator* generator = nullptr;
  identity::Authorizer* authorizer = nullptr;
};

/// The parts that all shards share. References and pointers outlive the service.
struct GatewayParts {
  const Clock& clock;
  const delivery::Router& router;
  std::shared_ptr<const identity::IdTokenVerifier> id_tokens;
  std::shared_ptr<const identity::TokenSigner> signer;  ///< its JWKS is served
  std::vector<GatewayShard> shards;                     ///< by shard index
  /// Set when a shutdown begins: everything is then answered 503 and `Connection: close`. May be
  /// null.
  const std::atomic<bool>* draining = nullptr;
  /// Other issuers whose ID tokens are accepted; may be null.
  std::shared_ptr<identity::Issuers> issuers{};
  /// The counters of each shard; null if nobody reads them.
  std::shared_ptr<ShardRouteMetrics> metrics{};
  /// Counts the refusals of each limit; null if nobody reads them.
  std::shared_ptr<BoundRefusals> refusals{};
  /// Records logins and changes of users; null to record nothing.
  std::shared_ptr<Audit> audit{};
  /// Returns the keyed hash that stands for a username in the audit log.
  std::function<std::string(std::string_view)> audit_name{};
};

/// The services of the gateway's listeners. They share their options.
class GatewayServices {
 public:
  virtual ~GatewayServices() = default;
  /// One for each element of `served`.
  [[nodiscard]] virtual const std::vector<std::shared_ptr<net::HttpService>>& all() const = 0;
  /// Sets other options for later requests. A request under way may see some of both. The ids and
  /// URLs of the instance do not change. Thread-safe.
  virtual void change_options(GatewayOptions options) = 0;
};
/// Creates one service for each of `served`, with its share of the gateway's routes, each also
/// under
/// `/{stage}`:
/// * `POST /message`, `POST /messages`, `GET /tokens`, `POST /tokens`;
/// * the WebSocket at `/ws`, `/` and `/{stage}`;
/// * the user pool (`POST` with `X-Amz-Target: AWSCognitoIdentityProviderService.*`, any path);
/// * CloudFormation's DescribeStacks (a `POST` of a form, any path without another route);
/// * `GET /{userPoolId}/.well-known/jwks.json` and `…/openid-configuration`;
/// * `POST`, `GET` and `DELETE /@connections/{connectionId}`.
///
/// Only their counters change, and they are per shard, so one object serves all shards.
[[nodiscard]] std::shared_ptr<GatewayServices> make_gateway_services(
    GatewayOptions options, GatewayParts parts, const std::vector<ServedParts>& served);

}  // namespace holdfast::api
