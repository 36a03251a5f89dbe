#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/stores.hpp>
#include <holdfast/identity/user.hpp>

namespace holdfast::identity {

/// What an ID token proves.
struct IdTokenClaims {
  UserId sub;
  std::string username;
  WallTime issued_at;
  WallTime expires_at;
};

/// RSA keys that sign the pool's tokens (RS256, RFC 7515, RFC 7519). Immutable after opening; any
/// thread.
class TokenSigner {
 public:
  virtual ~TokenSigner() = default;
  /// A compact JWS of these claims (a JSON object as text).
  [[nodiscard]] virtual std::string sign(std::string_view claims_json) const = 0;
  /// `{"keys":[…]}`, RFC 7517.
  [[nodiscard]] virtual const std::string& jwks() const = 0;
};

/// Loads the signing keys, sealed under the key ring, and makes one (RSA of 2048 bits, which takes
/// up to a second of the calling thread) when there is none. The newest signs; all that are not
/// retired are in the JWKS. On the store handle's executor, as is `done`. `invalid_argument` when a
/// key is damaged; errors of the store and of `KeyRing::seal`.
void open_token_signer(std::shared_ptr<KeyRing> ring, const Clock& clock, KeyStore& store,
                       Completion<Result<std::shared_ptr<TokenSigner>>> done);

/// Verifies ID tokens against a JWKS document: RS256 alone, the algorithm never taken from the
/// token. Any thread.
class IdTokenVerifier {
 public:
  virtual ~IdTokenVerifier() = default;
  /// `expired` for a token whose only fault is its age; `unauthenticated` for everything else. The
  /// message is what a client may hear; `where` names the check that failed, for logs.
  [[nodiscard]] virtual Result<IdTokenClaims> verify(std::string_view token) const = 0;
};
struct IdTokenVerifierOptions {
  std::string issuer;
  std::string audience;  ///< the client id
  std::string jwks;
};
/// `invalid_argument` when the JWKS is not one.
[[nodiscard]] Result<std::unique_ptr<IdTokenVerifier>> make_id_token_verifier(
    IdTokenVerifierOptions options, const Clock& clock);

}  // namespace holdfast::identity
