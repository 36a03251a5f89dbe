#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <holdfast/identity/attempts.hpp>
#include <holdfast/identity/code_sender.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/password_hasher.hpp>
#include <holdfast/identity/spent_challenges.hpp>
#include <holdfast/identity/stores.hpp>
#include <holdfast/identity/user_pool.hpp>

#include "pool_rules.hpp"
#include "secret.hpp"

namespace holdfast::identity {

inline constexpr std::string_view kNewPasswordRequired = "NEW_PASSWORD_REQUIRED";
inline constexpr std::string_view kPasswordVerifier = "PASSWORD_VERIFIER";

/// A login between two steps. It proves that the user gave the right password to this client.
struct LoginChallenge {
  UserId sub;
  std::int64_t revision = 0;  ///< of the user, when the password was given
  std::string client_id;
  std::string challenge;
  WallTime expires_at;
};

/// The parts that the pool's operations share. Every operation in flight keeps them alive.
struct PoolContext {
  UserPoolOptions options;
  UserPoolParts parts;

  /// Seals a JSON object for an unproven caller. All such seals have one length, so that they do
  /// not reveal their contents, not even whether the user exists.
  [[nodiscard]] Result<std::string> seal_for_stranger(std::string json,
                                                      std::string_view context) const;
  /// Seals a session, which the server does not store. The caller sends it back, and
  /// `open_session` checks it.
  [[nodiscard]] Result<std::string> seal_session(const LoginChallenge& session) const;
  /// `not_authorized` for anything but a session of this pool that has not expired.
  [[nodiscard]] PoolResult<LoginChallenge> open_session(const std::string& session) const;

  [[nodiscard]] WallTime now() const { return parts.clock.wall_now(); }

  /// Answers on the pool's executor, never inside the caller's call.
  template <class T>
  void answer(Completion<PoolResult<T>> done, PoolResult<T> result) const {
    parts.executor.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }
};
using PoolContextPtr = std::shared_ptr<const PoolContext>;

/// Says whether a user has the given name.
enum class Name : std::uint8_t { unknown, known };
/// Makes the answer to a wrong password. An unknown user gets the same if names are not revealed.
[[nodiscard]] std::unexpected<PoolError> wrong_password(const PoolContext& pool, Name name);

// ---- pool_attempts.cpp

/// The user that an attempt is aimed at, and its source.
struct AttemptTarget {
  Source source;
  std::string username;  ///< as the caller gave it
  UserId sub{};          ///< empty: an unknown name
  /// Counts belong to one password; a new password starts new counts.
  WallTime password_set_at{};
};

/// One attempt with a password, counted for its name and its client. It counts as failed unless
/// `succeeded` or `withdrawn` is called.
class LoginAttempt {
 public:
  LoginAttempt(PoolContextPtr pool, AttemptTarget target, bool address_known);
  /// Returns the error that refuses the attempt, if any. Call once, before everything else.
  [[nodiscard]] std::optional<PoolError> begin(PoolError locked);
  /// Records the right password, which makes the address a known one of the user.
  void succeeded();
  /// Nothing was tried.
  void withdrawn();
  /// The password was wrong: the answer.
  [[nodiscard]] std::unexpected<PoolError> failed(Name name) const;
  [[nodiscard]] WorkOwner work() const { return {.source = target_.source, .name = name_}; }

 private:
  [[nodiscard]] Lockout& lockout() const;

  PoolContextPtr pool_;
  AttemptTarget target_;
  std::string name_;
  bool locks_ = false;
};
/// Takes an attempt. Attempts from the user's known addresses are counted separately, so that
/// strangers cannot lock the user out. An unknown name takes as long.
void begin_login_attempt(const PoolContextPtr& pool, AttemptTarget target, PoolError locked,
                         Completion<PoolResult<std::shared_ptr<LoginAttempt>>> done);
/// The user has proven to be at this address.
void remember_address(const PoolContextPtr& pool, const Source& source, const UserId& sub);
/// The caller of a login: the user's client, or an administrator.
enum class LoginBy : std::uint8_t { client, administrator };
/// Returns the caller of a login: administrators alone name the pool.
[[nodiscard]] inline LoginBy login_by(const std::optional<std::string>& pool_id) noexcept {
  return pool_id ? LoginBy::administrator : LoginBy::client;
}
/// Finds whose login it is. An administrator may name the user by `sub` as well.
void find_who_logs_in(const PoolContext& pool, const std::string& username, LoginBy by,
                      Completion<Result<std::optional<User>>> done);

/// An attempt that was taken from the daily limit of codes.
struct CodeAttempt {
  DailyLimits* limits = nullptr;
  std::string name;
  void withdrawn() const { limits->withdrawn(name); }
  void forget() const { limits->forget(name); }
};
/// Takes one of the `max` that a user may do in a day, apart from addresses that are known as
/// theirs; `limit_exceeded` otherwise.
void take_code_attempt(const PoolContextPtr& pool, std::string what, std::size_t max,
                       AttemptTarget target, Completion<PoolResult<CodeAttempt>> done);
[[nodiscard]] std::unexpected<PoolError> too_often();

// ---- pool_tokens.cpp

/// The tokens of a login that is complete, once its refresh token is committed. `user` is as it was
/// when the password was found right: refused when it has changed since in a way that matters.
void issue_tokens(const PoolContextPtr& pool, User user, Source source,
                  Completion<PoolResult<AuthOutcome>> done);
/// Checks that the user may log in after the right password. Answers tokens, a challenge, or the
/// refusal.
void check_may_log_in(const PoolContextPtr& pool, User user, Source source,
                      Completion<PoolResult<AuthOutcome>> done);

// ---- pool_change.cpp

/// An administrator's reference to a user: the name or, if no user has that name, the `sub`.
struct NameOrSub {
  std::string text;
};
/// Identifies the user to find.
using UserKey = std::variant<std::string, UserId, NameOrSub>;
/// A change of one user, and the logins that it ends.
struct UserChange {
  UserKey who;
  /// Runs again when the user was changed meanwhile.
  std::move_only_function<PoolResult<void>(User&)> change;
  std::optional<LoginEnd> ends{};        ///< the user's logins, and why
  std::string kept_login{};              ///< the login that stays
  std::optional<CodeStore::Row> code{};  ///< the code that allows the change, which consumes it
};
/// Makes the answer to an expired code. If names are not revealed, it is that of a wrong code,
/// because unknown names have no code that could expire.
[[nodiscard]] std::unexpected<PoolError> expired_code(const PoolContext& pool,
                                                      CodeStore::Purpose purpose);
void find_user(const PoolContextPtr& pool, const UserKey& who, Completion<PoolResult<User>> done);
/// Changes a user and answers with the new state; `user_not_found` if there is none.
void change_user(const PoolContextPtr& pool, UserChange change, Completion<PoolResult<User>> done);
/// Adapts a completion that does not need the changed user.
[[nodiscard]] Completion<PoolResult<User>> without_user(Completion<PoolResult<void>> done);
void remove_user(const PoolContextPtr& pool, const UserId& sub, Completion<PoolResult<void>> done);
/// Says that logins have ended, once that is committed.
void tell_ended(const PoolContext& pool, const EndedLogins& ended);

// ---- pool_password.cpp

/// The stored forms of a password.
struct Credentials {
  std::string hash;
  std::string srp_verifier;  ///< sealed; empty when SRP is off

  void apply(User& user, WallTime now) const;
};
/// Makes the sealed verifier that SRP checks a password against.
void make_verifier(const PoolContextPtr& pool, const WorkOwner& owner, const UserId& sub,
                   const std::string& username, std::shared_ptr<const Secret> password,
                   Completion<Result<std::string>> done);
void make_credentials(const PoolContextPtr& pool, const WorkOwner& owner, const UserId& sub,
                      const std::string& username, const Secret& password,
                      Completion<Result<Credentials>> done);

// ---- pool_self.cpp

/// The user of an access token that is good, and its login.
struct TokenUser {
  User user;
  std::string login;
};
void find_token_user(const PoolContextPtr& pool, const std::string& access_token,
                     Completion<PoolResult<TokenUser>> done);
/// The caller of an operation on a user: proven to be that user, or not.
enum class Caller : std::uint8_t { unproven, the_user };
/// Adds the user to an error, for the log.
template <class T>
[[nodiscard]] Completion<PoolResult<T>> about(const UserId& sub, Caller caller,
                                              Completion<PoolResult<T>> done) {
  return [sub, caller, done = std::move(done)](PoolResult<T> result) mutable {
    if (!result) {
      result.error().sub = sub;
      result.error().by_them = caller == Caller::the_user;
    }
    done(std::move(result));
  };
}

// ---- operations of one flow, which the public ones call

// pool_tokens.cpp
void refresh_tokens(const PoolContextPtr& pool, const InitiateAuthRequest& input,
                    Completion<PoolResult<AuthOutcome>> done);
// pool_srp.cpp
void begin_srp(const PoolContextPtr& pool, const InitiateAuthRequest& input,
               Completion<PoolResult<AuthOutcome>> done);
void verify_srp(const PoolContextPtr& pool, const RespondToChallengeRequest& input,
                Completion<PoolResult<AuthOutcome>> done);

}  // namespace holdfast::identity
