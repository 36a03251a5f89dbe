#pragma once

#include <atomic>

#include <holdfast/base/clock.hpp>

namespace holdfast::test {

/// A clock that stands still until it is told otherwise. Any thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t wall_us = 1'769'076'000'000'000) : wall_us_(wall_us) {}

  WallTime wall_now() const override { return wall_from_micros(wall_us_); }
  SteadyTime steady_now() const override { return SteadyTime(Microseconds(steady_us_)); }
  BootTime boot_now() const override { return BootTime(Microseconds(boot_us_)); }

  /// Time passes.
  void advance(Microseconds by) {
    wall_us_ += by.count();
    steady_us_ += by.count();
    boot_us_ += by.count();
  }
  /// Time passes while the machine is suspended, which the steady clock does not notice.
  void suspend(Microseconds by) {
    wall_us_ += by.count();
    boot_us_ += by.count();
  }
  /// The wall clock is set, which the others do not notice.
  void step_wall(Microseconds by) { wall_us_ += by.count(); }

 private:
  std::atomic<std::int64_t> wall_us_;
  std::atomic<std::int64_t> steady_us_{1'000'000'000};
  std::atomic<std::int64_t> boot_us_{5'000'000'000};
};

}  // namespace holdfast::test
