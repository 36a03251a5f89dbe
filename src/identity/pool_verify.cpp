// Users prove by a code that the address in an attribute is theirs.
#include <optional>
#include <string>
#include <utility>

#include "pool_codes.hpp"
#include "pool_context.hpp"

namespace holdfast::identity {
namespace {

using Purpose = CodeStore::Purpose;

PoolResult<Purpose> purpose_of(const std::string& attribute) {
  for (const Purpose purpose : {Purpose::verify_email, Purpose::verify_phone_number}) {
    if (attribute == verified_by(purpose)) return purpose;
  }
  return refuse(PoolErrc::invalid_parameter, "Only email and phone_number can be verified.");
}

std::optional<std::string> address_of(const User& user, Purpose purpose) {
  const auto found = user.attributes.find(verified_by(purpose));
  if (found == user.attributes.end()) return std::nullopt;
  return found->second;
}

AttemptTarget target_of(const User& user, Source source) {
  return {.source = std::move(source), .username = user.username, .sub = user.sub};
}

std::unexpected<PoolError> no_address(Purpose purpose) {
  return refuse(PoolErrc::invalid_parameter,
                std::string("User has no attribute ") + verified_by(purpose) + ".");
}

void send_for(const PoolContextPtr& pool, User user, Purpose purpose,
              Completion<PoolResult<CodeDelivery>> done) {
  if (auto may = take_addresses(*pool, user, purpose); !may) {
    done(std::unexpected(std::move(may.error())));
    return;
  }
  CodeDelivery delivery = delivery_to(user, purpose);
  send_code(
      pool, std::move(user), purpose,
      [delivery = std::move(delivery), done = std::move(done)](PoolResult<void> sent) mutable {
        if (sent) return done(std::move(delivery));
        done(std::unexpected(std::move(sent.error())));
      });
}

void set_verified(const PoolContextPtr& pool, CodeStore::Row code, std::string address,
                  Completion<PoolResult<void>> done) {
  const Purpose purpose = code.purpose;
  UserChange change;
  change.who = code.sub;
  change.code = std::move(code);
  change.change = [pool, purpose, address = std::move(address)](User& user) -> PoolResult<void> {
    // The code went to an address that the user no longer has.
    if (address_of(user, purpose) != address) return expired_code(*pool, purpose);
    user.attributes[std::string(verified_by(purpose)) + "_verified"] = "true";
    return check_attributes_size(user.attributes);
  };
  change_user(pool, std::move(change), without_user(std::move(done)));
}

void try_for(const PoolContextPtr& pool, Trier trier, Purpose purpose, std::string code,
             Completion<PoolResult<void>> done) {
  std::string address = address_of(*trier.user, purpose).value_or(std::string());
  try_code(pool, trier, purpose, std::move(code),
           [pool, address = std::move(address),
            done = std::move(done)](PoolResult<CodeStore::Row> row) mutable {
             if (!row) return done(std::unexpected(std::move(row.error())));
             set_verified(pool, std::move(*row), std::move(address), std::move(done));
           });
}

}  // namespace

void UserPool::get_user_attribute_verification_code(AttributeCodeRequest input,
                                                    Completion<PoolResult<CodeDelivery>> done) {
  PoolResult<Purpose> purpose = purpose_of(input.attribute);
  if (purpose && !pool_->parts.code_sender->ready()) purpose = no_delivery();
  if (!purpose) {
    pool_->answer<CodeDelivery>(std::move(done), std::unexpected(std::move(purpose.error())));
    return;
  }
  find_token_user(pool_, input.access_token,
                  [pool = pool_, purpose = *purpose, source = std::move(input.source),
                   done = std::move(done)](PoolResult<TokenUser> found) mutable {
                    if (!found) return done(std::unexpected(std::move(found.error())));
                    done = about(found->user.sub, Caller::the_user, std::move(done));
                    if (!address_of(found->user, purpose)) return done(no_address(purpose));
                    AttemptTarget target = target_of(found->user, std::move(source));
                    take_code_attempt(
                        pool, std::string("send ") + to_string(purpose), kSentPerDay,
                        std::move(target),
                        [pool, purpose, user = std::move(found->user),
                         done = std::move(done)](PoolResult<CodeAttempt> may) mutable {
                          if (!may) return done(std::unexpected(std::move(may.error())));
                          send_for(pool, std::move(user), purpose, std::move(done));
                        });
                  });
}

void UserPool::verify_user_attribute(VerifyAttributeRequest input,
                                     Completion<PoolResult<void>> done) {
  PoolResult<Purpose> purpose = purpose_of(input.attribute);
  if (auto good = check_code(input.code, "code"); purpose && !good) {
    purpose = std::unexpected(std::move(good.error()));
  }
  if (!purpose) {
    pool_->answer<void>(std::move(done), std::unexpected(std::move(purpose.error())));
    return;
  }
  find_token_user(
      pool_, input.access_token,
      [pool = pool_, purpose = *purpose, code = std::move(input.code),
       source = std::move(input.source),
       done = std::move(done)](PoolResult<TokenUser> found) mutable {
        if (!found) return done(std::unexpected(std::move(found.error())));
        done = about(found->user.sub, Caller::the_user, std::move(done));
        AttemptTarget target = target_of(found->user, std::move(source));
        take_code_attempt(
            pool, std::string("try ") + to_string(purpose), kTriedPerDay, std::move(target),
            [pool, purpose, code = std::move(code), user = std::move(found->user),
             done = std::move(done)](PoolResult<CodeAttempt> may) mutable {
              if (!may) return done(std::unexpected(std::move(may.error())));
              Trier trier{.user = std::move(user), .attempt = std::move(*may)};
              try_for(pool, std::move(trier), purpose, std::move(code), std::move(done));
            });
      });
}

}  // namespace holdfast::identity
