#pragma once

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/issuers.hpp>

namespace holdfast::identity {

/// Checks the claims of another issuer's verified token and returns its user (OpenID Connect Core
/// 1.0 section 3.1.3.7). Errors as of `IdTokenVerifier::verify`.
[[nodiscard]] Result<IdTokenClaims> read_external_claims(const Json& claims,
                                                         const IssuerOptions& issuer, WallTime now);
/// Returns whether the header may be an ID token's. Other JWTs name their type (RFC 8725 section
/// 3.11).
[[nodiscard]] bool is_id_token_type(const Json& header);

}  // namespace holdfast::identity
