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

/// Confirmation codes that were sent out: at most one for each user and purpose.
class CodeStore {
 public:
  enum class Purpose : std::uint8_t { sign_up, forgot_password };
  struct Row {
    UserId sub;
    Purpose purpose = Purpose::sign_up;
    std::string sealed;  ///< the code's hash, sealed
    WallTime expires_at;
    std::int64_t attempts = 0;  ///< taken so far
  };
  virtual ~CodeStore() = default;
  /// In place of what there is.
  virtual void put(Row row, Completion<Result<void>> done) = 0;
  /// Counts an attempt and answers the row, its `attempts` with this one; nullopt when there is no
  /// code. That is counted too, in the row of an empty `sub`: a commit takes its time, which must
  /// not tell whether there is a code.
  virtual void attempt(const UserId& sub, Purpose purpose,
                       Completion<Result<std::optional<Row>>> done) = 0;
  /// Removes what expired before `before`.
  virtual void sweep(WallTime before, Completion<Result<void>> done) = 0;
};

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
  /// The same, and in the same transaction ends what was given out to the user: temporary tokens
  /// and confirmation codes go, refresh tokens are revoked, but for the one of `kept_origin`
  /// (empty: for none).
  virtual void update_and_end_access(User user, std::int64_t expected_revision,
                                     std::string kept_origin, Completion<Result<void>> done) = 0;
  /// The same by a confirmation code, which is spent in the same transaction: `expired` when it is
  /// no longer the one of `code.sealed`. One for a forgotten password ends what was given out, too.
  virtual void update_by_code(User user, std::int64_t expected_revision, CodeStore::Row code,
                              Completion<Result<void>> done) = 0;
  /// Removes a user with all tokens and codes, in one transaction.
  virtual void remove(const UserId& sub, Completion<Result<void>> done) = 0;
  /// Removes users who signed up before `before` and never confirmed it, with their codes; some
  /// at a time.
  virtual void sweep_unconfirmed(WallTime before, Completion<Result<void>> done) = 0;
  /// Users whose folded name is above `after`, in the order of these names, at most `limit`.
  virtual void list(std::string after, std::size_t limit,
                    Completion<Result<std::vector<User>>> done) = 0;
};

/// Refresh tokens: one row for each login.
class RefreshTokenStore {
 public:
  struct Row {
    UserId sub;
    std::string origin;   ///< what the tokens of one login have in common, their `origin_jti`
    Digest token_hash{};  ///< SHA-256 of the token's text
    WallTime issued_at;
    WallTime expires_at;
    bool revoked = false;
  };
  virtual ~RefreshTokenStore() = default;
  /// Adds a row if the user still has `expected_revision`: `conflict` otherwise, `not_found` when
  /// the user is gone. Of a user's rows the oldest go, so that no more than `max_per_user` stay.
  virtual void add(Row row, std::int64_t expected_revision, std::size_t max_per_user,
                   Completion<Result<void>> done) = 0;
  virtual void find(const Digest& token_hash, Completion<Result<std::optional<Row>>> done) = 0;
  /// A row and its user as they are at one moment, so that no sign-out comes between; nullopt when
  /// either is gone.
  struct RowAndUser {
    Row row;
    User user;
  };
  virtual void find_with_user(const Digest& token_hash,
                              Completion<Result<std::optional<RowAndUser>>> done) = 0;
  virtual void find_origin(const UserId& sub, std::string origin,
                           Completion<Result<std::optional<Row>>> done) = 0;
  /// A row that is gone or revoked already is no error.
  virtual void revoke(const UserId& sub, std::string origin, Completion<Result<void>> done) = 0;
  /// Removes what expired before `before`.
  virtual void sweep(WallTime before, Completion<Result<void>> done) = 0;
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
  /// Retires a signing key for good: what is wrapped in its row is erased. One that is retired
  /// already is no error; `not_found` when there is none.
  virtual void retire_signing(std::uint32_t id, Completion<Result<void>> done) = 0;
};

}  // namespace holdfast::identity
