#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/stores.hpp>
#include <holdfast/identity/user.hpp>

namespace holdfast::identity {

/// What can go wrong in the user pool, by Cognito's names; `api` writes them as `__type`.
enum class PoolErrc : std::uint8_t {
  not_authorized,
  user_not_found,
  username_exists,
  invalid_parameter,
  invalid_password,
  resource_not_found,
  too_many_requests,
  unavailable,
};
struct PoolError {
  PoolErrc code;
  std::string message;  ///< Cognito's words
};
template <class T>
using PoolResult = std::expected<T, PoolError>;

struct UserPoolOptions {
  std::string pool_id;
  std::string client_id;
  std::string issuer;
  Seconds id_token_lifetime{3600};
  Seconds session_lifetime{180};
  bool prevent_user_existence_errors = true;
  std::size_t password_min_length = 8;
  bool password_require_lowercase = false;
  bool password_require_uppercase = false;
  bool password_require_numbers = false;
  bool password_require_symbols = false;
};

/// Argon2id (t=2, m=19 MiB, p=1; RFC 9106) on a small bounded pool of its own threads. Any thread.
/// Its end waits for the hashes that run and answers those that wait with `unavailable`: the
/// executors of pending calls must outlive it. Passwords are overwritten after use.
class PasswordHasher {
 public:
  virtual ~PasswordHasher() = default;
  /// The encoded hash. `too_many_requests` when the queue is full. `done` runs on `executor`.
  virtual void hash(std::string password, Executor& executor,
                    Completion<Result<std::string>> done) = 0;
  /// Whether `password` makes `encoded`; an empty `encoded` takes the same time and says no.
  virtual void verify(std::string password, std::string encoded, Executor& executor,
                      Completion<Result<bool>> done) = 0;
};
struct PasswordHasherOptions {
  std::size_t threads = 1;
  std::size_t queue = 64;
  std::uint32_t iterations = 2;
  std::uint32_t memory_kib = 19 * 1024;
};
[[nodiscard]] std::shared_ptr<PasswordHasher> make_password_hasher(PasswordHasherOptions options);

/// Failures per folded username, known or not: five lock for 2^(n-5) s up to 15 min; reset by
/// success or 15 idle minutes. Bounded: while `capacity` names are watched, others are turned away,
/// since forgetting one would give its guesser more tries. Shared by the shards. Any thread.
class Lockout {
 public:
  explicit Lockout(const Clock& clock, std::size_t capacity = 100'000);
  ~Lockout();
  enum class Attempt {
    admitted,
    locked,  ///< this name has failed too often; the attempt does not count
    full,    ///< too many names are watched to take another; says nothing of this one
  };
  /// Takes an attempt. Concurrent attempts of one name are counted before they are tried, so that a
  /// burst cannot guess more than five times.
  [[nodiscard]] Attempt begin(const std::string& folded_username);
  void succeeded(const std::string& folded_username);
  /// An attempt that was never tried (the hasher's queue was full).
  void withdrawn(const std::string& folded_username);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct AuthenticationResult {
  std::string id_token;
  std::string access_token;
  Seconds expires_in{3600};
};
struct Challenge {
  std::string name;     ///< `NEW_PASSWORD_REQUIRED`
  std::string session;  ///< sealed; proves the first step; lives `session_lifetime`
  std::map<std::string, std::string> parameters;
};
struct AuthOutcome {
  std::optional<AuthenticationResult> result;
  std::optional<Challenge> challenge;
};

/// The user pool's operations, with Cognito's semantics and messages. One per shard, on the
/// executor of its store handle; completions never run inside the call. The pool may go before its
/// completions; the clock, the executor and the store handle must outlive them.
class UserPool {
 public:
  virtual ~UserPool() = default;

  struct CreateUser {
    std::string pool_id;
    std::string username;
    std::optional<std::string> temporary_password;  ///< none: no password lets the user in
    std::map<std::string, std::string> attributes;
  };
  virtual void admin_create_user(CreateUser input, Completion<PoolResult<User>> done) = 0;

  struct InitiateAuth {
    std::optional<std::string> pool_id;  ///< the Admin form has one
    std::string client_id;
    std::string flow;  ///< as on the wire
    std::map<std::string, std::string> parameters;
  };
  virtual void initiate_auth(InitiateAuth input, Completion<PoolResult<AuthOutcome>> done) = 0;

  struct RespondToChallenge {
    std::optional<std::string> pool_id;  ///< the Admin form has one
    std::string client_id;
    std::string challenge;
    std::string session;
    std::map<std::string, std::string> responses;
  };
  virtual void respond_to_auth_challenge(RespondToChallenge input,
                                         Completion<PoolResult<AuthOutcome>> done) = 0;
};

struct UserPoolParts {
  const Clock& clock;
  Executor& executor;
  UserStore& users;
  std::shared_ptr<KeyRing> ring;
  std::shared_ptr<TokenSigner> signer;
  std::shared_ptr<PasswordHasher> hasher;
  std::shared_ptr<Lockout> lockout;
};
[[nodiscard]] std::unique_ptr<UserPool> make_user_pool(UserPoolOptions options,
                                                       UserPoolParts parts);

}  // namespace holdfast::identity
