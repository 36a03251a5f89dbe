#pragma once

#include <string>
#include <string_view>

#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/pool_error.hpp>
#include <holdfast/identity/user_pool_options.hpp>

namespace holdfast::identity {

/// The claims of a verified access token.
struct AccessTokenClaims {
  UserId sub;
  std::string origin;  ///< of its login
  WallTime issued_at;
};

/// Checks all that needs no I/O. `not_authorized` with Cognito's words.
[[nodiscard]] PoolResult<AccessTokenClaims> verify_access_token(std::string_view token,
                                                                const UserPoolOptions& options,
                                                                const TokenSigner& signer,
                                                                WallTime now);

}  // namespace holdfast::identity
