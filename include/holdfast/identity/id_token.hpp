#pragma once

#include <cstdint>
#include <functional>
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

/// The claims of a verified ID token.
struct IdTokenClaims {
  UserId sub;
  std::string username;
  WallTime issued_at;
  WallTime expires_at;
  /// The user is the own pool's; false for those of other issuers, who have no row there.
  bool in_pool = true;
  std::string login{};  ///< the login that it came with, `origin_jti`; empty when it names none
};

/// The public keys of an issuer, and the algorithms that they may be used with. Immutable.
struct VerifyingKeys;
using VerifyingKeysPtr = std::shared_ptr<const VerifyingKeys>;

/// Signs the pool's tokens with RSA keys (RS256, RFC 7515, RFC 7519). A new key is published for
/// ten minutes before it signs, twice as long as caches may keep the JWKS. The old key stays
/// published while tokens signed with it may be valid. Thread-safe, except `rotate` and `maintain`,
/// which belong to the executor of the key store's handle. An operation in flight keeps the signer
/// alive; the clock and the handle must outlive it.
class TokenSigner {
 public:
  virtual ~TokenSigner() = default;
  /// Returns a compact JWS of these claims (a JSON object as text).
  [[nodiscard]] virtual std::string sign(std::string_view claims_json) const = 0;
  /// Returns `{"keys":[…]}` (RFC 7517), the signing key first.
  [[nodiscard]] virtual std::string jwks() const = 0;
  /// Returns the published keys for verifying.
  [[nodiscard]] virtual VerifyingKeysPtr keys() const = 0;
  /// Makes and publishes the next key, and returns its id after the commit. If a published key does
  /// not sign yet, returns that key's id. `conflict` while eight keys are published.
  virtual void rotate(Completion<Result<std::uint32_t>> done) = 0;
  /// Starts signing with a key that has been published long enough, removes a key whose tokens have
  /// all expired (erasing its private half), and rotates by age. Call it once a minute.
  virtual void maintain() = 0;

  /// Runs long work on another thread, and completes on the executor.
  using Compute = std::function<void(std::move_only_function<std::string()> work,
                                     Completion<Result<std::string>> done)>;
  struct Rotation {
    bool enabled = true;  ///< by age
    Seconds period{90 * 24 * 3600};
  };
  struct Options {
    Rotation rotation{};
    unsigned key_bits = 3072;  ///< of new keys
    Compute compute{};         ///< makes keys (up to a second each); empty: within the call
  };
};

/// Loads the signing keys, sealed under the key ring, and makes one if there is none (RSA, at most
/// some seconds of the calling thread). Runs on the store handle's executor, and so does `done`.
/// `invalid_argument` if a key is damaged; errors of the store and of `KeyRing::seal`.
void open_token_signer(std::shared_ptr<KeyRing> ring, TokenSigner::Options options,
                       const Clock& clock, KeyStore& store,
                       Completion<Result<std::shared_ptr<TokenSigner>>> done);

struct PoolAudience {
  std::string issuer;
  std::string audience;  ///< the client id
};

/// Verifies the ID tokens of a user pool: RS256 alone, the algorithm never taken from the token.
/// Any thread.
class IdTokenVerifier {
 public:
  /// Uses the keys that the signer publishes at the time.
  IdTokenVerifier(PoolAudience expected, std::shared_ptr<const TokenSigner> signer,
                  const Clock& clock);
  /// Makes one for the keys of a document, for those who fetch it themselves. `invalid_argument`
  /// when the JWKS is not one.
  [[nodiscard]] static Result<IdTokenVerifier> of_jwks(PoolAudience expected, std::string_view jwks,
                                                       const Clock& clock);

  /// `expired` for a token whose only fault is its age; `unauthenticated` for everything else. The
  /// message is what a client may hear; `where` names the check that failed, for logs.
  [[nodiscard]] Result<IdTokenClaims> verify(std::string_view token) const;

 private:
  PoolAudience expected_;
  std::shared_ptr<const TokenSigner> signer_;  ///< null: `keys_`
  VerifyingKeysPtr keys_;
  const Clock* clock_;
};

}  // namespace holdfast::identity
