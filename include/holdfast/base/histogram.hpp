#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace holdfast {

/// A number that one thread adds to and any thread reads. Adding is as cheap as on a plain integer.
class Tally {
 public:
  /// Adds `n`. Only for the writing thread.
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  /// Any thread.
  [[nodiscard]] std::uint64_t read() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Counts values by range and keeps their sum. `Bounds` is a constant array of rising, inclusive
/// upper limits; values above the last have their own range. Values below zero count as zero,
/// because clocks may step. Not thread-safe.
template <const auto& Bounds>
class Histogram {
 public:
  static constexpr std::size_t kRanges = Bounds.size() + 1;
  using Counts = std::array<std::uint64_t, kRanges>;

  Histogram() = default;
  Histogram(const Counts& counts, std::uint64_t sum) noexcept : counts_(counts), sum_(sum) {}

  /// The range of a value that is not below zero.
  [[nodiscard]] static std::size_t range_of(std::int64_t value) noexcept {
    return static_cast<std::size_t>(std::ranges::lower_bound(Bounds, value) - Bounds.begin());
  }

  void record(std::int64_t value) noexcept {
    value = std::max<std::int64_t>(value, 0);
    ++counts_[range_of(value)];
    sum_ += static_cast<std::uint64_t>(value);
  }
  Histogram& operator+=(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kRanges; ++i) counts_[i] += other.counts_[i];
    sum_ += other.sum_;
    return *this;
  }

  /// By range, not cumulative.
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }
  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t out = 0;
    for (const std::uint64_t n : counts_) out += n;
    return out;
  }
  [[nodiscard]] static constexpr const auto& bounds() noexcept { return Bounds; }

  bool operator==(const Histogram&) const = default;

 private:
  Counts counts_{};
  std::uint64_t sum_ = 0;
};

/// A histogram that one thread writes and any thread reads. A reader may see a value's count before
/// its sum.
template <const auto& Bounds>
class HistogramTally {
 public:
  /// Adds a value. Only for the writing thread.
  void record(std::int64_t value) noexcept {
    value = std::max<std::int64_t>(value, 0);
    counts_[Histogram<Bounds>::range_of(value)].add();
    sum_.add(static_cast<std::uint64_t>(value));
  }
  /// Any thread.
  [[nodiscard]] Histogram<Bounds> read() const noexcept {
    typename Histogram<Bounds>::Counts counts{};
    std::ranges::transform(counts_, counts.begin(), &Tally::read);
    return {counts, sum_.read()};
  }

 private:
  std::array<Tally, Histogram<Bounds>::kRanges> counts_;
  Tally sum_;
};

/// Limits for durations below a second: microseconds, from 100 µs to a minute.
inline constexpr std::array<std::int64_t, 18> kLatencyBounds{
    100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,     50'000,
    100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};
/// Limits for waits for people: microseconds, from a second to two weeks.
inline constexpr std::array<std::int64_t, 10> kWaitBounds{
    1'000'000,      10'000'000,     60'000'000,      600'000'000,     3'600'000'000,
    21'600'000'000, 86'400'000'000, 259'200'000'000, 604'800'000'000, 1'209'600'000'000};
/// Limits for the sizes of batches.
inline constexpr std::array<std::int64_t, 13> kBatchBounds{1,   2,   4,   8,     16,    32,   64,
                                                           128, 256, 512, 1'024, 2'048, 4'096};

/// Microseconds per second.
inline constexpr double kMicrosPerSecond = 1e6;

using LatencyHistogram = Histogram<kLatencyBounds>;
using WaitHistogram = Histogram<kWaitBounds>;
using BatchHistogram = Histogram<kBatchBounds>;

}  // namespace holdfast
