#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>

namespace holdfast::identity {

/// Cognito's `UserStatus`. Stores keep the numbers.
enum class UserStatus : std::uint8_t {
  unconfirmed = 0,
  confirmed = 1,
  force_change_password = 2,
  reset_required = 3,
};
/// `CONFIRMED`, `FORCE_CHANGE_PASSWORD`, …
[[nodiscard]] const char* to_string(UserStatus status) noexcept;

/// A user of the pool.
struct User {
  UserId sub;            ///< a UUID; the user id of messages and the principal of tokens
  std::string username;  ///< in its original case; never changes; unique regardless of case
  UserStatus status = UserStatus::confirmed;
  bool enabled = true;
  std::string password_hash;  ///< Argon2id, encoded form; empty when none is set
  /// Raised by every update: a stale copy is never written back, and a session or challenge made
  /// before the update is refused.
  std::int64_t revision = 0;
  std::map<std::string, std::string> attributes;  ///< `email`, `custom:…`, never `sub`
  WallTime created_at;
  WallTime modified_at;
  WallTime password_set_at{};  ///< a temporary password is good for a while from here
  /// Tokens from before this moment are no longer good; 1970 when there was no such moment.
  WallTime signed_out_at{};
  std::string srp_verifier{};  ///< sealed; may be empty
};

/// The form under which a username is unique: Unicode simple case folding (CaseFolding.txt, status
/// C and S, Unicode 14) of every script. Not normalised: composed and decomposed letters differ.
/// Ill-formed bytes stay as they are. Folding twice changes nothing.
[[nodiscard]] std::string fold_username(std::string_view username);

}  // namespace holdfast::identity
