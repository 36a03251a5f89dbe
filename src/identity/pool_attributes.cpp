// Changes of a user's attributes, by the user or an administrator.

#include <string>
#include <utility>
#include <vector>

#include "pool_context.hpp"

namespace holdfast::identity {
namespace {

using VoidDone = Completion<PoolResult<void>>;

// An empty value removes an attribute.
Attributes removal_of(std::vector<std::string> names) {
  Attributes out;
  for (std::string& name : names) out.emplace(std::move(name), std::string());
  return out;
}

void change_attributes(const PoolContextPtr& pool, UserKey who, Attributes changes, VoidDone done) {
  UserChange change;
  change.who = std::move(who);
  change.change = [changes = std::move(changes)](User& user) {
    merge_attributes(user.attributes, changes);
    return check_attributes_size(user.attributes);
  };
  change_user(pool, std::move(change), without_user(std::move(done)));
}

}  // namespace

void UserPool::update_user_attributes(UpdateOwnAttributesRequest input, VoidDone done) {
  if (PoolResult<void> good = check_own_attributes(input.attributes); !good) {
    pool_->answer<void>(std::move(done), std::move(good));
    return;
  }
  find_token_user(pool_, input.access_token,
                  [pool = pool_, changes = std::move(input.attributes),
                   done = std::move(done)](PoolResult<TokenUser> found) mutable {
                    if (found) {
                      const UserId sub = found->user.sub;
                      change_attributes(pool, sub, std::move(changes),
                                        about(sub, Caller::the_user, std::move(done)));
                    } else {
                      done(std::unexpected(std::move(found.error())));
                    }
                  });
}

void UserPool::delete_user_attributes(DeleteOwnAttributesRequest input, VoidDone done) {
  update_user_attributes({.access_token = std::move(input.access_token),
                          .attributes = removal_of(std::move(input.names))},
                         std::move(done));
}

void UserPool::admin_delete_user_attributes(DeleteAttributesRequest input, VoidDone done) {
  Attributes changes = removal_of(std::move(input.names));
  PoolResult<void> good = check_pool(input.user.pool_id, pool_->options);
  if (good) good = check_username(input.user.username);
  if (good) good = check_attributes(changes);
  if (!good) {
    pool_->answer<void>(std::move(done), std::move(good));
    return;
  }
  change_attributes(pool_, NameOrSub{std::move(input.user.username)}, std::move(changes),
                    std::move(done));
}

}  // namespace holdfast::identity
