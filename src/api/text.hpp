#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace holdfast::api {

[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// ASCII letters compared without regard to case.
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

/// Without the optional white space of RFC 9110 section 5.6.3 at either end.
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Whether `c` may stand in a token of RFC 9110 section 5.6.2: the name of a header, for one.
[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
  return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

/// Appends the client's own words for a log line or a header: printable ASCII, else `?`.
inline void append_printable(std::string& out, std::string_view text) {
  for (const char c : text) out += c < 0x20 || c > 0x7e ? '?' : c;
}

/// Calls `visit` with each trimmed, non-empty element of a comma-separated header value.
template <class Visitor>
void for_each_element(std::string_view list, Visitor visit) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (const std::string_view element = trim(list.substr(0, comma)); !element.empty()) {
      visit(element);
    }
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace holdfast::api
