#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::identity {

/// The code point at `position`, which moves behind it; nullopt, and one byte further, where there
/// is no well-formed UTF-8.
[[nodiscard]] std::optional<char32_t> next_code_point(std::string_view text,
                                                      std::size_t& position) noexcept;
void append_utf8(std::string& out, char32_t code_point);
/// Code points; an ill-formed byte counts as one.
[[nodiscard]] std::size_t count_code_points(std::string_view text) noexcept;
/// Simple case folding of one code point (CaseFolding.txt, status C and S). Stored usernames are
/// unique by it, so it must stay the same for every code point that a stored one may have.
[[nodiscard]] char32_t fold(char32_t code_point) noexcept;
/// Letters, marks, numbers, punctuation and symbols: no spaces, control or format characters.
[[nodiscard]] bool is_visible(char32_t code_point) noexcept;

}  // namespace holdfast::identity
