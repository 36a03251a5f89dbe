// The checksum of a stored message.

#include "checksum.hpp"

#include <bit>
#include <cstddef>
#include <cstring>

#include <sqlite3.h>

namespace holdfast::sqlite {
namespace {

// Odd, and with as many ones as zeros in each byte, because such factors mix best.
constexpr std::uint64_t kFirst = 0xa0761d6478bd642f;
constexpr std::uint64_t kSecond = 0xe7037ed1a0b428db;
constexpr std::uint64_t kThird = 0x8ebc6af09c88c6e3;

std::uint64_t read_word(const char* bytes) {
  std::uint64_t out = 0;
  std::memcpy(&out, bytes, sizeof(out));
  if constexpr (std::endian::native == std::endian::big) out = __builtin_bswap64(out);
  return out;
}

// Combines both halves of the product. Each bit depends on every bit of both factors.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t add_number(std::uint64_t sum, std::int64_t number) {
  return mix(static_cast<std::uint64_t>(number) ^ kFirst, sum ^ kSecond);
}

std::uint64_t add_bytes(std::uint64_t sum, std::string_view bytes) {
  sum = add_number(sum, static_cast<std::int64_t>(bytes.size()));
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 16; at += 16, left -= 16) {
    sum = mix(read_word(at) ^ kFirst, read_word(at + 8) ^ sum ^ kSecond);
  }
  if (left == 0) return sum;
  char last[16] = {};
  std::memcpy(last, at, left);
  return mix(read_word(last) ^ kSecond, read_word(last + 8) ^ sum ^ kThird);
}

std::string_view bytes_of(sqlite3_value* value) {
  const void* data = sqlite3_value_blob(value);
  return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

void row_checksum(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  sqlite3_result_int64(context, checksum_of({.user = bytes_of(values[0]),
                                             .sequence = sqlite3_value_int64(values[1]),
                                             .id = bytes_of(values[2]),
                                             .accepted_at = sqlite3_value_int64(values[3]),
                                             .expires_at = sqlite3_value_int64(values[4]),
                                             .payload = bytes_of(values[5])}));
}

}  // namespace

std::int64_t checksum_of(const SummedRow& row) noexcept {
  std::uint64_t sum = add_bytes(kThird, row.user);
  sum = add_number(sum, row.sequence);
  sum = add_bytes(sum, row.id);
  sum = add_number(sum, row.accepted_at);
  sum = add_number(sum, row.expires_at);
  return static_cast<std::int64_t>(add_bytes(sum, row.payload));
}

int add_checksum_function(sqlite3* database) noexcept {
  return sqlite3_create_function_v2(database, "row_checksum", 6, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                    nullptr, row_checksum, nullptr, nullptr, nullptr);
}

}  // namespace holdfast::sqlite
