#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <holdfast/base/rate_limiter.hpp>

namespace holdfast {

/// Counts what the sender with one access key has in flight, and spends its rate. The id is also
/// the scope of deduplication. One object per access key, shared by all shards. Thread-safe.
struct SenderQuota {
  explicit SenderQuota(std::string sender_id) : id(std::move(sender_id)) {}

  /// Takes one request at `now_us` (steady) if the rate limit `per_second` allows it, with bursts
  /// of one second's worth. Returns whether it did.
  [[nodiscard]] bool try_take(std::uint32_t per_second, std::int64_t now_us) noexcept {
    const Rate rate = Rate::per_second(per_second, per_second);
    std::int64_t expected = due_us.load(std::memory_order_relaxed);
    while (true) {
      const auto next = rate.next_due(expected, now_us);
      if (!next) return false;
      if (due_us.compare_exchange_weak(expected, *next, std::memory_order_relaxed)) return true;
    }
  }

  const std::string id;
  std::atomic<std::uint32_t> in_flight{0};
  std::atomic<std::uint64_t> in_flight_bytes{0};  ///< of payloads
  std::atomic<std::int64_t> due_us{0};            ///< when the requests so far would be due
};
using SenderQuotaPtr = std::shared_ptr<SenderQuota>;

}  // namespace holdfast
