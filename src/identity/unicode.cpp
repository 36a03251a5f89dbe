// Decodes, counts and folds Unicode characters.

#include "unicode.hpp"

#include <array>

#include <utf8proc.h>

#include <holdfast/base/ascii.hpp>

namespace holdfast::identity {
namespace {

// Its two foldings are both special: to two code points, and for Turkic languages.
constexpr char32_t kDottedCapitalI = 0x130;

std::size_t sequence_length(unsigned char lead) noexcept {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}

}  // namespace

std::optional<char32_t> next_code_point(std::string_view text, std::size_t& position) noexcept {
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<unsigned char>(text[position]);
  const std::size_t length = sequence_length(lead);
  if (length == 0 || text.size() - position < length) {
    ++position;
    return std::nullopt;
  }
  char32_t code_point = length == 1 ? lead : lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[position + i]);
    if ((next & 0xc0U) != 0x80) {
      ++position;
      return std::nullopt;
    }
    code_point = (code_point << 6) | (next & 0x3fU);
  }
  if (code_point < smallest[length] || code_point > 0x10ffff ||
      (code_point >= 0xd800 && code_point < 0xe000)) {
    ++position;
    return std::nullopt;
  }
  position += length;
  return code_point;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3f));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

std::size_t count_code_points(std::string_view text) noexcept {
  std::size_t count = 0;
  for (std::size_t position = 0; position < text.size(); ++count) {
    (void)next_code_point(text, position);
  }
  return count;
}

char32_t fold(char32_t code_point) noexcept {
  if (code_point < 0x80) {
    return static_cast<char32_t>(ascii::to_lower(static_cast<char>(code_point)));
  }
  if (code_point == kDottedCapitalI) return code_point;
  const auto from = static_cast<utf8proc_int32_t>(code_point);
  std::array<utf8proc_int32_t, 4> folded{};
  int boundary = 0;
  const auto length =
      utf8proc_decompose_char(from, folded.data(), folded.size(), UTF8PROC_CASEFOLD, &boundary);
  if (length == 1) return static_cast<char32_t>(folded[0]);
  // Where full case folding makes several of one, the simple one is the small letter.
  return static_cast<char32_t>(utf8proc_tolower(from));
}

bool is_visible(char32_t code_point) noexcept {
  const bool noncharacter =
      (code_point & 0xfffe) == 0xfffe || (code_point >= 0xfdd0 && code_point <= 0xfdef);
  if (noncharacter) return false;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
      return false;
    default:
      // A code point without a category may be a letter of a newer Unicode.
      return true;
  }
}

}  // namespace holdfast::identity
