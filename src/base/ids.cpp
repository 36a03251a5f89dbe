// Makes message ids and UUIDs, and writes them as text.

#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>

namespace holdfast {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void write_uuid(const std::array<std::uint8_t, 16>& bytes, char* out) noexcept {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = kHex[bytes[i] >> 4];
    *out++ = kHex[bytes[i] & 15];
  }
}

void set_version(std::array<std::uint8_t, 16>& bytes, std::uint8_t version) noexcept {
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | (version << 4));
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
}

}  // namespace

MessageId MessageId::generate(WallTime now) {
  std::array<std::uint8_t, 16> bytes;
  identifier_bytes(bytes);
  const auto millis = static_cast<std::uint64_t>(unix_millis(now));
  for (std::size_t i = 0; i < 6; ++i) {
    bytes[i] = static_cast<std::uint8_t>(millis >> (8 * (5 - i)));
  }
  set_version(bytes, 7);
  return MessageId(bytes);
}

WallTime MessageId::made_at() const noexcept {
  std::int64_t millis = 0;
  for (std::size_t i = 0; i < 6; ++i) millis = millis << 8 | bytes_[i];
  return wall_from_micros(millis * 1'000);
}

std::string MessageId::str() const {
  std::string out(36, '\0');
  write(out.data());
  return out;
}

void MessageId::write(char* out) const noexcept { write_uuid(bytes_, out); }

std::string generate_uuid() {
  std::array<std::uint8_t, 16> bytes;
  identifier_bytes(bytes);
  set_version(bytes, 4);
  std::string out(36, '\0');
  write_uuid(bytes, out.data());
  return out;
}

ConnectionId generate_connection_id() {
  // Command lines take a word with `-` in front for an option: `aws … --connection-id -x`.
  std::string id = base64url_encode(random_string(12));
  while (id.starts_with('-')) id = base64url_encode(random_string(12));
  return ConnectionId(std::move(id));
}

}  // namespace holdfast
