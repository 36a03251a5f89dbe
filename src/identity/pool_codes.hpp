#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "pool_context.hpp"

/// Confirmation codes: made, kept as hashes, sent, and given back.
namespace holdfast::identity {

// The limits for each user and purpose, and for each address, in 24 hours. They keep the
// probability of guessing a code at a ten-millionth a day.
inline constexpr std::size_t kSentPerDay = 5;
inline constexpr std::size_t kTriedPerDay = 10;

[[nodiscard]] PoolResult<void> check_code(const std::string& code, const char* member);
/// The attribute whose address a code of this purpose proves; null: it proves none in particular.
[[nodiscard]] const char* verified_by(CodeStore::Purpose purpose);
[[nodiscard]] std::unexpected<PoolError> no_delivery();
/// Returns a masked address, for callers who may not know it: `a***@e***`.
[[nodiscard]] std::string masked(const std::string& address);
/// Returns the addresses that a code is bound to. It proves nothing about addresses set later.
[[nodiscard]] std::string addresses_of(const User& user, CodeStore::Purpose purpose);
[[nodiscard]] bool has_address(const User& user);
/// The user with those addresses alone to which a code of this purpose may go: who recovers a
/// password must not choose the address meanwhile, so it is a verified one.
[[nodiscard]] User addressee(User user, CodeStore::Purpose purpose);
/// Returns the destination of a user's code. A code that proves an address goes to that address.
[[nodiscard]] CodeDelivery delivery_to(const User& user, CodeStore::Purpose purpose);

/// Takes one code from the daily limit of each address. The limit holds over all usernames.
[[nodiscard]] PoolResult<void> take_addresses(const PoolContext& pool, const User& user,
                                              CodeStore::Purpose purpose);
void give_addresses_back(const PoolContext& pool, const User& user, CodeStore::Purpose purpose);

/// Makes a code, stores its hash and sends it. Does the same work for an unknown user, so that the
/// gateway's load does not reveal who exists.
void send_code(const PoolContextPtr& pool, std::optional<User> user, CodeStore::Purpose purpose,
               Completion<PoolResult<void>> done);

/// A user who submits a code and may try it.
struct Trier {
  std::optional<User> user;  ///< nullopt: an unknown user, which the answer must not reveal
  CodeAttempt attempt;
};
/// Takes an attempt at a user's code, and returns the code's row if it is right. An unknown user's
/// attempt takes as long.
void try_code(const PoolContextPtr& pool, const Trier& trier, CodeStore::Purpose purpose,
              std::string code, Completion<PoolResult<CodeStore::Row>> done);

}  // namespace holdfast::identity
