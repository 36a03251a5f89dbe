#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast {

/// The name of a metric, one sentence of help, and the names of its labels. Declare it beside the
/// code that counts. All are literals: only the pointers are kept.
struct MetricFamily {
  const char* name;
  const char* help;
  std::array<const char*, 2> labels{};  ///< null: none
};

enum class MetricType : std::uint8_t { counter, gauge, histogram };

/// Name and value of each label, in the order in which they are shown. No value may be a client's
/// text.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// Inclusive upper limits of a histogram, rising. The last range, above all limits, has none.
template <std::size_t Count>
struct Buckets {
  std::array<std::int64_t, Count> limits;
  /// Recorded units in one unit of the metric: 1e6 for microseconds and seconds.
  double unit = 1;
};

/// Microseconds per second.
inline constexpr double kMicrosPerSecond = 1e6;
/// Durations below a second: microseconds, from 100 µs to a minute.
inline constexpr Buckets<18> kLatencyBuckets{
    .limits = {100, 250, 500, 1'000, 2'500, 5'000, 10'000, 25'000, 50'000, 100'000, 250'000,
               500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000},
    .unit = kMicrosPerSecond};
/// Waits for people: microseconds, from a second to two weeks.
inline constexpr Buckets<10> kWaitBuckets{
    .limits = {1'000'000, 10'000'000, 60'000'000, 600'000'000, 3'600'000'000, 21'600'000'000,
               86'400'000'000, 259'200'000'000, 604'800'000'000, 1'209'600'000'000},
    .unit = kMicrosPerSecond};
/// Sizes of batches.
inline constexpr Buckets<13> kBatchBuckets{
    .limits = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1'024, 2'048, 4'096}};

/// The numbers of a histogram at one moment.
struct HistogramReading {
  std::span<const std::int64_t> limits;  ///< of `Buckets`, which is static
  double unit = 1;
  std::vector<std::uint64_t> counts;  ///< by range, not cumulative: one more than limits
  std::uint64_t sum = 0;              ///< in recorded units

  HistogramReading& operator+=(const HistogramReading& other);
  [[nodiscard]] std::uint64_t count() const noexcept;
};

/// A value of a series; nullopt leaves the series out.
using MetricReading = std::variant<double, HistogramReading>;
using MetricReader = std::function<std::optional<MetricReading>()>;

/// Gathers the families of all modules for one answer, and sums series of the same labels, which
/// several shards have. One thread.
class MetricCollector {
 public:
  struct Series {
    MetricLabels labels;
    MetricReading value;
  };
  struct Family {
    MetricFamily declared;
    MetricType type{};
    std::vector<Series> series;
  };

  MetricCollector() = default;
  MetricCollector(const MetricCollector&) = delete;
  MetricCollector& operator=(const MetricCollector&) = delete;

  /// Returns the family of this name, new if need be.
  Family& family(const MetricFamily& declared, MetricType type);
  /// Adds a series, or adds its value to the series that has the same labels.
  void add(const MetricFamily& declared, MetricType type, MetricLabels labels, MetricReading value);

  /// In the order in which they came.
  [[nodiscard]] const std::deque<Family>& families() const noexcept { return families_; }
  /// Returns the sum of a family's series that have all of `labels`; 0 if there is none.
  [[nodiscard]] double sum(std::string_view name, const MetricLabels& labels = {}) const;

 private:
  std::deque<Family> families_;
  std::unordered_map<std::string_view, Family*> by_name_;
};

/// The series of one owner, such as a shard's mailboxes or a listener. A struct of an owner's
/// metrics derives from it, and its members register themselves; so each is declared in one place.
class MetricSet {
 public:
  MetricSet() = default;
  MetricSet(const MetricSet&) = delete;
  MetricSet& operator=(const MetricSet&) = delete;

  /// Registers a series. `values` are those of the family's labels, in their order. `read` runs on
  /// the thread that collects, at any time, so it may touch only what any thread may read. Before
  /// the first `collect`, on the owner's thread.
  void add(MetricType type, const MetricFamily& family, std::initializer_list<std::string> values,
           MetricReader read);
  /// Reads all series into `out`, with the labels `common` before their own. Any thread.
  void collect(MetricCollector& out, const MetricLabels& common = {}) const;

 private:
  struct Entry {
    MetricFamily family;
    MetricType type;
    MetricLabels labels;
    MetricReader read;
  };
  std::vector<Entry> entries_;
};

/// A number that rises. One thread adds to it, and any thread reads it. Adding is as cheap as on a
/// plain integer.
class Counter {
 public:
  /// Belongs to no family: for sums of others, and for numbers that no metric shows.
  Counter() = default;
  /// Shows itself as a series of `family`.
  Counter(MetricSet& set, const MetricFamily& family,
          std::initializer_list<std::string> values = {});

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

/// A number that rises and falls. One thread sets it, and any thread reads it.
class Gauge {
 public:
  Gauge(MetricSet& set, const MetricFamily& family, std::initializer_list<std::string> values = {});

  /// Only for the writing thread.
  void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  /// Only for the writing thread.
  void add(std::int64_t n) noexcept { set(read() + n); }
  /// Any thread.
  [[nodiscard]] std::int64_t read() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// A counter for each value of an enumeration, which is the family's label. `Last` is the greatest
/// value.
template <class Reason, Reason Last = Reason::last>
class CounterBy {
 public:
  static constexpr std::size_t kReasons = static_cast<std::size_t>(Last) + 1;

  /// `name` gives the label of a value.
  CounterBy(MetricSet& set, const MetricFamily& family, const char* (*name)(Reason)) {
    for (std::size_t i = 0; i < kReasons; ++i) {
      set.add(MetricType::counter, family, {name(static_cast<Reason>(i))},
              [&counter = counters_[i]] { return static_cast<double>(counter.read()); });
    }
  }

  /// Adds one. Only for the writing thread.
  void add(Reason reason) noexcept { counters_[static_cast<std::size_t>(reason)].add(); }
  /// Any thread.
  [[nodiscard]] std::uint64_t read(Reason reason) const noexcept {
    return counters_[static_cast<std::size_t>(reason)].read();
  }

 private:
  std::array<Counter, kReasons> counters_;
};

/// Counts values by range and keeps their sum. One thread records, and any thread reads. A reader
/// may see a value's count before its sum.
template <const auto& Ranges>
class Histogram {
 public:
  static constexpr std::size_t kRanges = Ranges.limits.size() + 1;

  Histogram() = default;
  Histogram(MetricSet& set, const MetricFamily& family) {
    set.add(MetricType::histogram, family, {}, [this] { return MetricReading(read()); });
  }

  /// Records a value. Values below zero count as zero, because clocks may step. Only for the
  /// writing thread.
  void record(std::int64_t value) noexcept {
    value = std::max<std::int64_t>(value, 0);
    counts_[range_of(value)].add();
    sum_.add(static_cast<std::uint64_t>(value));
  }
  /// Returns the range of a value that is not below zero.
  [[nodiscard]] static std::size_t range_of(std::int64_t value) noexcept {
    return static_cast<std::size_t>(std::ranges::lower_bound(Ranges.limits, value) -
                                    Ranges.limits.begin());
  }
  /// Any thread.
  [[nodiscard]] HistogramReading read() const {
    HistogramReading out{.limits = Ranges.limits, .unit = Ranges.unit, .counts = {}, .sum = 0};
    for (const Counter& count : counts_) out.counts.push_back(count.read());
    out.sum = sum_.read();
    return out;
  }

 private:
  std::array<Counter, kRanges> counts_;
  Counter sum_;
};

using LatencyHistogram = Histogram<kLatencyBuckets>;
using WaitHistogram = Histogram<kWaitBuckets>;
using BatchHistogram = Histogram<kBatchBuckets>;

}  // namespace holdfast
