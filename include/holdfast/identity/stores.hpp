#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/user.hpp>

/// The ports of identity. Each handle belongs to one executor: calls come from it, completions run
/// on it, in order, after the commit. Errors: `unavailable` unless said otherwise.
namespace holdfast::identity {

class UserStore {
 public:
  virtual ~UserStore() = default;
  /// `already_exists` when the folded username is taken.
  virtual void create(User user, Completion<Result<void>> done) = 0;
  /// Without regard to case; nullopt when there is none.
  virtual void find_by_username(std::string_view username,
                                Completion<Result<std::optional<User>>> done) = 0;
  virtual void find_by_sub(const UserId& sub, Completion<Result<std::optional<User>>> done) = 0;
  /// Replaces the row of `user.sub` if its revision is still `expected_revision`, and raises it by
  /// one; `conflict` otherwise, `not_found` when the user is gone.
  virtual void update(User user, std::int64_t expected_revision, Completion<Result<void>> done) = 0;
  virtual void remove(const UserId& sub, Completion<Result<void>> done) = 0;
};

/// The temporary keys table.
class TokenStore {
 public:
  struct Row {
    Digest token_hash{};  ///< SHA-256 of the token's text
    UserId sub;
    WallTime expires_at;
  };
  virtual ~TokenStore() = default;
  /// Adds a row; `too_many_requests` when the user has `max_outstanding` that have not expired at
  /// `now`.
  virtual void put(Row row, std::size_t max_outstanding, WallTime now,
                   Completion<Result<void>> done) = 0;
  /// `DELETE … RETURNING`: true for exactly one caller, and only while `now` is not beyond the
  /// row's expiry plus `drift`. Answered after the commit.
  virtual void consume(const Digest& token_hash, WallTime now, Seconds drift,
                       Completion<Result<bool>> done) = 0;
  /// Removes all of a user's rows.
  virtual void drop(const UserId& sub, Completion<Result<void>> done) = 0;
  /// Removes what expired before `before`.
  virtual void sweep(WallTime before, Completion<Result<void>> done) = 0;
};

/// Wrapped keys: data keys of the key ring and the signing keys of ID tokens.
class KeyStore {
 public:
  struct Row {
    enum class Kind : std::uint8_t { data, signing };
    Kind kind = Kind::data;
    std::uint32_t id = 0;  ///< data keys: rising; signing keys: rising
    std::string
        wrapped;  ///< sealed: data keys under the master key, signing keys under the key ring
    std::int64_t uses = 0;  ///< nonces spent or set aside, an upper bound
    WallTime created_at;
    bool retired = false;  ///< no longer opens seals, or no longer in the JWKS
  };
  virtual ~KeyStore() = default;
  virtual void load(Completion<Result<std::vector<Row>>> done) = 0;
  virtual void add(Row row, Completion<Result<void>> done) = 0;
  /// Raises `uses` of a data key: set aside before they are spent.
  virtual void set_uses(std::uint32_t id, std::int64_t uses, Completion<Result<void>> done) = 0;
};

}  // namespace holdfast::identity
