// Tests the queue of the store's thread.

#include "sqlite/queue.hpp"

#include <chrono>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/storage/pump_executor.hpp"

namespace holdfast::test {
namespace {

using sqlite::Channel;
using sqlite::Lane;
using sqlite::OnRollback;
using sqlite::OperationQueue;
using testing::SizeIs;

constexpr SteadyTime kAtOnce{};

SteadyTime far_away() {
  return std::chrono::floor<Microseconds>(std::chrono::steady_clock::now()) +
         std::chrono::seconds(30);
}

sqlite::OperationPtr nothing(Completion<Result<void>> done = [](Result<void>) {}) {
  return sqlite::make_operation<void>(OnRollback::fail, [](sqlite::Tables&) {}, std::move(done));
}

class QueueTest : public testing::Test {
 protected:
  PumpExecutor executor_;
  Channel channel_{executor_};
  OperationQueue queue_{{.slots = 2, .payload_bytes = 100}, system_clock(), 2};
  OperationQueue::Taken taken_;
};

TEST_F(QueueTest, GivesAllThatWaitsInOrderAndReadsApart) {
  queue_.submit(Lane::reserved, &channel_, nothing());
  queue_.submit(Lane::read, &channel_, nothing());
  queue_.submit(Lane::other, &channel_, nothing());
  queue_.take(taken_, kAtOnce);
  EXPECT_THAT(taken_.writes, SizeIs(2));
  EXPECT_THAT(taken_.reads, SizeIs(1));
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(QueueTest, RefusesOthersBeyondTheirBoundButNeverWhatIsReserved) {
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    queue_.submit(Lane::reserved, &channel_, nothing());
    queue_.submit(Lane::read, &channel_, nothing());
    queue_.submit(Lane::other, &channel_, nothing([&](Result<void> done) {
                    EXPECT_EQ(done.error().code, Errc::unavailable);
                    ++refused;
                  }));
  }
  EXPECT_EQ(refused, 0) << "a completion never runs inside the call";
  executor_.run_until([&] { return refused == 3; });
  EXPECT_EQ(queue_.size(), 12U);
}

TEST_F(QueueTest, FailsWhatComesAfterItsClosing) {
  queue_.submit(Lane::reserved, &channel_, nothing());
  queue_.close(taken_);
  EXPECT_THAT(taken_.writes, SizeIs(1));
  const auto late = executor_.await<Result<void>>(
      [&](auto done) { queue_.submit(Lane::reserved, &channel_, nothing(std::move(done))); });
  EXPECT_FALSE(late);
  EXPECT_FALSE(storage::Slots::reserve(queue_.slots(), 1));
}

TEST_F(QueueTest, WakesItsTakerForTheFirstOperation) {
  std::thread taker([&] { queue_.take(taken_, far_away()); });
  queue_.submit(Lane::reserved, &channel_, nothing());
  taker.join();
  EXPECT_THAT(taken_.writes, SizeIs(1));
}

TEST_F(QueueTest, LingersUntilEnoughWaits) {
  std::thread taker([&] { queue_.linger(3, far_away()); });
  for (int i = 0; i < 3; ++i) queue_.submit(Lane::reserved, &channel_, nothing());
  taker.join();
  EXPECT_EQ(queue_.size(), 3U);
}

TEST_F(QueueTest, LingersNoLongerThanItMay) {
  queue_.submit(Lane::reserved, &channel_, nothing());
  queue_.linger(3, kAtOnce);
  EXPECT_EQ(queue_.size(), 1U);
}

TEST_F(QueueTest, LetsNobodyWaitOnceItIsStopped) {
  std::thread taker([&] {
    queue_.linger(3, far_away());
    queue_.take(taken_, far_away());
  });
  queue_.stop();
  taker.join();
  EXPECT_TRUE(taken_.stopping);
}

}  // namespace
}  // namespace holdfast::test
