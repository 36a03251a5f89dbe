// Counts attempts with passwords and codes.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/crypto.hpp>

#include "pool_context.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kKnownAddresses = 10;
// The time for which a seen address is not written again.
constexpr Seconds kSeenLately{24 * 3'600};

std::unexpected<PoolError> rate_exceeded() {
  return refuse(PoolErrc::too_many_requests, "Rate exceeded");
}

// Returns a keyed hash that does not reveal the address.
Digest address_hash(const PoolContext& pool, const Source& source, const UserId& sub) {
  return hmac_sha256(pool.options.decoy_secret,
                     "address\n" + sub.str() + "\n" + client_share_key(source.id));
}

/// Finds out whether the user has logged in from the source. Only clients have an address.
void find_address(const PoolContextPtr& pool, const Source& source, const UserId& sub,
                  Completion<PoolResult<bool>> done) {
  if (source.kind != Source::Kind::client) return pool->answer<bool>(std::move(done), false);
  pool->parts.known_addresses.find(
      sub, address_hash(*pool, source, sub),
      [done = std::move(done)](Result<std::optional<WallTime>> seen) mutable {
        if (seen) return done(seen->has_value());
        done(refuse(seen.error()));
      });
}

std::string counted_as(const AttemptTarget& target, bool address_known) {
  std::string out = target.sub.empty() ? fold_username(target.username) : target.sub.str();
  if (address_known) out += "\n" + client_share_key(target.source.id);
  // A service that logs users in is not locked out by what strangers try without it.
  if (target.source.kind == Source::Kind::access_key) out += "\nkey " + target.source.id;
  return out;
}

}  // namespace

std::unexpected<PoolError> too_often() {
  return refuse(PoolErrc::limit_exceeded, "Attempt limit exceeded, please try after some time.");
}

LoginAttempt::LoginAttempt(PoolContextPtr pool, AttemptTarget target, bool address_known)
    : pool_(std::move(pool)),
      target_(std::move(target)),
      name_("password " + std::to_string(unix_micros(target_.password_set_at)) + "\n" +
            counted_as(target_, address_known)) {}

Lockout& LoginAttempt::lockout() const {
  AttemptCounts& counts = *pool_->parts.attempts;
  return target_.sub.empty() ? counts.logins_of_unknown_names : counts.logins;
}

std::optional<PoolError> LoginAttempt::begin(PoolError locked) {
  if (target_.source.kind == Source::Kind::client && pool_->parts.failed_logins &&
      !pool_->parts.failed_logins->take(
          client_share_key(target_.source.id),
          Microseconds(pool_->parts.clock.steady_now().time_since_epoch()).count())) {
    return rate_exceeded().error();
  }
  if (lockout().begin(name_, locks_) == Lockout::Attempt::locked) return locked;
  return std::nullopt;
}

void LoginAttempt::succeeded() {
  lockout().succeeded(name_);
  remember_address(pool_, target_.source, target_.sub);
  if (target_.source.kind == Source::Kind::client && pool_->parts.failed_logins) {
    pool_->parts.failed_logins->give_back(client_share_key(target_.source.id));
  }
}

std::unexpected<PoolError> LoginAttempt::failed(Name name) const {
  auto out = wrong_password(*pool_, name);
  out.error().locks = locks_;
  return out;
}

void LoginAttempt::withdrawn() {
  lockout().withdrawn(name_);
  if (target_.source.kind == Source::Kind::client && pool_->parts.failed_logins) {
    pool_->parts.failed_logins->give_back(client_share_key(target_.source.id));
  }
}

void begin_login_attempt(const PoolContextPtr& pool, AttemptTarget target, PoolError locked,
                         Completion<PoolResult<std::shared_ptr<LoginAttempt>>> done) {
  const Source source = target.source;
  const UserId sub = target.sub;
  find_address(pool, source, sub,
               [pool, target = std::move(target), locked = std::move(locked),
                done = std::move(done)](PoolResult<bool> known) mutable {
                 if (!known) return done(std::unexpected(std::move(known.error())));
                 auto attempt = std::make_shared<LoginAttempt>(pool, std::move(target), *known);
                 if (auto refused = attempt->begin(std::move(locked))) {
                   return done(std::unexpected(std::move(*refused)));
                 }
                 done(std::move(attempt));
               });
}

void remember_address(const PoolContextPtr& pool, const Source& source, const UserId& sub) {
  if (source.kind != Source::Kind::client || sub.empty()) return;
  const Digest address = address_hash(*pool, source, sub);
  KnownAddressStore& known = pool->parts.known_addresses;
  // Runs in the background. If it fails, the next login tries again.
  known.find(sub, address, [pool, &known, sub, address](Result<std::optional<WallTime>> seen) {
    const WallTime now = pool->now();
    if (!seen || (*seen && **seen + kSeenLately > now)) return;
    known.add(sub, address, now, kKnownAddresses, [](const Result<void>&) {});
  });
}

void take_code_attempt(const PoolContextPtr& pool, std::string what, std::size_t max,
                       AttemptTarget target, Completion<PoolResult<CodeAttempt>> done) {
  const Source source = target.source;
  const UserId sub = target.sub;
  find_address(pool, source, sub,
               [pool, what = std::move(what), max, target = std::move(target),
                done = std::move(done)](PoolResult<bool> known) mutable {
                 if (!known) return done(std::unexpected(std::move(known.error())));
                 AttemptCounts& counts = *pool->parts.attempts;
                 CodeAttempt out{
                     .limits = target.sub.empty() ? &counts.codes_of_unknown_names : &counts.codes,
                     .name = what + " " + counted_as(target, *known)};
                 if (!out.limits->take(out.name, max)) return done(too_often());
                 done(std::move(out));
               });
}

}  // namespace holdfast::identity
