#pragma once

#include <cstddef>
#include <cstdint>

#include <holdfast/base/assert.hpp>

namespace holdfast::sqlite {

/// What a transaction may still do beside its inserts. Sweeps, deletes and page reads spend it row
/// by row and go on in a later transaction, so that however much there is to do, everybody's next
/// commit waits for one budget of it. Weights are about microseconds of a slow machine.
class WorkBudget {
 public:
  static constexpr std::int64_t kPerTransaction = 15'000;

  /// An operation itself, whatever it finds.
  [[nodiscard]] static constexpr std::int64_t of_call() { return 10; }
  [[nodiscard]] static constexpr std::int64_t of_look() { return 1; }
  [[nodiscard]] static constexpr std::int64_t of_read(std::int64_t payload_bytes) {
    return 3 + payload_bytes / 1'024;
  }
  [[nodiscard]] static constexpr std::int64_t of_erase(std::int64_t payload_bytes) {
    return 10 + payload_bytes / 512;
  }
  /// Out of three trees.
  [[nodiscard]] static constexpr std::int64_t of_eviction(std::int64_t payload_bytes) {
    return 25 + payload_bytes / 512;
  }
  /// Out of one tree and into three.
  [[nodiscard]] static constexpr std::int64_t of_move(std::int64_t payload_bytes) {
    return 40 + payload_bytes / 100;
  }

  void refill() noexcept { left_ = kPerTransaction; }
  void spend(std::int64_t weight) noexcept {
    HOLDFAST_ASSERT(weight >= 0, "budget.only_shrinks");
    left_ -= weight;
  }
  /// Whether one more row may be taken: the last one may overdraw.
  [[nodiscard]] bool left() const noexcept { return left_ > 0; }
  /// How many rows of this weight may be taken.
  [[nodiscard]] std::int64_t rows(std::int64_t weight) const noexcept {
    HOLDFAST_ASSERT(weight > 0, "budget.rows_weigh_something");
    return left_ > 0 ? (left_ + weight - 1) / weight : 0;
  }

 private:
  std::int64_t left_ = kPerTransaction;
};

}  // namespace holdfast::sqlite
