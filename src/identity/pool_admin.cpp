// The user pool's operations for administrators.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/ids.hpp>

#include "pool_context.hpp"
#include "secret.hpp"

namespace holdfast::identity {
namespace {

using Done = Completion<PoolResult<User>>;
using VoidDone = Completion<PoolResult<void>>;

PoolResult<void> check(const PoolContext& pool, const UserName& input) {
  if (auto good = check_pool(input.pool_id, pool.options); !good) return good;
  return check_username(input.username);
}

PoolResult<void> check(const PoolContext& pool, const CreateUserRequest& input) {
  if (auto good = check_pool(input.pool_id, pool.options); !good) return good;
  if (auto good = check_username(input.username); !good) return good;
  if (auto good = check_attributes(input.attributes); !good) return good;
  if (!input.temporary_password) return {};
  if (auto good = check_password(*input.temporary_password, pool.options); !good) return good;
  return check_password_of(input.username, *input.temporary_password, pool.options);
}

void store_user(const PoolContextPtr& pool, User user, Done done) {
  User created = user;
  std::string folded = fold_username(user.username);
  pool->parts.users.create(
      std::move(user), std::move(folded),
      [created = std::move(created), done = std::move(done)](Result<void> stored) mutable {
        if (stored) {
          done(std::move(created));
        } else if (stored.error().code == Errc::already_exists) {
          done(refuse(PoolErrc::username_exists, "User account already exists"));
        } else {
          done(refuse(stored.error()));
        }
      });
}

void change(const PoolContextPtr& pool, UserName input, std::optional<LoginEnd> end, VoidDone done,
            std::move_only_function<PoolResult<void>(User&)> apply) {
  if (auto good = check(*pool, input); !good) {
    pool->answer<void>(std::move(done), std::move(good));
    return;
  }
  UserChange change;
  change.who = NameOrSub{std::move(input.username)};
  change.change = std::move(apply);
  change.ends = end;
  change_user(pool, std::move(change), without_user(std::move(done)));
}

void set_credentials(const PoolContextPtr& pool, const UserId& sub, Credentials credentials,
                     bool permanent, VoidDone done) {
  UserChange change;
  change.who = sub;
  change.ends = LoginEnd::password_changed;
  change.change = [pool, credentials = std::move(credentials), permanent](User& user) {
    credentials.apply(user, pool->now());
    user.status = permanent ? UserStatus::confirmed : UserStatus::force_change_password;
    return PoolResult<void>();
  };
  change_user(pool, std::move(change), without_user(std::move(done)));
}

}  // namespace

void UserPool::admin_create_user(CreateUserRequest input, Done done) {
  if (auto good = check(*pool_, input); !good) {
    pool_->answer<User>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  const WallTime now = pool_->parts.clock.wall_now();
  User user{.sub = UserId(generate_uuid()),
            .username = std::move(input.username),
            .status = input.permanent && input.temporary_password
                          ? UserStatus::confirmed
                          : UserStatus::force_change_password,
            .enabled = true,
            .password_hash = {},
            .revision = 0,
            .attributes = std::move(input.attributes),
            .created_at = now,
            .modified_at = now};
  if (!input.temporary_password) {
    store_user(pool_, std::move(user), std::move(done));
    return;
  }
  const Secret password = Secret::take(*input.temporary_password);
  const UserId sub = user.sub;
  const std::string username = user.username;
  make_credentials(pool_, {.source = std::move(input.source)}, sub, username, password,
                   [pool = pool_, user = std::move(user),
                    done = std::move(done)](Result<Credentials> made) mutable {
                     if (!made) {
                       done(refuse(made.error()));
                       return;
                     }
                     made->apply(user, pool->now());
                     store_user(pool, std::move(user), std::move(done));
                   });
}

void UserPool::admin_get_user(UserName input, Done done) {
  if (auto good = check(*pool_, input); !good) {
    pool_->answer<User>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  find_user(pool_, NameOrSub{std::move(input.username)}, std::move(done));
}

void UserPool::admin_delete_user(UserName input, VoidDone done) {
  admin_get_user(std::move(input),
                 [pool = pool_, done = std::move(done)](PoolResult<User> user) mutable {
                   if (user) {
                     remove_user(pool, user->sub, std::move(done));
                   } else {
                     done(std::unexpected(std::move(user.error())));
                   }
                 });
}

void UserPool::admin_enable_user(UserName input, VoidDone done) {
  change(pool_, std::move(input), std::nullopt, std::move(done), [](User& user) {
    user.enabled = true;
    return PoolResult<void>();
  });
}

void UserPool::admin_disable_user(UserName input, VoidDone done) {
  change(pool_, std::move(input), LoginEnd::disabled, std::move(done), [](User& user) {
    user.enabled = false;
    return PoolResult<void>();
  });
}

void UserPool::admin_user_global_sign_out(UserName input, VoidDone done) {
  change(pool_, std::move(input), LoginEnd::signed_out, std::move(done),
         [](User&) { return PoolResult<void>(); });
}

void UserPool::admin_confirm_sign_up(UserName input, VoidDone done) {
  change(
      pool_, std::move(input), std::nullopt, std::move(done), [](User& user) -> PoolResult<void> {
        if (user.status != UserStatus::unconfirmed) {
          return refuse(
              PoolErrc::not_authorized,
              std::string("User cannot be confirmed. Current status is ") + to_string(user.status));
        }
        user.status = UserStatus::confirmed;
        return {};
      });
}

void UserPool::admin_set_user_password(SetPasswordRequest input, VoidDone done) {
  PoolResult<void> good = check(*pool_, input.user);
  if (good) good = check_password(input.password, pool_->options);
  auto password = std::make_shared<const Secret>(Secret::take(input.password));
  if (!good) {
    pool_->answer<void>(std::move(done), std::move(good));
    return;
  }
  // Finds the user first, so that an unknown name costs no hash. The verifier needs the user's id.
  find_user(pool_, NameOrSub{std::move(input.user.username)},
            [pool = pool_, password, permanent = input.permanent, source = std::move(input.source),
             done = std::move(done)](PoolResult<User> user) mutable {
              if (!user) {
                done(std::unexpected(std::move(user.error())));
                return;
              }
              if (auto good = check_password_of(user->username, password->view(), pool->options);
                  !good) {
                done(std::move(good));
                return;
              }
              const UserId sub = user->sub;
              make_credentials(
                  pool, {.source = std::move(source)}, sub, user->username, *password,
                  [pool, sub, permanent, done = std::move(done)](Result<Credentials> made) mutable {
                    if (made) {
                      set_credentials(pool, sub, std::move(*made), permanent, std::move(done));
                    } else {
                      done(refuse(made.error()));
                    }
                  });
            });
}

void UserPool::admin_update_user_attributes(UpdateAttributesRequest input, VoidDone done) {
  // Checks the given attributes alone first, because an error must be about them.
  if (PoolResult<void> good = check_attributes(input.attributes); !good) {
    pool_->answer<void>(std::move(done), std::move(good));
    return;
  }
  change(pool_, std::move(input.user), std::nullopt, std::move(done),
         [attributes = std::move(input.attributes)](User& user) {
           merge_attributes(user.attributes, attributes);
           return check_attributes_size(user.attributes);
         });
}

}  // namespace holdfast::identity
