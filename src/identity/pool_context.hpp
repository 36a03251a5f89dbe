#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <holdfast/identity/user_pool.hpp>

#include "identity/pool_rules.hpp"

namespace holdfast::identity {

inline constexpr std::string_view kNewPasswordRequired = "NEW_PASSWORD_REQUIRED";

/// What a session of the login proves: that this user gave the right password to this client.
struct AuthSession {
  UserId sub;
  std::int64_t revision = 0;  ///< of the user, when the password was given
  std::string client_id;
  std::string challenge;
  WallTime expires_at;
};

/// What the pool's operations share. Held by every operation in flight.
struct PoolContext {
  UserPoolOptions options;
  UserPoolParts parts;

  /// The tokens of a login that is complete.
  [[nodiscard]] AuthenticationResult issue_tokens(const User& user) const;

  /// Sealed and stateless: what it is bound to is checked when it comes back.
  [[nodiscard]] Result<std::string> seal_session(const AuthSession& session) const;
  /// `not_authorized` for anything but a session of this pool that has not expired.
  [[nodiscard]] PoolResult<AuthSession> open_session(const std::string& session) const;

  /// Answers on the pool's executor, never inside the caller's call.
  template <class T>
  void answer(Completion<PoolResult<T>> done, PoolResult<T> result) const {
    parts.executor.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }
};
using PoolContextPtr = std::shared_ptr<const PoolContext>;

// The operations, by group.

// pool_admin.cpp
void admin_create_user(const PoolContextPtr& pool, UserPool::CreateUser input,
                       Completion<PoolResult<User>> done);
// pool_login.cpp
void initiate_auth(const PoolContextPtr& pool, UserPool::InitiateAuth input,
                   Completion<PoolResult<AuthOutcome>> done);
// pool_challenge.cpp
void respond_to_auth_challenge(const PoolContextPtr& pool, UserPool::RespondToChallenge input,
                               Completion<PoolResult<AuthOutcome>> done);

}  // namespace holdfast::identity
