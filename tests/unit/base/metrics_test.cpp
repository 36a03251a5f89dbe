// Tests counters, gauges, histograms, and what collects them.

#include <algorithm>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/metrics.hpp>

namespace holdfast {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr Buckets<3> kFewBuckets{.limits = {10, 20, 40}, .unit = 10};
using FewHistogram = Histogram<kFewBuckets>;

enum class Fruit : std::uint8_t { apple, pear, last = pear };
const char* to_string(Fruit fruit) noexcept { return fruit == Fruit::apple ? "apple" : "pear"; }

/// One shard's metrics, as a module declares them.
struct ShopMetrics : MetricSet {
  Counter visits{*this, {"shop_visits_total", "Visits."}};
  Gauge visitors{*this, {"shop_visitors", "Visitors."}};
  CounterBy<Fruit> sold{*this, {"shop_sold_total", "Fruit.", {"fruit"}}, to_string};
  FewHistogram waits{*this, {"shop_wait_seconds", "Waits."}};
};

TEST(HistogramTest, CountsAValueInTheFirstRangeWhoseLimitItDoesNotPass) {
  FewHistogram histogram;
  for (const int value : {0, 10, 11, 20, 21, 40, 41, 1'000}) histogram.record(value);
  EXPECT_THAT(histogram.read().counts, ElementsAre(2, 2, 2, 2));
  EXPECT_EQ(histogram.read().count(), 8U);
  EXPECT_EQ(histogram.read().sum, 1'143U);
}

TEST(HistogramTest, TakesANegativeValueForZero) {
  FewHistogram histogram;
  histogram.record(-5);
  EXPECT_THAT(histogram.read().counts, ElementsAre(1, 0, 0, 0));
  EXPECT_EQ(histogram.read().sum, 0U);
}

TEST(HistogramTest, HasLimitsThatRise) {
  const auto rises = [](const auto& buckets) {
    return std::ranges::is_sorted(buckets.limits, std::ranges::less_equal());
  };
  EXPECT_TRUE(rises(kLatencyBuckets));
  EXPECT_TRUE(rises(kWaitBuckets));
  EXPECT_TRUE(rises(kBatchBuckets));
}

TEST(HistogramTest, IsReadWhileItsThreadWrites) {
  FewHistogram histogram;
  constexpr std::uint64_t kTimes = 10'000;
  std::thread writer([&histogram] {
    for (std::uint64_t i = 0; i < kTimes; ++i) histogram.record(15);
  });
  std::uint64_t seen = 0;
  while (seen < kTimes) {
    const std::uint64_t now = histogram.read().count();
    EXPECT_GE(now, seen);
    seen = now;
  }
  writer.join();
  EXPECT_THAT(histogram.read().counts, ElementsAre(0, kTimes, 0, 0));
  EXPECT_EQ(histogram.read().sum, 15 * kTimes);
}

TEST(MetricSetTest, CollectsEachSeriesWithItsLabels) {
  ShopMetrics shop;
  shop.visits.add(3);
  shop.visitors.set(5);
  shop.visitors.add(-1);
  shop.sold.add(Fruit::pear);
  MetricCollector out;
  shop.collect(out, {{"town", "Ulm"}});
  EXPECT_EQ(out.sum("shop_visits_total"), 3);
  EXPECT_EQ(out.sum("shop_visitors"), 4);
  ASSERT_THAT(out.families(), SizeIs(4));
  const MetricCollector::Family& sold = out.families()[2];
  EXPECT_EQ(sold.type, MetricType::counter);
  EXPECT_STREQ(sold.declared.help, "Fruit.");
  ASSERT_THAT(sold.series, SizeIs(2));
  EXPECT_THAT(sold.series[1].labels, ElementsAre(Pair("town", "Ulm"), Pair("fruit", "pear")));
  EXPECT_EQ(std::get<double>(sold.series[0].value), 0) << "each label exists from the start";
  EXPECT_EQ(std::get<double>(sold.series[1].value), 1);
}

TEST(MetricSetTest, LeavesOutASeriesWithoutAValue) {
  MetricSet set;
  set.add(MetricType::gauge, {"expiry", "Expiry."}, {},
          []() -> std::optional<MetricReading> { return std::nullopt; });
  MetricCollector out;
  set.collect(out);
  ASSERT_THAT(out.families(), SizeIs(1)) << "the family is shown all the same";
  EXPECT_THAT(out.families()[0].series, IsEmpty());
}

TEST(MetricCollectorTest, SumsTheSeriesOfShards) {
  ShopMetrics first;
  ShopMetrics second;
  first.sold.add(Fruit::apple);
  second.sold.add(Fruit::apple);
  second.sold.add(Fruit::pear);
  first.waits.record(5);
  second.waits.record(15);
  second.waits.record(99);
  MetricCollector out;
  first.collect(out);
  second.collect(out);
  EXPECT_EQ(out.sum("shop_sold_total", {{"fruit", "apple"}}), 2);
  EXPECT_EQ(out.sum("shop_sold_total"), 3);
  const auto waits = std::get<HistogramReading>(out.families()[3].series.at(0).value);
  EXPECT_THAT(waits.counts, ElementsAre(1, 1, 0, 1));
  EXPECT_EQ(waits.sum, 119U);
}

TEST(MetricCollectorTest, KeepsSeriesOfOtherLabelsApart) {
  ShopMetrics first;
  ShopMetrics second;
  first.visits.add(1);
  second.visits.add(2);
  MetricCollector out;
  first.collect(out, {{"shard", "0"}});
  second.collect(out, {{"shard", "1"}});
  EXPECT_EQ(out.sum("shop_visits_total", {{"shard", "0"}}), 1);
  EXPECT_EQ(out.sum("shop_visits_total", {{"shard", "1"}}), 2);
  EXPECT_EQ(out.sum("no_such_metric"), 0);
}

class MetricDeathTest : public testing::Test {
 protected:
  MetricDeathTest() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

TEST_F(MetricDeathTest, EndsWhenAFamilyIsDeclaredTwice) {
  MetricCollector out;
  out.add({"one", "Help."}, MetricType::counter, {}, 1.0);
  EXPECT_DEATH(out.add({"one", "Other help."}, MetricType::counter, {}, 1.0), "");
  EXPECT_DEATH(out.add({"one", "Help."}, MetricType::gauge, {}, 1.0), "");
}

TEST_F(MetricDeathTest, EndsWhenALabelHasNoName) {
  MetricSet set;
  const auto zero = [] { return 0.0; };
  EXPECT_DEATH(set.add(MetricType::counter, {"one", "Help."}, {"value"}, zero), "");
}

}  // namespace
}  // namespace holdfast
