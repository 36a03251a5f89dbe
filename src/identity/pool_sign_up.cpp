// What strangers may do: sign up, and prove by a code that an address is theirs.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
constexpr std::uint64_t kCodes = 100'000'000;
constexpr std::size_t kCodeDigits = 8;
constexpr std::size_t kCodeLimit = 2048;
// For each user and purpose, and each address, in 24 hours: however long somebody tries, a code is
// guessed with a probability of a ten-millionth a day.
constexpr std::size_t kSentPerDay = 5;
constexpr std::size_t kTriedPerDay = 10;

std::unexpected<PoolError> no_delivery() {
  return refuse(PoolErrc::code_delivery_failure,
                "No way to deliver confirmation codes is configured.");
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
  // The remainder of 64 random bits favours no code by more than one in 10^11.
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

const char* word_of(Purpose purpose) {
  return purpose == Purpose::sign_up ? "sign_up" : "forgot_password";
}

// Under which the codes sent to each of a user's addresses are counted: who delivers may choose
// any.
std::vector<std::string> address_names(const User& user, Purpose purpose) {
  const std::string to = std::string("to ") + word_of(purpose) + " ";
  std::vector<std::string> out;
  for (const char* const attribute : {"email", "phone_number"}) {
    const auto found = user.attributes.find(attribute);
    if (found != user.attributes.end()) out.push_back(to + fold_username(found->second));
  }
  if (out.empty()) out.push_back(to + fold_username(user.username));
  return out;
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

/// Makes a code, keeps its hash, sends it. Nobody's code is made, kept and handed on likewise, so
/// that the next call finds the gateway no less busy.
void send_code(const PoolContextPtr& pool, std::optional<User> user, Purpose purpose,
               VoidDone done) {
  std::string code = make_code();
  const UserId sub = user ? user->sub : UserId();
  Result<std::string> sealed = pool->parts.ring->seal(code_hash(sub, purpose, code), kCodeContext);
  if (!sealed) {
    pool->answer<void>(std::move(done), refuse(sealed.error()));
    return;
  }
  CodeStore::Row row{.sub = sub,
                     .purpose = purpose,
                     .sealed = std::move(*sealed),
                     .expires_at = pool->now() + pool->options.code_lifetime};
  CodeMessage message{.purpose = purpose, .code = std::move(code), .user = {}, .nobodys = !user};
  if (user) message.user = std::move(*user);
  pool->parts.codes.put(std::move(row), [pool, message = std::move(message),
                                         done = std::move(done)](Result<void> put) mutable {
    if (!put) {
      done(refuse(put.error()));
      return;
    }
    pool->parts.code_sender->send(
        std::move(message), pool->parts.executor,
        [done = std::move(done)](Result<void> result) mutable { done(sent(result)); });
  });
}

// In place of a code that somebody would be sent.
void send_to_nobody(const PoolContextPtr& pool, Purpose purpose) {
  send_code(pool, std::nullopt, purpose, [](const PoolResult<void>&) {});
}

/// Who gives a code back, and may try it.
struct Trier {
  std::optional<User> user;  ///< none: nobody, where that is not told
  CodeAttempt attempt;
};

/// Takes an attempt at a user's code: the code's row if it is the right one. Nobody's takes as
/// long.
void try_code(const PoolContextPtr& pool, const Trier& trier, Purpose purpose, std::string code,
              Completion<PoolResult<CodeStore::Row>> done) {
  pool->parts.codes.attempt(
      trier.user ? trier.user->sub : UserId(), purpose,
      [pool, code = std::move(code), attempt = trier.attempt,
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
        } else if (constant_time_equal(code_hash(row.sub, row.purpose, code), *expected) &&
                   !row.sub.empty()) {
          attempt.forget();
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

AttemptTarget target_of(const UserPool::ClientUser& input, const PoolResult<User>& user) {
  AttemptTarget out{.source = input.source, .username = input.username};
  if (user) out.sub = user->sub;
  return out;
}

// Nobody gets more codes than that because they are asked for under many names.
PoolResult<void> take_addresses(const PoolContext& pool, const User& user, Purpose purpose) {
  DailyLimits& limits = pool.parts.attempts->codes_of_nobody;
  std::vector<std::string> taken;
  for (std::string& name : address_names(user, purpose)) {
    if (!limits.take(name, kSentPerDay)) {
      for (const std::string& other : taken) limits.withdrawn(other);
      return too_often();
    }
    taken.push_back(std::move(name));
  }
  return {};
}

void give_addresses_back(const PoolContext& pool, const User& user, Purpose purpose) {
  for (const std::string& name : address_names(user, purpose)) {
    pool.parts.attempts->codes_of_nobody.withdrawn(name);
  }
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

void answer_request(const PoolContextPtr& pool, const UserPool::ClientUser& input, Purpose purpose,
                    Refuse refuse_user, PoolResult<User> user, DeliveryDone done) {
  const bool quiet = pool->options.prevent_user_existence_errors;
  PoolResult<void> may;
  if (!user) {
    may = std::unexpected(user.error());
  } else {
    may = refuse_user(*user);
    if (may) may = take_addresses(*pool, *user, purpose);
  }
  if (may) {
    send_and_tell(pool, std::move(*user), purpose, std::move(done));
  } else if (quiet) {
    if (user) {
      log::info("code_not_sent", {{"userId", user->sub.str()}, {"reason", may.error().message}});
    }
    done(delivery_by_name(*pool, input.username));
    send_to_nobody(pool, purpose);
  } else {
    done(std::unexpected(std::move(may.error())));
  }
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
  std::string username = input.username;
  find_user(pool, std::move(username),
            [pool, input = std::move(input), purpose, refuse_user,
             done = std::move(done)](PoolResult<User> user) mutable {
              if (!user && user.error().code != PoolErrc::user_not_found) {
                done(std::unexpected(std::move(user.error())));
                return;
              }
              AttemptTarget target = target_of(input, user);
              take_code_attempt(
                  pool, std::string("send ") + word_of(purpose), kSentPerDay, std::move(target),
                  [pool, input = std::move(input), purpose, refuse_user, user = std::move(user),
                   done = std::move(done)](PoolResult<CodeAttempt> may) mutable {
                    if (!may) {
                      done(std::unexpected(std::move(may.error())));
                      return;
                    }
                    answer_request(pool, input, purpose, refuse_user, std::move(user),
                                   std::move(done));
                  });
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

void find_trier(const PoolContextPtr& pool, const UserPool::Confirm& input, Purpose purpose,
                Completion<PoolResult<Trier>> done) {
  PoolResult<void> good = check_target(*pool, input.user);
  if (good) good = check_code(input.code);
  if (!good) {
    pool->answer<Trier>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  find_user(
      pool, input.user.username,
      [pool, input = input.user, purpose, done = std::move(done)](PoolResult<User> user) mutable {
        const bool known = user || user.error().code != PoolErrc::user_not_found;
        if (!user && (known || !pool->options.prevent_user_existence_errors)) {
          done(std::unexpected(std::move(user.error())));
          return;
        }
        AttemptTarget target = target_of(input, user);
        take_code_attempt(
            pool, std::string("try ") + word_of(purpose), kTriedPerDay, std::move(target),
            [user = std::move(user), done = std::move(done)](PoolResult<CodeAttempt> may) mutable {
              if (!may) {
                done(std::unexpected(std::move(may.error())));
                return;
              }
              Trier out{.user = {}, .attempt = std::move(*may)};
              if (user) out.user = std::move(*user);
              done(std::move(out));
            });
      });
}

/// The new password is hashed before the code is tried, so that a right code is not worn out by
/// refusals of a hasher that is busy.
class PasswordReset : public std::enable_shared_from_this<PasswordReset> {
 public:
  PasswordReset(PoolContextPtr pool, UserPool::Confirm input, VoidDone done)
      : pool_(std::move(pool)),
        username_(std::move(input.user.username)),
        source_(std::move(input.user.source)),
        code_(std::move(input.code)),
        done_(std::move(done)) {}

  void found(Trier trier, const Secret& password) {
    trier_ = std::move(trier);
    const std::optional<User>& user = trier_.user;
    make_credentials(
        pool_, {.source = source_, .name = "reset " + trier_.attempt.name},
        user ? user->sub : UserId(), user ? user->username : username_, password,
        [self = shared_from_this()](Result<Credentials> made) { self->made(std::move(made)); });
  }

  void refuse_it(PoolError error) { done_(std::unexpected(std::move(error))); }

 private:
  void made(Result<Credentials> made) {
    if (!made) {
      trier_.attempt.withdrawn();
      done_(refuse(made.error()));
      return;
    }
    try_code(pool_, trier_, Purpose::forgot_password, std::move(code_),
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
        remember_address(self->pool_, self->source_, changed->sub);
        self->done_({});
      } else {
        self->done_(std::unexpected(std::move(changed.error())));
      }
    });
  }

  PoolContextPtr pool_;
  std::string username_;
  Source source_;
  std::string code_;
  VoidDone done_;
  Trier trier_;
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
  if (auto good = check_password_of(input.username, input.password, pool.options); !good) {
    return good;
  }
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
    // It is the first of the day.
    (void)pool->parts.attempts->codes.take("send sign_up " + user.sub.str(), kSentPerDay);
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

PoolResult<void> take_sign_up(const PoolContext& pool, const Source& source) {
  if (pool.parts.sign_up_rate == nullptr) return {};
  const std::int64_t now_us =
      Microseconds(pool.parts.clock.steady_now().time_since_epoch()).count();
  if (pool.parts.sign_up_rate->take(client_share_key(source.id), now_us)) return {};
  return too_often();
}

}  // namespace

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
  good = take_addresses(*pool, user, Purpose::sign_up);
  if (good) {
    good = take_sign_up(*pool, input.source);
    if (!good) give_addresses_back(*pool, user, Purpose::sign_up);
  }
  if (!good) {
    pool->answer<UserPool::SignedUp>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  const UserId sub = user.sub;
  const std::string username = user.username;
  make_credentials(
      pool, {.source = std::move(input.source)}, sub, username, password,
      [pool, user = std::move(user), done = std::move(done)](Result<Credentials> made) mutable {
        if (!made) {
          give_addresses_back(*pool, user, Purpose::sign_up);
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
  find_trier(pool, input, Purpose::sign_up,
             [pool, code = input.code, done = std::move(done)](PoolResult<Trier> trier) mutable {
               PoolResult<void> may;
               if (!trier) {
                 may = std::unexpected(std::move(trier.error()));
               } else if (trier->user && !pool->options.prevent_user_existence_errors) {
                 may = may_confirm(*trier->user);
               }
               if (!may) {
                 done(std::unexpected(std::move(may.error())));
                 return;
               }
               try_code(pool, *trier, Purpose::sign_up, std::move(code),
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
  if (good) good = check_password_of(input.user.username, input.password, pool->options);
  Secret password = Secret::take(input.password);
  if (!good) {
    pool->answer<void>(std::move(done), std::move(good));
    return;
  }
  const auto reset = std::make_shared<PasswordReset>(pool, input, std::move(done));
  find_trier(pool, input, Purpose::forgot_password,
             [reset, password = std::move(password)](PoolResult<Trier> trier) mutable {
               if (trier) {
                 reset->found(std::move(*trier), password);
               } else {
                 reset->refuse_it(std::move(trier.error()));
               }
             });
}

}  // namespace holdfast::identity
