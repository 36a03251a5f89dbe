#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/json.hpp>

#include "identity/pool_context.hpp"
#include "identity/secret.hpp"

namespace holdfast::identity {
namespace {

constexpr std::array<std::string_view, 8> kFlows{"USER_SRP_AUTH",
                                                 "REFRESH_TOKEN_AUTH",
                                                 "REFRESH_TOKEN",
                                                 "CUSTOM_AUTH",
                                                 "ADMIN_NO_SRP_AUTH",
                                                 "USER_PASSWORD_AUTH",
                                                 "ADMIN_USER_PASSWORD_AUTH",
                                                 "USER_AUTH"};

PoolResult<void> check_flow(const UserPool::InitiateAuth& input) {
  if (auto good = check_enum(input.flow, "authFlow", kFlows); !good) return good;
  if (input.flow == "ADMIN_USER_PASSWORD_AUTH" || input.flow == "ADMIN_NO_SRP_AUTH") {
    if (input.pool_id) return {};
    return refuse(PoolErrc::invalid_parameter, "Initiate Auth method not supported.");
  }
  if (input.flow == "USER_PASSWORD_AUTH") return {};
  return refuse(PoolErrc::invalid_parameter, input.flow + " flow not enabled for this client");
}

PoolResult<void> check(const PoolContext& pool, const UserPool::InitiateAuth& input) {
  if (input.pool_id) {
    if (auto good = check_pool(*input.pool_id, pool.options); !good) return good;
  }
  if (auto good = check_client(input.client_id, pool.options); !good) return good;
  return check_flow(input);
}

/// One attempt with a password: look up, verify, look up once more, answer. Known and unknown names
/// take the same path, so that neither the answer nor its time tells them apart.
class PasswordLogin : public std::enable_shared_from_this<PasswordLogin> {
 public:
  PasswordLogin(PoolContextPtr pool, std::string username, Completion<PoolResult<AuthOutcome>> done)
      : pool_(std::move(pool)),
        username_(std::move(username)),
        folded_(fold_username(username_)),
        done_(std::move(done)) {}

  void start(Secret password) {
    // A name that no user can have needs no hash to hide anything, and no place in the lockout.
    if (!is_username(username_)) {
      pool_->answer<AuthOutcome>(std::move(done_), wrong());
      return;
    }
    switch (pool_->parts.lockout->begin(folded_)) {
      case Lockout::Attempt::admitted:
        break;
      case Lockout::Attempt::locked:
        pool_->answer<AuthOutcome>(std::move(done_),
                                   refuse(PoolErrc::not_authorized, "Password attempts exceeded"));
        return;
      case Lockout::Attempt::full:
        pool_->answer<AuthOutcome>(std::move(done_),
                                   refuse(PoolErrc::too_many_requests, "Rate exceeded"));
        return;
    }
    pool_->parts.users.find_by_username(
        username_,
        [self = shared_from_this(), password = std::move(password)](
            Result<std::optional<User>> found) { self->looked_up(password, std::move(found)); });
  }

 private:
  std::unexpected<PoolError> wrong() const {
    if (!known_ && !pool_->options.prevent_user_existence_errors) {
      return refuse(PoolErrc::user_not_found, "User does not exist.");
    }
    return refuse(PoolErrc::not_authorized, "Incorrect username or password.");
  }
  // Nothing was tried: the attempt does not count.
  void give_up(const Error& error) {
    pool_->parts.lockout->withdrawn(folded_);
    done_(refuse(error));
  }

  void looked_up(const Secret& password, Result<std::optional<User>> found) {
    if (!found) {
      give_up(found.error());
      return;
    }
    known_ = std::move(*found);
    pool_->parts.hasher->verify(
        password.copy(), known_ ? known_->password_hash : std::string(), pool_->parts.executor,
        [self = shared_from_this()](Result<bool> matches) { self->verified(std::move(matches)); });
  }

  void verified(Result<bool> matches) {
    if (!matches) {
      give_up(matches.error());
      return;
    }
    if (!*matches) {
      done_(wrong());
      return;
    }
    // Hashing took a while: the password may have been changed, or the user disabled, meanwhile.
    pool_->parts.users.find_by_sub(known_->sub,
                                   [self = shared_from_this()](Result<std::optional<User>> found) {
                                     self->looked_up_again(std::move(found));
                                   });
  }

  void looked_up_again(Result<std::optional<User>> found) {
    if (!found) {
      give_up(found.error());
      return;
    }
    if (!*found || (*found)->password_hash != known_->password_hash) {
      done_(wrong());
      return;
    }
    pool_->parts.lockout->succeeded(folded_);
    done_(admit(**found));
  }

  PoolResult<AuthOutcome> admit(const User& user) const {
    if (!user.enabled) return refuse(PoolErrc::not_authorized, "User is disabled.");
    switch (user.status) {
      case UserStatus::confirmed:
        return AuthOutcome{.result = pool_->issue_tokens(user), .challenge = {}};
      case UserStatus::force_change_password:
        return challenge(user);
      case UserStatus::unconfirmed:
        return refuse(PoolErrc::not_authorized, "User is not confirmed.");
      case UserStatus::reset_required:
        return refuse(PoolErrc::not_authorized, "Password reset required for the user");
    }
    return refuse(PoolErrc::unavailable, "Service unavailable");
  }

  PoolResult<AuthOutcome> challenge(const User& user) const {
    const Result<std::string> session = pool_->seal_session(
        {.sub = user.sub,
         .revision = user.revision,
         .client_id = pool_->options.client_id,
         .challenge = std::string(kNewPasswordRequired),
         .expires_at = pool_->parts.clock.wall_now() + pool_->options.session_lifetime});
    if (!session) return refuse(session.error());
    const Json attributes = user.attributes;
    Challenge out{
        .name = std::string(kNewPasswordRequired),
        .session = *session,
        .parameters = {
            {"USER_ID_FOR_SRP", user.username},
            {"requiredAttributes", "[]"},
            {"userAttributes", attributes.dump(-1, ' ', false, Json::error_handler_t::replace)}}};
    return AuthOutcome{.result = {}, .challenge = std::move(out)};
  }

  PoolContextPtr pool_;
  std::string username_;
  std::string folded_;
  Completion<PoolResult<AuthOutcome>> done_;
  std::optional<User> known_;
};

}  // namespace

void initiate_auth(const PoolContextPtr& pool, UserPool::InitiateAuth input,
                   Completion<PoolResult<AuthOutcome>> done) {
  PoolResult<void> good = check(*pool, input);
  PoolResult<std::string> username = required(input.parameters, "USERNAME");
  PoolResult<std::string> password = required(input.parameters, "PASSWORD");
  if (good && !username) good = std::unexpected(username.error());
  if (good && !password) good = std::unexpected(password.error());
  if (const auto given = input.parameters.find("PASSWORD"); given != input.parameters.end()) {
    wipe(given->second);
  }
  if (!good) {
    pool->answer<AuthOutcome>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  std::make_shared<PasswordLogin>(pool, std::move(*username), std::move(done))
      ->start(Secret::take(*password));
}

}  // namespace holdfast::identity
