#pragma once

#include <array>
#include <cstring>
#include <string_view>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/ids.hpp>

namespace holdfast::sqlite {

[[nodiscard]] inline std::string_view id_bytes(const MessageId& id) noexcept {
  return {reinterpret_cast<const char*>(id.bytes().data()), id.bytes().size()};
}

[[nodiscard]] inline MessageId to_message_id(std::string_view bytes) noexcept {
  std::array<std::uint8_t, 16> out{};
  if (bytes.size() == out.size()) std::memcpy(out.data(), bytes.data(), out.size());
  return MessageId(out);
}

[[nodiscard]] inline Digest to_digest(std::string_view bytes) noexcept {
  Digest out{};
  if (bytes.size() == out.size()) std::memcpy(out.data(), bytes.data(), out.size());
  return out;
}

}  // namespace holdfast::sqlite
