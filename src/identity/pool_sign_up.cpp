// What strangers may do: sign up, and prove by a code that an address is theirs.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/log.hpp>

#include "identity/pool_context.hpp"
#include "identity/unicode.hpp"

namespace holdfast::identity {
namespace {

using Purpose = CodeStore::Purpose;
using VoidDone = Completion<PoolResult<void>>;
using DeliveryDone = Completion<PoolResult<CodeDelivery>>;

constexpr std::string_view kCodeContext = "confirmation code";
constexpr std::uint64_t kCodes = 1'000'000;
constexpr std::size_t kCodeDigits = 6;
constexpr std::size_t kCodeLimit = 2048;

std::unexpected<PoolError> no_delivery() {
  return refuse(PoolErrc::code_delivery_failure,
                "No way to deliver confirmation codes is configured.");
}
std::unexpected<PoolError> too_often() {
  return refuse(PoolErrc::limit_exceeded, "Attempt limit exceeded, please try after some time.");
}
std::unexpected<PoolError> wrong_code() {
  return refuse(PoolErrc::code_mismatch, "Invalid verification code provided, please try again.");
}
// A name that nobody has has no code that could expire or be worn out.
std::unexpected<PoolError> bad_code(const PoolContext& pool, std::unexpected<PoolError> reason) {
  return pool.options.prevent_user_existence_errors ? wrong_code() : std::move(reason);
}

// ---- codes

std::string make_code() {
  // The remainder of 64 random bits favours no code by more than one in 10^13.
  std::string digits = std::to_string(random_u64() % kCodes);
  return std::string(kCodeDigits - digits.size(), '0') + digits;
}

std::string code_hash(const UserId& sub, Purpose purpose, std::string_view code) {
  return std::string(view(sha256(sub.str() + "\n" + std::to_string(static_cast<int>(purpose)) +
                                 "\n" + std::string(code))));
}

std::string masked(const std::string& address) {
  const auto first = [](std::string_view text) {
    std::size_t position = 0;
    if (!text.empty()) (void)next_code_point(text, position);
    return std::string(text.substr(0, position)) + "***";
  };
  const std::size_t at = address.find('@');
  if (at == std::string::npos) {
    constexpr std::size_t shown = 4;
    return "+*******" + address.substr(address.size() > shown ? address.size() - shown : 0);
  }
  return first(std::string_view(address).substr(0, at)) + "@" +
         first(std::string_view(address).substr(at + 1));
}

// Under which the codes sent to an address are counted.
std::string address_name(const User& user) {
  std::string address = user.username;
  for (const char* const attribute : {"phone_number", "email"}) {
    const auto found = user.attributes.find(attribute);
    if (found != user.attributes.end()) address = found->second;
  }
  return "to " + fold_username(address);
}

CodeDelivery delivery_to(const User& user) {
  for (const auto& [attribute, medium] : {std::pair{"email", "EMAIL"}, {"phone_number", "SMS"}}) {
    const auto found = user.attributes.find(attribute);
    if (found == user.attributes.end()) continue;
    return {.destination = masked(found->second), .medium = medium, .attribute = attribute};
  }
  // Whoever delivers knows where to: the username may be the address.
  return {.destination = masked(user.username + "@" + user.username),
          .medium = "EMAIL",
          .attribute = "email"};
}

// What the name alone tells: the same whether or not somebody has it, and always the same for a
// name. A user's own address must not show in it, for strangers know whose address to look for.
CodeDelivery delivery_by_name(const PoolContext& pool, const std::string& username) {
  const std::string folded = fold_username(username);
  if (folded.contains('@')) {
    return {.destination = masked(folded), .medium = "EMAIL", .attribute = "email"};
  }
  const Digest digest = hmac_sha256(pool.options.decoy_secret, "delivery " + folded);
  const auto letter = [&](std::size_t i) { return static_cast<char>('a' + digest[i] % 26); };
  std::string destination = "x***@x***";
  destination.front() = letter(0);
  destination[5] = letter(1);
  return {.destination = std::move(destination), .medium = "EMAIL", .attribute = "email"};
}

PoolResult<void> sent(const Result<void>& result) {
  if (result) return {};
  if (result.error().code == Errc::too_many_requests) return refuse(result.error());
  return refuse(PoolErrc::code_delivery_failure, "The confirmation code could not be delivered.");
}

/// Makes a code, keeps its hash, sends it.
void send_code(const PoolContextPtr& pool, User user, Purpose purpose, VoidDone done) {
  std::string code = make_code();
  Result<std::string> sealed =
      pool->parts.ring->seal(code_hash(user.sub, purpose, code), kCodeContext);
  if (!sealed) {
    pool->answer<void>(std::move(done), refuse(sealed.error()));
    return;
  }
  CodeStore::Row row{.sub = user.sub,
                     .purpose = purpose,
                     .sealed = std::move(*sealed),
                     .expires_at = pool->now() + pool->options.code_lifetime};
  pool->parts.codes.put(
      std::move(row), [pool, user = std::move(user), purpose, code = std::move(code),
                       done = std::move(done)](Result<void> put) mutable {
        if (!put) {
          done(refuse(put.error()));
          return;
        }
        pool->parts.code_sender->send(
            {.purpose = purpose, .code = std::move(code), .user = std::move(user)},
            pool->parts.executor,
            [done = std::move(done)](Result<void> result) mutable { done(sent(result)); });
      });
}

// In place of a code that is not sent: the next call finds the store no less busy.
void send_nothing(const PoolContextPtr& pool, Purpose purpose) {
  pool->parts.codes.put({.sub = UserId(), .purpose = purpose, .sealed = {}, .expires_at = {}},
                        [](const Result<void>&) {});
}

/// Takes an attempt at a user's code: the code's row if it is the right one. Nobody's takes as
/// long.
void try_code(const PoolContextPtr& pool, const std::optional<User>& user, Purpose purpose,
              std::string code, Completion<PoolResult<CodeStore::Row>> done) {
  pool->parts.codes.attempt(
      user ? user->sub : UserId(), purpose,
      [pool, code = std::move(code), folded = user ? fold_username(user->username) : std::string(),
       done = std::move(done)](Result<std::optional<CodeStore::Row>> found) mutable {
        if (!found) {
          done(refuse(found.error()));
          return;
        }
        if (!*found || pool->now() >= (*found)->expires_at) {
          done(expired_code(*pool));
          return;
        }
        CodeStore::Row& row = **found;
        if (row.attempts > pool->options.code_attempts) {
          done(bad_code(*pool, too_often()));
          return;
        }
        const Result<std::string> expected = pool->parts.ring->open(row.sealed, kCodeContext);
        if (!expected) {
          done(expired_code(*pool));
        } else if (constant_time_equal(code_hash(row.sub, row.purpose, code), *expected)) {
          pool->parts.code_lockout->succeeded("try " + folded);
          done(std::move(row));
        } else {
          done(wrong_code());
        }
      });
}

PoolResult<void> check_code(const std::string& code) {
  if (!code.empty() && code.size() <= kCodeLimit) return {};
  return refuse(PoolErrc::invalid_parameter,
                "1 validation error detected: Value at 'confirmationCode' failed to satisfy "
                "constraint: Member must have length between 1 and 2048");
}

PoolResult<void> check_target(const PoolContext& pool, const UserPool::ClientUser& input) {
  if (auto good = check_client(input.client_id, pool.options); !good) return good;
  return check_username(input.username);
}

Lockout& code_lockout(const PoolContext& pool, bool known) {
  return known ? *pool.parts.code_lockout : *pool.parts.decoy_lockout;
}
// By name, asking apart from trying.
PoolResult<void> take_code_attempt(const PoolContext& pool, const char* what,
                                   const std::string& username, bool known) {
  auto refused =
      take_attempt(code_lockout(pool, known), what + fold_username(username), too_often().error());
  if (refused) return std::unexpected(std::move(*refused));
  return {};
}

// Nobody gets more codes than that because they are asked for under many names.
PoolResult<void> take_address(const PoolContext& pool, const User& user) {
  auto refused = take_attempt(*pool.parts.decoy_lockout, address_name(user), too_often().error());
  if (refused) return std::unexpected(std::move(*refused));
  return {};
}

// ---- asking for a code

using Refuse = PoolResult<void> (*)(const User&);

void send_and_tell(const PoolContextPtr& pool, User user, Purpose purpose, DeliveryDone done) {
  if (pool->options.prevent_user_existence_errors) {
    done(delivery_by_name(*pool, user.username));
    send_code(pool, std::move(user), purpose, [](const PoolResult<void>& result) {
      if (!result) log::error("code_not_delivered", {{"reason", result.error().message}});
    });
    return;
  }
  CodeDelivery delivery = delivery_to(user);
  send_code(
      pool, std::move(user), purpose,
      [delivery = std::move(delivery), done = std::move(done)](PoolResult<void> result) mutable {
        if (result) {
          done(std::move(delivery));
        } else {
          done(std::unexpected(std::move(result.error())));
        }
      });
}

/// Sends a code to a user who may have one. Where it is not told who exists, nothing waits for the
/// sending, so that neither the answer nor its time tells; a failure is logged.
void request_code(const PoolContextPtr& pool, UserPool::ClientUser input, Purpose purpose,
                  Refuse refuse_user, DeliveryDone done) {
  PoolResult<void> good = check_target(*pool, input);
  if (good && !pool->parts.code_sender->ready()) good = no_delivery();
  if (!good) {
    pool->answer<CodeDelivery>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  const bool quiet = pool->options.prevent_user_existence_errors;
  std::string username = input.username;
  find_user(pool, std::move(username),
            [pool, input = std::move(input), purpose, refuse_user, quiet,
             done = std::move(done)](PoolResult<User> user) mutable {
              const bool known = user || user.error().code != PoolErrc::user_not_found;
              if (auto may = take_code_attempt(*pool, "send ", input.username, known); !may) {
                done(std::unexpected(std::move(may.error())));
                return;
              }
              if (!user) {
                if (quiet && !known) {
                  done(delivery_by_name(*pool, input.username));
                  send_nothing(pool, purpose);
                } else {
                  done(std::unexpected(std::move(user.error())));
                }
                return;
              }
              PoolResult<void> may = refuse_user(*user);
              if (may) may = take_address(*pool, *user);
              if (!may) {
                if (quiet) {
                  log::info("code_not_sent",
                            {{"userId", user->sub.str()}, {"reason", may.error().message}});
                  done(delivery_by_name(*pool, input.username));
                  send_nothing(pool, purpose);
                } else {
                  done(std::unexpected(std::move(may.error())));
                }
                return;
              }
              send_and_tell(pool, std::move(*user), purpose, std::move(done));
            });
}

PoolResult<void> may_be_confirmed(const User& user) {
  if (user.status == UserStatus::unconfirmed) return {};
  return refuse(PoolErrc::invalid_parameter, "User is already confirmed.");
}

PoolResult<void> may_reset_password(const User& user) {
  if (!user.enabled) return refuse(PoolErrc::not_authorized, "User is disabled.");
  if (user.status == UserStatus::confirmed || user.status == UserStatus::reset_required) return {};
  if (user.status == UserStatus::unconfirmed) {
    return refuse(PoolErrc::invalid_parameter,
                  "Cannot reset password for the user as there is no registered/verified email or "
                  "phone_number");
  }
  return refuse(PoolErrc::not_authorized, "User password cannot be reset in the current state.");
}

// ---- giving a code back

/// Who gives a code back, once they may try it: nullopt for nobody where that is not told.
void find_trier(const PoolContextPtr& pool, const UserPool::Confirm& input,
                Completion<PoolResult<std::optional<User>>> done) {
  PoolResult<void> good = check_target(*pool, input.user);
  if (good) good = check_code(input.code);
  if (!good) {
    pool->answer<std::optional<User>>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  find_user(pool, input.user.username,
            [pool, username = input.user.username,
             done = std::move(done)](PoolResult<User> user) mutable {
              const bool known = user || user.error().code != PoolErrc::user_not_found;
              if (auto may = take_code_attempt(*pool, "try ", username, known); !may) {
                done(std::unexpected(std::move(may.error())));
              } else if (user) {
                done(std::move(*user));
              } else if (!known && pool->options.prevent_user_existence_errors) {
                done(std::nullopt);
              } else {
                done(std::unexpected(std::move(user.error())));
              }
            });
}

/// The new password is hashed before the code is tried, so that a right code is not worn out by
/// refusals of a hasher that is busy.
class PasswordReset : public std::enable_shared_from_this<PasswordReset> {
 public:
  PasswordReset(PoolContextPtr pool, UserPool::Confirm input, VoidDone done)
      : pool_(std::move(pool)),
        username_(std::move(input.user.username)),
        code_(std::move(input.code)),
        done_(std::move(done)) {}

  void found(std::optional<User> user, const Secret& password) {
    user_ = std::move(user);
    make_credentials(
        pool_, user_ ? user_->sub : UserId(), user_ ? user_->username : username_, password,
        [self = shared_from_this()](Result<Credentials> made) { self->made(std::move(made)); });
  }

  void refuse_it(PoolError error) { done_(std::unexpected(std::move(error))); }

 private:
  void made(Result<Credentials> made) {
    if (!made) {
      code_lockout(*pool_, user_.has_value()).withdrawn("try " + fold_username(username_));
      done_(refuse(made.error()));
      return;
    }
    try_code(pool_, user_, Purpose::forgot_password, std::move(code_),
             [self = shared_from_this(),
              made = std::move(*made)](PoolResult<CodeStore::Row> row) mutable {
               if (row) {
                 self->change(std::move(*row), std::move(made));
               } else {
                 self->done_(std::unexpected(std::move(row.error())));
               }
             });
  }

  void change(CodeStore::Row code, Credentials credentials) {
    UserChange change;
    change.who = code.sub;
    change.ends = LoginEnd::password_changed;
    change.code = std::move(code);
    change.change = [pool = pool_, credentials = std::move(credentials)](User& user) {
      PoolResult<void> may = may_reset_password(user);
      if (may) {
        credentials.apply(user, pool->now());
        user.status = UserStatus::confirmed;
      }
      return may;
    };
    change_user(pool_, std::move(change), [self = shared_from_this()](PoolResult<User> changed) {
      if (changed) {
        self->pool_->parts.lockout->succeeded(fold_username(changed->username));
        self->done_({});
      } else {
        self->done_(std::unexpected(std::move(changed.error())));
      }
    });
  }

  PoolContextPtr pool_;
  std::string username_;
  std::string code_;
  VoidDone done_;
  std::optional<User> user_;
};

PoolResult<void> may_confirm(const User& user) {
  if (user.status != UserStatus::unconfirmed) {
    return refuse(
        PoolErrc::not_authorized,
        std::string("User cannot be confirmed. Current status is ") + to_string(user.status));
  }
  if (!user.enabled) return refuse(PoolErrc::not_authorized, "User is disabled.");
  return {};
}

PoolResult<void> confirm_user(User& user) {
  if (auto may = may_confirm(user); !may) return may;
  user.status = UserStatus::confirmed;
  if (user.attributes.contains("email")) user.attributes["email_verified"] = "true";
  return {};
}

PoolResult<void> check_sign_up(const PoolContext& pool, const UserPool::SignUp& input) {
  if (auto good = check_client(input.client_id, pool.options); !good) return good;
  if (!pool.options.self_sign_up) {
    return refuse(PoolErrc::not_authorized, "SignUp is not permitted for this user pool");
  }
  if (auto good = check_username(input.username); !good) return good;
  if (auto good = check_password(input.password, pool.options); !good) return good;
  if (auto good = check_own_attributes(input.attributes); !good) return good;
  if (!pool.parts.code_sender->ready()) return no_delivery();
  return {};
}

void store_new_user(const PoolContextPtr& pool, User user,
                    Completion<PoolResult<UserPool::SignedUp>> done) {
  User created = user;
  pool->parts.users.create(std::move(user), [pool, user = std::move(created),
                                             done = std::move(done)](Result<void> stored) mutable {
    if (!stored) {
      const bool taken = stored.error().code == Errc::already_exists;
      done(taken ? refuse(PoolErrc::username_exists, "User already exists")
                 : refuse(stored.error()));
      return;
    }
    UserPool::SignedUp out{.sub = user.sub, .delivery = delivery_to(user)};
    send_code(pool, std::move(user), Purpose::sign_up,
              [out = std::move(out), done = std::move(done)](PoolResult<void> result) mutable {
                if (result) {
                  done(std::move(out));
                } else {
                  done(std::unexpected(std::move(result.error())));
                }
              });
  });
}

}  // namespace

bool SignUpRate::take() {
  constexpr std::int64_t minute_us = 60'000'000;
  const std::int64_t now_us = Microseconds(clock_.steady_now().time_since_epoch()).count();
  const std::lock_guard lock(mutex_);
  const std::int64_t next = std::max(due_us_, now_us) + interval_us_;
  if (next > now_us + minute_us) return false;
  due_us_ = next;
  return true;
}

std::unexpected<PoolError> expired_code(const PoolContext& pool) {
  return bad_code(
      pool, refuse(PoolErrc::expired_code, "Invalid code provided, please request a code again."));
}

void sign_up(const PoolContextPtr& pool, UserPool::SignUp input,
             Completion<PoolResult<UserPool::SignedUp>> done) {
  PoolResult<void> good = check_sign_up(*pool, input);
  const Secret password = Secret::take(input.password);
  if (!good) {
    pool->answer<UserPool::SignedUp>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  const WallTime now = pool->now();
  User user;
  user.sub = UserId(generate_uuid());
  user.username = std::move(input.username);
  user.status = UserStatus::unconfirmed;
  merge_attributes(user.attributes, input.attributes);
  user.created_at = now;
  user.modified_at = now;
  good = take_address(*pool, user);
  if (good && pool->parts.sign_up_rate && !pool->parts.sign_up_rate->take()) good = too_often();
  if (!good) {
    pool->answer<UserPool::SignedUp>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  const UserId sub = user.sub;
  const std::string username = user.username;
  make_credentials(
      pool, sub, username, password,
      [pool, user = std::move(user), done = std::move(done)](Result<Credentials> made) mutable {
        if (!made) {
          pool->parts.decoy_lockout->withdrawn(address_name(user));
          done(refuse(made.error()));
          return;
        }
        made->apply(user, pool->now());
        store_new_user(pool, std::move(user), std::move(done));
      });
}

void resend_confirmation_code(const PoolContextPtr& pool, UserPool::ClientUser input,
                              DeliveryDone done) {
  request_code(pool, std::move(input), Purpose::sign_up, may_be_confirmed, std::move(done));
}

void forgot_password(const PoolContextPtr& pool, UserPool::ClientUser input, DeliveryDone done) {
  request_code(pool, std::move(input), Purpose::forgot_password, may_reset_password,
               std::move(done));
}

void confirm_sign_up(const PoolContextPtr& pool, UserPool::Confirm input, VoidDone done) {
  find_trier(pool, input,
             [pool, code = input.code,
              done = std::move(done)](PoolResult<std::optional<User>> user) mutable {
               PoolResult<void> may;
               if (!user) {
                 may = std::unexpected(std::move(user.error()));
               } else if (*user && !pool->options.prevent_user_existence_errors) {
                 may = may_confirm(**user);
               }
               if (!may) {
                 done(std::unexpected(std::move(may.error())));
                 return;
               }
               try_code(pool, *user, Purpose::sign_up, std::move(code),
                        [pool, done = std::move(done)](PoolResult<CodeStore::Row> row) mutable {
                          if (!row) {
                            done(std::unexpected(std::move(row.error())));
                            return;
                          }
                          UserChange change;
                          change.who = row->sub;
                          change.code = std::move(*row);
                          change.change = confirm_user;
                          change_user(pool, std::move(change), without_user(std::move(done)));
                        });
             });
}

void confirm_forgot_password(const PoolContextPtr& pool, UserPool::Confirm input, VoidDone done) {
  PoolResult<void> good = check_password(input.password, pool->options);
  Secret password = Secret::take(input.password);
  if (!good) {
    pool->answer<void>(std::move(done), std::move(good));
    return;
  }
  const auto reset = std::make_shared<PasswordReset>(pool, input, std::move(done));
  find_trier(pool, input,
             [reset, password = std::move(password)](PoolResult<std::optional<User>> user) mutable {
               if (user) {
                 reset->found(std::move(*user), password);
               } else {
                 reset->refuse_it(std::move(user.error()));
               }
             });
}

}  // namespace holdfast::identity
