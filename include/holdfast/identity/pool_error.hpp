#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include <holdfast/base/ids.hpp>

namespace holdfast::identity {

/// The errors of the user pool, by Cognito's names. `api` writes them as `__type`.
enum class PoolErrc : std::uint8_t {
  not_authorized,
  locked,  ///< not authorized for a while, after too many failures
  user_not_found,
  username_exists,
  invalid_parameter,
  invalid_password,
  resource_not_found,
  user_not_confirmed,
  password_reset_required,
  code_mismatch,
  expired_code,
  code_delivery_failure,
  refresh_token_reuse,  ///< a refresh token that was replaced: its login has ended
  limit_exceeded,
  unauthorized,  ///< a token of another client
  unsupported_token_type,
  too_many_requests,
  unavailable,
};
struct PoolError {
  PoolErrc code;
  std::string message;  ///< Cognito's words
  bool locks = false;   ///< a wrong password, by which the name is locked from now on
  /// The user, for logs only, if a token or the pool identified one.
  UserId sub{};
  bool by_them = false;  ///< the caller has proven to be that user
};
template <class T>
using PoolResult = std::expected<T, PoolError>;

}  // namespace holdfast::identity
