#pragma once

#include <map>
#include <string>
#include <string_view>

namespace holdfast::app {

/// Replaces `//` and `/* */` comments outside of strings by spaces. Offsets and lines stay as they
/// are.
[[nodiscard]] std::string strip_comments(std::string_view text);

/// Returns the line, from 1, of the byte at `offset`.
[[nodiscard]] std::size_t line_at(std::string_view text, std::size_t offset);

/// Returns the line of every member of a JSON text, by path (`section.key`). If a name comes twice
/// in an object, the last counts. Takes any text; one that is not JSON does no harm.
[[nodiscard]] std::map<std::string, std::size_t> member_lines(std::string_view json);

}  // namespace holdfast::app
