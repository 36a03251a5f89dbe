// What a login gives out: ID, access and refresh tokens.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/json.hpp>

#include "identity/pool_context.hpp"
#include "identity/token_claims.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kRefreshTokenBytes = 48;
constexpr std::size_t kRefreshTokenLimitBytes = 4096;
constexpr int kIssueTries = 5;

struct TokenTimes {
  const std::string& origin;
  WallTime issued_at;         ///< before the user was looked at
  WallTime authenticated_at;  ///< when the password was given
};
AuthenticationResult sign_tokens(const PoolContext& pool, const User& user,
                                 const TokenTimes& times) {
  const Login login{.user = user,
                    .options = pool.options,
                    .id = times.origin,
                    .event_id = generate_uuid(),
                    .at = times.issued_at,
                    .authenticated_at = times.authenticated_at};
  return {.id_token = pool.parts.signer->sign(id_token_claims(login)),
          .access_token = pool.parts.signer->sign(access_token_claims(login)),
          .refresh_token = {},
          .expires_in = pool.options.id_token_lifetime};
}

std::unexpected<PoolError> user_disabled() {
  return refuse(PoolErrc::not_authorized, "User is disabled.");
}
std::unexpected<PoolError> invalid_refresh_token() {
  return refuse(PoolErrc::not_authorized, "Invalid Refresh Token.");
}

// Without `-` in front, which a command line would take for an option.
std::string make_refresh_token() {
  std::string token = base64url_encode(random_string(kRefreshTokenBytes));
  while (token.starts_with('-')) token = base64url_encode(random_string(kRefreshTokenBytes));
  return token;
}

/// Commits a refresh token for the user as they are, and signs the others.
class Issue : public std::enable_shared_from_this<Issue> {
 public:
  Issue(PoolContextPtr pool, User user, Completion<PoolResult<AuthOutcome>> done)
      : pool_(std::move(pool)), user_(std::move(user)), done_(std::move(done)) {}

  void run() {
    --tries_left_;
    std::string token = make_refresh_token();
    const WallTime now = pool_->now();
    RefreshTokenStore::Row row{.sub = user_.sub,
                               .origin = generate_uuid(),
                               .token_hash = sha256(token),
                               .issued_at = now,
                               .expires_at = now + pool_->options.refresh_token_lifetime};
    std::string origin = row.origin;
    pool_->parts.refresh_tokens.add(std::move(row), user_.revision,
                                    pool_->options.refresh_tokens_per_user,
                                    [self = shared_from_this(), token = std::move(token),
                                     origin = std::move(origin), now](Result<void> added) mutable {
                                      self->added(std::move(token), origin, now, std::move(added));
                                    });
  }

 private:
  void added(std::string token, const std::string& origin, WallTime at, Result<void> added) {
    if (!added) {
      not_added(added.error());
      return;
    }
    AuthenticationResult result =
        sign_tokens(*pool_, user_, {.origin = origin, .issued_at = at, .authenticated_at = at});
    result.refresh_token = std::move(token);
    done_(AuthOutcome{.result = std::move(result), .challenge = {}});
  }

  // The user was changed since the password was found right: it may be a change that matters not.
  void not_added(const Error& error) {
    if (error.code == Errc::not_found) {
      done_(wrong_password(*pool_, true));
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
      done_(found.error().code == PoolErrc::user_not_found ? wrong_password(*pool_, true)
                                                           : std::unexpected(found.error()));
    } else if (!found->enabled) {
      done_(user_disabled());
    } else if (found->status != user_.status || found->password_hash != user_.password_hash ||
               found->signed_out_at != user_.signed_out_at) {
      done_(wrong_password(*pool_, true));
    } else {
      user_ = std::move(*found);
      run();
    }
  }

  PoolContextPtr pool_;
  User user_;
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

PoolResult<void> check_login(const PoolContext& pool,
                             const std::optional<RefreshTokenStore::RowAndUser>& login) {
  if (!login) return invalid_refresh_token();
  if (login->row.revoked) return refuse(PoolErrc::not_authorized, "Refresh Token has been revoked");
  if (pool.now() >= login->row.expires_at) {
    return refuse(PoolErrc::not_authorized, "Refresh Token has expired");
  }
  if (!login->user.enabled) return user_disabled();
  return {};
}

using FoundRow = Result<std::optional<RefreshTokenStore::Row>>;
using FoundLogin = Result<std::optional<RefreshTokenStore::RowAndUser>>;

}  // namespace

std::unexpected<PoolError> wrong_password(const PoolContext& pool, bool known) {
  if (!known && !pool.options.prevent_user_existence_errors) {
    return refuse(PoolErrc::user_not_found, "User does not exist.");
  }
  return refuse(PoolErrc::not_authorized, "Incorrect username or password.");
}

void issue_tokens(const PoolContextPtr& pool, User user, Completion<PoolResult<AuthOutcome>> done) {
  std::make_shared<Issue>(pool, std::move(user), std::move(done))->run();
}

void admit_user(const PoolContextPtr& pool, User user, Completion<PoolResult<AuthOutcome>> done) {
  if (!user.enabled) {
    done(user_disabled());
    return;
  }
  switch (user.status) {
    case UserStatus::confirmed:
      issue_tokens(pool, std::move(user), std::move(done));
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

void refresh_tokens(const PoolContextPtr& pool, const UserPool::InitiateAuth& input,
                    Completion<PoolResult<AuthOutcome>> done) {
  PoolResult<std::string> token = required(input.parameters, "REFRESH_TOKEN");
  if (token && token->size() > kRefreshTokenLimitBytes) token = invalid_refresh_token();
  if (!token) {
    pool->answer<AuthOutcome>(std::move(done), std::unexpected(std::move(token.error())));
    return;
  }
  // The moment before the look: tokens made of what it finds are from before any later sign-out.
  pool->parts.refresh_tokens.find_with_user(
      sha256(*token), [pool, at = pool->now(), done = std::move(done)](FoundLogin found) mutable {
        PoolResult<void> good;
        if (!found) {
          good = refuse(found.error());
        } else {
          good = check_login(*pool, *found);
        }
        if (!good) {
          done(std::unexpected(std::move(good.error())));
          return;
        }
        const auto& [row, user] = **found;
        done(AuthOutcome{
            .result = sign_tokens(
                *pool, user,
                {.origin = row.origin, .issued_at = at, .authenticated_at = row.issued_at}),
            .challenge = {}});
      });
}

void revoke_token(const PoolContextPtr& pool, const UserPool::RevokeToken& input,
                  Completion<PoolResult<void>> done) {
  PoolResult<void> good = check_client(input.client_id, pool->options);
  if (good && input.token.empty()) {
    good = refuse(PoolErrc::invalid_parameter, "Missing required parameter Token");
  }
  // Ours have no dots: what has some is a JWT, and none of those is a refresh token.
  if (good && input.token.contains('.')) {
    good = refuse(PoolErrc::unsupported_token_type, "Unsupported token type");
  }
  if (!good || input.token.size() > kRefreshTokenLimitBytes) {
    pool->answer<void>(std::move(done), std::move(good));
    return;
  }
  pool->parts.refresh_tokens.find(
      sha256(input.token), [pool, done = std::move(done)](FoundRow row) mutable {
        if (!row) {
          done(refuse(row.error()));
        } else if (!*row) {
          done({});
        } else {
          pool->parts.refresh_tokens.revoke((*row)->sub, (*row)->origin,
                                            [done = std::move(done)](Result<void> revoked) mutable {
                                              if (revoked) {
                                                done({});
                                              } else {
                                                done(refuse(revoked.error()));
                                              }
                                            });
        }
      });
}

}  // namespace holdfast::identity
