// Verifies access tokens.

#include "access_token.hpp"

#include <optional>

#include "claims.hpp"
#include "jws.hpp"
#include "pool_rules.hpp"

namespace holdfast::identity {

PoolResult<AccessTokenClaims> verify_access_token(std::string_view token,
                                                  const UserPoolOptions& options,
                                                  const TokenSigner& signer, WallTime now) {
  const auto invalid = refuse(PoolErrc::not_authorized, "Invalid Access Token");
  const VerifyingKeysPtr keys = signer.keys();
  const Result<Json> claims = verify_jws(token, *keys);
  if (!claims) return invalid;
  const auto is = [&](const char* name, std::string_view expected) {
    const std::string* const value = text_member(*claims, name);
    return value != nullptr && *value == expected;
  };
  if (!is("iss", options.issuer) || !is("token_use", "access") ||
      !is("client_id", options.client_id)) {
    return invalid;
  }
  const std::string* const sub = text_member(*claims, "sub");
  const std::string* const origin = text_member(*claims, "origin_jti");
  const std::optional<WallTime> issued_at = time_member(*claims, "iat");
  const std::optional<WallTime> expires_at = time_member(*claims, "exp");
  if (sub == nullptr || origin == nullptr || !issued_at || !expires_at) return invalid;
  if (now >= *expires_at) {
    return refuse(PoolErrc::not_authorized, "Access Token has expired");
  }
  return AccessTokenClaims{.sub = UserId(*sub), .origin = *origin, .issued_at = *issued_at};
}

}  // namespace holdfast::identity
