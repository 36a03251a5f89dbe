#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/stores.hpp>

namespace holdfast::identity {

struct TemporaryTokenOptions {
  std::string service_name = "holdfast";  ///< `iss` and `aud`
  Seconds lifetime{30};
  Seconds drift{5};
  std::size_t max_outstanding = 8;
};

struct TemporaryTokenParts;

/// Issues temporary tokens (`/tokens`). One per shard, on the executor of its store handle. May be
/// destroyed before its completions; clock and store handles must outlive them.
class Generator {
 public:
  Generator(TemporaryTokenOptions options, const Clock& clock, std::shared_ptr<KeyRing> ring,
            UserStore& users, TokenStore& tokens);
  /// Issues a token for the user of these claims. Answers after its row is committed. Errors:
  /// `unauthenticated` (user unknown, disabled, signed out everywhere since; the login has ended;
  /// for another issuer's user: the pool has this id), `too_many_requests` (8 outstanding),
  /// `unavailable`.
  void issue(IdTokenClaims claims, Completion<Result<std::string>> done);
  /// Issues a token for a user whom an access key names. The caller has decided that the key may.
  /// The token has no login: signing the user out everywhere ends it. An id that the pool does not
  /// have is one of another issuer's. Errors: `forbidden` (the pool's user is disabled),
  /// `too_many_requests` and `unavailable` as above.
  void issue_to_user(UserId user, Completion<Result<std::string>> done);

 private:
  void issue_in_pool(IdTokenClaims proven, Completion<Result<std::string>> done);
  void issue_external(IdTokenClaims proven, Completion<Result<std::string>> done);

  std::shared_ptr<const TemporaryTokenParts> parts_;
};

/// The login that a temporary token belongs to.
struct TokenLogin {
  std::string id;          ///< `origin_jti`; empty when an access key asked for the token
  WallTime signed_out_at;  ///< the user's, when the token was issued
};

/// The user that a consumed token admits.
struct Admission {
  UserId sub;
  std::string username;
  /// nullopt for a user of another issuer, who is not in the pool.
  std::optional<TokenLogin> login;
};

/// Consumes temporary tokens. One per shard, as a Generator.
class Authorizer {
 public:
  Authorizer(TemporaryTokenOptions options, const Clock& clock, std::shared_ptr<KeyRing> ring,
             UserStore& users, TokenStore& tokens);
  /// Admits at most once per token. Checks all that needs no I/O first, so that garbage costs no
  /// disk: then `done` is called within the call. Every refusal is `unauthenticated`; `unavailable`
  /// when the store cannot tell.
  void consume(std::string token, Completion<Result<Admission>> done);
  /// The user once more, at attaching: false when deleted, disabled or signed out everywhere since,
  /// or when the login has ended; with nullopt, when the pool has a user of this id.
  void still_admits(const UserId& sub, std::optional<TokenLogin> login,
                    Completion<Result<bool>> done);

 private:
  std::shared_ptr<const TemporaryTokenParts> parts_;
};

}  // namespace holdfast::identity
