#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/api/options.hpp>
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

class Contexts;

/// The services of the gateway's listeners. They share their options.
class GatewayServices {
 public:
  /// Creates one service for each of `served`, with its share of the gateway's routes, each also
  /// under `/{stage}`:
  /// * `POST /message`, `POST /messages`, `GET /tokens`, `POST /tokens`;
  /// * the WebSocket at `/ws`, `/` and `/{stage}`;
  /// * the user pool (`POST` with `X-Amz-Target: AWSCognitoIdentityProviderService.*`, any path);
  /// * CloudFormation's DescribeStacks (a `POST` of a form, any path without another route);
  /// * `GET /{userPoolId}/.well-known/jwks.json` and `…/openid-configuration`;
  /// * `POST`, `GET` and `DELETE /@connections/{connectionId}`.
  ///
  /// Only their counters change, and they are per shard, so one object serves all shards.
  GatewayServices(GatewayOptions options, GatewayParts parts,
                  const std::vector<ServedParts>& served);

  /// One for each element of `served`.
  [[nodiscard]] const std::vector<std::shared_ptr<net::HttpService>>& all() const noexcept {
    return all_;
  }
  /// Sets other options for later requests. A request under way may see some of both. The instance
  /// does not change. Thread-safe.
  void change_options(GatewayOptions options);

 private:
  std::shared_ptr<Contexts> contexts_;
  std::vector<std::shared_ptr<net::HttpService>> all_;
};

}  // namespace holdfast::api
