// Answers to login challenges.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "pool_context.hpp"
#include "secret.hpp"

namespace holdfast::identity {
namespace {

constexpr std::string_view kAttributePrefix = "userAttributes.";
constexpr std::array<std::string_view, 16> kChallenges{"SMS_MFA",
                                                       "EMAIL_OTP",
                                                       "SOFTWARE_TOKEN_MFA",
                                                       "SELECT_MFA_TYPE",
                                                       "MFA_SETUP",
                                                       "PASSWORD_VERIFIER",
                                                       "CUSTOM_CHALLENGE",
                                                       "SELECT_CHALLENGE",
                                                       "DEVICE_SRP_AUTH",
                                                       "DEVICE_PASSWORD_VERIFIER",
                                                       "ADMIN_NO_SRP_AUTH",
                                                       kNewPasswordRequired,
                                                       "SMS_OTP",
                                                       "PASSWORD",
                                                       "WEB_AUTHN",
                                                       "PASSWORD_SRP"};

std::unexpected<PoolError> wrong_session() {
  return refuse(PoolErrc::not_authorized, "Invalid session for the user.");
}

PoolResult<void> check_target(const PoolContext& pool, const RespondToChallengeRequest& input) {
  if (input.pool_id) {
    if (auto good = check_pool(*input.pool_id, pool.options); !good) return good;
  }
  if (auto good = check_client(input.client_id, pool.options); !good) return good;
  return check_enum(input.challenge, "challengeName", kChallenges);
}

PoolResult<LoginChallenge> check_session(const PoolContext& pool,
                                         const RespondToChallengeRequest& input) {
  PoolResult<LoginChallenge> session = pool.open_session(input.session);
  if (!session) return session;
  // No other challenge has a session.
  if (session->client_id != input.client_id || session->challenge != input.challenge) {
    return wrong_session();
  }
  return session;
}

Attributes attributes_of(const std::map<std::string, std::string>& responses) {
  Attributes out;
  for (const auto& [name, value] : responses) {
    if (name.starts_with(kAttributePrefix)) out[name.substr(kAttributePrefix.size())] = value;
  }
  return out;
}

/// The answer to NEW_PASSWORD_REQUIRED: look up, hash, look up once more, replace, answer.
class NewPassword : public std::enable_shared_from_this<NewPassword> {
 public:
  NewPassword(PoolContextPtr pool, LoginChallenge session, const std::string& username, LoginBy by,
              Attributes new_attributes, Source source, Completion<PoolResult<AuthOutcome>> done)
      : pool_(std::move(pool)),
        session_(std::move(session)),
        folded_(fold_username(username)),
        named_by_sub_(by == LoginBy::administrator && session_.sub == UserId(username)),
        new_attributes_(std::move(new_attributes)),
        source_(std::move(source)),
        done_(std::move(done)) {}

  void start(Secret password) {
    look_up([password = std::move(password)](NewPassword& self, User user) {
      self.change(std::move(user), password);
    });
  }

 private:
  using Next = std::move_only_function<void(NewPassword& self, User user)>;

  /// Continues only with the session's user, unchanged since the challenge.
  void look_up(Next next) {
    pool_->parts.users.find_by_sub(
        session_.sub, [self = shared_from_this(),
                       next = std::move(next)](Result<std::optional<User>> found) mutable {
          if (!found) {
            self->done_(refuse(found.error()));
          } else if (!*found || !self->is_sessions_user(**found)) {
            self->done_(wrong_session());
          } else {
            next(*self, std::move(**found));
          }
        });
  }
  [[nodiscard]] bool is_sessions_user(const User& user) const {
    return user.enabled && user.status == UserStatus::force_change_password &&
           user.revision == session_.revision &&
           (named_by_sub_ || fold_username(user.username) == folded_);
  }

  void change(User user, const Secret& password) {
    PoolResult<void> good = check_password(password.view(), pool_->options);
    if (good) good = check_password_of(user.username, password.view(), pool_->options);
    if (good) good = check_own_attributes(new_attributes_);
    if (good) {
      merge_attributes(user.attributes, new_attributes_);
      good = check_attributes_size(user.attributes);
    }
    if (!good) {
      done_(std::unexpected(std::move(good.error())));
      return;
    }
    // The new password must differ from the temporary one, which its maker knows.
    pool_->parts.hasher->verify(
        password.copy(), user.password_hash,
        {.source = source_, .name = "change " + user.sub.str()}, pool_->parts.executor,
        [self = shared_from_this(), user, kept = std::make_shared<Secret>(password.view())](
            const Result<bool>& same) { self->compared(user, *kept, same); });
  }

  void compared(const User& user, const Secret& password, const Result<bool>& same) {
    if (!same) {
      done_(refuse(same.error()));
      return;
    }
    if (*same) {
      done_(refuse(PoolErrc::invalid_password,
                   "Password did not conform with policy: Password must not be the temporary one"));
      return;
    }
    make_credentials(
        pool_, {.source = source_, .name = "change " + user.sub.str()}, user.sub, user.username,
        password,
        [self = shared_from_this()](Result<Credentials> made) { self->made(std::move(made)); });
  }

  void made(Result<Credentials> made) {
    if (!made) {
      done_(refuse(made.error()));
      return;
    }
    // Reads the row again, because changes during the hashing must not be overwritten.
    look_up([made = std::move(*made)](NewPassword& self, User user) {
      self.replace(std::move(user), made);
    });
  }

  void replace(User user, const Credentials& credentials) {
    user.modified_at = pool_->now();
    credentials.apply(user, user.modified_at);
    user.status = UserStatus::confirmed;
    merge_attributes(user.attributes, new_attributes_);
    User updated = user;
    updated.revision = session_.revision + 1;
    pool_->parts.users.update(
        std::move(user), session_.revision,
        [self = shared_from_this(), updated = std::move(updated)](
            const Result<void>& stored) mutable { self->replaced(std::move(updated), stored); });
  }

  void replaced(User user, const Result<void>& stored) {
    if (stored) {
      issue_tokens(pool_, std::move(user), source_, std::move(done_));
    } else if (stored.error().code == Errc::conflict || stored.error().code == Errc::not_found) {
      done_(wrong_session());
    } else {
      done_(refuse(stored.error()));
    }
  }

  PoolContextPtr pool_;
  LoginChallenge session_;
  std::string folded_;
  bool named_by_sub_;
  Attributes new_attributes_;
  Source source_;
  Completion<PoolResult<AuthOutcome>> done_;
};

}  // namespace

void UserPool::respond_to_auth_challenge(RespondToChallengeRequest input,
                                         Completion<PoolResult<AuthOutcome>> done) {
  if (PoolResult<void> good = check_target(*pool_, input); !good) {
    for (auto& [name, value] : input.responses) wipe(value);
    pool_->answer<AuthOutcome>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  if (input.challenge == kPasswordVerifier) {
    verify_srp(pool_, input, std::move(done));
    return;
  }
  PoolResult<LoginChallenge> session = check_session(*pool_, input);
  PoolResult<std::string> username = required(input.responses, "USERNAME");
  PoolResult<std::string> password = required(input.responses, "NEW_PASSWORD");
  if (session && !username) session = std::unexpected(username.error());
  if (session && !password) session = std::unexpected(password.error());
  if (const auto given = input.responses.find("NEW_PASSWORD"); given != input.responses.end()) {
    wipe(given->second);
  }
  if (!session) {
    pool_->answer<AuthOutcome>(std::move(done), std::unexpected(std::move(session.error())));
    return;
  }
  std::make_shared<NewPassword>(pool_, std::move(*session), *username, login_by(input.pool_id),
                                attributes_of(input.responses), std::move(input.source),
                                std::move(done))
      ->start(Secret::take(*password));
}

}  // namespace holdfast::identity
