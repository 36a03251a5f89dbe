#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace holdfast {

/// A number of events in a time, and how many of them may come at once.
struct Rate {
  std::int64_t interval_us = 1;  ///< between two, when they are even; at least 1
  std::int64_t burst = 1;        ///< at once; at least 1

  /// `count` of 1 or more in a second, `burst` at once.
  [[nodiscard]] static constexpr Rate per_second(std::uint32_t count,
                                                 std::uint32_t burst) noexcept {
    return per_period(1'000'000, count, burst);
  }
  /// `count` of 1 or more in a period, a period's worth at once.
  [[nodiscard]] static constexpr Rate per_period(std::int64_t period_us,
                                                 std::uint32_t count) noexcept {
    return per_period(period_us, count, count);
  }

  /// Checks one more event at `now_us` (steady). `due_us` is the result of the last allowed event,
  /// 0 before the first. Returns the value to keep for the next check; nullopt if the event comes
  /// too early.
  [[nodiscard]] constexpr std::optional<std::int64_t> next_due(std::int64_t due_us,
                                                               std::int64_t now_us) const noexcept {
    const std::int64_t next = std::max(due_us, now_us) + interval_us;
    if (next > now_us + interval_us * burst) return std::nullopt;
    return next;
  }

 private:
  [[nodiscard]] static constexpr Rate per_period(std::int64_t period_us, std::uint32_t count,
                                                 std::uint32_t burst) noexcept {
    return {.interval_us = std::max<std::int64_t>(1, period_us / count),
            .burst = std::max<std::int64_t>(1, burst)};
  }
};

/// Keeps one sender to a rate (the generic cell rate algorithm, ITU-T I.371). The rate is given at
/// each call, so that it may change. One thread at a time.
class RateLimiter {
 public:
  /// Counts one more event at `now_us` (steady) if it keeps to the rate. Returns whether it does.
  [[nodiscard]] constexpr bool try_take(const Rate& rate, std::int64_t now_us) noexcept {
    const auto next = rate.next_due(due_us_, now_us);
    if (next) due_us_ = *next;
    return next.has_value();
  }
  /// Takes the last event back, because it did not happen.
  constexpr void give_back(const Rate& rate) noexcept { due_us_ -= rate.interval_us; }
  /// Returns when the events so far are due: from then on, none of them counts.
  [[nodiscard]] constexpr std::int64_t due_us() const noexcept { return due_us_; }

 private:
  std::int64_t due_us_ = 0;
};

}  // namespace holdfast
