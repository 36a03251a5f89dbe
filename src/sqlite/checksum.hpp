#pragma once

#include <cstdint>
#include <string_view>

struct sqlite3;

namespace holdfast::sqlite {

/// The columns of a stored message that must come back unchanged.
struct SummedRow {
  std::string_view user;
  std::int64_t sequence = 0;
  std::string_view id;
  std::int64_t accepted_at = 0;
  std::int64_t expires_at = 0;
  std::string_view payload;
};
/// Returns 64 bits that detect any accidental change of a row, but for one in 2^64. Does not
/// protect from an attacker, who could also write the sum. The same on every machine.
[[nodiscard]] std::int64_t checksum_of(const SummedRow& row) noexcept;

/// Adds `row_checksum(user, sequence, id, accepted_at, expires_at, payload)` to SQL.
[[nodiscard]] int add_checksum_function(sqlite3* database) noexcept;

}  // namespace holdfast::sqlite
