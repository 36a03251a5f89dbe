// Decodes, counts and folds Unicode characters.

#include "unicode.hpp"

#include <algorithm>
#include <iterator>

#include "unicode_tables.hpp"

namespace holdfast::identity {
namespace {

// The one range of a rising table that may hold `code_point`, or null.
template <class Range, std::size_t N>
const Range* find_range(const Range (&table)[N], char32_t code_point) noexcept {
  const Range* const after =
      std::upper_bound(std::begin(table), std::end(table), code_point,
                       [](char32_t value, const Range& range) { return value < range.first; });
  if (after == std::begin(table)) return nullptr;
  const Range* const range = std::prev(after);
  return code_point <= range->last ? range : nullptr;
}

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
  const FoldRange* const range = find_range(kFoldRanges, code_point);
  if (range == nullptr || (code_point - range->first) % range->stride != 0) return code_point;
  return static_cast<char32_t>(static_cast<std::int32_t>(code_point) + range->delta);
}

bool is_visible(char32_t code_point) noexcept {
  const bool noncharacter =
      (code_point & 0xfffe) == 0xfffe || (code_point >= 0xfdd0 && code_point <= 0xfdef);
  return !noncharacter && find_range(kInvisibleRanges, code_point) == nullptr;
}

}  // namespace holdfast::identity
