#pragma once

#include <string>
#include <string_view>

#include <holdfast/base/ascii.hpp>

namespace holdfast::api {

/// Appends the client's own words for a log line or a header: printable ASCII, else `?`.
inline void append_printable(std::string& out, std::string_view text) {
  for (const char c : text) out += c < 0x20 || c > 0x7e ? '?' : c;
}

/// Calls `visit` with each trimmed, non-empty element of a comma-separated header value.
template <class Visitor>
void for_each_element(std::string_view list, Visitor visit) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (const std::string_view element = ascii::trim(list.substr(0, comma)); !element.empty()) {
      visit(element);
    }
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace holdfast::api
