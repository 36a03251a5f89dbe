// Tests the order and the end of tasks on shards.

#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/net/server.hpp>

#include "support/net/raw_client.hpp"

namespace holdfast::net {
namespace {

TEST(ShardsTest, RunsTasksOfOnePostingThreadInOrder) {
  const auto shards = make_shards(2);
  shards->start();
  constexpr int kTasks = 20'000;
  std::vector<std::vector<int>> seen(3);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < seen.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) shards->at(1).post([&, t, i] { seen[t].push_back(i); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  shards->stop();
  for (const auto& order : seen) {
    ASSERT_EQ(order.size(), static_cast<std::size_t>(kTasks));
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  }
}

TEST(ShardsTest, KeepsOrderBetweenShards) {
  const auto shards = make_shards(2);
  shards->start();
  std::vector<int> seen;
  std::promise<void> done;
  shards->at(0).post([&] {
    for (int i = 0; i < 1000; ++i) shards->at(1).post([&, i] { seen.push_back(i); });
    // A task of its own turn: what it posts comes behind what was posted before.
    shards->at(0).post([&] {
      for (int i = 1000; i < 2000; ++i) shards->at(1).post([&, i] { seen.push_back(i); });
      shards->at(1).post([&] { done.set_value(); });
    });
  });
  done.get_future().wait();
  ASSERT_EQ(seen.size(), 2000U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(ShardsTest, RunsNoTaskInsideThePost) {
  const auto shards = make_shards(1);
  shards->start();
  std::promise<bool> answer;
  shards->at(0).post([&] {
    auto inside = std::make_shared<bool>(true);
    shards->at(0).post([&answer, inside] { answer.set_value(*inside); });
    *inside = false;
  });
  EXPECT_FALSE(answer.get_future().get());
  shards->stop();
}

TEST(ShardsTest, RunsPostedTasksAndTheirTasksAtTheStop) {
  const auto shards = make_shards(3);
  shards->start();
  std::atomic<int> hops = 0;
  // Each task goes on to the next shard, six times.
  std::function<void(int)> hop = [&](int left) {
    ++hops;
    if (left > 0) shards->at(static_cast<std::size_t>(left) % 3).post([&, left] { hop(left - 1); });
  };
  for (int i = 0; i < 100; ++i) {
    shards->at(static_cast<std::size_t>(i) % 3).post([&] { hop(5); });
  }
  shards->stop();
  EXPECT_EQ(hops, 600);
}

TEST(ShardsTest, DropsTasksPostedAfterTheStop) {
  const auto shards = make_shards(1);
  shards->start();
  shards->stop();
  auto held = std::make_shared<int>(1);
  shards->at(0).post([held] { FAIL() << "ran after the stop"; });
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ShardsTest, RunsTasksPostedBeforeTheStart) {
  const auto shards = make_shards(1);
  std::atomic<bool> ran = false;
  shards->at(0).post([&] { ran = true; });
  shards->start();
  shards->stop();
  EXPECT_TRUE(ran);
}

TEST(ShardsTest, RunsPeriodicTasksUntilTheStop) {
  const auto shards = make_shards(1);
  std::atomic<int> turns = 0;
  shards->at(0).every(Milliseconds(1), [&] { ++turns; });
  shards->start();
  EXPECT_TRUE(test::eventually([&] { return turns >= 3; }));
  shards->stop();
  const int after = turns;
  EXPECT_EQ(turns, after);
}

TEST(ShardsDeathTest, EndsTheProcessWhenAnotherThreadArmsATimer) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto arm = [] {
    const auto shards = make_shards(2);
    shards->start();
    shards->at(0).post([&] { shards->at(1).every(Milliseconds(1), [] {}); });
    shards->stop();
  };
  EXPECT_EXIT(arm(), testing::KilledBySignal(SIGABRT), "");
}

TEST(ShardsTest, ReportsHowLongTimersWaitForTheLoop) {
  const auto shards = make_shards(2);
  shards->at(0).every(Milliseconds(1), [] {});
  shards->at(1).every(Milliseconds(1), [] {});
  shards->start();
  const auto lag_of = [](const Shard& shard) {
    MetricCollector metrics;
    shard.collect(metrics);
    return std::get<HistogramReading>(metrics.families().at(0).series.at(0).value);
  };
  ASSERT_TRUE(test::eventually([&] { return lag_of(shards->at(0)).count() > 0; }));
  shards->at(0).post([] {
    const auto end = std::chrono::steady_clock::now() + Milliseconds(60);
    while (std::chrono::steady_clock::now() < end) {
    }
  });
  const auto late = [&lag_of](const Shard& shard) {
    const HistogramReading lag = lag_of(shard);
    std::uint64_t out = 0;
    for (std::size_t i = LatencyHistogram::range_of(50'000); i < lag.counts.size(); ++i) {
      out += lag.counts[i];
    }
    return out;
  };
  EXPECT_TRUE(test::eventually([&] { return late(shards->at(0)) > 0; }));
  shards->stop();
}

}  // namespace
}  // namespace holdfast::net
