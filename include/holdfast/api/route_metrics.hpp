#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <holdfast/base/metrics.hpp>
#include <holdfast/iam/sigv4.hpp>
#include <holdfast/net/server.hpp>

namespace holdfast::api {

/// Why an upgrade that net took for a good one was refused.
enum class UpgradeRefusal : std::uint8_t {
  origin,
  subprotocol,
  token_missing,
  token_invalid,  ///< no token of ours
  token_expired,
  token_used,  ///< or never issued by what this database remembers
  unavailable,
  draining,
  last = draining,
};
/// The caller that asked for a temporary token: a user by an ID token, or an access key by a
/// signature.
enum class TokenCaller : std::uint8_t { user, key, last = key };
/// Why `/tokens` gave no token, apart from what is wrong with a signature or a policy.
enum class TokenRefusal : std::uint8_t {
  missing,
  invalid,
  expired,
  user,  ///< deleted, disabled, or signed out since the login
  body,  ///< of `POST /tokens`
  rate,
  unavailable,
  last = unavailable,
};
/// Why a login, or a step of one, or a refresh failed.
enum class LoginFailure : std::uint8_t {
  not_authorized,  ///< a wrong password or proof, an ended session, a disabled user
  locked,          ///< too many failures of that name
  user_not_found,
  user_not_confirmed,
  password_reset_required,
  invalid_input,
  too_many_requests,
  unavailable,
  last = unavailable,
};
/// Why a call with a good signature was refused.
enum class CallRefusal : std::uint8_t { policy, rate, last = rate };
/// Why a message, or a request that may hold several, was refused.
enum class IngestRefusal : std::uint8_t {
  unauthorized,  ///< signature, policy, or the key's rate
  body,
  content_type,
  too_long,
  limit_exceeded,  ///< a limit of the user or the key
  conflict,        ///< the deduplicationId was used for another message
  unavailable,
  last = unavailable,
};

/// Names of the reasons, as metrics have them: `token_used`.
[[nodiscard]] const char* to_string(UpgradeRefusal reason) noexcept;
[[nodiscard]] const char* to_string(TokenCaller caller) noexcept;
[[nodiscard]] const char* to_string(TokenRefusal reason) noexcept;
[[nodiscard]] const char* to_string(LoginFailure reason) noexcept;
[[nodiscard]] const char* to_string(CallRefusal reason) noexcept;
[[nodiscard]] const char* to_string(IngestRefusal reason) noexcept;
[[nodiscard]] const char* to_string(iam::SignatureErrc reason) noexcept;

/// Counts what the routes of one shard do. Written on that shard, read by any thread.
struct alignas(64) RouteMetrics : MetricSet {
  Counter upgrades{*this,
                   {"holdfast_websocket_upgrades_total", "Accepted upgrades to a WebSocket."}};
  CounterBy<UpgradeRefusal> refused_upgrades{*this, net::kRefusedUpgrades, to_string};
  CounterBy<TokenCaller> tokens{
      *this,
      {"holdfast_temporary_tokens_total",
       "Issued temporary tokens, by who asked: the user with an ID token, or an access key.",
       {"by"}},
      to_string};
  CounterBy<TokenRefusal> refused_tokens{*this,
                                         {"holdfast_temporary_tokens_refused_total",
                                          "Refused requests for a temporary token, by reason.",
                                          {"reason"}},
                                         to_string};
  Counter logins{*this, {"holdfast_logins_total", "Logins and refreshes that gave an ID token."}};
  CounterBy<LoginFailure> failed_logins{*this,
                                        {"holdfast_login_failures_total",
                                         "Failed steps of logins, and failed refreshes, by reason.",
                                         {"reason"}},
                                        to_string};
  Counter signatures{
      *this, {"holdfast_signatures_verified_total", "Signed calls with a valid signature."}};
  CounterBy<iam::SignatureErrc, iam::SignatureErrc::expired_token> failed_signatures{
      *this,
      {"holdfast_signature_failures_total",
       "Calls whose signature was refused, by reason.",
       {"reason"}},
      to_string};
  CounterBy<CallRefusal> refused_calls{
      *this,
      {"holdfast_calls_refused_total",
       "Calls with a valid signature that their key's policy or rate limit refused.",
       {"reason"}},
      to_string};
  CounterBy<IngestRefusal> refused_ingest{
      *this,
      {"holdfast_ingest_refused_total",
       "Refused messages, and refused requests with messages, by reason.",
       {"reason"}},
      to_string};
};

/// By shard.
using ShardRouteMetrics = std::vector<std::unique_ptr<RouteMetrics>>;
[[nodiscard]] std::shared_ptr<ShardRouteMetrics> make_route_metrics(std::size_t shards);

}  // namespace holdfast::api
