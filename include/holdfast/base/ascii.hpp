#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

/// Text in ASCII. No locale is asked: a byte beyond ASCII is no letter, and has no other case.
namespace holdfast::ascii {

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
[[nodiscard]] constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
[[nodiscard]] constexpr bool is_letter(char c) noexcept { return is_lower(c) || is_upper(c); }
[[nodiscard]] constexpr bool is_alphanumeric(char c) noexcept {
  return is_letter(c) || is_digit(c);
}

/// Returns the value of a hexadecimal digit, and -1 for any other character.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Appends `text` with its letters in lower case.
inline void append_lower(std::string& out, std::string_view text) {
  for (const char c : text) out += to_lower(c);
}

/// Returns `text` with its letters in lower case.
[[nodiscard]] inline std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

/// Compares without regard to the case of letters.
[[nodiscard]] constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
  constexpr auto lower = [](char c) { return to_lower(c); };
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// Removes the blanks at both ends. Those of HTTP (RFC 9110 section 5.6.3) unless others are named.
[[nodiscard]] constexpr std::string_view trim(std::string_view text,
                                              std::string_view blanks = " \t") noexcept {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

namespace detail {
inline constexpr auto kTokenCharacters = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) table[c] = is_alphanumeric(static_cast<char>(c));
  for (const unsigned char c : std::string_view("!#$%&'*+-.^_`|~")) table[c] = true;
  return table;
}();
}  // namespace detail

/// Checks that `c` may stand in a token of RFC 9110 section 5.6.2.
[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
  return detail::kTokenCharacters[static_cast<unsigned char>(c)];
}

/// Checks that `text` is a token (RFC 9110 section 5.6.2): a method, a header's name.
[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

}  // namespace holdfast::ascii
