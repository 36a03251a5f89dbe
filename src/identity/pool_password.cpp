// Makes the hash and the SRP verifier of a new password.

#include <memory>
#include <string>
#include <utility>

#include "pool_context.hpp"
#include "srp.hpp"

namespace holdfast::identity {

void Credentials::apply(User& user, WallTime now) const {
  user.password_hash = hash;
  user.srp_verifier = srp_verifier;
  user.password_set_at = now;
}

void make_verifier(const PoolContextPtr& pool, const WorkOwner& owner, const UserId& sub,
                   const std::string& username, std::shared_ptr<const Secret> password,
                   Completion<Result<std::string>> done) {
  pool->parts.hasher->compute(
      [pool_id = pool->options.pool_id, username, password = std::move(password)] {
        return make_srp_verifier(pool_id, username, password->view());
      },
      owner, pool->parts.executor,
      [pool, sub, done = std::move(done)](Result<std::string> verifier) mutable {
        if (verifier) verifier = pool->parts.ring->seal(*verifier, srp_sealing_context(sub));
        done(std::move(verifier));
      });
}

void make_credentials(const PoolContextPtr& pool, const WorkOwner& owner, const UserId& sub,
                      const std::string& username, const Secret& password,
                      Completion<Result<Credentials>> done) {
  // Kept beside the hasher's own copy, for the verifier that is made after the hash.
  auto kept = std::make_shared<Secret>(password.view());
  pool->parts.hasher->hash(
      password.copy(), owner, pool->parts.executor,
      [pool, owner, sub, username, kept, done = std::move(done)](Result<std::string> hash) mutable {
        if (!hash) {
          done(std::unexpected(std::move(hash.error())));
          return;
        }
        if (!pool->options.srp_enabled) {
          done(Credentials{.hash = std::move(*hash), .srp_verifier = {}});
          return;
        }
        make_verifier(
            pool, owner, sub, username, kept,
            [hash = std::move(*hash),
             done = std::move(done)](Result<std::string> verifier) mutable {
              if (!verifier) {
                done(std::unexpected(std::move(verifier.error())));
              } else {
                done(Credentials{.hash = std::move(hash), .srp_verifier = std::move(*verifier)});
              }
            });
      });
}

}  // namespace holdfast::identity
