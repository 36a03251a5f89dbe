// Issues and refreshes the tokens of a login: ID, access and refresh tokens.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/json.hpp>

#include "pool_context.hpp"
#include "token_claims.hpp"

namespace holdfast::identity {
namespace {

// Base64 of 24 bytes each: what all refresh tokens of one login begin with, and the rest.
constexpr std::size_t kFamilyLength = 32;
constexpr std::size_t kPartBytes = 24;
constexpr std::string_view kRotatedContext = "rotated refresh token";
constexpr std::size_t kRefreshTokenLimitBytes = 4096;
constexpr int kIssueTries = 5;

struct TokenTimes {
  const std::string& origin;
  WallTime issued_at;         ///< before the user was looked at
  WallTime authenticated_at;  ///< when the password was given
};
// Beside the others, for it takes milliseconds which a shard does not have.
void sign_tokens(const PoolContextPtr& pool, const User& user, const TokenTimes& times,
                 const Source& source, Completion<PoolResult<AuthenticationResult>> done) {
  const Login login{.user = user,
                    .options = pool->options,
                    .id = times.origin,
                    .event_id = generate_uuid(),
                    .at = times.issued_at,
                    .authenticated_at = times.authenticated_at};
  pool->parts.hasher->sign(
      [signer = pool->parts.signer, id_claims = id_token_claims(login),
       access_claims = access_token_claims(login)] {
        return signer->sign(id_claims) + "\n" + signer->sign(access_claims);
      },
      source, pool->parts.executor,
      [pool, done = std::move(done)](Result<std::string> tokens) mutable {
        if (!tokens) return done(refuse(tokens.error()));
        const std::size_t end = tokens->find('\n');
        done(AuthenticationResult{.id_token = tokens->substr(0, end),
                                  .access_token = tokens->substr(end + 1),
                                  .refresh_token = {},
                                  .expires_in = pool->options.id_token_lifetime});
      });
}

std::unexpected<PoolError> user_disabled() {
  return refuse(PoolErrc::not_authorized, "User is disabled.");
}
std::unexpected<PoolError> invalid_refresh_token() {
  return refuse(PoolErrc::not_authorized, "Invalid Refresh Token.");
}

// Without `-` in front, which a command line would take for an option.
std::string make_refresh_token() {
  std::string token = base64url_encode(random_string(2 * kPartBytes));
  while (token.starts_with('-')) token = base64url_encode(random_string(2 * kPartBytes));
  return token;
}
std::string make_next_refresh_token(std::string_view token) {
  return std::string(token.substr(0, kFamilyLength)) + base64url_encode(random_string(kPartBytes));
}
RefreshTokenStore::TokenHashes hashes_of(std::string_view token) {
  return {.token = sha256(token), .family = sha256(token.substr(0, kFamilyLength))};
}

/// Signs what a login gives out, and commits a refresh token for the user as they are: in this
/// order, so that a login which cannot be completed ends none of the user's others.
class Issue : public std::enable_shared_from_this<Issue> {
 public:
  Issue(PoolContextPtr pool, User user, Source source, Completion<PoolResult<AuthOutcome>> done)
      : pool_(std::move(pool)),
        user_(std::move(user)),
        source_(std::move(source)),
        done_(std::move(done)) {}

  void run() {
    --tries_left_;
    const WallTime now = pool_->now();
    RefreshTokenStore::Row row{.sub = user_.sub,
                               .origin = generate_uuid(),
                               .token_hash = {},
                               .issued_at = now,
                               .expires_at = now + pool_->options.refresh_token_lifetime};
    const std::string origin = row.origin;
    sign_tokens(pool_, user_, {.origin = origin, .issued_at = now, .authenticated_at = now},
                source_,
                [self = shared_from_this(),
                 row = std::move(row)](PoolResult<AuthenticationResult> tokens) mutable {
                  if (!tokens) return self->done_(std::unexpected(std::move(tokens.error())));
                  self->add(std::move(row), std::move(*tokens));
                });
  }

 private:
  using Ended = Result<std::vector<std::string>>;

  void add(RefreshTokenStore::Row row, AuthenticationResult result) {
    std::string token = make_refresh_token();
    row.token_hash = sha256(token);
    result.refresh_token = std::move(token);
    pool_->parts.refresh_tokens.add(
        std::move(row), user_.revision, pool_->options.refresh_tokens_per_user,
        [self = shared_from_this(), result = std::move(result)](Ended ended) mutable {
          self->added(std::move(result), std::move(ended));
        });
  }

  void added(AuthenticationResult result, Ended ended) {
    if (!ended) {
      not_added(ended.error());
      return;
    }
    if (!ended->empty()) {
      tell_ended(
          *pool_,
          {.sub = user_.sub, .which = Logins::only(std::move(*ended)), .why = LoginEnd::too_many});
    }
    done_(AuthOutcome{.result = std::move(result), .challenge = {}});
  }

  // The user was changed since the password was found right: it may be a change that matters not.
  void not_added(const Error& error) {
    if (error.code == Errc::not_found) {
      done_(wrong_password(*pool_, Name::known));
    } else if (error.code == Errc::conflict && tries_left_ > 0) {
      find_user(pool_, user_.sub, [self = shared_from_this()](PoolResult<User> found) {
        self->look_again(std::move(found));
      });
    } else {
      done_(refuse(error));
    }
  }

  void look_again(PoolResult<User> found) {
    if (!found) {
      done_(found.error().code == PoolErrc::user_not_found ? wrong_password(*pool_, Name::known)
                                                           : std::unexpected(found.error()));
    } else if (!found->enabled) {
      done_(user_disabled());
    } else if (found->status != user_.status || found->password_hash != user_.password_hash ||
               found->signed_out_at != user_.signed_out_at) {
      done_(wrong_password(*pool_, Name::known));
    } else {
      user_ = std::move(*found);
      run();
    }
  }

  PoolContextPtr pool_;
  User user_;
  Source source_;
  Completion<PoolResult<AuthOutcome>> done_;
  int tries_left_ = kIssueTries;
};

PoolResult<AuthOutcome> new_password_challenge(const PoolContext& pool, const User& user) {
  const WallTime now = pool.now();
  if (now >= user.password_set_at + pool.options.temporary_password_lifetime) {
    return refuse(PoolErrc::not_authorized,
                  "Temporary password has expired and must be reset by an administrator.");
  }
  const Result<std::string> session =
      pool.seal_session({.sub = user.sub,
                         .revision = user.revision,
                         .client_id = pool.options.client_id,
                         .challenge = std::string(kNewPasswordRequired),
                         .expires_at = now + pool.options.session_lifetime});
  if (!session) return refuse(session.error());
  const Json attributes = user.attributes;
  Challenge out{.name = std::string(kNewPasswordRequired),
                .session = *session,
                .parameters = {{"USER_ID_FOR_SRP", user.username},
                               {"requiredAttributes", "[]"},
                               {"userAttributes",
                                attributes.dump(-1, ' ', false, Json::error_handler_t::replace)}}};
  return AuthOutcome{.result = {}, .challenge = std::move(out)};
}

using FoundLogin = Result<std::optional<RefreshTokenStore::RowAndUser>>;

/// Ends a login of which somebody gave back the refresh token.
void end_login(const PoolContextPtr& pool, const RefreshTokenStore::Row& row, LoginEnd why,
               Completion<PoolResult<void>> done) {
  pool->parts.refresh_tokens.end_login(
      row.sub, row.origin,
      [pool, sub = row.sub, login = row.origin, why,
       done = std::move(done)](Result<void> ended) mutable {
        if (!ended) {
          done(refuse(ended.error()));
          return;
        }
        tell_ended(*pool,
                   {.sub = std::move(sub), .which = Logins::only({std::move(login)}), .why = why});
        done({});
      });
}

/// One use of a refresh token, counted as failed unless it succeeds. The limit keeps invented
/// tokens from taking the store's time.
class RefreshAttempt {
 public:
  RefreshAttempt(const PoolContext& pool, const Source& source) {
    if (source.kind != Source::Kind::client || !pool.parts.failed_refreshes) return;
    rate_ = pool.parts.failed_refreshes;
    client_ = client_share_key(source.id);
    refused_ = !rate_->take(client_,
                            Microseconds(pool.parts.clock.steady_now().time_since_epoch()).count());
  }
  [[nodiscard]] bool refused() const { return refused_; }
  /// It was a good one, or nothing was learned of it.
  void did_not_fail() {
    if (rate_) rate_->give_back(client_);
    rate_.reset();
  }

 private:
  std::shared_ptr<RateShares> rate_;
  std::string client_;
  bool refused_ = false;
};

std::unexpected<PoolError> rate_exceeded() {
  return refuse(PoolErrc::too_many_requests, "Rate exceeded");
}

/// A refresh: look up, sign, replace the token where that is wanted.
class Refresh : public std::enable_shared_from_this<Refresh> {
 public:
  using Done = Completion<PoolResult<AuthenticationResult>>;
  Refresh(PoolContextPtr pool, std::string token, Source source, RefreshAttempt attempt, Done done)
      : pool_(std::move(pool)),
        token_(std::move(token)),
        source_(std::move(source)),
        attempt_(std::move(attempt)),
        done_(std::move(done)) {}

  void run() {
    // Takes the time before reading, so that the tokens are older than any later sign-out.
    at_ = pool_->now();
    pool_->parts.refresh_tokens.find_with_user(
        hashes_of(token_),
        [self = shared_from_this()](FoundLogin found) { self->found(std::move(found)); });
  }

 private:
  void found(FoundLogin found) {
    if (!found) {
      attempt_.did_not_fail();
      done_(refuse(found.error()));
    } else if (!*found) {
      done_(invalid_refresh_token());
    } else {
      login_ = std::move(**found);
      done_ = about(login_.row.sub, Caller::unproven, std::move(done_));
      if (PoolResult<void> good = check(); !good) {
        done_(std::unexpected(std::move(good.error())));
      } else {
        go_on();
      }
    }
  }

  [[nodiscard]] PoolResult<void> check() const {
    if (login_.row.revoked) {
      return refuse(PoolErrc::not_authorized, "Refresh Token has been revoked");
    }
    if (at_ >= login_.row.expires_at) {
      return refuse(PoolErrc::not_authorized, "Refresh Token has expired");
    }
    if (!login_.user.enabled) return user_disabled();
    return {};
  }

  [[nodiscard]] bool replaced_just_now() const {
    return login_.row.previous_hash &&
           at_ < login_.row.rotated_at + pool_->options.refresh_token_grace;
  }

  void go_on() {
    const Digest hash = sha256(token_);
    if (login_.row.token_hash == hash) {
      if (!pool_->options.refresh_token_rotation) {
        sign(std::nullopt);
      } else if (replaced_just_now()) {
        // Others may still come with the one before, and must get one that stays good.
        sign(token_);
      } else {
        sign_and_rotate();
      }
    } else if (login_.row.previous_hash == hash && replaced_just_now()) {
      give_current();
    } else {
      end_it();
    }
  }

  // Signs first, because a token that is replaced but not delivered is lost after the grace period.
  void sign_and_rotate() {
    sign_then([](Refresh& self, AuthenticationResult result) { self.rotate(std::move(result)); });
  }

  void rotate(AuthenticationResult result) {
    std::string next = make_next_refresh_token(token_);
    Result<std::string> sealed = pool_->parts.ring->seal(next, kRotatedContext);
    if (!sealed) {
      done_(refuse(sealed.error()));
      return;
    }
    RefreshTokenStore::Rotation rotation{.sub = login_.row.sub,
                                         .origin = login_.row.origin,
                                         .from = login_.row.token_hash,
                                         .to = hashes_of(next),
                                         .sealed_token = std::move(*sealed),
                                         .at = at_};
    result.refresh_token = std::move(next);
    pool_->parts.refresh_tokens.rotate(
        std::move(rotation),
        [self = shared_from_this(), result = std::move(result)](Result<bool> rotated) mutable {
          if (!rotated) {
            self->done_(refuse(rotated.error()));
          } else if (*rotated) {
            self->done_(std::move(result));
          } else if (--self->tries_left_ > 0) {
            self->run();  // somebody else was quicker: the row says what that means
          } else {
            self->done_(refuse(PoolErrc::unavailable, "Service unavailable"));
          }
        });
  }

  // The answer with the current token was lost, or somebody asked twice at once.
  void give_current() {
    Result<std::string> current = pool_->parts.ring->open(login_.row.sealed_token, kRotatedContext);
    if (current) {
      sign(std::move(*current));
    } else {
      done_(invalid_refresh_token());
    }
  }

  void end_it() {
    end_login(pool_, login_.row, LoginEnd::token_reused,
              [self = shared_from_this()](PoolResult<void> ended) {
                if (ended) {
                  self->done_(refuse(PoolErrc::refresh_token_reuse,
                                     "Refresh Token has been replaced and was used again."));
                } else {
                  self->done_(std::unexpected(std::move(ended.error())));
                }
              });
  }

  void sign(std::optional<std::string> refresh_token) {
    sign_then([refresh_token = std::move(refresh_token)](Refresh& self,
                                                         AuthenticationResult result) mutable {
      result.refresh_token = std::move(refresh_token);
      self.done_(std::move(result));
    });
  }

  void sign_then(std::move_only_function<void(Refresh&, AuthenticationResult)> next) {
    attempt_.did_not_fail();
    sign_tokens(
        pool_, login_.user,
        {.origin = login_.row.origin, .issued_at = at_, .authenticated_at = login_.row.issued_at},
        source_,
        [self = shared_from_this(),
         next = std::move(next)](PoolResult<AuthenticationResult> result) mutable {
          if (!result) return self->done_(std::unexpected(std::move(result.error())));
          next(*self, std::move(*result));
        });
  }

  PoolContextPtr pool_;
  std::string token_;
  Source source_;
  RefreshAttempt attempt_;
  Done done_;
  WallTime at_;
  RefreshTokenStore::RowAndUser login_;
  int tries_left_ = kIssueTries;
};

void begin_refresh(const PoolContextPtr& pool, PoolResult<std::string> token, Source source,
                   Refresh::Done done) {
  if (token && token->size() > kRefreshTokenLimitBytes) token = invalid_refresh_token();
  if (!token) {
    pool->answer<AuthenticationResult>(std::move(done), std::unexpected(std::move(token.error())));
    return;
  }
  RefreshAttempt attempt(*pool, source);
  if (attempt.refused()) {
    pool->answer<AuthenticationResult>(std::move(done), rate_exceeded());
    return;
  }
  std::make_shared<Refresh>(pool, std::move(*token), std::move(source), std::move(attempt),
                            std::move(done))
      ->run();
}

}  // namespace

std::unexpected<PoolError> wrong_password(const PoolContext& pool, Name name) {
  if (name == Name::unknown && !pool.options.prevent_user_existence_errors) {
    return refuse(PoolErrc::user_not_found, "User does not exist.");
  }
  return refuse(PoolErrc::not_authorized, "Incorrect username or password.");
}

void issue_tokens(const PoolContextPtr& pool, User user, Source source,
                  Completion<PoolResult<AuthOutcome>> done) {
  std::make_shared<Issue>(pool, std::move(user), std::move(source), std::move(done))->run();
}

void check_may_log_in(const PoolContextPtr& pool, User user, Source source,
                      Completion<PoolResult<AuthOutcome>> done) {
  if (!user.enabled) {
    done(user_disabled());
    return;
  }
  switch (user.status) {
    case UserStatus::confirmed:
      issue_tokens(pool, std::move(user), std::move(source), std::move(done));
      return;
    case UserStatus::force_change_password:
      done(new_password_challenge(*pool, user));
      return;
    case UserStatus::unconfirmed:
      done(refuse(PoolErrc::user_not_confirmed, "User is not confirmed."));
      return;
    case UserStatus::reset_required:
      done(refuse(PoolErrc::password_reset_required, "Password reset required for the user"));
      return;
  }
  done(refuse(PoolErrc::unavailable, "Service unavailable"));
}

void refresh_tokens(const PoolContextPtr& pool, const InitiateAuthRequest& input,
                    Completion<PoolResult<AuthOutcome>> done) {
  begin_refresh(pool, required(input.parameters, "REFRESH_TOKEN"), input.source,
                [done = std::move(done)](PoolResult<AuthenticationResult> result) mutable {
                  if (result) {
                    done(AuthOutcome{.result = std::move(*result), .challenge = {}});
                  } else {
                    done(std::unexpected(std::move(result.error())));
                  }
                });
}

void UserPool::get_tokens_from_refresh_token(RefreshTokensRequest input,
                                             Completion<PoolResult<AuthenticationResult>> done) {
  PoolResult<std::string> token = std::move(input.token);
  if (token->empty()) {
    token = refuse(PoolErrc::invalid_parameter, "Missing required parameter RefreshToken");
  }
  if (auto good = check_client(input.client_id, pool_->options); !good) {
    token = std::unexpected(std::move(good.error()));
  }
  begin_refresh(pool_, std::move(token), std::move(input.source), std::move(done));
}

void UserPool::revoke_token(const RevokeTokenRequest& input, Completion<PoolResult<UserId>> done) {
  PoolResult<void> good = check_client(input.client_id, pool_->options);
  if (good && input.token.empty()) {
    good = refuse(PoolErrc::invalid_parameter, "Missing required parameter Token");
  }
  // Refresh tokens have no dots, so a text with a dot is a JWT.
  if (good && input.token.contains('.')) {
    good = refuse(PoolErrc::unsupported_token_type, "Unsupported token type");
  }
  if (!good) {
    pool_->answer<UserId>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  if (input.token.size() > kRefreshTokenLimitBytes) {
    pool_->answer<UserId>(std::move(done), UserId());
    return;
  }
  auto attempt = std::make_shared<RefreshAttempt>(*pool_, input.source);
  if (attempt->refused()) {
    pool_->answer<UserId>(std::move(done), rate_exceeded());
    return;
  }
  pool_->parts.refresh_tokens.find_with_user(
      hashes_of(input.token), [pool = pool_, attempt = std::move(attempt),
                               done = std::move(done)](FoundLogin found) mutable {
        if (!found || *found) attempt->did_not_fail();
        if (!found) {
          done(refuse(found.error()));
        } else if (!*found || (*found)->row.revoked) {
          done(UserId());
        } else {
          const UserId sub = (*found)->row.sub;
          end_login(pool, (*found)->row, LoginEnd::revoked,
                    [sub, done = about(sub, Caller::the_user, std::move(done))](
                        PoolResult<void> ended) mutable {
                      if (ended) return done(sub);
                      done(std::unexpected(std::move(ended.error())));
                    });
        }
      });
}

}  // namespace holdfast::identity
