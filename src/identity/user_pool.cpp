// Makes the user pool, changes its rules, and describes it. The operations are in the `pool_`
// files.

#include <memory>
#include <string>
#include <utility>

#include <holdfast/identity/user_pool.hpp>

#include "pool_context.hpp"
#include "pool_rules.hpp"

namespace holdfast::identity {

UserPool::UserPool(UserPoolOptions options, UserPoolParts parts)
    : pool_(std::make_shared<PoolContext>(PoolContext{std::move(options), std::move(parts)})) {}

void UserPool::change_rules(const UserPoolOptions& options) {
  UserPoolOptions next = options;
  next.pool_id = pool_->options.pool_id;
  next.client_id = pool_->options.client_id;
  next.issuer = pool_->options.issuer;
  next.name = pool_->options.name;
  next.decoy_secret = pool_->options.decoy_secret;
  // Operations under way keep their old context.
  pool_ = std::make_shared<PoolContext>(PoolContext{std::move(next), pool_->parts});
}

PoolResult<UserPoolOptions> UserPool::describe_user_pool(const std::string& pool_id) const {
  const PoolResult<void> good = check_pool(pool_id, pool_->options);
  if (!good) return std::unexpected(good.error());
  return pool_->options;
}

PoolResult<UserPoolOptions> UserPool::describe_user_pool_client(
    const std::string& pool_id, const std::string& client_id) const {
  const PoolResult<void> good = check_client(client_id, pool_->options);
  if (!good) return std::unexpected(good.error());
  return describe_user_pool(pool_id);
}

}  // namespace holdfast::identity
