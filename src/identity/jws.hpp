#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <holdfast/base/error.hpp>
#include <holdfast/base/json.hpp>

#include "identity/rsa.hpp"

namespace holdfast::identity {

/// The RS256 keys of a JWKS, by `kid`.
using JwsKeys = std::map<std::string, RsaPublicKey, std::less<>>;

/// Reads a JWKS document (RFC 7517). `invalid_argument`, with the member at fault, when it is none.
[[nodiscard]] Result<JwsKeys> read_jwks(std::string_view text);

/// The claims of a compact JWS (RFC 7515) that one of `keys` has signed with RS256: a JSON object.
/// `unauthenticated` for anything else, `where` naming the check that failed.
[[nodiscard]] Result<Json> verify_jws(std::string_view token, const JwsKeys& keys);

}  // namespace holdfast::identity
