#pragma once

#include <cstdint>

#include <holdfast/base/ids.hpp>
#include <holdfast/base/logins.hpp>

namespace holdfast::identity {

/// The reason for the end of logins.
enum class LoginEnd : std::uint8_t {
  disabled,          ///< the user was disabled
  deleted,           ///< the user was deleted
  signed_out,        ///< the user signed out everywhere
  password_changed,  ///< by the user in another login, by a code, by an administrator
  revoked,           ///< the refresh token was revoked
  token_reused,      ///< a replaced refresh token was used again
  too_many,          ///< the user exceeded the limit of logins
};
/// `password_changed`, …
[[nodiscard]] const char* to_string(LoginEnd end) noexcept;

/// Logins of a user that have ended: nothing that was given out through them is good any more.
struct EndedLogins {
  UserId sub;
  Logins which;
  LoginEnd why;
};

}  // namespace holdfast::identity
