#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace holdfast {

/// Who sends messages: the scope of deduplication, and the account of what this access key has in
/// flight. One object per access key, shared by all shards. Any thread.
struct Caller {
  explicit Caller(std::string caller_id) : id(std::move(caller_id)) {}

  /// Whether one more request at `now_us` (steady) keeps to `per_second` with a second's worth at
  /// once; one that does is counted (the generic cell rate algorithm, ITU-T I.371).
  [[nodiscard]] bool keeps_to(std::uint32_t per_second, std::int64_t now_us) const noexcept {
    constexpr std::int64_t second_us = 1'000'000;
    const std::int64_t interval_us = std::max<std::int64_t>(1, second_us / per_second);
    std::int64_t expected = due_us.load(std::memory_order_relaxed);
    while (true) {
      const std::int64_t next = std::max(expected, now_us) + interval_us;
      if (next > now_us + std::max(second_us, interval_us)) return false;
      if (due_us.compare_exchange_weak(expected, next, std::memory_order_relaxed)) return true;
    }
  }

  std::string id;
  mutable std::atomic<std::uint32_t> in_flight{0};
  mutable std::atomic<std::int64_t> due_us{0};  ///< when the requests so far would be due
};
using CallerPtr = std::shared_ptr<const Caller>;

}  // namespace holdfast
