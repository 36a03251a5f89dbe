#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <holdfast/base/clock.hpp>

namespace holdfast {

/// A string that is an id of one kind: ids of two kinds do not mix.
template <class Tag>
class StringId {
 public:
  StringId() = default;
  explicit StringId(std::string value) : value_(std::move(value)) {}

  [[nodiscard]] const std::string& str() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  friend auto operator<=>(const StringId&, const StringId&) = default;

 private:
  std::string value_;
};

/// Whose message it is: 1 to 128 bytes of UTF-8, known to the user pool or not.
using UserId = StringId<struct UserIdTag>;
/// One WebSocket: unpadded base64url.
using ConnectionId = StringId<struct ConnectionIdTag>;

/// Order of acceptance: unix microseconds made strictly increasing. Exact in a JavaScript number.
using Sequence = std::int64_t;

/// A UUID version 7 (RFC 9562 section 5.7); version 8 for a message with a deduplicationId.
class MessageId {
 public:
  MessageId() = default;
  explicit MessageId(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}

  /// A new one for this moment. Any thread.
  [[nodiscard]] static MessageId generate(WallTime now);

  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
  /// The moment in it, to the millisecond: when it was generated, or for a derived one when the
  /// window of its deduplicationId began.
  [[nodiscard]] WallTime made_at() const noexcept;
  /// It follows from a deduplicationId.
  [[nodiscard]] bool is_derived() const noexcept { return bytes_[6] >> 4 == 8; }
  /// 36 characters, lower case.
  [[nodiscard]] std::string str() const;
  /// Writes the 36 characters of `str()` without a terminator.
  void write(char* out) const noexcept;
  friend auto operator<=>(const MessageId&, const MessageId&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

/// A random UUID (version 4) as text: request ids, token ids, user ids.
[[nodiscard]] std::string generate_uuid();
/// A new connection id: 16 base64url characters.
[[nodiscard]] ConnectionId generate_connection_id();

}  // namespace holdfast

template <class Tag>
struct std::hash<holdfast::StringId<Tag>> {
  std::size_t operator()(const holdfast::StringId<Tag>& id) const noexcept {
    return std::hash<std::string_view>{}(id.str());
  }
};
template <>
struct std::hash<holdfast::MessageId> {
  std::size_t operator()(const holdfast::MessageId& id) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(id.bytes().data()), id.bytes().size()});
  }
};
