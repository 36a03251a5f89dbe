// The Generator and the Authorizer of temporary tokens.

#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/temporary_token.hpp>

#include "claims.hpp"
#include "token_claims.hpp"

namespace holdfast::identity {

/// The parts that both sides share. Operations in flight keep them alive.
struct TemporaryTokenParts {
  TemporaryTokenOptions options;
  const Clock& clock;
  std::shared_ptr<KeyRing> ring;
  UserStore& users;
  TokenStore& tokens;
};

namespace {

using PartsPtr = std::shared_ptr<const TemporaryTokenParts>;
using FoundLogin = Result<std::optional<UserStore::UserAndLogin>>;

constexpr std::string_view kTemporaryTokenContext = "temporary token";
constexpr std::size_t kTemporaryTokenLimitBytes = 4096;

// All alike to clients; `check` is for the log.
std::unexpected<Error> refuse_token(const char* check) {
  return fail(Errc::unauthenticated, "Unauthorized", check);
}

/// The claims of a temporary token.
struct Claims {
  UserId sub;
  std::string username;
  WallTime expires_at;
  std::optional<TokenLogin> login;  ///< nullopt: not a user of the pool
};

std::string write_claims(const Claims& claims, const std::string& service_name) {
  Json object = {{"iss", service_name},
                 {"exp", unix_seconds(claims.expires_at)},
                 {"sub", claims.sub.str()},
                 {"aud", service_name},
                 {"cognito:username", claims.username}};
  if (!claims.login) {
    object["foreign"] = true;
  } else {
    if (claims.login->id.empty()) {
      object["by_key"] = true;
    } else {
      object["origin_jti"] = claims.login->id;
    }
    // Few users ever sign out everywhere.
    if (claims.login->signed_out_at != WallTime()) {
      object["signed_out_us"] = unix_micros(claims.login->signed_out_at);
    }
  }
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Claims> read_claims(std::string_view text, const std::string& service_name) {
  const Result<Json> parsed = parse_json(text, {.depth = 2, .bytes = kTemporaryTokenLimitBytes});
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const auto is_service = [&](const char* name) {
    const std::string* const value = text_member(*parsed, name);
    return value != nullptr && *value == service_name;
  };
  if (!is_service("iss") || !is_service("aud")) return std::nullopt;
  const std::string* const sub = text_member(*parsed, "sub");
  const std::string* const username = text_member(*parsed, "cognito:username");
  const std::optional<WallTime> expires_at = time_member(*parsed, "exp");
  if (sub == nullptr || sub->empty() || username == nullptr || !expires_at) return std::nullopt;
  Claims out{
      .sub = UserId(*sub), .username = *username, .expires_at = *expires_at, .login = std::nullopt};
  if (parsed->contains("foreign")) return out;
  out.login = TokenLogin{.id = {}, .signed_out_at = WallTime()};
  if (!parsed->contains("by_key")) {
    const std::string* const login = text_member(*parsed, "origin_jti");
    if (login == nullptr || login->empty()) return std::nullopt;
    out.login->id = *login;
  }
  if (const auto found = parsed->find("signed_out_us"); found != parsed->end()) {
    if (!found->is_number_integer()) return std::nullopt;
    out.login->signed_out_at = wall_from_micros(found->get<std::int64_t>());
  }
  return out;
}

void seal_and_store(const PartsPtr& parts, Claims claims, Completion<Result<std::string>> done) {
  const WallTime now = parts->clock.wall_now();
  claims.expires_at = std::chrono::floor<Seconds>(now) + parts->options.lifetime;
  Result<std::string> sealed = parts->ring->seal_token(
      write_claims(claims, parts->options.service_name), kTemporaryTokenContext);
  if (!sealed) {
    done(std::unexpected(std::move(sealed.error())));
    return;
  }
  std::string token = base64url_encode(*sealed);
  TokenStore::Row row{.token_hash = sha256(token),
                      .sub = std::move(claims.sub),
                      .expires_at = claims.expires_at,
                      .login = claims.login ? std::move(claims.login->id) : std::string()};
  parts->tokens.put(std::move(row), parts->options.max_outstanding, now,
                    [token = std::move(token), done = std::move(done)](Result<void> put) mutable {
                      if (!put) {
                        done(std::unexpected(std::move(put.error())));
                      } else {
                        done(std::move(token));
                      }
                    });
}

// Returns whether a user of the pool is as they were when a token was issued.
bool is_admitted(const User& user, const TokenLogin& login) {
  return user.enabled && user.signed_out_at == login.signed_out_at;
}

std::optional<Claims> examine(const TemporaryTokenParts& parts, std::string_view token) {
  if (token.size() > kTemporaryTokenLimitBytes) return std::nullopt;
  const std::optional<Bytes> sealed = base64url_decode(token);
  if (!sealed) return std::nullopt;
  const Result<std::string> text = parts.ring->open_token(*sealed, kTemporaryTokenContext);
  if (!text) return std::nullopt;
  return read_claims(*text, parts.options.service_name);
}

}  // namespace

Generator::Generator(TemporaryTokenOptions options, const Clock& clock,
                     std::shared_ptr<KeyRing> ring, UserStore& users, TokenStore& tokens)
    : parts_(std::make_shared<TemporaryTokenParts>(
          TemporaryTokenParts{std::move(options), clock, std::move(ring), users, tokens})) {}

void Generator::issue(IdTokenClaims claims, Completion<Result<std::string>> done) {
  if (claims.in_pool) {
    issue_in_pool(std::move(claims), std::move(done));
  } else {
    issue_external(std::move(claims), std::move(done));
  }
}
void Generator::issue_to_user(UserId user, Completion<Result<std::string>> done) {
  const UserId sub = user;
  parts_->users.find_by_sub(sub, [parts = parts_, user = std::move(user), done = std::move(done)](
                                     Result<std::optional<User>> found) mutable {
    if (!found) return done(std::unexpected(std::move(found.error())));
    Claims claims{.sub = user, .username = user.str(), .expires_at = {}, .login = std::nullopt};
    if (*found) {
      if (!(*found)->enabled) return done(fail(Errc::forbidden, "User is disabled.", "user"));
      claims.username = (*found)->username;
      claims.login = TokenLogin{.id = {}, .signed_out_at = (*found)->signed_out_at};
    }
    seal_and_store(parts, std::move(claims), std::move(done));
  });
}

void Generator::issue_in_pool(IdTokenClaims proven, Completion<Result<std::string>> done) {
  const UserId sub = proven.sub;
  std::string login = proven.login;
  parts_->users.find_with_login(
      sub, std::move(login),
      [parts = parts_, proven = std::move(proven),
       done = std::move(done)](FoundLogin found) mutable {
        if (!found) return done(std::unexpected(std::move(found.error())));
        if (!*found || !(*found)->user.enabled || is_signed_out((*found)->user, proven.issued_at)) {
          return done(refuse_token("user"));
        }
        const auto& [user, login_goes_on] = **found;
        if (!login_goes_on) return done(refuse_token("login"));
        Claims claims{.sub = std::move(proven.sub),
                      .username = user.username,
                      .expires_at = {},
                      .login = TokenLogin{.id = std::move(proven.login),
                                          .signed_out_at = user.signed_out_at}};
        seal_and_store(parts, std::move(claims), std::move(done));
      });
}
// Refuses ids that the pool has, even if a prefix should fail: only the pool proves its own
// users.
void Generator::issue_external(IdTokenClaims proven, Completion<Result<std::string>> done) {
  const UserId sub = proven.sub;
  parts_->users.find_by_sub(sub,
                            [parts = parts_, proven = std::move(proven),
                             done = std::move(done)](Result<std::optional<User>> found) mutable {
                              if (!found) return done(std::unexpected(std::move(found.error())));
                              if (*found) return done(refuse_token("user"));
                              Claims claims{.sub = std::move(proven.sub),
                                            .username = std::move(proven.username),
                                            .expires_at = {},
                                            .login = std::nullopt};
                              seal_and_store(parts, std::move(claims), std::move(done));
                            });
}

Authorizer::Authorizer(TemporaryTokenOptions options, const Clock& clock,
                       std::shared_ptr<KeyRing> ring, UserStore& users, TokenStore& tokens)
    : parts_(std::make_shared<TemporaryTokenParts>(
          TemporaryTokenParts{std::move(options), clock, std::move(ring), users, tokens})) {}

void Authorizer::consume(std::string token, Completion<Result<Admission>> done) {
  const WallTime now = parts_->clock.wall_now();
  std::optional<Claims> claims = examine(*parts_, token);
  if (!claims) {
    done(refuse_token("format"));
    return;
  }
  if (now > claims->expires_at + parts_->options.drift) {
    done(refuse_token("exp"));
    return;
  }
  parts_->tokens.consume(
      sha256(token), now, parts_->options.drift,
      [claims = std::move(*claims), done = std::move(done)](Result<bool> consumed) mutable {
        if (!consumed) {
          done(std::unexpected(std::move(consumed.error())));
        } else if (!*consumed) {
          done(refuse_token("used"));
        } else {
          done(Admission{.sub = std::move(claims.sub),
                         .username = std::move(claims.username),
                         .login = std::move(claims.login)});
        }
      });
}

void Authorizer::still_admits(const UserId& sub, std::optional<TokenLogin> login,
                              Completion<Result<bool>> done) {
  if (!login || login->id.empty()) {
    parts_->users.find_by_sub(sub, [login = std::move(login), done = std::move(done)](
                                       Result<std::optional<User>> found) mutable {
      if (!found) return done(std::unexpected(std::move(found.error())));
      if (!login) return done(!found->has_value());
      done(*found && is_admitted(**found, *login));
    });
    return;
  }
  std::string id = login->id;
  parts_->users.find_with_login(
      sub, std::move(id),
      [login = std::move(*login),
       done = std::move(done)](Result<std::optional<UserStore::UserAndLogin>> found) mutable {
        if (!found) return done(std::unexpected(std::move(found.error())));
        done(*found && (*found)->login_goes_on && is_admitted((*found)->user, login));
      });
}

}  // namespace holdfast::identity
