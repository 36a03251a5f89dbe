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
  /// Multiplies an insert's payload for the room that it takes; its row costs extra.
  std::int64_t copies = 1;
  std::int64_t row_bytes = 0;
};

/// Counts the slots of a store's bounded queue. Outlives the store, because a reservation may be
/// returned at any time. Any thread.
class Slots {
 public:
  explicit Slots(SlotLimits limits) : limits_(limits), database_bytes_max_(limits.database_bytes) {}

  [[nodiscard]] static std::optional<delivery::Reservation> reserve(
      const std::shared_ptr<Slots>& slots, std::size_t payload_bytes);
  [[nodiscard]] std::size_t taken() const noexcept { return taken_.load(kRelaxed); }
  [[nodiscard]] const SlotLimits& limits() const noexcept { return limits_; }
  /// Sets the size of the database, which is compared with its limit.
  void set_database_bytes(std::int64_t bytes) noexcept { database_bytes_.store(bytes, kRelaxed); }
  /// Returns the limit of the database; 0: none.
  [[nodiscard]] std::int64_t database_bytes_max() const noexcept {
    return database_bytes_max_.load(kRelaxed);
  }
  void set_database_bytes_max(std::int64_t bytes) noexcept {
    database_bytes_max_.store(bytes, kRelaxed);
  }
  static constexpr std::int64_t kAnyRoom = INT64_MAX;
  /// Sets the bytes that the disk has room for, including the rows' own cost.
  void set_room(std::int64_t bytes) noexcept { room_.store(bytes, kRelaxed); }
  /// Refuses all reservations from now on.
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
