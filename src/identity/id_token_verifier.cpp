// Verifies ID tokens of the user pool.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/json.hpp>
#include <holdfast/identity/id_token.hpp>

#include "claims.hpp"
#include "jws.hpp"

namespace holdfast::identity {
namespace {

// `where` names the check for logs; the message says no more than a client may hear.
std::unexpected<Error> refuse_token(const char* check) {
  return fail(Errc::unauthenticated, "Unauthorized", check);
}

Result<IdTokenClaims> check_claims(const Json& claims, const PoolAudience& pool, WallTime now) {
  const auto is = [&](const char* name, std::string_view expected) {
    const std::string* const value = text_member(claims, name);
    return value != nullptr && *value == expected;
  };
  if (!is("iss", pool.issuer)) return refuse_token("iss");
  if (!is("aud", pool.audience)) return refuse_token("aud");
  if (!is("token_use", "id")) return refuse_token("token_use");
  const std::string* const sub = text_member(claims, "sub");
  if (sub == nullptr || sub->empty() || sub->size() > 128) return refuse_token("sub");
  const std::string* const username = text_member(claims, "cognito:username");
  if (username == nullptr || username->empty()) return refuse_token("cognito:username");
  const std::string* const login = text_member(claims, "origin_jti");
  const std::optional<WallTime> issued_at = time_member(claims, "iat");
  if (!issued_at) return refuse_token("iat");
  const std::optional<WallTime> expires_at = time_member(claims, "exp");
  if (!expires_at) return refuse_token("exp");
  if (claims.contains("nbf")) {
    const std::optional<WallTime> not_before = time_member(claims, "nbf");
    if (!not_before || now < *not_before) return refuse_token("nbf");
  }
  if (now >= *expires_at) {
    return fail(Errc::expired, "The incoming token has expired", "exp");
  }
  return IdTokenClaims{.sub = UserId(*sub),
                       .username = *username,
                       .issued_at = *issued_at,
                       .expires_at = *expires_at,
                       .login = login != nullptr ? *login : std::string()};
}

}  // namespace

IdTokenVerifier::IdTokenVerifier(PoolAudience expected, std::shared_ptr<const TokenSigner> signer,
                                 const Clock& clock)
    : expected_(std::move(expected)), signer_(std::move(signer)), clock_(&clock) {}

Result<IdTokenVerifier> IdTokenVerifier::of_jwks(PoolAudience expected, std::string_view jwks,
                                                 const Clock& clock) {
  Result<VerifyingKeys> keys = read_jwks(jwks);
  if (!keys) return std::unexpected(std::move(keys.error()));
  IdTokenVerifier out(std::move(expected), nullptr, clock);
  out.keys_ = std::make_shared<VerifyingKeys>(std::move(*keys));
  return out;
}

Result<IdTokenClaims> IdTokenVerifier::verify(std::string_view token) const {
  const VerifyingKeysPtr keys = signer_ != nullptr ? signer_->keys() : keys_;
  const Result<Json> claims = verify_jws(token, *keys);
  if (!claims) return std::unexpected(claims.error());
  return check_claims(*claims, expected_, clock_->wall_now());
}

}  // namespace holdfast::identity
