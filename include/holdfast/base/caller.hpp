#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <holdfast/base/rate_limiter.hpp>

namespace holdfast {

/// A sender of messages: the scope of deduplication, and the counters of what its access key has in
/// flight. One object per access key, shared by all shards. Thread-safe.
struct Caller {
  explicit Caller(std::string caller_id) : id(std::move(caller_id)) {}

  /// Takes one request at `now_us` (steady) if the rate limit `per_second` allows it, with bursts
  /// of one second's worth. Returns whether it did.
  [[nodiscard]] bool keeps_to(std::uint32_t per_second, std::int64_t now_us) const noexcept {
    const Rate rate = Rate::per_second(per_second, per_second);
    std::int64_t expected = due_us.load(std::memory_order_relaxed);
    while (true) {
      const auto next = rate.next_due(expected, now_us);
      if (!next) return false;
      if (due_us.compare_exchange_weak(expected, *next, std::memory_order_relaxed)) return true;
    }
  }

  std::string id;
  mutable std::atomic<std::uint32_t> in_flight{0};
  mutable std::atomic<std::uint64_t> in_flight_bytes{0};  ///< of payloads
  mutable std::atomic<std::int64_t> due_us{0};            ///< when the requests so far would be due
};
using CallerPtr = std::shared_ptr<const Caller>;

}  // namespace holdfast
