#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace holdfast {

using Bytes = std::string;  ///< raw octets

/// RFC 4648 section 5, without padding.
[[nodiscard]] std::string base64url_encode(std::string_view bytes);
/// Refuses padding, other alphabets, and non-canonical trailing bits.
[[nodiscard]] std::optional<Bytes> base64url_decode(std::string_view text);
/// RFC 4648 section 4, padded.
[[nodiscard]] std::string base64_encode(std::string_view bytes);
/// Refuses missing padding and non-canonical trailing bits.
[[nodiscard]] std::optional<Bytes> base64_decode(std::string_view text);
/// Lower case.
[[nodiscard]] std::string hex_encode(std::string_view bytes);
void append_hex(std::string& out, std::string_view bytes);
[[nodiscard]] std::optional<Bytes> hex_decode(std::string_view text);
/// Percent-decodes once; nullopt on a broken escape. `+` stays `+`.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
/// Percent-encodes every byte but A-Za-z0-9-._~ and, with `keep_slash`, '/'. Upper-case hex.
[[nodiscard]] std::string percent_encode(std::string_view text, bool keep_slash = false);
void append_percent_encoded(std::string& out, std::string_view text, bool keep_slash = false);

/// Well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;
/// Returns the length of the character at `position` of `text` (UTF-8) if it is invisible or
/// misleading: a control character (C0, DEL, C1), a line break, a direction mark. Otherwise 0.
[[nodiscard]] std::size_t unseen_length(std::string_view text, std::size_t position) noexcept;
/// Returns at most the first `bytes_max` bytes of `text`, cut between characters. Replaces
/// invisible characters and invalid UTF-8 by `?`.
[[nodiscard]] std::string seen_text(std::string_view text, std::size_t bytes_max);
/// Returns how many leading bytes of `text` are printable ASCII other than `"` and `\`. JSON
/// strings and terminals take such bytes unescaped.
[[nodiscard]] std::size_t plain_length(std::string_view text) noexcept;
/// Appends `text` escaped for the inside of a JSON string; bytes above 0x7f are kept, so the text
/// must be UTF-8 for the result to be JSON.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace holdfast
