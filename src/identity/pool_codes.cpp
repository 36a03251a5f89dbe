// Confirmation codes: makes, sends, counts and checks them.

#include "pool_codes.hpp"

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/crypto.hpp>

#include "unicode.hpp"

namespace holdfast::identity {
namespace {

using Purpose = CodeStore::Purpose;

constexpr std::string_view kCodeContext = "confirmation code";
constexpr std::uint64_t kCodes = 100'000'000;
constexpr std::size_t kCodeDigits = 8;
constexpr std::size_t kCodeLimit = 2048;

std::unexpected<PoolError> wrong_code() {
  return refuse(PoolErrc::code_mismatch, "Invalid verification code provided, please try again.");
}
// Returns the error for a bad code. It must not reveal an expired or exhausted code, because
// unknown names have none. Callers with an access token may know.
std::unexpected<PoolError> bad_code(const PoolContext& pool, Purpose purpose,
                                    std::unexpected<PoolError> reason) {
  const bool to_stranger = verified_by(purpose) == nullptr;
  return to_stranger && pool.options.prevent_user_existence_errors ? wrong_code()
                                                                   : std::move(reason);
}

std::string make_code() {
  // The remainder of 64 random bits favours no code by more than one in 10^11.
  std::string digits = std::to_string(random_u64() % kCodes);
  return std::string(kCodeDigits - digits.size(), '0') + digits;
}

// The addresses that a code is for are part of it: for others it is no code.
std::string code_hash(const std::optional<User>& user, Purpose purpose, std::string_view code) {
  std::string text = (user ? user->sub.str() : std::string()) + "\n" +
                     std::to_string(static_cast<int>(purpose)) + "\n" + std::string(code) + "\n";
  if (user) text += addresses_of(*user, purpose);
  return std::string(view(sha256(text)));
}

bool is_verified(const User& user, const std::string& attribute) {
  const auto found = user.attributes.find(attribute + "_verified");
  return found != user.attributes.end() && found->second == "true";
}

// Returns the names under which codes to the user's addresses are counted. The code command may
// choose any address, unless the code proves one of them.
std::vector<std::string> address_names(const User& user, Purpose purpose) {
  const std::string to = std::string("to ") + to_string(purpose) + " ";
  std::vector<std::string> out;
  const User to_whom = addressee(user, purpose);
  const char* const only = verified_by(purpose);
  for (const char* const attribute : {"email", "phone_number"}) {
    if (only != nullptr && std::string_view(only) != attribute) continue;
    const auto found = to_whom.attributes.find(attribute);
    if (found != to_whom.attributes.end()) out.push_back(to + fold_username(found->second));
  }
  if (out.empty()) out.push_back(to + fold_username(user.username));
  return out;
}

PoolResult<void> sent(const Result<void>& result) {
  if (result) return {};
  if (result.error().code == Errc::too_many_requests) return refuse(result.error());
  return refuse(PoolErrc::code_delivery_failure, "The confirmation code could not be delivered.");
}

}  // namespace

const char* to_string(CodeStore::Purpose purpose) noexcept {
  switch (purpose) {
    case Purpose::sign_up:
      return "sign_up";
    case Purpose::forgot_password:
      return "forgot_password";
    case Purpose::verify_email:
      return "verify_email";
    case Purpose::verify_phone_number:
      return "verify_phone_number";
  }
  return "unknown";
}

const char* verified_by(Purpose purpose) {
  switch (purpose) {
    case Purpose::verify_email:
      return "email";
    case Purpose::verify_phone_number:
      return "phone_number";
    case Purpose::sign_up:
    case Purpose::forgot_password:
      break;
  }
  return nullptr;
}

std::unexpected<PoolError> no_delivery() {
  return refuse(PoolErrc::code_delivery_failure,
                "No way to deliver confirmation codes is configured.");
}
std::unexpected<PoolError> expired_code(const PoolContext& pool, Purpose purpose) {
  return bad_code(
      pool, purpose,
      refuse(PoolErrc::expired_code, "Invalid code provided, please request a code again."));
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

std::string addresses_of(const User& user, Purpose purpose) {
  const char* const only = verified_by(purpose);
  std::string out;
  for (const char* const attribute : {"email", "phone_number"}) {
    if (only != nullptr && std::string_view(only) != attribute) continue;
    const auto found = user.attributes.find(attribute);
    if (found != user.attributes.end()) out += found->second;
    out += '\n';
  }
  return out;
}

bool has_address(const User& user) {
  return user.attributes.contains("email") || user.attributes.contains("phone_number");
}

User addressee(User user, Purpose purpose) {
  if (purpose != Purpose::forgot_password) return user;
  for (const char* const attribute : {"email", "phone_number"}) {
    if (!is_verified(user, attribute)) user.attributes.erase(attribute);
  }
  return user;
}

CodeDelivery delivery_to(const User& user, Purpose purpose) {
  const User to_whom = addressee(user, purpose);
  const char* const only = verified_by(purpose);
  for (const auto& [attribute, medium] : {std::pair{"email", "EMAIL"}, {"phone_number", "SMS"}}) {
    if (only != nullptr && std::string_view(only) != attribute) continue;
    const auto found = to_whom.attributes.find(attribute);
    if (found == to_whom.attributes.end()) continue;
    return {.destination = masked(found->second), .medium = medium, .attribute = attribute};
  }
  // The code command knows the destination: the username may be the address.
  return {.destination = masked(user.username + "@" + user.username),
          .medium = "EMAIL",
          .attribute = "email"};
}

void send_code(const PoolContextPtr& pool, std::optional<User> user, Purpose purpose,
               Completion<PoolResult<void>> done) {
  std::string code = make_code();
  const UserId sub = user ? user->sub : UserId();
  Result<std::string> sealed = pool->parts.ring->seal(code_hash(user, purpose, code), kCodeContext);
  if (!sealed) {
    pool->answer<void>(std::move(done), refuse(sealed.error()));
    return;
  }
  CodeStore::Row row{.sub = sub,
                     .purpose = purpose,
                     .sealed = std::move(*sealed),
                     .expires_at = pool->now() + pool->options.code_lifetime};
  CodeMessage message{
      .purpose = purpose, .code = std::move(code), .user = {}, .for_unknown_user = !user};
  if (user) message.user = addressee(std::move(*user), purpose);
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

void try_code(const PoolContextPtr& pool, const Trier& trier, Purpose purpose, std::string code,
              Completion<PoolResult<CodeStore::Row>> done) {
  pool->parts.codes.attempt(
      trier.user ? trier.user->sub : UserId(), purpose,
      [pool, code = std::move(code), trier, purpose,
       done = std::move(done)](Result<std::optional<CodeStore::Row>> found) mutable {
        if (!found) {
          done(refuse(found.error()));
          return;
        }
        if (!*found || pool->now() >= (*found)->expires_at) {
          done(expired_code(*pool, purpose));
          return;
        }
        CodeStore::Row& row = **found;
        if (row.attempts > pool->options.code_attempts) {
          done(bad_code(*pool, purpose, too_often()));
          return;
        }
        const Result<std::string> expected = pool->parts.ring->open(row.sealed, kCodeContext);
        if (!expected) {
          done(expired_code(*pool, purpose));
        } else if (constant_time_equal(code_hash(trier.user, purpose, code), *expected) &&
                   !row.sub.empty()) {
          trier.attempt.forget();
          done(std::move(row));
        } else {
          done(wrong_code());
        }
      });
}

PoolResult<void> check_code(const std::string& code, const char* member) {
  if (!code.empty() && code.size() <= kCodeLimit) return {};
  return refuse(PoolErrc::invalid_parameter,
                std::string("1 validation error detected: Value at '") + member +
                    "' failed to satisfy constraint: Member must have length between 1 and 2048");
}

PoolResult<void> take_addresses(const PoolContext& pool, const User& user, Purpose purpose) {
  DailyLimits& limits = pool.parts.attempts->codes_of_unknown_names;
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
    pool.parts.attempts->codes_of_unknown_names.withdrawn(name);
  }
}

}  // namespace holdfast::identity
