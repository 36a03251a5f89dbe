// Operations without a login: sign-up, and codes that prove an address or reset a password.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/log.hpp>

#include "pool_codes.hpp"
#include "pool_context.hpp"
#include "unicode.hpp"

namespace holdfast::identity {
namespace {

using Purpose = CodeStore::Purpose;
using VoidDone = Completion<PoolResult<void>>;
using DeliveryDone = Completion<PoolResult<CodeDelivery>>;

PoolResult<void> check_target(const PoolContext& pool, const ClientUser& input) {
  if (auto good = check_client(input.client_id, pool.options); !good) return good;
  return check_username(input.username);
}

AttemptTarget target_of(const ClientUser& input, const PoolResult<User>& user) {
  AttemptTarget out{.source = input.source, .username = input.username};
  if (user) out.sub = user->sub;
  return out;
}

// ---- asking for a code

// Derives a masked destination from the name, constant for a name and equal for known and unknown
// ones. It must not show a user's address, because strangers may know the address.
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

// In place of a code that somebody would be sent.
void pretend_to_send(const PoolContextPtr& pool, Purpose purpose) {
  send_code(pool, std::nullopt, purpose, [](const PoolResult<void>&) {});
}

using Refuse = PoolResult<void> (*)(const User&);

void send_and_tell(const PoolContextPtr& pool, User user, Purpose purpose, DeliveryDone done) {
  if (pool->options.prevent_user_existence_errors) {
    done(delivery_by_name(*pool, user.username));
    send_code(pool, std::move(user), purpose, [](const PoolResult<void>& result) {
      if (!result) log::error("code_not_delivered", {{"reason", result.error().message}});
    });
    return;
  }
  CodeDelivery delivery = delivery_to(user, purpose);
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

void answer_request(const PoolContextPtr& pool, const ClientUser& input, Purpose purpose,
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
      log::info("code_not_sent", {{"user_id", user->sub.str()}, {"reason", may.error().message}});
    }
    done(delivery_by_name(*pool, input.username));
    pretend_to_send(pool, purpose);
  } else {
    done(std::unexpected(std::move(may.error())));
  }
}

/// Sends a code to a user who may have one. If names are not revealed, the answer does not wait for
/// the sending, so that neither it nor its time reveals who exists. A failure is logged.
void request_code(const PoolContextPtr& pool, ClientUser input, Purpose purpose, Refuse refuse_user,
                  DeliveryDone done) {
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
                  pool, std::string("send ") + to_string(purpose), kSentPerDay, std::move(target),
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
  const bool unconfirmed = user.status == UserStatus::unconfirmed;
  if (!unconfirmed && user.status != UserStatus::confirmed &&
      user.status != UserStatus::reset_required) {
    return refuse(PoolErrc::not_authorized, "User password cannot be reset in the current state.");
  }
  // The code command knows how to reach a user without any address.
  const bool nowhere = has_address(user) && !has_address(addressee(user, Purpose::forgot_password));
  if (!unconfirmed && !nowhere) return {};
  return refuse(PoolErrc::invalid_parameter,
                "Cannot reset password for the user as there is no registered/verified email or "
                "phone_number");
}

// ---- giving a code back

void find_trier(const PoolContextPtr& pool, const ConfirmRequest& input, Purpose purpose,
                Completion<PoolResult<Trier>> done) {
  PoolResult<void> good = check_target(*pool, input.user);
  if (good) good = check_code(input.code, "confirmationCode");
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
            pool, std::string("try ") + to_string(purpose), kTriedPerDay, std::move(target),
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
  PasswordReset(PoolContextPtr pool, ConfirmRequest input, VoidDone done)
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
    change.change = [pool = pool_, addresses = addresses_of(*trier_.user, Purpose::forgot_password),
                     credentials = std::move(credentials)](User& user) {
      PoolResult<void> may = may_reset_password(user);
      // The code was another address's.
      if (addresses_of(user, Purpose::forgot_password) != addresses) {
        may = expired_code(*pool, Purpose::forgot_password);
      }
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
  // The address that `delivery_to` names.
  for (const std::string attribute : {"email", "phone_number"}) {
    if (!user.attributes.contains(attribute)) continue;
    user.attributes[attribute + "_verified"] = "true";
    break;
  }
  return {};
}

PoolResult<void> check_sign_up(const PoolContext& pool, const SignUpRequest& input) {
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

void store_new_user(const PoolContextPtr& pool, User user, Completion<PoolResult<SignedUp>> done) {
  User created = user;
  std::string folded = fold_username(user.username);
  pool->parts.users.create(
      std::move(user), std::move(folded),
      [pool, user = std::move(created), done = std::move(done)](Result<void> stored) mutable {
        if (!stored) {
          const bool taken = stored.error().code == Errc::already_exists;
          done(taken ? refuse(PoolErrc::username_exists, "User already exists")
                     : refuse(stored.error()));
          return;
        }
        SignedUp out{.sub = user.sub, .delivery = delivery_to(user, Purpose::sign_up)};
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

void UserPool::sign_up(SignUpRequest input, Completion<PoolResult<SignedUp>> done) {
  PoolResult<void> good = check_sign_up(*pool_, input);
  const Secret password = Secret::take(input.password);
  if (!good) {
    pool_->answer<SignedUp>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  const WallTime now = pool_->now();
  User user;
  user.sub = UserId(generate_uuid());
  user.username = std::move(input.username);
  user.status = UserStatus::unconfirmed;
  merge_attributes(user.attributes, input.attributes);
  user.created_at = now;
  user.modified_at = now;
  good = take_addresses(*pool_, user, Purpose::sign_up);
  if (good) {
    good = take_sign_up(*pool_, input.source);
    if (!good) give_addresses_back(*pool_, user, Purpose::sign_up);
  }
  if (!good) {
    pool_->answer<SignedUp>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  const UserId sub = user.sub;
  const std::string username = user.username;
  make_credentials(pool_, {.source = std::move(input.source)}, sub, username, password,
                   [pool = pool_, user = std::move(user),
                    done = std::move(done)](Result<Credentials> made) mutable {
                     if (!made) {
                       give_addresses_back(*pool, user, Purpose::sign_up);
                       done(refuse(made.error()));
                       return;
                     }
                     made->apply(user, pool->now());
                     store_new_user(pool, std::move(user), std::move(done));
                   });
}

void UserPool::resend_confirmation_code(ClientUser input, DeliveryDone done) {
  request_code(pool_, std::move(input), Purpose::sign_up, may_be_confirmed, std::move(done));
}

void UserPool::forgot_password(ClientUser input, DeliveryDone done) {
  request_code(pool_, std::move(input), Purpose::forgot_password, may_reset_password,
               std::move(done));
}

void UserPool::confirm_sign_up(ConfirmRequest input, VoidDone done) {
  find_trier(
      pool_, input, Purpose::sign_up,
      [pool = pool_, code = input.code, done = std::move(done)](PoolResult<Trier> trier) mutable {
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
        std::string addresses =
            trier->user ? addresses_of(*trier->user, Purpose::sign_up) : std::string();
        try_code(pool, *trier, Purpose::sign_up, std::move(code),
                 [pool, addresses = std::move(addresses),
                  done = std::move(done)](PoolResult<CodeStore::Row> row) mutable {
                   if (!row) {
                     done(std::unexpected(std::move(row.error())));
                     return;
                   }
                   UserChange change;
                   change.who = row->sub;
                   change.code = std::move(*row);
                   change.change =
                       [pool, addresses = std::move(addresses)](User& user) -> PoolResult<void> {
                     if (addresses_of(user, Purpose::sign_up) != addresses) {
                       return expired_code(*pool, Purpose::sign_up);
                     }
                     return confirm_user(user);
                   };
                   change_user(pool, std::move(change), without_user(std::move(done)));
                 });
      });
}

void UserPool::confirm_forgot_password(ConfirmRequest input, VoidDone done) {
  PoolResult<void> good = check_password(input.password, pool_->options);
  if (good) good = check_password_of(input.user.username, input.password, pool_->options);
  Secret password = Secret::take(input.password);
  if (!good) {
    pool_->answer<void>(std::move(done), std::move(good));
    return;
  }
  const auto reset = std::make_shared<PasswordReset>(pool_, input, std::move(done));
  find_trier(pool_, input, Purpose::forgot_password,
             [reset, password = std::move(password)](PoolResult<Trier> trier) mutable {
               if (trier) {
                 reset->found(std::move(*trier), password);
               } else {
                 reset->refuse_it(std::move(trier.error()));
               }
             });
}

}  // namespace holdfast::identity
