// Operations that users call for themselves, with an access token.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "access_token.hpp"
#include "pool_context.hpp"
#include "token_claims.hpp"

namespace holdfast::identity {
namespace {

/// Finds the user, verifies the old password, hashes the new one, and writes it.
class PasswordChange : public std::enable_shared_from_this<PasswordChange> {
 public:
  PasswordChange(PoolContextPtr pool, Secret previous, Secret proposed, Source source,
                 Completion<PoolResult<void>> done)
      : pool_(std::move(pool)),
        previous_(std::move(previous)),
        proposed_(std::move(proposed)),
        source_(std::move(source)),
        done_(std::move(done)) {}

  void start(const std::string& access_token) {
    find_token_user(pool_, access_token, [self = shared_from_this()](PoolResult<TokenUser> found) {
      if (!found) {
        self->done_(std::unexpected(std::move(found.error())));
      } else {
        self->verify(std::move(*found));
      }
    });
  }

 private:
  void verify(TokenUser found) {
    found_ = std::move(found);
    done_ = about(found_.user.sub, Caller::the_user, std::move(done_));
    if (auto good = check_password_of(found_.user.username, proposed_.view(), pool_->options);
        !good) {
      done_(std::move(good));
      return;
    }
    AttemptTarget target{.source = source_,
                         .username = found_.user.username,
                         .sub = found_.user.sub,
                         .password_set_at = found_.user.password_set_at};
    begin_login_attempt(
        pool_, std::move(target), too_often().error(),
        [self = shared_from_this()](PoolResult<std::shared_ptr<LoginAttempt>> begun) {
          if (begun) return self->try_previous(std::move(*begun));
          self->done_(std::unexpected(std::move(begun.error())));
        });
  }

  void try_previous(std::shared_ptr<LoginAttempt> attempt) {
    attempt_ = std::move(attempt);
    pool_->parts.hasher->verify(
        previous_.copy(), found_.user.password_hash, attempt_->work(), pool_->parts.executor,
        [self = shared_from_this()](Result<bool> matches) { self->verified(std::move(matches)); });
  }

  void verified(Result<bool> matches) {
    if (!matches) {
      attempt_->withdrawn();
      done_(refuse(matches.error()));
      return;
    }
    if (!*matches) {
      done_(attempt_->failed(Name::known));
      return;
    }
    attempt_->succeeded();
    make_credentials(
        pool_, attempt_->work(), found_.user.sub, found_.user.username, proposed_,
        [self = shared_from_this()](Result<Credentials> made) { self->made(std::move(made)); });
  }

  void made(Result<Credentials> made) {
    if (!made) {
      done_(refuse(made.error()));
      return;
    }
    UserChange change;
    change.who = found_.user.sub;
    change.ends = LoginEnd::password_changed;
    change.kept_login = found_.login;
    change.change = [self = shared_from_this(),
                     made = std::move(*made)](User& user) -> PoolResult<void> {
      // The old password was another one's by now: somebody else has set it meanwhile.
      if (user.password_hash != self->found_.user.password_hash || !user.enabled) {
        return wrong_password(*self->pool_, Name::known);
      }
      made.apply(user, self->pool_->now());
      return {};
    };
    change_user(pool_, std::move(change), without_user(std::move(done_)));
  }

  PoolContextPtr pool_;
  Secret previous_;
  Secret proposed_;
  Source source_;
  Completion<PoolResult<void>> done_;
  TokenUser found_;
  std::shared_ptr<LoginAttempt> attempt_;
};

}  // namespace

void find_token_user(const PoolContextPtr& pool, const std::string& access_token,
                     Completion<PoolResult<TokenUser>> done) {
  PoolResult<AccessTokenClaims> claims =
      verify_access_token(access_token, pool->options, *pool->parts.signer, pool->now());
  if (!claims) {
    pool->answer<TokenUser>(std::move(done), std::unexpected(std::move(claims.error())));
    return;
  }
  const UserId sub = claims->sub;
  std::string login = claims->origin;
  done = about(sub, Caller::unproven, std::move(done));
  pool->parts.users.find_with_login(
      sub, std::move(login),
      [claims = std::move(*claims),
       done = std::move(done)](Result<std::optional<UserStore::UserAndLogin>> found) mutable {
        if (!found) {
          done(refuse(found.error()));
        } else if (!*found) {
          done(refuse(PoolErrc::user_not_found, "User does not exist."));
        } else if (!(*found)->user.enabled) {
          done(refuse(PoolErrc::not_authorized, "User is disabled."));
        } else if (!(*found)->login_goes_on || is_signed_out((*found)->user, claims.issued_at)) {
          done(refuse(PoolErrc::not_authorized, "Access Token has been revoked"));
        } else {
          done(TokenUser{.user = std::move((*found)->user), .login = std::move(claims.origin)});
        }
      });
}

void UserPool::get_user(const std::string& access_token, Completion<PoolResult<User>> done) {
  find_token_user(pool_, access_token,
                  [done = std::move(done)](PoolResult<TokenUser> found) mutable {
                    if (found) {
                      done(std::move(found->user));
                    } else {
                      done(std::unexpected(std::move(found.error())));
                    }
                  });
}

void UserPool::change_password(ChangePasswordRequest input, Completion<PoolResult<void>> done) {
  PoolResult<void> good = check_password(input.proposed, pool_->options);
  Secret previous = Secret::take(input.previous);
  Secret proposed = Secret::take(input.proposed);
  if (!good) {
    pool_->answer<void>(std::move(done), std::move(good));
    return;
  }
  std::make_shared<PasswordChange>(pool_, std::move(previous), std::move(proposed),
                                   std::move(input.source), std::move(done))
      ->start(input.access_token);
}

void UserPool::global_sign_out(const std::string& access_token, Completion<PoolResult<void>> done) {
  find_token_user(pool_, access_token,
                  [pool = pool_, done = std::move(done)](PoolResult<TokenUser> found) mutable {
                    if (!found) {
                      done(std::unexpected(std::move(found.error())));
                      return;
                    }
                    done = about(found->user.sub, Caller::the_user, std::move(done));
                    UserChange change;
                    change.who = found->user.sub;
                    change.change = [](User&) { return PoolResult<void>(); };
                    change.ends = LoginEnd::signed_out;
                    change_user(pool, std::move(change), without_user(std::move(done)));
                  });
}

void UserPool::delete_user(const std::string& access_token, Completion<PoolResult<void>> done) {
  find_token_user(pool_, access_token,
                  [pool = pool_, done = std::move(done)](PoolResult<TokenUser> found) mutable {
                    if (found) {
                      remove_user(pool, found->user.sub,
                                  about(found->user.sub, Caller::the_user, std::move(done)));
                    } else {
                      done(std::unexpected(std::move(found.error())));
                    }
                  });
}

}  // namespace holdfast::identity
