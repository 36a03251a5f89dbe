#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <holdfast/base/histogram.hpp>
#include <holdfast/iam/sigv4.hpp>

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
/// Why `GET /tokens` gave no token.
enum class TokenRefusal : std::uint8_t {
  missing,
  invalid,
  expired,
  user,  ///< deleted, disabled, or signed out since the login
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
[[nodiscard]] const char* to_string(TokenRefusal reason) noexcept;
[[nodiscard]] const char* to_string(LoginFailure reason) noexcept;
[[nodiscard]] const char* to_string(CallRefusal reason) noexcept;
[[nodiscard]] const char* to_string(IngestRefusal reason) noexcept;
[[nodiscard]] const char* to_string(iam::SignatureErrc reason) noexcept;

/// A tally for each reason of an enumeration.
template <class Reason, Reason Last = Reason::last>
class Tallies {
 public:
  static constexpr std::size_t kReasons = static_cast<std::size_t>(Last) + 1;

  void add(Reason reason) noexcept { tallies_[static_cast<std::size_t>(reason)].add(); }
  [[nodiscard]] std::uint64_t read(Reason reason) const noexcept {
    return tallies_[static_cast<std::size_t>(reason)].read();
  }

 private:
  std::array<Tally, kReasons> tallies_;
};
using SignatureFailures = Tallies<iam::SignatureErrc, iam::SignatureErrc::expired_token>;

/// The routes' counters of one shard. Written on that shard, read by any thread.
struct alignas(64) Counts {
  Tally upgrades;
  Tallies<UpgradeRefusal> refused_upgrades;
  Tally tokens;
  Tallies<TokenRefusal> refused_tokens;
  Tally logins;  ///< logins and refreshes that gave an ID token
  Tallies<LoginFailure> failed_logins;
  Tally signatures;  ///< good ones
  SignatureFailures failed_signatures;
  Tallies<CallRefusal> refused_calls;
  Tallies<IngestRefusal> refused_ingest;
};

/// By shard.
using ShardCounts = std::vector<std::unique_ptr<Counts>>;
[[nodiscard]] std::shared_ptr<ShardCounts> make_shard_counts(std::size_t shards);

}  // namespace holdfast::api
