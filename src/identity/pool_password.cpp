#include <memory>
#include <string>
#include <utility>

#include "identity/pool_context.hpp"
#include "identity/srp.hpp"

namespace holdfast::identity {

void Credentials::apply(User& user, WallTime now) const {
  user.password_hash = hash;
  user.srp_verifier = srp_verifier;
  user.password_set_at = now;
}

void make_credentials(const PoolContextPtr& pool, const UserId& sub, const std::string& username,
                      const Secret& password, Completion<Result<Credentials>> done) {
  // Kept beside the hasher's own copy, for the verifier that is made after the hash.
  auto kept = std::make_shared<Secret>(password.view());
  pool->parts.hasher->hash(
      password.copy(), pool->parts.executor,
      [pool, sub, username, kept, done = std::move(done)](Result<std::string> hash) mutable {
        if (!hash) {
          done(std::unexpected(std::move(hash.error())));
          return;
        }
        if (!pool->options.srp_enabled) {
          done(Credentials{.hash = std::move(*hash), .srp_verifier = {}});
          return;
        }
        pool->parts.hasher->compute(
            [pool_id = pool->options.pool_id, username, kept] {
              return make_srp_verifier(pool_id, username, kept->view());
            },
            pool->parts.executor,
            [pool, sub, hash = std::move(*hash),
             done = std::move(done)](Result<std::string> verifier) mutable {
              Result<std::string> sealed = std::move(verifier);
              if (sealed) sealed = pool->parts.ring->seal(*sealed, srp_sealing_context(sub));
              if (!sealed) {
                done(std::unexpected(std::move(sealed.error())));
              } else {
                done(Credentials{.hash = std::move(hash), .srp_verifier = std::move(*sealed)});
              }
            });
      });
}

}  // namespace holdfast::identity
