#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "identity/pool_context.hpp"

/// Confirmation codes: made, kept as hashes, sent, and given back.
namespace holdfast::identity {

// For each user and purpose, and each address, in 24 hours: however long somebody tries, a code is
// guessed with a probability of a ten-millionth a day.
inline constexpr std::size_t kSentPerDay = 5;
inline constexpr std::size_t kTriedPerDay = 10;

[[nodiscard]] PoolResult<void> check_code(const std::string& code, const char* member);
/// The attribute whose address a code of this purpose proves; null: it proves none in particular.
[[nodiscard]] const char* verified_by(CodeStore::Purpose purpose);
[[nodiscard]] std::unexpected<PoolError> no_delivery();
/// An address as it is told to whoever may not know it: `a***@e***`.
[[nodiscard]] std::string masked(const std::string& address);
/// Where a code for this user goes. One that proves an address goes there, so that the user has to
/// have it.
[[nodiscard]] CodeDelivery delivery_to(const User& user, CodeStore::Purpose purpose);

/// Takes one of the codes of a day that each of the addresses may be sent: nobody gets more than
/// that because they are asked for under many names.
[[nodiscard]] PoolResult<void> take_addresses(const PoolContext& pool, const User& user,
                                              CodeStore::Purpose purpose);
void give_addresses_back(const PoolContext& pool, const User& user, CodeStore::Purpose purpose);

/// Makes a code, keeps its hash, sends it. Nobody's code is made, kept and handed on likewise, so
/// that the next call finds the gateway no less busy.
void send_code(const PoolContextPtr& pool, std::optional<User> user, CodeStore::Purpose purpose,
               Completion<PoolResult<void>> done);

/// Who gives a code back, and may try it.
struct Trier {
  std::optional<User> user;  ///< none: nobody, where that is not told
  CodeAttempt attempt;
};
/// Takes an attempt at a user's code: the code's row if it is the right one. Nobody's takes as
/// long.
void try_code(const PoolContextPtr& pool, const Trier& trier, CodeStore::Purpose purpose,
              std::string code, Completion<PoolResult<CodeStore::Row>> done);

}  // namespace holdfast::identity
