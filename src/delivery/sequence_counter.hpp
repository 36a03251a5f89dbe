#pragma once

#include <optional>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>

namespace holdfast::delivery {

/// Unix microseconds made strictly increasing, never above a ceiling that is committed: so that no
/// restart and no step of the clock brings a number back.
class SequenceCounter {
 public:
  SequenceCounter(Sequence start, Sequence ceiling, Seconds ahead) noexcept
      : last_(start), ceiling_(ceiling), ahead_us_(Microseconds(ahead).count()) {}

  /// nullopt while the ceiling is reached.
  [[nodiscard]] std::optional<Sequence> next(WallTime now) noexcept {
    const Sequence wall = unix_micros(now);
    // A clock beyond the ceiling is not followed: one number at a time there is room for millions.
    const Sequence candidate = wall > last_ && wall <= ceiling_ ? wall : last_ + 1;
    if (candidate > ceiling_) return std::nullopt;
    HOLDFAST_ASSERT(candidate > last_, "sequence.rises");
    last_ = candidate;
    return candidate;
  }
  /// The ceiling to ask the store for, when it is time and none was asked for yet.
  [[nodiscard]] std::optional<Sequence> extension(WallTime now) noexcept {
    const Sequence base = last_ > unix_micros(now) ? last_ : unix_micros(now);
    if (asked_ || ceiling_ - base >= ahead_us_ / 2) return std::nullopt;
    asked_ = true;
    return base + ahead_us_;
  }
  void extended(bool committed, Sequence ceiling) noexcept {
    asked_ = false;
    if (committed && ceiling > ceiling_) ceiling_ = ceiling;
  }
  /// The last number given out, or where the counter started.
  [[nodiscard]] Sequence last() const noexcept { return last_; }

 private:
  Sequence last_;
  Sequence ceiling_;
  std::int64_t ahead_us_;
  bool asked_ = false;
};

}  // namespace holdfast::delivery
