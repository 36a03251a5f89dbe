#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/ids.hpp>

#include "identity/pool_context.hpp"
#include "identity/secret.hpp"

namespace holdfast::identity {
namespace {

using Done = Completion<PoolResult<User>>;

PoolResult<void> check(const PoolContext& pool, const UserPool::CreateUser& input) {
  if (auto good = check_pool(input.pool_id, pool.options); !good) return good;
  if (auto good = check_username(input.username); !good) return good;
  if (auto good = check_attributes(input.attributes); !good) return good;
  if (!input.temporary_password) return {};
  return check_password(*input.temporary_password, pool.options);
}

void store_user(const PoolContextPtr& pool, User user, Done done) {
  User created = user;
  pool->parts.users.create(std::move(user), [created = std::move(created),
                                             done = std::move(done)](Result<void> stored) mutable {
    if (stored) {
      done(std::move(created));
    } else if (stored.error().code == Errc::already_exists) {
      done(refuse(PoolErrc::username_exists, "User account already exists"));
    } else {
      done(refuse(stored.error()));
    }
  });
}

}  // namespace

void admin_create_user(const PoolContextPtr& pool, UserPool::CreateUser input, Done done) {
  if (auto good = check(*pool, input); !good) {
    pool->answer<User>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  const WallTime now = pool->parts.clock.wall_now();
  User user{.sub = UserId(generate_uuid()),
            .username = std::move(input.username),
            .status = UserStatus::force_change_password,
            .enabled = true,
            .password_hash = {},
            .revision = 0,
            .attributes = std::move(input.attributes),
            .created_at = now,
            .modified_at = now};
  if (!input.temporary_password) {
    store_user(pool, std::move(user), std::move(done));
    return;
  }
  const Secret password = Secret::take(*input.temporary_password);
  pool->parts.hasher->hash(
      password.copy(), pool->parts.executor,
      [pool, user = std::move(user), done = std::move(done)](Result<std::string> hash) mutable {
        if (!hash) {
          done(refuse(hash.error()));
          return;
        }
        user.password_hash = std::move(*hash);
        store_user(pool, std::move(user), std::move(done));
      });
}

}  // namespace holdfast::identity
