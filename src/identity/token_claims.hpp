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
};

/// The claims of Cognito's ID token (docs.aws.amazon.com, "Understanding the identity (ID) token").
[[nodiscard]] std::string id_token_claims(const Login& login);
/// Those of its access token, which is not accepted where an ID token is asked for.
[[nodiscard]] std::string access_token_claims(const Login& login);

}  // namespace holdfast::identity
