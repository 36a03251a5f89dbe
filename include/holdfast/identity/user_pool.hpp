#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/logins.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/identity/attempts.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/stores.hpp>
#include <holdfast/identity/user.hpp>

namespace holdfast::identity {

/// The errors of the user pool, by Cognito's names. `api` writes them as `__type`.
enum class PoolErrc : std::uint8_t {
  not_authorized,
  locked,  ///< not authorized for a while, after too many failures
  user_not_found,
  username_exists,
  invalid_parameter,
  invalid_password,
  resource_not_found,
  user_not_confirmed,
  password_reset_required,
  code_mismatch,
  expired_code,
  code_delivery_failure,
  refresh_token_reuse,  ///< a refresh token that was replaced: its login has ended
  limit_exceeded,
  unauthorized,  ///< a token of another client
  unsupported_token_type,
  too_many_requests,
  unavailable,
};
struct PoolError {
  PoolErrc code;
  std::string message;  ///< Cognito's words
  bool locks = false;   ///< a wrong password, by which the name is locked from now on
  /// The user, for logs only, if a token or the pool identified one.
  UserId sub{};
  bool by_them = false;  ///< the caller has proven to be that user
};
template <class T>
using PoolResult = std::expected<T, PoolError>;

struct UserPoolOptions {
  std::string pool_id;
  std::string client_id;
  std::string issuer;
  std::string name = "holdfast";    ///< the pool's name in `DescribeUserPool`
  Seconds id_token_lifetime{3600};  ///< access tokens' too
  Seconds refresh_token_lifetime{30 * 24 * 3600};
  std::size_t refresh_tokens_per_user = 100;  ///< the oldest go, and their logins with them
  /// Each refresh gives another refresh token; the one before is good for the grace period, for
  /// those whose answer was lost, and ends its login after that.
  bool refresh_token_rotation = false;
  Seconds refresh_token_grace{10};
  Seconds session_lifetime{180};
  Seconds temporary_password_lifetime{7 * 24 * 3600};
  bool prevent_user_existence_errors = true;
  /// Verifiers for SRP are kept and the flow is open. A verifier that is stolen together with the
  /// keys is quicker to guess at than an Argon2id hash.
  bool srp_enabled = true;
  bool password_auth_enabled = true;  ///< `USER_PASSWORD_AUTH` is open; the Admin form always is
  bool self_sign_up = false;
  Seconds code_lifetime{600};
  std::int64_t code_attempts = 5;
  /// The source of the SRP answers for unknown names, so that asking twice reveals nothing. It
  /// never changes.
  std::string decoy_secret{};
  std::size_t password_min_length = 8;
  bool password_require_lowercase = false;
  bool password_require_uppercase = false;
  bool password_require_numbers = false;
  bool password_require_symbols = false;
  /// Passwords that many people use, and those made of a name, are refused.
  bool password_refuse_common = true;
};

/// Whose password work it is, which says when its turn is and what room it has.
struct WorkOwner {
  Source source;
  std::string name{};  ///< the attempted name; work of one name runs one at a time; may be empty
};

/// Hashes with Argon2id (t=2, m=19 MiB, p=1; RFC 9106) on a small pool of its own threads.
/// Thread-safe. Overwrites passwords after use.
///
/// The operator's work has its own lane, which is served first. In the public lane a client's
/// address (an IPv6 address's /64) has an eighth of the room and an access key half of it. Work
/// beyond that is refused before it waits. Waiting clients are served in turn, one piece of work
/// each.
class PasswordHasher {
 public:
  virtual ~PasswordHasher() = default;
  /// The encoded hash. `too_many_requests` when the lane, its owner's share of it, or the name is
  /// taken. `done` runs on `executor`.
  virtual void hash(std::string password, WorkOwner owner, Executor& executor,
                    Completion<Result<std::string>> done) = 0;
  /// Checks `password` against the hash `encoded`. An empty `encoded` takes the same time and
  /// fails.
  virtual void verify(std::string password, std::string encoded, WorkOwner owner,
                      Executor& executor, Completion<Result<bool>> done) = 0;
  /// Runs other work that is too long for a shard, under the same limits. Refused work is destroyed
  /// without running.
  virtual void compute(std::move_only_function<std::string()> work, WorkOwner owner,
                       Executor& executor, Completion<Result<std::string>> done) = 0;
  /// Signs a token, which takes a few milliseconds. Signatures have their own lane, which takes
  /// turns with the public one, so that neither starves the other.
  virtual void sign(std::move_only_function<std::string()> work, Source source, Executor& executor,
                    Completion<Result<std::string>> done) = 0;
  /// Waits for running work. Waiting and later calls get `unavailable`. Call it while the executors
  /// live: pending calls keep their callers alive, which could otherwise be destroyed on a thread
  /// of the pool. Repeated calls do nothing.
  virtual void stop() = 0;
};
struct PasswordHasherOptions {
  std::size_t threads = 1;
  std::size_t queue = 64;  ///< of each lane; signatures have four times the room
  std::uint32_t iterations = 2;
  std::uint32_t memory_kib = 19 * 1024;
};
[[nodiscard]] std::shared_ptr<PasswordHasher> make_password_hasher(
    PasswordHasherOptions options, std::shared_ptr<BoundRefusals> refusals = nullptr);

/// Remembers answered challenges until they expire, so that none works twice. Limited in number,
/// shared by the shards, thread-safe.
class SpentChallenges {
 public:
  explicit SpentChallenges(const Clock& clock, std::size_t capacity = 100'000);
  ~SpentChallenges();
  enum class Outcome {
    spent,
    spent_before,
    full,  ///< too many are remembered to take another
  };
  /// A challenge's expiry must be the same each time.
  [[nodiscard]] Outcome spend(const Digest& challenge, WallTime expires_at);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A confirmation code on its way to its user.
struct CodeMessage {
  CodeStore::Purpose purpose = CodeStore::Purpose::sign_up;
  std::string code;  ///< eight digits
  User user;
  /// The code has no recipient. It takes the same steps as others, and is dropped at the end.
  bool for_unknown_user = false;
};
/// Sends confirmation codes. Any thread.
class CodeSender {
 public:
  virtual ~CodeSender() = default;
  /// Returns whether codes can be sent.
  [[nodiscard]] virtual bool ready() const = 0;
  /// Answers on `executor` when the code is on its way, or that it is not: `too_many_requests`
  /// while too many are waiting, `unavailable` otherwise.
  virtual void send(CodeMessage message, Executor& executor, Completion<Result<void>> done) = 0;
  /// Ends running commands. Waiting and later calls get `unavailable`. Call it while the executors
  /// live. Repeated calls do nothing.
  virtual void stop() = 0;
};

/// The reason for the end of logins.
enum class LoginEnd : std::uint8_t {
  disabled,          ///< the user was disabled
  deleted,           ///< the user was deleted
  signed_out,        ///< the user signed out everywhere
  password_changed,  ///< by the user in another login, by a code, by an administrator
  revoked,           ///< the refresh token was revoked
  token_reused,      ///< a replaced refresh token was used again
  too_many,          ///< the user exceeded the limit of logins
};
/// `password_changed`, …
[[nodiscard]] const char* to_string(LoginEnd end) noexcept;

/// Logins of a user that have ended: nothing that was given out through them is good any more.
struct EndedLogins {
  UserId sub;
  Logins which;
  LoginEnd why;
};

struct AuthenticationResult {
  std::string id_token;
  std::string access_token;
  std::optional<std::string> refresh_token;  ///< none after a refresh, but under rotation
  Seconds expires_in{3600};
};
struct Challenge {
  std::string name;  ///< `NEW_PASSWORD_REQUIRED`, `PASSWORD_VERIFIER`
  /// Sealed; proves the first step; lives `session_lifetime`. Empty under SRP, whose secret block
  /// is one.
  std::string session;
  std::map<std::string, std::string> parameters;
};
struct AuthOutcome {
  std::optional<AuthenticationResult> result;
  std::optional<Challenge> challenge;
};
/// The masked destination of a code: `a***@e***`.
struct CodeDelivery {
  std::string destination;
  std::string medium;     ///< `EMAIL`, `SMS`
  std::string attribute;  ///< `email`, `phone_number`
};

/// The user pool's operations, with Cognito's semantics and messages. One per shard, on the
/// executor of its store handle; completions never run inside the call. The pool may go before its
/// completions; the clock, the executor and the store handle must outlive them.
class UserPool {
 public:
  virtual ~UserPool() = default;

  /// Sets other lifetimes and rules for later calls. The pool's ids, issuer, name and decoy secret
  /// do not change.
  virtual void change_rules(const UserPoolOptions& options) = 0;

  struct CreateUser {
    std::string pool_id;
    std::string username;
    std::optional<std::string> temporary_password;  ///< none: no password lets the user in
    std::map<std::string, std::string> attributes;
    bool permanent = false;  ///< the password is the user's own, not a temporary one
    Source source{};
  };
  virtual void admin_create_user(CreateUser input, Completion<PoolResult<User>> done) = 0;

  struct InitiateAuth {
    std::optional<std::string> pool_id;  ///< the Admin form has one
    std::string client_id;
    std::string flow;  ///< Cognito's `AuthFlow`
    std::map<std::string, std::string> parameters;
    Source source{};
  };
  virtual void initiate_auth(InitiateAuth input, Completion<PoolResult<AuthOutcome>> done) = 0;

  struct RefreshTokens {
    std::string client_id;
    std::string token;
    Source source{};
  };
  /// New tokens of the login that a refresh token stands for; under rotation the only way to them.
  virtual void get_tokens_from_refresh_token(RefreshTokens input,
                                             Completion<PoolResult<AuthenticationResult>> done) = 0;

  struct RespondToChallenge {
    std::optional<std::string> pool_id;  ///< the Admin form has one
    std::string client_id;
    std::string challenge;
    std::string session;
    std::map<std::string, std::string> responses;
    Source source{};
  };
  virtual void respond_to_auth_challenge(RespondToChallenge input,
                                         Completion<PoolResult<AuthOutcome>> done) = 0;

  // ---- administration
  struct UserName {
    std::string pool_id;
    std::string username;
  };
  virtual void admin_get_user(UserName input, Completion<PoolResult<User>> done) = 0;
  virtual void admin_enable_user(UserName input, Completion<PoolResult<void>> done) = 0;
  /// Ends the user's logins: see `UserPoolParts::on_logins_ended`.
  virtual void admin_disable_user(UserName input, Completion<PoolResult<void>> done) = 0;
  virtual void admin_delete_user(UserName input, Completion<PoolResult<void>> done) = 0;
  virtual void admin_user_global_sign_out(UserName input, Completion<PoolResult<void>> done) = 0;
  virtual void admin_confirm_sign_up(UserName input, Completion<PoolResult<void>> done) = 0;
  struct SetPassword {
    UserName user;
    std::string password;
    bool permanent = false;
    Source source{};
  };
  /// Ends the user's logins.
  virtual void admin_set_user_password(SetPassword input, Completion<PoolResult<void>> done) = 0;
  struct UpdateAttributes {
    UserName user;
    std::map<std::string, std::string> attributes;  ///< an empty value removes one
  };
  virtual void admin_update_user_attributes(UpdateAttributes input,
                                            Completion<PoolResult<void>> done) = 0;
  struct DeleteAttributes {
    UserName user;
    std::vector<std::string> names;
  };
  virtual void admin_delete_user_attributes(DeleteAttributes input,
                                            Completion<PoolResult<void>> done) = 0;
  struct ListUsers {
    std::string pool_id;
    std::size_t limit = 60;
    std::string filter;            ///< `attribute = "value"`, `attribute ^= "prefix"`, or empty
    std::string pagination_token;  ///< of an earlier answer, or empty
  };
  struct UserList {
    std::vector<User> users;
    std::string pagination_token;  ///< empty: there are no more
  };
  /// In the order of names. A filter that few users match may answer fewer than `limit` with a
  /// token, so that no call looks at too many.
  virtual void list_users(ListUsers input, Completion<PoolResult<UserList>> done) = 0;
  /// The pool or client of this id as it is configured; `resource_not_found` for any other.
  [[nodiscard]] virtual PoolResult<UserPoolOptions> describe_user_pool(
      const std::string& pool_id) const = 0;
  [[nodiscard]] virtual PoolResult<UserPoolOptions> describe_user_pool_client(
      const std::string& pool_id, const std::string& client_id) const = 0;

  // ---- users themselves, by access token
  virtual void get_user(std::string access_token, Completion<PoolResult<User>> done) = 0;
  struct ChangePassword {
    std::string access_token;
    std::string previous;
    std::string proposed;
    Source source{};
  };
  /// Ends the user's other logins.
  virtual void change_password(ChangePassword input, Completion<PoolResult<void>> done) = 0;
  struct UpdateOwnAttributes {
    std::string access_token;
    std::map<std::string, std::string> attributes;  ///< an empty value removes one
  };
  /// An address that changes is no longer a verified one.
  virtual void update_user_attributes(UpdateOwnAttributes input,
                                      Completion<PoolResult<void>> done) = 0;
  struct DeleteOwnAttributes {
    std::string access_token;
    std::vector<std::string> names;
  };
  virtual void delete_user_attributes(DeleteOwnAttributes input,
                                      Completion<PoolResult<void>> done) = 0;
  struct AskAttributeCode {
    std::string access_token;
    std::string attribute;  ///< `email` or `phone_number`
    Source source{};
  };
  /// Sends a code to the address that the user has there now.
  virtual void get_user_attribute_verification_code(AskAttributeCode input,
                                                    Completion<PoolResult<CodeDelivery>> done) = 0;
  struct VerifyAttribute {
    std::string access_token;
    std::string attribute;
    std::string code;
    Source source{};
  };
  /// The address is a verified one from now on, if it is still the one that the code went to.
  virtual void verify_user_attribute(VerifyAttribute input, Completion<PoolResult<void>> done) = 0;
  virtual void global_sign_out(std::string access_token, Completion<PoolResult<void>> done) = 0;
  virtual void delete_user(std::string access_token, Completion<PoolResult<void>> done) = 0;
  struct RevokeToken {
    std::string client_id;
    std::string token;
    Source source{};
  };
  /// Ends the login of a refresh token and returns its user. An unknown token is ignored (RFC 7009
  /// section 2.2), and the user is empty.
  virtual void revoke_token(RevokeToken input, Completion<PoolResult<UserId>> done) = 0;

  // ---- sign-up and forgotten passwords
  struct SignUp {
    std::string client_id;
    std::string username;
    std::string password;
    std::map<std::string, std::string> attributes;
    Source source{};
  };
  struct SignedUp {
    UserId sub;
    CodeDelivery delivery;
  };
  virtual void sign_up(SignUp input, Completion<PoolResult<SignedUp>> done) = 0;
  struct ClientUser {
    std::string client_id;
    std::string username;
    Source source{};
  };
  virtual void resend_confirmation_code(ClientUser input,
                                        Completion<PoolResult<CodeDelivery>> done) = 0;
  virtual void forgot_password(ClientUser input, Completion<PoolResult<CodeDelivery>> done) = 0;
  struct Confirm {
    ClientUser user;
    std::string code;
    std::string password;  ///< the new one, where it was forgotten
  };
  virtual void confirm_sign_up(Confirm input, Completion<PoolResult<void>> done) = 0;
  /// Ends the user's logins.
  virtual void confirm_forgot_password(Confirm input, Completion<PoolResult<void>> done) = 0;
};

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
[[nodiscard]] std::unique_ptr<UserPool> make_user_pool(UserPoolOptions options,
                                                       UserPoolParts parts);

}  // namespace holdfast::identity
