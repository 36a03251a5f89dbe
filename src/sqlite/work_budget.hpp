#pragma once

#include <cstddef>
#include <cstdint>

#include <holdfast/base/assert.hpp>

namespace holdfast::sqlite {

/// Limits the work of a transaction beside its inserts. Sweeps, deletes and page reads spend it row
/// by row, and go on in a later transaction. So every commit waits for one budget at most. Weights
/// are roughly microseconds on a slow machine.
class WorkBudget {
 public:
  static constexpr std::int64_t kPerTransaction = 15'000;

  /// Returns the cost of an operation itself.
  [[nodiscard]] static constexpr std::int64_t of_call() { return 10; }
  [[nodiscard]] static constexpr std::int64_t of_look() { return 1; }
  [[nodiscard]] static constexpr std::int64_t of_read(std::int64_t payload_bytes) {
    return 3 + payload_bytes / 1'024;
  }
  [[nodiscard]] static constexpr std::int64_t of_erase(std::int64_t payload_bytes) {
    return 10 + payload_bytes / 512;
  }
  /// Returns the cost of removing a row from three trees.
  [[nodiscard]] static constexpr std::int64_t of_eviction(std::int64_t payload_bytes) {
    return 25 + payload_bytes / 512;
  }
  /// Returns the cost of moving a row from one tree into three.
  [[nodiscard]] static constexpr std::int64_t of_move(std::int64_t payload_bytes) {
    return 40 + payload_bytes / 100;
  }

  void refill() noexcept { left_ = kPerTransaction; }
  void spend(std::int64_t weight) noexcept {
    HOLDFAST_ASSERT(weight >= 0, "budget.only_shrinks");
    left_ -= weight;
  }
  /// Returns whether one more row may be taken. The last one may overdraw.
  [[nodiscard]] bool left() const noexcept { return left_ > 0; }
  /// Returns how many rows of this weight may be taken.
  [[nodiscard]] std::int64_t rows(std::int64_t weight) const noexcept {
    HOLDFAST_ASSERT(weight > 0, "budget.rows_weigh_something");
    return left_ > 0 ? (left_ + weight - 1) / weight : 0;
  }

 private:
  std::int64_t left_ = kPerTransaction;
};

}  // namespace holdfast::sqlite
