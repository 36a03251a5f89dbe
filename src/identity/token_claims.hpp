#pragma once

#include <string>

#include <holdfast/identity/user.hpp>
#include <holdfast/identity/user_pool.hpp>

namespace holdfast::identity {

/// What the tokens of one login have in common.
struct Login {
  const User& user;
  const UserPoolOptions& options;
  std::string id;  ///< `origin_jti`
  std::string event_id;
  WallTime at;
  WallTime authenticated_at;  ///< when the password was given; a refresh is later
};

/// Whether a token of this `iat` is from before the user signed out everywhere. `iat` has whole
/// seconds: tokens made in the second of a sign-out are given the next one, so that those made
/// before it can be told apart.
[[nodiscard]] bool is_signed_out(const User& user, WallTime issued_at);

/// The claims of Cognito's ID token (docs.aws.amazon.com, "Understanding the identity (ID) token").
[[nodiscard]] std::string id_token_claims(const Login& login);
/// Those of its access token, which is not accepted where an ID token is asked for.
[[nodiscard]] std::string access_token_claims(const Login& login);

}  // namespace holdfast::identity
