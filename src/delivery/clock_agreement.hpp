#pragma once

#include <cstdlib>

#include <holdfast/base/clock.hpp>

namespace holdfast::delivery {

/// Whether the wall clock still runs beside the steady one. While they have drifted apart by over a
/// minute nothing is thrown away on the word of a clock that was set.
class ClockAgreement {
 public:
  ClockAgreement(WallTime wall, SteadyTime steady) noexcept : offset_us_(offset(wall, steady)) {}

  [[nodiscard]] bool agree(WallTime wall, SteadyTime steady) const noexcept {
    return std::llabs(offset(wall, steady) - offset_us_) <= Microseconds(kTolerance).count();
  }

 private:
  static constexpr Seconds kTolerance{60};

  static std::int64_t offset(WallTime wall, SteadyTime steady) noexcept {
    return wall.time_since_epoch().count() - steady.time_since_epoch().count();
  }

  std::int64_t offset_us_;
};

}  // namespace holdfast::delivery
