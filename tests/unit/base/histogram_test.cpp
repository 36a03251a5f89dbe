// Tests counters and histograms.

#include <algorithm>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/histogram.hpp>

namespace holdfast {
namespace {

using testing::ElementsAre;

constexpr std::array<std::int64_t, 3> kFewBounds{10, 20, 40};
using FewHistogram = Histogram<kFewBounds>;

TEST(Histogram, CountsAValueInTheFirstRangeWhoseBoundItDoesNotPass) {
  FewHistogram histogram;
  for (const int value : {0, 10, 11, 20, 21, 40, 41, 1'000}) histogram.record(value);
  EXPECT_THAT(histogram.counts(), ElementsAre(2, 2, 2, 2));
  EXPECT_EQ(histogram.count(), 8U);
  EXPECT_EQ(histogram.sum(), 1'143U);
}

TEST(Histogram, TakesWhatAStepOfTheClockMadeNegativeForZero) {
  FewHistogram histogram;
  histogram.record(-5);
  EXPECT_THAT(histogram.counts(), ElementsAre(1, 0, 0, 0));
  EXPECT_EQ(histogram.sum(), 0U);
}

TEST(Histogram, AddsUp) {
  FewHistogram sum;
  sum.record(1);
  FewHistogram more;
  more.record(15);
  more.record(99);
  sum += more;
  sum += FewHistogram();
  EXPECT_THAT(sum.counts(), ElementsAre(1, 1, 0, 1));
  EXPECT_EQ(sum.sum(), 115U);
}

TEST(Histogram, HasBoundsThatRise) {
  EXPECT_TRUE(std::ranges::is_sorted(kLatencyBounds, std::ranges::less_equal()));
  EXPECT_TRUE(std::ranges::is_sorted(kWaitBounds, std::ranges::less_equal()));
  EXPECT_TRUE(std::ranges::is_sorted(kBatchBounds, std::ranges::less_equal()));
}

TEST(HistogramTally, IsReadWhileItsThreadWrites) {
  HistogramTally<kFewBounds> tally;
  constexpr std::uint64_t kTimes = 10'000;
  std::thread writer([&tally] {
    for (std::uint64_t i = 0; i < kTimes; ++i) tally.record(15);
  });
  std::uint64_t seen = 0;
  while (seen < kTimes) {
    const std::uint64_t now = tally.read().count();
    EXPECT_GE(now, seen);
    seen = now;
  }
  writer.join();
  EXPECT_THAT(tally.read().counts(), ElementsAre(0, kTimes, 0, 0));
  EXPECT_EQ(tally.read().sum(), 15 * kTimes);
}

}  // namespace
}  // namespace holdfast
