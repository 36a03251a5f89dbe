#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

/// The longest lifetime that a message may bring.
inline constexpr Seconds kTtlMax{14 * 24 * 3600};

/// The limits of one message, whichever way it comes in.
struct SendLimits {
  std::size_t message_bytes = 128 << 10;
  Seconds ttl = kTtlMax;
};

enum class SendField : std::uint8_t { user_id, message, deduplication_id, ttl };
/// `userId`, `message`, `deduplicationId`, `ttlSeconds`.
[[nodiscard]] std::string_view name_of(SendField field) noexcept;

/// A rule that a message breaks.
struct SendFault {
  SendField field = SendField::user_id;
  bool too_long = false;  ///< the message is over its limit, and all else is well
  std::string rule;       ///< `must have 1 to 128 bytes`
};

/// Checks a user's id. Returns the rule that it breaks; nullopt: none.
[[nodiscard]] std::optional<std::string> check_user_id(std::string_view id);
/// Checks one message. The texts are taken for UTF-8. Returns the first fault; nullopt: none.
[[nodiscard]] std::optional<SendFault> check(const SendRequest& request, const SendLimits& limits);

}  // namespace holdfast::delivery
