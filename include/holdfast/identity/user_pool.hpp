#pragma once

#include <functional>
#include <memory>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/identity/ended_logins.hpp>
#include <holdfast/identity/pool_error.hpp>
#include <holdfast/identity/user.hpp>
#include <holdfast/identity/user_pool_options.hpp>
#include <holdfast/identity/user_pool_types.hpp>

namespace holdfast::identity {

class CodeSender;
class CodeStore;
class KeyRing;
class KnownAddressStore;
class PasswordHasher;
class RefreshTokenStore;
class SpentChallenges;
class TokenSigner;
class UserStore;
struct PoolContext;

/// The parts that a pool works with.
struct UserPoolParts {
  const Clock& clock;
  Executor& executor;
  UserStore& users;
  RefreshTokenStore& refresh_tokens;
  CodeStore& codes;
  KnownAddressStore& known_addresses;
  std::shared_ptr<KeyRing> ring;
  std::shared_ptr<TokenSigner> signer;
  std::shared_ptr<PasswordHasher> hasher;
  std::shared_ptr<AttemptCounts> attempts;
  std::shared_ptr<SpentChallenges> spent_challenges;
  std::shared_ptr<RateShares> sign_up_rate{};   ///< null: unlimited
  std::shared_ptr<RateShares> failed_logins{};  ///< by client; null: unlimited
  /// Limits invalid and ended refresh tokens by client; null: unlimited.
  std::shared_ptr<RateShares> failed_refreshes{};
  std::shared_ptr<CodeSender> code_sender;
  /// Called on the executor after the commit that ended logins, to close their connections.
  std::function<void(const EndedLogins&)> on_logins_ended;
};

/// The user pool's operations, with Cognito's semantics and messages. One per shard, on the
/// executor of its store handle; completions never run inside the call. The pool may go before its
/// completions; the clock, the executor and the store handle must outlive them.
class UserPool final {
 public:
  UserPool(UserPoolOptions options, UserPoolParts parts);
  UserPool(const UserPool&) = delete;
  UserPool& operator=(const UserPool&) = delete;

  /// Sets other lifetimes and rules for later calls. The pool's ids, issuer, name and decoy secret
  /// do not change.
  void change_rules(const UserPoolOptions& options);

  void admin_create_user(CreateUserRequest input, Completion<PoolResult<User>> done);

  void initiate_auth(InitiateAuthRequest input, Completion<PoolResult<AuthOutcome>> done);

  /// New tokens of the login that a refresh token stands for; under rotation the only way to them.
  void get_tokens_from_refresh_token(RefreshTokensRequest input,
                                     Completion<PoolResult<AuthenticationResult>> done);

  void respond_to_auth_challenge(RespondToChallengeRequest input,
                                 Completion<PoolResult<AuthOutcome>> done);

  // ---- administration
  void admin_get_user(UserName input, Completion<PoolResult<User>> done);
  void admin_enable_user(UserName input, Completion<PoolResult<void>> done);
  /// Ends the user's logins: see `UserPoolParts::on_logins_ended`.
  void admin_disable_user(UserName input, Completion<PoolResult<void>> done);
  void admin_delete_user(UserName input, Completion<PoolResult<void>> done);
  void admin_user_global_sign_out(UserName input, Completion<PoolResult<void>> done);
  void admin_confirm_sign_up(UserName input, Completion<PoolResult<void>> done);
  /// Ends the user's logins.
  void admin_set_user_password(SetPasswordRequest input, Completion<PoolResult<void>> done);
  void admin_update_user_attributes(UpdateAttributesRequest input,
                                    Completion<PoolResult<void>> done);
  void admin_delete_user_attributes(DeleteAttributesRequest input,
                                    Completion<PoolResult<void>> done);
  /// In the order of names. A filter that few users match may answer fewer than `limit` with a
  /// token, so that no call looks at too many.
  void list_users(ListUsersRequest input, Completion<PoolResult<UserList>> done);
  /// The pool or client of this id as it is configured; `resource_not_found` for any other.
  [[nodiscard]] PoolResult<UserPoolOptions> describe_user_pool(const std::string& pool_id) const;
  [[nodiscard]] PoolResult<UserPoolOptions> describe_user_pool_client(
      const std::string& pool_id, const std::string& client_id) const;

  // ---- users themselves, by access token
  void get_user(const std::string& access_token, Completion<PoolResult<User>> done);
  /// Ends the user's other logins.
  void change_password(ChangePasswordRequest input, Completion<PoolResult<void>> done);
  /// An address that changes is no longer a verified one.
  void update_user_attributes(UpdateOwnAttributesRequest input, Completion<PoolResult<void>> done);
  void delete_user_attributes(DeleteOwnAttributesRequest input, Completion<PoolResult<void>> done);
  /// Sends a code to the address that the user has there now.
  void get_user_attribute_verification_code(AttributeCodeRequest input,
                                            Completion<PoolResult<CodeDelivery>> done);
  /// The address is a verified one from now on, if it is still the one that the code went to.
  void verify_user_attribute(VerifyAttributeRequest input, Completion<PoolResult<void>> done);
  void global_sign_out(const std::string& access_token, Completion<PoolResult<void>> done);
  void delete_user(const std::string& access_token, Completion<PoolResult<void>> done);
  /// Ends the login of a refresh token and returns its user. An unknown token is ignored (RFC 7009
  /// section 2.2), and the user is empty.
  void revoke_token(const RevokeTokenRequest& input, Completion<PoolResult<UserId>> done);

  // ---- sign-up and forgotten passwords
  void sign_up(SignUpRequest input, Completion<PoolResult<SignedUp>> done);
  void resend_confirmation_code(ClientUser input, Completion<PoolResult<CodeDelivery>> done);
  void forgot_password(ClientUser input, Completion<PoolResult<CodeDelivery>> done);
  void confirm_sign_up(ConfirmRequest input, Completion<PoolResult<void>> done);
  /// Ends the user's logins.
  void confirm_forgot_password(ConfirmRequest input, Completion<PoolResult<void>> done);

 private:
  /// Shared with the operations under way.
  std::shared_ptr<const PoolContext> pool_;
};

}  // namespace holdfast::identity
