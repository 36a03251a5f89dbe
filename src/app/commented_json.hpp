#pragma once

#include <map>
#include <string>
#include <string_view>

namespace holdfast::app {

/// `text` with `//` and `/* */` comments outside strings turned into spaces: offsets and lines stay
/// as they were.
[[nodiscard]] std::string strip_comments(std::string_view text);

/// The line, from 1, of the byte at `offset`.
[[nodiscard]] std::size_t line_at(std::string_view text, std::size_t offset);

/// The line of every member of a JSON text, by path (`section.key`); of a name that comes twice in
/// one object, the last. Takes any text: what is not JSON yields no sense and no harm.
[[nodiscard]] std::map<std::string, std::size_t> member_lines(std::string_view json);

}  // namespace holdfast::app
