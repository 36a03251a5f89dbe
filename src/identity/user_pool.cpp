#include <memory>
#include <utility>

#include <holdfast/identity/user_pool.hpp>

#include "identity/pool_context.hpp"

namespace holdfast::identity {
namespace {

class UserPoolImpl final : public UserPool {
 public:
  explicit UserPoolImpl(PoolContextPtr context) : context_(std::move(context)) {}

  void admin_create_user(CreateUser input, Completion<PoolResult<User>> done) override {
    identity::admin_create_user(context_, std::move(input), std::move(done));
  }
  void initiate_auth(InitiateAuth input, Completion<PoolResult<AuthOutcome>> done) override {
    identity::initiate_auth(context_, std::move(input), std::move(done));
  }
  void respond_to_auth_challenge(RespondToChallenge input,
                                 Completion<PoolResult<AuthOutcome>> done) override {
    identity::respond_to_auth_challenge(context_, std::move(input), std::move(done));
  }

 private:
  PoolContextPtr context_;
};

}  // namespace

std::unique_ptr<UserPool> make_user_pool(UserPoolOptions options, UserPoolParts parts) {
  return std::make_unique<UserPoolImpl>(
      std::make_shared<PoolContext>(PoolContext{std::move(options), std::move(parts)}));
}

}  // namespace holdfast::identity
