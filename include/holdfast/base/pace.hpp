#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace holdfast {

/// Whether one more at `now_us` (steady) keeps to `per_second` with `burst` at once, given when
/// those so far would be due (0: there were none): when it would be due itself, to be remembered;
/// nullopt when it comes too early (the generic cell rate algorithm, ITU-T I.371).
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
