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
  /// Issuers elsewhere may leave ids out, on either side, where one key alone can be meant, and may
  /// give several keys one id (RFC 7517 section 4.5).
  bool ids_may_be_left_out = false;
  std::multimap<std::string, VerifyingKey, std::less<>> by_id;  ///< without one under ""
  std::vector<std::string> oddities{};  ///< of the document, for the operator
};

/// Reads the RS256 keys of a JWKS document (RFC 7517). `invalid_argument`, with the member at
/// fault, when it is none, has a broken one, or has none at all.
[[nodiscard]] Result<VerifyingKeys> read_jwks(std::string_view text);

/// Reads another issuer's: keys that do not fit these algorithms, are not for signatures, are too
/// short, broken, not to be read, shown with their private half, or behind a hundred good ones are
/// passed over, and none may be left; those that are broken, and several of one id, are among the
/// oddities. `invalid_argument` for what is no JWKS, `limit_exceeded` for more than 256 KiB.
[[nodiscard]] Result<VerifyingKeys> read_foreign_jwks(std::string_view text,
                                                      std::vector<SigningAlgorithm> algorithms);

/// The unverified claims of a compact JWS about itself.
struct JwsHint {
  std::string issuer;  ///< `iss`
  Json header;         ///< an object
};
/// nullopt for what is no JWT with an `iss`.
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
