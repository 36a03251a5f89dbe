// Changes of a user, and the end of logins that they cause.

#include <algorithm>
#include <memory>
#include <utility>

#include <holdfast/base/log.hpp>

#include "pool_context.hpp"

namespace holdfast::identity {
namespace {

// The maximum of tries against concurrent changes of the same user.
constexpr int kChangeTries = 5;

std::unexpected<PoolError> no_such_user() {
  return refuse(PoolErrc::user_not_found, "User does not exist.");
}

// Returns whether an end of logins also ends ID tokens by their time, even those without a login.
bool signs_out(LoginEnd end) {
  return end == LoginEnd::disabled || end == LoginEnd::deleted || end == LoginEnd::signed_out;
}

/// Reads a user, applies a change, and writes it back unless the row has changed meanwhile.
class Change : public std::enable_shared_from_this<Change> {
 public:
  Change(PoolContextPtr pool, UserChange change, Completion<PoolResult<User>> done)
      : pool_(std::move(pool)), change_(std::move(change)), done_(std::move(done)) {}

  void run() {
    --tries_left_;
    find_user(pool_, change_.who, [self = shared_from_this()](PoolResult<User> found) {
      self->found(std::move(found));
    });
  }

 private:
  void found(PoolResult<User> found) {
    PoolResult<void> good;
    if (!found) {
      good = std::unexpected(std::move(found.error()));
    } else {
      good = change_.change(*found);
    }
    if (!good) {
      done_(std::unexpected(std::move(good.error())));
      return;
    }
    write(std::move(*found));
  }

  void write(User user) {
    const WallTime now = pool_->now();
    const std::int64_t revision = user.revision;
    user.modified_at = now;
    if (change_.ends && signs_out(*change_.ends)) {
      // A second apart, for tokens say no more than the second in which they were made.
      user.signed_out_at = std::max(now, user.signed_out_at + Seconds(1));
    }
    User written = user;
    written.revision = revision + 1;
    Completion<Result<void>> stored = [self = shared_from_this(),
                                       written = std::move(written)](Result<void> result) mutable {
      self->stored(std::move(written), std::move(result));
    };
    UserStore& users = pool_->parts.users;
    if (change_.code) {
      users.update_by_code(std::move(user), revision, *change_.code, std::move(stored));
    } else if (change_.ends) {
      users.update_and_end_logins(std::move(user), revision, change_.kept_login, std::move(stored));
    } else {
      users.update(std::move(user), revision, std::move(stored));
    }
  }

  void stored(User user, Result<void> result) {
    if (result) {
      if (change_.ends) {
        tell_ended(*pool_,
                   {.sub = user.sub,
                    .which = change_.kept_login.empty() ? Logins::all()
                                                        : Logins::all_but(change_.kept_login),
                    .why = *change_.ends});
      }
      done_(std::move(user));
    } else if (result.error().code == Errc::conflict && tries_left_ > 0) {
      run();
    } else if (result.error().code == Errc::not_found) {
      done_(no_such_user());
    } else if (result.error().code == Errc::expired) {
      done_(expired_code(*pool_, change_.code->purpose));
    } else {
      done_(refuse(result.error()));
    }
  }

  PoolContextPtr pool_;
  UserChange change_;
  Completion<PoolResult<User>> done_;
  int tries_left_ = kChangeTries;
};

}  // namespace

const char* to_string(LoginEnd end) noexcept {
  switch (end) {
    case LoginEnd::disabled:
      return "disabled";
    case LoginEnd::deleted:
      return "deleted";
    case LoginEnd::signed_out:
      return "signed_out";
    case LoginEnd::password_changed:
      return "password_changed";
    case LoginEnd::revoked:
      return "revoked";
    case LoginEnd::token_reused:
      return "token_reused";
    case LoginEnd::too_many:
      return "too_many";
  }
  return "unknown";
}

void tell_ended(const PoolContext& pool, const EndedLogins& ended) {
  log::info("access_ended", {{"user_id", ended.sub.str()}, {"reason", to_string(ended.why)}});
  if (pool.parts.on_logins_ended) pool.parts.on_logins_ended(ended);
}

void find_user(const PoolContextPtr& pool, const UserKey& who, Completion<PoolResult<User>> done) {
  Completion<Result<std::optional<User>>> found =
      [pool, done = std::move(done)](Result<std::optional<User>> user) mutable {
        if (!user) {
          done(refuse(user.error()));
        } else if (!*user) {
          done(no_such_user());
        } else {
          done(std::move(**user));
        }
      };
  if (const auto* const sub = std::get_if<UserId>(&who)) {
    pool->parts.users.find_by_sub(*sub, std::move(found));
  } else if (const auto* const either = std::get_if<NameOrSub>(&who)) {
    pool->parts.users.find_by_name_or_sub(fold_username(either->text), UserId(either->text),
                                          std::move(found));
  } else {
    pool->parts.users.find_by_username(fold_username(std::get<std::string>(who)), std::move(found));
  }
}

void change_user(const PoolContextPtr& pool, UserChange change, Completion<PoolResult<User>> done) {
  std::make_shared<Change>(pool, std::move(change), std::move(done))->run();
}

Completion<PoolResult<User>> without_user(Completion<PoolResult<void>> done) {
  return [done = std::move(done)](PoolResult<User> changed) mutable {
    if (changed) {
      done({});
    } else {
      done(std::unexpected(std::move(changed.error())));
    }
  };
}

void remove_user(const PoolContextPtr& pool, const UserId& sub, Completion<PoolResult<void>> done) {
  pool->parts.users.remove(sub, [pool, sub, done = std::move(done)](Result<void> removed) mutable {
    if (!removed) {
      done(refuse(removed.error()));
      return;
    }
    tell_ended(*pool, {.sub = sub, .which = Logins::all(), .why = LoginEnd::deleted});
    done({});
  });
}

}  // namespace holdfast::identity
