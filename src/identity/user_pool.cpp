// Dispatches the user pool's operations.

#include <memory>
#include <utility>

#include <holdfast/identity/user_pool.hpp>

#include "pool_context.hpp"

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
  void get_tokens_from_refresh_token(RefreshTokens input,
                                     Completion<PoolResult<AuthenticationResult>> done) override {
    identity::get_tokens_from_refresh_token(context_, std::move(input), std::move(done));
  }
  void respond_to_auth_challenge(RespondToChallenge input,
                                 Completion<PoolResult<AuthOutcome>> done) override {
    identity::respond_to_auth_challenge(context_, std::move(input), std::move(done));
  }
  void admin_get_user(UserName input, Completion<PoolResult<User>> done) override {
    identity::admin_get_user(context_, std::move(input), std::move(done));
  }
  void admin_enable_user(UserName input, Completion<PoolResult<void>> done) override {
    identity::admin_enable_user(context_, std::move(input), std::move(done));
  }
  void admin_disable_user(UserName input, Completion<PoolResult<void>> done) override {
    identity::admin_disable_user(context_, std::move(input), std::move(done));
  }
  void admin_delete_user(UserName input, Completion<PoolResult<void>> done) override {
    identity::admin_delete_user(context_, std::move(input), std::move(done));
  }
  void admin_user_global_sign_out(UserName input, Completion<PoolResult<void>> done) override {
    identity::admin_user_global_sign_out(context_, std::move(input), std::move(done));
  }
  void admin_confirm_sign_up(UserName input, Completion<PoolResult<void>> done) override {
    identity::admin_confirm_sign_up(context_, std::move(input), std::move(done));
  }
  void admin_set_user_password(SetPassword input, Completion<PoolResult<void>> done) override {
    identity::admin_set_user_password(context_, std::move(input), std::move(done));
  }
  void admin_update_user_attributes(UpdateAttributes input,
                                    Completion<PoolResult<void>> done) override {
    identity::admin_update_user_attributes(context_, std::move(input), std::move(done));
  }
  void admin_delete_user_attributes(DeleteAttributes input,
                                    Completion<PoolResult<void>> done) override {
    identity::admin_delete_user_attributes(context_, std::move(input), std::move(done));
  }
  void list_users(ListUsers input, Completion<PoolResult<UserList>> done) override {
    identity::list_users(context_, std::move(input), std::move(done));
  }
  PoolResult<UserPoolOptions> describe_user_pool(const std::string& pool_id) const override {
    const PoolResult<void> good = check_pool(pool_id, context_->options);
    if (!good) return std::unexpected(good.error());
    return context_->options;
  }
  PoolResult<UserPoolOptions> describe_user_pool_client(
      const std::string& pool_id, const std::string& client_id) const override {
    const PoolResult<void> good = check_client(client_id, context_->options);
    if (!good) return std::unexpected(good.error());
    return describe_user_pool(pool_id);
  }
  void get_user(std::string input, Completion<PoolResult<User>> done) override {
    identity::get_user(context_, input, std::move(done));
  }
  void change_password(ChangePassword input, Completion<PoolResult<void>> done) override {
    identity::change_password(context_, std::move(input), std::move(done));
  }
  void update_user_attributes(UpdateOwnAttributes input,
                              Completion<PoolResult<void>> done) override {
    identity::update_user_attributes(context_, std::move(input), std::move(done));
  }
  void delete_user_attributes(DeleteOwnAttributes input,
                              Completion<PoolResult<void>> done) override {
    identity::delete_user_attributes(context_, std::move(input), std::move(done));
  }
  void get_user_attribute_verification_code(AskAttributeCode input,
                                            Completion<PoolResult<CodeDelivery>> done) override {
    identity::get_user_attribute_verification_code(context_, std::move(input), std::move(done));
  }
  void verify_user_attribute(VerifyAttribute input, Completion<PoolResult<void>> done) override {
    identity::verify_user_attribute(context_, std::move(input), std::move(done));
  }
  void global_sign_out(std::string input, Completion<PoolResult<void>> done) override {
    identity::global_sign_out(context_, input, std::move(done));
  }
  void delete_user(std::string input, Completion<PoolResult<void>> done) override {
    identity::delete_own_user(context_, input, std::move(done));
  }
  void revoke_token(RevokeToken input, Completion<PoolResult<UserId>> done) override {
    identity::revoke_token(context_, input, std::move(done));
  }
  void sign_up(SignUp input, Completion<PoolResult<SignedUp>> done) override {
    identity::sign_up(context_, std::move(input), std::move(done));
  }
  void resend_confirmation_code(ClientUser input,
                                Completion<PoolResult<CodeDelivery>> done) override {
    identity::resend_confirmation_code(context_, std::move(input), std::move(done));
  }
  void forgot_password(ClientUser input, Completion<PoolResult<CodeDelivery>> done) override {
    identity::forgot_password(context_, std::move(input), std::move(done));
  }
  void confirm_sign_up(Confirm input, Completion<PoolResult<void>> done) override {
    identity::confirm_sign_up(context_, std::move(input), std::move(done));
  }
  void confirm_forgot_password(Confirm input, Completion<PoolResult<void>> done) override {
    identity::confirm_forgot_password(context_, std::move(input), std::move(done));
  }

  void change_rules(const UserPoolOptions& options) override {
    UserPoolOptions next = options;
    next.pool_id = context_->options.pool_id;
    next.client_id = context_->options.client_id;
    next.issuer = context_->options.issuer;
    next.name = context_->options.name;
    next.decoy_secret = context_->options.decoy_secret;
    // Operations under way keep their old context.
    context_ = std::make_shared<PoolContext>(PoolContext{std::move(next), context_->parts});
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
