#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>

namespace holdfast::delivery {

/// By how much the wall clock is ahead of the machine's own, and which of that is the same time.
class ClockOffset {
 public:
  ClockOffset(WallTime wall, BootTime boot) noexcept
      : us_(wall.time_since_epoch().count() - boot.time_since_epoch().count()) {}

  /// Returns whether two offsets differ by a minute at most: no step, but a clock that is set
  /// right.
  [[nodiscard]] bool near(ClockOffset other) const noexcept {
    return std::llabs(us_ - other.us_) <= Microseconds(kTolerance).count();
  }
  [[nodiscard]] Microseconds operator-(ClockOffset other) const noexcept {
    return Microseconds(us_ - other.us_);
  }

  static constexpr Seconds kTolerance{60};

 private:
  std::int64_t us_;
};

/// Decides if the wall clock can be believed. When it was set by over a minute beside the machine's
/// own, nothing is thrown away on its word until it is set back, or until the new time has held for
/// ten minutes: then that is the time. So it is with a start under a time that is not known to be
/// right. A suspended machine is no disagreement, both clocks ran on.
class ClockAgreement {
 public:
  /// Limits how far a clock has come since the instance knew the time last, for its word to be
  /// taken at once.
  static constexpr Seconds kUnseen{600};

  /// `known` is what the instance last believed, before this start; nullopt when it never did.
  ClockAgreement(WallTime wall, BootTime boot, SteadyTime steady,
                 std::optional<WallTime> known = {}) noexcept
      : offset_(wall, boot), shown_(offset_), shown_since_(steady) {
    proven_ = !known || (wall >= *known - ClockOffset::kTolerance && wall <= *known + kUnseen);
    agree_ = proven_;
  }

  /// Takes in the clocks' present times. Ten minutes count while the process runs: one look before
  /// a suspension and one behind it would tell little of a time that held between them.
  void observe(WallTime wall, BootTime boot, SteadyTime steady) noexcept {
    const ClockOffset now(wall, boot);
    if (proven_ && now.near(offset_)) {
      agree_ = true;
    } else if (agree_ || !now.near(shown_)) {
      agree_ = false;
      shown_ = now;
      shown_since_ = steady;
    } else if (steady - shown_since_ >= kHold) {
      if (!now.near(offset_)) {
        rebased_by_ = now - offset_;
        ++rebased_;
      }
      offset_ = now;
      proven_ = true;
      agree_ = true;
    }
  }

  [[nodiscard]] bool agree() const noexcept { return agree_; }
  /// The time at the start, or one that has held since, has been believed.
  [[nodiscard]] bool proven() const noexcept { return proven_; }
  /// The clock was set while this process ran, and neither time is believed now.
  [[nodiscard]] bool stepped() const noexcept { return !agree_ && !shown_.near(offset_); }
  /// Counts how often another time was taken for the right one.
  [[nodiscard]] std::uint32_t rebased() const noexcept { return rebased_; }
  /// By how much, the last time.
  [[nodiscard]] Microseconds rebased_by() const noexcept { return rebased_by_; }

 private:
  static constexpr Seconds kHold{600};

  ClockOffset offset_;  ///< believed, or shown at the start
  ClockOffset shown_;   ///< shown since `shown_since_`, while the clocks disagree
  SteadyTime shown_since_;
  Microseconds rebased_by_{0};
  std::uint32_t rebased_ = 0;
  bool proven_ = true;
  bool agree_ = true;
};

/// Messages in (above, up_to] were accepted by a time that was wrong by this.
struct AcceptedWrong {
  Sequence above = 0;
  Sequence up_to = 0;
  Microseconds by{0};  ///< to be added to their times
};

/// By which time a shard's messages were accepted: numbers rise whatever the clock does, and so
/// tell it.
class AcceptanceTimes {
 public:
  AcceptanceTimes(Sequence above, ClockOffset offset) : spans_{{above, offset}} {}

  /// The clocks show this from here on, and `newest` is the last number given out.
  void observe(ClockOffset now, Sequence newest) {
    Span& last = spans_.back();
    if (now.near(last.offset)) return;
    if (last.above == newest) {
      last.offset = now;  // nothing was accepted by it
    } else if (spans_.size() < kSpans) {
      spans_.push_back({newest, now});
    } else {
      // A clock that is set again and again: what came by the older of these times goes by the
      // newer.
      spans_.erase(spans_.end() - 2);
      spans_.back() = {spans_.back().above, now};
    }
  }
  /// This one is believed: answers what was accepted by others, and knows it as set right.
  [[nodiscard]] std::vector<AcceptedWrong> settle(ClockOffset right, Sequence newest) {
    std::vector<AcceptedWrong> out;
    for (std::size_t i = 0; i < spans_.size(); ++i) {
      const Sequence up_to = i + 1 < spans_.size() ? spans_[i + 1].above : newest;
      if (spans_[i].offset.near(right) || spans_[i].above >= up_to) continue;
      out.push_back({spans_[i].above, up_to, right - spans_[i].offset});
    }
    spans_ = {{spans_.front().above, right}};
    return out;
  }

 private:
  static constexpr std::size_t kSpans = 32;

  struct Span {
    Sequence above;
    ClockOffset offset;
  };
  std::vector<Span> spans_;  ///< never empty
};

}  // namespace holdfast::delivery
