#pragma once

#include <cstdint>
#include <cstdlib>

#include <holdfast/base/clock.hpp>

namespace holdfast::delivery {

/// Whether the wall clock still runs beside the machine's own. When it was set by over a minute,
/// nothing is thrown away on its word until it is set back, or until the new time has held for ten
/// minutes: then that is the time. A suspended machine is no disagreement, both clocks ran on.
class ClockAgreement {
 public:
  ClockAgreement(WallTime wall, BootTime boot) noexcept : offset_us_(offset(wall, boot)) {}

  /// What the clocks show now. Ten minutes count while the process runs: one look before a
  /// suspension and one behind it would tell little of a time that held between them.
  void observe(WallTime wall, BootTime boot, SteadyTime steady) noexcept {
    const std::int64_t now_us = offset(wall, boot);
    if (near(now_us, offset_us_)) {
      agree_ = true;
    } else if (agree_ || !near(now_us, held_us_)) {
      agree_ = false;
      held_us_ = now_us;
      held_since_ = steady;
    } else if (steady - held_since_ >= kHold) {
      rebased_by_us_ = now_us - offset_us_;
      offset_us_ = now_us;
      agree_ = true;
      ++rebased_;
    }
  }

  [[nodiscard]] bool agree() const noexcept { return agree_; }
  /// How often another time was taken for the right one.
  [[nodiscard]] std::uint32_t rebased() const noexcept { return rebased_; }
  /// By how much, the last time.
  [[nodiscard]] Microseconds rebased_by() const noexcept { return Microseconds(rebased_by_us_); }

 private:
  static constexpr Seconds kTolerance{60};
  static constexpr Seconds kHold{600};

  static std::int64_t offset(WallTime wall, BootTime boot) noexcept {
    return wall.time_since_epoch().count() - boot.time_since_epoch().count();
  }
  static bool near(std::int64_t a_us, std::int64_t b_us) noexcept {
    return std::llabs(a_us - b_us) <= Microseconds(kTolerance).count();
  }

  std::int64_t offset_us_;
  std::int64_t held_us_ = 0;  ///< what the clocks show since `held_since_`, while they disagree
  std::int64_t rebased_by_us_ = 0;
  SteadyTime held_since_;
  std::uint32_t rebased_ = 0;
  bool agree_ = true;
};

}  // namespace holdfast::delivery
