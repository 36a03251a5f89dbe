#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace holdfast {

/// Checks one more event at `now_us` (steady) against the rate `per_second` with bursts of `burst`.
/// `due_us` is the result of the last allowed event, 0 before the first. Returns the value to keep
/// for the next check, or nullopt if the event comes too early. This is the generic cell rate
/// algorithm (ITU-T I.371).
[[nodiscard]] constexpr std::optional<std::int64_t> paced(std::int64_t due_us,
                                                          std::uint32_t per_second,
                                                          std::uint32_t burst,
                                                          std::int64_t now_us) noexcept {
  constexpr std::int64_t second_us = 1'000'000;
  const std::int64_t interval_us = std::max<std::int64_t>(1, second_us / per_second);
  const std::int64_t next = std::max(due_us, now_us) + interval_us;
  if (next > now_us + interval_us * std::max<std::int64_t>(1, burst)) return std::nullopt;
  return next;
}

}  // namespace holdfast
