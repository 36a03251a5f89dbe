#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <holdfast/base/error.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/issuers.hpp>

#include "curve_keys.hpp"
#include "rsa.hpp"

namespace holdfast::identity {

/// A public key, which fits one algorithm alone: RS256, ES256 or EdDSA.
using VerifyingKey = std::variant<RsaPublicKey, P256PublicKey, Ed25519PublicKey>;
[[nodiscard]] SigningAlgorithm algorithm_of(const VerifyingKey& key);

struct VerifyingKeys {
  std::vector<SigningAlgorithm> algorithms;  ///< that a token may name
  /// Other issuers may omit key ids, in keys and tokens, if only one key matches, and may give
  /// several keys the same id (RFC 7517 section 4.5).
  bool ids_may_be_left_out = false;
  std::multimap<std::string, VerifyingKey, std::less<>> by_id;  ///< without one under ""
  std::vector<std::string> oddities{};  ///< of the document, for the operator
};

/// Reads the RS256 keys of a JWKS document (RFC 7517). `invalid_argument`, with the member that has
/// the fault, if the document or a key is invalid, or if there is no key.
[[nodiscard]] Result<VerifyingKeys> read_jwks(std::string_view text);

/// Reads another issuer's JWKS document. Skips keys for other algorithms or uses, short, broken or
/// unreadable keys, keys shown with their private half, and keys after a hundred good ones. May
/// return no key. Reports broken keys, and several keys with one id, as oddities.
/// `invalid_argument` if the document is not a JWKS, `limit_exceeded` above 256 KiB.
[[nodiscard]] Result<VerifyingKeys> read_external_jwks(std::string_view text,
                                                       std::vector<SigningAlgorithm> algorithms);

/// The unverified claims of a compact JWS about itself.
struct JwsHint {
  std::string issuer;  ///< `iss`
  Json header;         ///< an object
};
/// Reads a token's hint; nullopt if it is not a JWT with an `iss`.
[[nodiscard]] std::optional<JwsHint> hint_of(std::string_view token);

/// The key that a header names.
struct KeyName {
  SigningAlgorithm algorithm = SigningAlgorithm::rs256;
  std::optional<std::string> id;
};
/// Of a header that these algorithms allow. `unauthenticated` as below.
[[nodiscard]] Result<KeyName> key_name_of(const Json& header,
                                          const std::vector<SigningAlgorithm>& algorithms);
/// Returns whether these keys include the named one, even ambiguously. Other keys would not help.
[[nodiscard]] bool knows(const VerifyingKeys& keys, const KeyName& name);

/// The claims of a compact JWS (RFC 7515) that one of `keys` has signed, with the algorithm that
/// the key is for: a JSON object. `unauthenticated` for anything else, `where` naming the check
/// that failed.
[[nodiscard]] Result<Json> verify_jws(std::string_view token, const VerifyingKeys& keys);

}  // namespace holdfast::identity
