// Base64, hexadecimal, UTF-8, percent and JSON encodings.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>

namespace holdfast {
namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> reverse(std::string_view alphabet) {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}
constexpr auto kFromBase64 = reverse(kBase64);
constexpr auto kFromBase64Url = reverse(kBase64Url);

std::string encode(std::string_view bytes, std::string_view alphabet) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const unsigned char c : bytes) {
    buffer = (buffer << 8) | c;
    for (bits += 8; bits >= 6;) {
      bits -= 6;
      out.push_back(alphabet[(buffer >> bits) & 63]);
    }
  }
  if (bits > 0) out.push_back(alphabet[(buffer << (6 - bits)) & 63]);
  return out;
}

std::optional<Bytes> decode(std::string_view text, const std::array<std::int8_t, 256>& table) {
  if (text.size() % 4 == 1) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const unsigned char c : text) {
    if (table[c] < 0) return std::nullopt;
    buffer = (buffer << 6) | static_cast<std::uint32_t>(table[c]);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>((buffer >> bits) & 255));
    }
  }
  // The left-over bits must be zero, because two texts must not decode to the same bytes.
  if ((buffer & ((1U << bits) - 1)) != 0) return std::nullopt;
  return out;
}

// Checks eight bytes as one number; the top bit of each byte has the result.
constexpr std::uint64_t every_byte(std::uint64_t byte) { return byte * 0x0101010101010101U; }
constexpr std::uint64_t kTopBits = every_byte(0x80);
// Right as a whole: a byte above one that is zero may be marked as well.
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
  return (word - every_byte(1)) & ~word & kTopBits;
}
constexpr bool is_plain(std::uint64_t word) {
  return ((word | ((word - every_byte(0x20)) & ~word) | zero_bytes(word ^ every_byte('"')) |
           zero_bytes(word ^ every_byte('\\')) | zero_bytes(word ^ every_byte(0x7f))) &
          kTopBits) == 0;
}
constexpr bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

std::uint64_t word_at(const char* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

bool is_unreserved(char c) noexcept {
  return ascii::is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string base64url_encode(std::string_view bytes) { return encode(bytes, kBase64Url); }

std::optional<Bytes> base64url_decode(std::string_view text) {
  return decode(text, kFromBase64Url);
}

std::string base64_encode(std::string_view bytes) {
  std::string out = encode(bytes, kBase64);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::optional<Bytes> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return decode(text, kFromBase64);
}

std::string hex_encode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  append_hex(out, bytes);
  return out;
}

void append_hex(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::size_t at = out.size();
  out.resize(at + bytes.size() * 2);
  for (const unsigned char c : bytes) {
    out[at++] = digits[c >> 4];
    out[at++] = digits[c & 15];
  }
}

std::optional<Bytes> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = ascii::hex_value(text[i]);
    const int low = ascii::hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = ascii::hex_value(text[i + 1]);
    const int low = ascii::hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  std::string out;
  out.reserve(text.size());
  append_percent_encoded(out, text, keep_slash);
  return out;
}

void append_percent_encoded(std::string& out, std::string_view text, bool keep_slash) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const unsigned char c : text) {
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      out.push_back(static_cast<char>(c));
    } else {
      out.push_back('%');
      out.push_back(digits[c >> 4]);
      out.push_back(digits[c & 15]);
    }
  }
}

bool is_utf8(std::string_view bytes) noexcept {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto* const end = p + bytes.size();
  const auto continues = [&](int count, unsigned char low, unsigned char high) {
    if (end - p <= count || p[1] < low || p[1] > high) return false;
    for (int i = 2; i <= count; ++i) {
      if ((p[i] & 0xc0) != 0x80) return false;
    }
    p += count + 1;
    return true;
  };
  while (p < end) {
    if (end - p >= 8 && (word_at(reinterpret_cast<const char*>(p)) & kTopBits) == 0) {
      p += 8;
      continue;
    }
    const unsigned char c = *p;
    if (c < 0x80) {
      ++p;
    } else if (c >= 0xc2 && c <= 0xdf) {
      if (!continues(1, 0x80, 0xbf)) return false;
    } else if (c >= 0xe0 && c <= 0xef) {
      // No overlong form behind e0, no surrogate behind ed.
      if (!continues(2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf)) return false;
    } else if (c >= 0xf0 && c <= 0xf4) {
      if (!continues(3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf)) return false;
    } else {
      return false;
    }
  }
  return true;
}

std::size_t unseen_length(std::string_view text, std::size_t position) noexcept {
  const auto byte = [&](std::size_t i) {
    return position + i < text.size() ? static_cast<unsigned char>(text[position + i]) : 0U;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return first < 0x20 || first == 0x7f ? 1 : 0;
  const unsigned second = byte(1);
  // U+0080 to U+009F; U+061C.
  if (first == 0xc2) return second < 0xa0 ? 2 : 0;
  if (first == 0xd8) return second == 0x9c ? 2 : 0;
  if (first != 0xe2) return 0;
  const unsigned third = byte(2);
  // U+200E and U+200F, U+2028 to U+202E; U+2066 to U+2069.
  const bool unseen = second == 0x80
                          ? third == 0x8e || third == 0x8f || (third >= 0xa8 && third <= 0xae)
                          : second == 0x81 && third >= 0xa6 && third <= 0xa9;
  return unseen ? 3 : 0;
}

std::string seen_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    std::size_t cut = bytes_max;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    text = text.substr(0, cut);
  }
  const bool utf8 = is_utf8(text);
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t unseen =
        utf8 || static_cast<unsigned char>(text[i]) < 0x80 ? unseen_length(text, i) : 1;
    out += unseen == 0 ? text[i] : '?';
    i += std::max<std::size_t>(unseen, 1);
  }
  return out;
}

std::size_t plain_length(std::string_view text) noexcept {
  std::size_t length = 0;
  while (text.size() - length >= sizeof(std::uint64_t) && is_plain(word_at(text.data() + length))) {
    length += sizeof(std::uint64_t);
  }
  while (length < text.size() && is_plain(static_cast<unsigned char>(text[length]))) ++length;
  return length;
}

void append_json_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::size_t start = 0;
  for (std::size_t i = plain_length(text); i < text.size();
       i += 1 + plain_length(text.substr(i + 1))) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(start, i - start));
    start = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out.push_back(digits[c >> 4]);
        out.push_back(digits[c & 15]);
    }
  }
  out.append(text.substr(start));
}

}  // namespace holdfast
