#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <holdfast/delivery/message_store.hpp>

namespace holdfast::storage {

struct SlotLimits {
  std::size_t slots = 0;            ///< inserts and records
  std::size_t payload_bytes = 0;    ///< of inserts and records
  std::int64_t database_bytes = 0;  ///< 0: no limit
  /// What an insert takes of the room: its payload so many times, and this for its row.
  std::int64_t copies = 1;
  std::int64_t row_bytes = 0;
};

/// Slots of a store's bounded queue. Outlives the store: a reservation may be given back at any
/// time. Any thread.
class Slots {
 public:
  explicit Slots(SlotLimits limits) : limits_(limits), database_bytes_max_(limits.database_bytes) {}

  [[nodiscard]] static std::optional<delivery::Reservation> reserve(
      const std::shared_ptr<Slots>& slots, std::size_t payload_bytes);
  [[nodiscard]] std::size_t taken() const noexcept { return taken_.load(kRelaxed); }
  [[nodiscard]] const SlotLimits& limits() const noexcept { return limits_; }
  /// What the database takes now, compared with its limit.
  void set_database_bytes(std::int64_t bytes) noexcept { database_bytes_.store(bytes, kRelaxed); }
  /// That limit; 0: none.
  [[nodiscard]] std::int64_t database_bytes_max() const noexcept {
    return database_bytes_max_.load(kRelaxed);
  }
  void set_database_bytes_max(std::int64_t bytes) noexcept {
    database_bytes_max_.store(bytes, kRelaxed);
  }
  static constexpr std::int64_t kAnyRoom = INT64_MAX;
  /// What there is room for, the rows' own cost included.
  void set_room(std::int64_t bytes) noexcept { room_.store(bytes, kRelaxed); }
  /// No more from now on.
  void close() noexcept { closed_.store(true, kRelaxed); }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;

  const SlotLimits limits_;
  std::atomic<std::size_t> taken_{0};
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::int64_t> database_bytes_{0};
  std::atomic<std::int64_t> database_bytes_max_;
  std::atomic<std::int64_t> room_{kAnyRoom};
  std::atomic<bool> closed_{false};
};

}  // namespace holdfast::storage
