#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <holdfast/base/clock.hpp>

namespace holdfast::identity {

/// The settings of the user pool and its one client.
struct UserPoolOptions {
  std::string pool_id;
  std::string client_id;
  std::string issuer;
  std::string name = "holdfast";    ///< the pool's name in `DescribeUserPool`
  Seconds id_token_lifetime{3600};  ///< access tokens' too
  Seconds refresh_token_lifetime{30 * 24 * 3600};
  std::size_t refresh_tokens_per_user = 100;  ///< the oldest go, and their logins with them
  /// Each refresh gives another refresh token; the one before is good for the grace period, for
  /// those whose answer was lost, and ends its login after that.
  bool refresh_token_rotation = false;
  Seconds refresh_token_grace{10};
  Seconds session_lifetime{180};
  Seconds temporary_password_lifetime{7 * 24 * 3600};
  bool prevent_user_existence_errors = true;
  /// Verifiers for SRP are kept and the flow is open. A verifier that is stolen together with the
  /// keys is quicker to guess at than an Argon2id hash.
  bool srp_enabled = true;
  bool password_auth_enabled = true;  ///< `USER_PASSWORD_AUTH` is open; the Admin form always is
  bool self_sign_up = false;
  Seconds code_lifetime{600};
  std::int64_t code_attempts = 5;
  /// The source of the SRP answers for unknown names, so that asking twice reveals nothing. It
  /// never changes.
  std::string decoy_secret{};
  std::size_t password_min_length = 8;
  bool password_require_lowercase = false;
  bool password_require_uppercase = false;
  bool password_require_numbers = false;
  bool password_require_symbols = false;
  /// Passwords that many people use, and those made of a name, are refused.
  bool password_refuse_common = true;
};

}  // namespace holdfast::identity
