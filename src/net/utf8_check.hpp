#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace holdfast::net {

/// Checks UTF-8 in pieces of any size (RFC 3629): no overlong forms, no surrogates, nothing beyond
/// U+10FFFF.
class Utf8Check {
 public:
  /// Takes bytes. Returns false as soon as nothing that follows could make the text valid.
  [[nodiscard]] bool take(std::string_view bytes) noexcept {
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
      if (left_ == 0) {
        at = after_ascii(at, end);
        if (at == end) break;
      }
      if (!take_byte(static_cast<std::uint8_t>(*at++))) return false;
    }
    return true;
  }
  /// Returns whether the last character is complete.
  [[nodiscard]] bool is_whole() const noexcept { return left_ == 0; }

 private:
  static const char* after_ascii(const char* at, const char* end) noexcept {
    constexpr std::uint64_t kHighBits = 0x8080808080808080;
    for (; end - at >= 8; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof(word));
      if ((word & kHighBits) != 0) break;
    }
    while (at != end && static_cast<std::uint8_t>(*at) < 0x80) ++at;
    return at;
  }

  // Takes one byte. Only the second byte's range depends on the first (Unicode Standard, table
  // 3-7).
  bool take_byte(std::uint8_t byte) noexcept {
    if (left_ > 0) {
      if (byte < low_ || byte > high_) return false;
      --left_;
      low_ = 0x80;
      high_ = 0xbf;
      return true;
    }
    if (byte >= 0xc2 && byte <= 0xdf) {
      left_ = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
      left_ = 2;
      if (byte == 0xe0) low_ = 0xa0;
      if (byte == 0xed) high_ = 0x9f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      left_ = 3;
      if (byte == 0xf0) low_ = 0x90;
      if (byte == 0xf4) high_ = 0x8f;
    } else {
      return false;
    }
    return true;
  }

  std::uint8_t left_ = 0;  ///< bytes of the character that are still to come
  std::uint8_t low_ = 0x80;
  std::uint8_t high_ = 0xbf;
};

}  // namespace holdfast::net
