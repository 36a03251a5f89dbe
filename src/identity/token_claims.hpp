#pragma once

#include <string>

#include <holdfast/identity/user.hpp>
#include <holdfast/identity/user_pool_options.hpp>

namespace holdfast::identity {

/// The facts that the tokens of one login share.
struct Login {
  const User& user;
  const UserPoolOptions& options;
  std::string id;  ///< `origin_jti`
  std::string event_id;
  WallTime at;
  WallTime authenticated_at;  ///< when the password was given; a refresh is later
};

/// Returns whether a token with this `iat` is older than the user's last sign-out everywhere. `iat`
/// has whole seconds. Tokens made in the second of a sign-out get the next second, to tell them
/// from those made before it.
[[nodiscard]] bool is_signed_out(const User& user, WallTime issued_at);

/// The claims of Cognito's ID token (docs.aws.amazon.com, "Understanding the identity (ID) token").
[[nodiscard]] std::string id_token_claims(const Login& login);
/// Those of its access token, which is not accepted where an ID token is asked for.
[[nodiscard]] std::string access_token_claims(const Login& login);

}  // namespace holdfast::identity
