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
  enum class Purpose : std::uint8_t { sign_up, forgot_password, verify_email, verify_phone_number };
  struct Row {
    UserId sub;
    Purpose purpose = Purpose::sign_up;
    std::string sealed;  ///< the code's hash, sealed
    WallTime expires_at;
    std::int64_t attempts = 0;  ///< taken so far
  };
  virtual ~CodeStore() = default;
  /// Adds or replaces the row.
  virtual void put(Row row, Completion<Result<void>> done) = 0;
  /// Counts an attempt and answers the row, its `attempts` with this one; nullopt when there is no
  /// code. That is counted too, in the row of an empty `sub`: a commit takes its time, which must
  /// not tell whether there is a code.
  virtual void attempt(const UserId& sub, Purpose purpose,
                       Completion<Result<std::optional<Row>>> done) = 0;
  /// Removes what expired before `before`.
  virtual void sweep(WallTime before, Completion<Result<void>> done) = 0;
};

/// `sign_up`, `verify_email`, …
[[nodiscard]] const char* to_string(CodeStore::Purpose purpose) noexcept;

class UserStore {
 public:
  virtual ~UserStore() = default;
  /// Adds a user. `folded` is the `fold_username` of their name; `already_exists` if it is taken.
  virtual void create(User user, std::string folded, Completion<Result<void>> done) = 0;
  /// Finds a user by the `fold_username` of a name; nullopt if there is none.
  virtual void find_by_username(std::string folded,
                                Completion<Result<std::optional<User>>> done) = 0;
  virtual void find_by_sub(const UserId& sub, Completion<Result<std::optional<User>>> done) = 0;
  /// Finds the user with this folded name or, if there is none, with this `sub`.
  virtual void find_by_name_or_sub(std::string folded, UserId sub,
                                   Completion<Result<std::optional<User>>> done) = 0;
  /// A user and one of their logins, as both are at one moment; nullopt when there is no such user.
  struct UserAndLogin {
    User user;
    bool login_goes_on = false;  ///< the login is known and was not ended
  };
  virtual void find_with_login(const UserId& sub, std::string login,
                               Completion<Result<std::optional<UserAndLogin>>> done) = 0;
  /// Replaces the row of `user.sub`, except the name, if its revision is still
  /// `expected_revision`, and increments the revision. Otherwise `conflict`, or `not_found` if the
  /// user is gone.
  virtual void update(User user, std::int64_t expected_revision, Completion<Result<void>> done) = 0;
  /// Updates the row like `update`. The same transaction ends the user's logins except `kept_login`
  /// (empty: all logins): it revokes their refresh tokens and deletes their temporary tokens. It
  /// also deletes all confirmation codes.
  virtual void update_and_end_logins(User user, std::int64_t expected_revision,
                                     std::string kept_login, Completion<Result<void>> done) = 0;
  /// Updates a user by a confirmation code, which the same transaction consumes. `expired` if the
  /// code is no longer that of `code.sealed`. A code for a forgotten password ends all logins as
  /// well. The user's other codes are deleted, except one that proves an address.
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
    std::string origin;   ///< the `origin_jti` that all tokens of one login share
    Digest token_hash{};  ///< SHA-256 of the token's text
    WallTime issued_at;
    WallTime expires_at;
    bool revoked = false;
    /// Of a login whose token was replaced: the token before, when that was, and the current one,
    /// sealed.
    std::optional<Digest> previous_hash{};
    WallTime rotated_at{};
    std::string sealed_token{};
  };
  /// By which a token is looked for: its own hash, and that of the part which all tokens of its
  /// login begin with.
  struct TokenHashes {
    Digest token{};
    Digest family{};
  };
  virtual ~RefreshTokenStore() = default;
  /// Adds a row if the user still has `expected_revision`: `conflict` otherwise, `not_found` when
  /// the user is gone. No more than `max_per_user` of a user's rows stay: ended logins go first,
  /// then the oldest, which end with all that was given out through them. Answers whose these were.
  virtual void add(Row row, std::int64_t expected_revision, std::size_t max_per_user,
                   Completion<Result<std::vector<std::string>>> done) = 0;
  /// A row and its user as they are at one moment, so that no sign-out comes between; nullopt when
  /// either is gone. Where no row has the token, it is one that had a token of the family before:
  /// its `token_hash` is another one then.
  struct RowAndUser {
    Row row;
    User user;
  };
  virtual void find_with_user(const TokenHashes& hashes,
                              Completion<Result<std::optional<RowAndUser>>> done) = 0;
  /// Puts `to` in the place of a login's current token `from`. False, without effect, when the
  /// login has ended, or its token is another one by now.
  struct Rotation {
    UserId sub;
    std::string origin;
    Digest from{};
    TokenHashes to;
    std::string sealed_token;  ///< the new one
    WallTime at;
  };
  virtual void rotate(Rotation rotation, Completion<Result<bool>> done) = 0;
  /// Ends a login: its refresh token is revoked, its temporary tokens go. One that is gone or ended
  /// already is no error.
  virtual void end_login(const UserId& sub, std::string origin, Completion<Result<void>> done) = 0;
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
    std::string login{};  ///< `origin_jti`; empty for users of other issuers
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

/// Stores the counts of attempts, so that they survive a restart.
class AttemptStore {
 public:
  struct Row {
    std::size_t list = 0;   ///< the list that the count belongs to
    std::string name;       ///< hashed
    std::string state;      ///< the count, in its list's own form; empty: deleted
    WallTime forgotten_at;  ///< when it counts no longer
  };
  virtual ~AttemptStore() = default;
  /// All that count at `now`; the others are removed.
  virtual void load(WallTime now, Completion<Result<std::vector<Row>>> done) = 0;
  /// Replaces, adds or removes the rows of these names, in one transaction.
  virtual void write(std::vector<Row> rows, Completion<Result<void>> done) = 0;
};

/// Addresses from which users have logged in, as hashes.
class KnownAddressStore {
 public:
  virtual ~KnownAddressStore() = default;
  /// Returns when the address was last seen; nullopt if it is not one of the user's.
  virtual void find(const UserId& sub, const Digest& address,
                    Completion<Result<std::optional<WallTime>>> done) = 0;
  /// Of a user's addresses those not seen for longest go, so that no more than `max_per_user` stay.
  virtual void add(const UserId& sub, const Digest& address, WallTime seen_at,
                   std::size_t max_per_user, Completion<Result<void>> done) = 0;
  /// Removes addresses that were last seen before `before`.
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
    WallTime created_at;
    bool retired = false;  ///< no longer opens seals, or no longer in the JWKS
  };
  virtual ~KeyStore() = default;
  virtual void load(Completion<Result<std::vector<Row>>> done) = 0;
  virtual void add(Row row, Completion<Result<void>> done) = 0;
  /// Returns the database's epoch: a new number after each restore from a backup, 0 before the
  /// first.
  virtual void epoch(Completion<Result<std::int64_t>> done) = 0;
  /// Retires a signing key permanently and erases the wrapped key in its row. Does nothing if the
  /// key is retired; `not_found` if there is none.
  virtual void retire_signing(std::uint32_t id, Completion<Result<void>> done) = 0;
};

}  // namespace holdfast::identity
