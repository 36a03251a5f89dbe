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

/// The public keys of an issuer, and what they may be used with. Immutable.
struct VerifyingKeys;
using VerifyingKeysPtr = std::shared_ptr<const VerifyingKeys>;

/// RSA keys that sign the pool's tokens (RS256, RFC 7515, RFC 7519). A new key is published for ten
/// minutes before it signs, twice as long as caches may keep the JWKS; the one before it stays
/// published for as long as a token under it may be good. Any thread, but for `rotate` and
/// `maintain`, which belong to the executor of the key store's handle. An operation in flight keeps
/// the signer alive; the clock and the handle must outlive it.
class TokenSigner {
 public:
  virtual ~TokenSigner() = default;
  /// A compact JWS of these claims (a JSON object as text).
  [[nodiscard]] virtual std::string sign(std::string_view claims_json) const = 0;
  /// `{"keys":[…]}`, RFC 7517; the one that signs comes first.
  [[nodiscard]] virtual std::string jwks() const = 0;
  /// Returns the published keys for verifying.
  [[nodiscard]] virtual VerifyingKeysPtr keys() const = 0;
  /// Makes and publishes the next key. Answers with its id after its commit; while one is published
  /// that does not sign yet, with that one's. `conflict` while eight are published.
  virtual void rotate(Completion<Result<std::uint32_t>> done) = 0;
  /// Lets a key that has been published for long enough sign, removes one whose tokens have all
  /// expired (its private half is erased), and rotates by age. Called once a minute.
  virtual void maintain() = 0;

  /// Runs work that is too long for the executor elsewhere, and completes on the executor.
  using Compute = std::function<void(std::move_only_function<std::string()> work,
                                     Completion<Result<std::string>> done)>;
  struct Options {
    bool rotation_enabled = true;  ///< by age
    Seconds rotation_period{90 * 24 * 3600};
    unsigned key_bits = 3072;  ///< of new keys
    Compute compute{};         ///< makes keys (up to a second each); empty: within the call
  };
};

/// Loads the signing keys, sealed under the key ring, and makes one (RSA, which takes some
/// seconds of the calling thread at most) when there is none. On the store handle's executor, as is
/// `done`. `invalid_argument` when a key is damaged; errors of the store and of `KeyRing::seal`.
void open_token_signer(std::shared_ptr<KeyRing> ring, TokenSigner::Options options,
                       const Clock& clock, KeyStore& store,
                       Completion<Result<std::shared_ptr<TokenSigner>>> done);

/// Verifies the ID tokens of a user pool: RS256 alone, the algorithm never taken from the token.
/// Any thread.
class IdTokenVerifier {
 public:
  virtual ~IdTokenVerifier() = default;
  /// `expired` for a token whose only fault is its age; `unauthenticated` for everything else. The
  /// message is what a client may hear; `where` names the check that failed, for logs.
  [[nodiscard]] virtual Result<IdTokenClaims> verify(std::string_view token) const = 0;
};
struct PoolAudience {
  std::string issuer;
  std::string audience;  ///< the client id
};
/// Under whatever keys the signer publishes at the time.
[[nodiscard]] std::unique_ptr<IdTokenVerifier> make_id_token_verifier(
    PoolAudience expected, std::shared_ptr<const TokenSigner> signer, const Clock& clock);

struct IdTokenVerifierOptions {
  std::string issuer;
  std::string audience;  ///< the client id
  std::string jwks;
};
/// Under the keys of one document, for those who fetch it themselves. `invalid_argument` when the
/// JWKS is not one.
[[nodiscard]] Result<std::unique_ptr<IdTokenVerifier>> make_id_token_verifier(
    IdTokenVerifierOptions options, const Clock& clock);

}  // namespace holdfast::identity
