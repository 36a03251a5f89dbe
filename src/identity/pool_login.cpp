// Logins with a password.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "pool_context.hpp"
#include "secret.hpp"

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

bool is_refresh(const std::string& flow) {
  return flow == "REFRESH_TOKEN_AUTH" || flow == "REFRESH_TOKEN";
}

PoolResult<void> check_flow(const PoolContext& pool, const InitiateAuthRequest& input) {
  if (auto good = check_enum(input.flow, "authFlow", kFlows); !good) return good;
  if (input.flow == "ADMIN_USER_PASSWORD_AUTH" || input.flow == "ADMIN_NO_SRP_AUTH") {
    if (input.pool_id) return {};
    return refuse(PoolErrc::invalid_parameter, "Initiate Auth method not supported.");
  }
  if (input.flow == "USER_PASSWORD_AUTH" && pool.options.password_auth_enabled) return {};
  // Its clients would not keep the refresh token that a rotation gives them.
  if (is_refresh(input.flow) && !pool.options.refresh_token_rotation) return {};
  if (input.flow == "USER_SRP_AUTH" && pool.options.srp_enabled) return {};
  return refuse(PoolErrc::invalid_parameter, input.flow + " flow not enabled for this client");
}

PoolResult<void> check(const PoolContext& pool, const InitiateAuthRequest& input) {
  if (input.pool_id) {
    if (auto good = check_pool(*input.pool_id, pool.options); !good) return good;
  }
  if (auto good = check_client(input.client_id, pool.options); !good) return good;
  return check_flow(pool, input);
}

/// One login with a password: looks up, verifies, looks up once more, answers. Known and unknown
/// names take the same path, so that neither the answer nor its time distinguishes them.
class PasswordLogin : public std::enable_shared_from_this<PasswordLogin> {
 public:
  PasswordLogin(PoolContextPtr pool, std::string username, LoginBy by, Source source,
                Completion<PoolResult<AuthOutcome>> done)
      : pool_(std::move(pool)),
        username_(std::move(username)),
        by_(by),
        source_(std::move(source)),
        done_(std::move(done)) {}

  void start(std::shared_ptr<const Secret> password) {
    password_ = std::move(password);
    // A name that no user can have needs no hash to hide anything, and no place in the lockout.
    if (!is_username(username_)) {
      pool_->answer<AuthOutcome>(std::move(done_), wrong());
      return;
    }
    find_who_logs_in(*pool_, username_, by_,
                     [self = shared_from_this()](Result<std::optional<User>> user) {
                       self->looked_up(std::move(user));
                     });
  }

 private:
  std::unexpected<PoolError> wrong() const {
    const Name name = known_ ? Name::known : Name::unknown;
    return attempt_ ? attempt_->failed(name) : wrong_password(*pool_, name);
  }
  // Nothing was tried: the attempt does not count.
  void give_up(const Error& error) {
    attempt_->withdrawn();
    done_(refuse(error));
  }

  void looked_up(Result<std::optional<User>> found) {
    if (!found) {
      done_(refuse(found.error()));
      return;
    }
    known_ = std::move(*found);
    AttemptTarget target{.source = source_, .username = username_};
    if (known_) {
      target.sub = known_->sub;
      target.password_set_at = known_->password_set_at;
    }
    begin_login_attempt(
        pool_, std::move(target), {PoolErrc::locked, "Password attempts exceeded"},
        [self = shared_from_this()](PoolResult<std::shared_ptr<LoginAttempt>> begun) {
          if (begun) return self->verify(std::move(*begun));
          self->done_(std::unexpected(std::move(begun.error())));
        });
  }

  void verify(std::shared_ptr<LoginAttempt> attempt) {
    attempt_ = std::move(attempt);
    pool_->parts.hasher->verify(
        password_->copy(), known_ ? known_->password_hash : std::string(), attempt_->work(),
        pool_->parts.executor,
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
    attempt_->succeeded();
    bring_verifier_up_to_date(std::move(**found));
  }

  // Adds a verifier at the next login if SRP was off when the password was set, and removes it at
  // the first login after SRP was switched off.
  void bring_verifier_up_to_date(User user) {
    const bool wanted = pool_->options.srp_enabled;
    if (user.srp_verifier.empty() != wanted) {
      check_may_log_in(pool_, std::move(user), source_, std::move(done_));
    } else if (!wanted) {
      keep_verifier(std::move(user), std::string());
    } else {
      const UserId sub = user.sub;
      const std::string username = user.username;
      make_verifier(pool_, attempt_->work(), sub, username, password_,
                    [self = shared_from_this(),
                     user = std::move(user)](Result<std::string> verifier) mutable {
                      self->keep_verifier(std::move(user), std::move(verifier));
                    });
    }
  }

  // The login is a good one also where this fails: then the next one tries again.
  void keep_verifier(User user, Result<std::string> verifier) {
    if (!verifier) {
      check_may_log_in(pool_, std::move(user), source_, std::move(done_));
      return;
    }
    UserChange change;
    change.who = user.sub;
    change.change = [hash = user.password_hash, verifier = std::move(*verifier)](User& now) {
      if (now.password_hash == hash) now.srp_verifier = verifier;
      return PoolResult<void>();
    };
    change_user(pool_, std::move(change),
                [self = shared_from_this(), user = std::move(user)](PoolResult<User> kept) mutable {
                  // Only the state that the password was checked against may log in.
                  const bool same = kept && kept->password_hash == user.password_hash &&
                                    kept->signed_out_at == user.signed_out_at;
                  check_may_log_in(self->pool_, std::move(same ? *kept : user), self->source_,
                                   std::move(self->done_));
                });
  }

  PoolContextPtr pool_;
  std::string username_;
  LoginBy by_;
  Source source_;
  Completion<PoolResult<AuthOutcome>> done_;
  std::shared_ptr<const Secret> password_;
  std::shared_ptr<LoginAttempt> attempt_;
  std::optional<User> known_;
};

void begin_password_login(const PoolContextPtr& pool, InitiateAuthRequest input,
                          Completion<PoolResult<AuthOutcome>> done) {
  PoolResult<std::string> username = required(input.parameters, "USERNAME");
  PoolResult<std::string> password = required(input.parameters, "PASSWORD");
  if (const auto given = input.parameters.find("PASSWORD"); given != input.parameters.end()) {
    wipe(given->second);
  }
  if (!username || !password) {
    PoolError& error = username ? password.error() : username.error();
    pool->answer<AuthOutcome>(std::move(done), std::unexpected(std::move(error)));
    return;
  }
  std::make_shared<PasswordLogin>(pool, std::move(*username), login_by(input.pool_id),
                                  std::move(input.source), std::move(done))
      ->start(std::make_shared<const Secret>(Secret::take(*password)));
}

}  // namespace

void UserPool::initiate_auth(InitiateAuthRequest input, Completion<PoolResult<AuthOutcome>> done) {
  if (PoolResult<void> good = check(*pool_, input); !good) {
    if (const auto given = input.parameters.find("PASSWORD"); given != input.parameters.end()) {
      wipe(given->second);
    }
    pool_->answer<AuthOutcome>(std::move(done), std::unexpected(std::move(good.error())));
  } else if (is_refresh(input.flow)) {
    refresh_tokens(pool_, input, std::move(done));
  } else if (input.flow == "USER_SRP_AUTH") {
    begin_srp(pool_, input, std::move(done));
  } else {
    begin_password_login(pool_, std::move(input), std::move(done));
  }
}

}  // namespace holdfast::identity
