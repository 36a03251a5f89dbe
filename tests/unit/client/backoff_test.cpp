// Tests the wait before a retry.

#include <set>

#include <gtest/gtest.h>

#include <holdfast/client/backoff.hpp>

namespace holdfast::client {
namespace {

constexpr BackoffOptions kOptions{Milliseconds(100), Milliseconds(1'000)};

TEST(Backoff, DoublesFromTheFirstWaitToTheLastAndHalfOfItIsRandom) {
  const int steps[] = {100, 200, 400, 800, 1000, 1000};
  for (unsigned attempt = 1; attempt <= 6; ++attempt) {
    for (int i = 0; i < 200; ++i) {
      const Milliseconds wait = backoff(kOptions, attempt);
      EXPECT_GE(wait.count(), steps[attempt - 1] / 2);
      EXPECT_LE(wait.count(), steps[attempt - 1]);
    }
  }
}

TEST(Backoff, DiffersFromClientToClient) {
  std::set<std::int64_t> waits;
  for (int i = 0; i < 100; ++i) waits.insert(backoff(kOptions, 5).count());
  EXPECT_GT(waits.size(), 20U);
}

TEST(Backoff, WaitsAtLeastAsLongAsTheServerAsks) {
  EXPECT_EQ(backoff(kOptions, 1, Seconds(3)), Milliseconds(3'000));
  EXPECT_LE(backoff(kOptions, 1, Seconds(0)), Milliseconds(100));
}

TEST(Backoff, StaysAtTheLastWaitHoweverOftenItFails) {
  EXPECT_LE(backoff(kOptions, 4'000'000'000U), Milliseconds(1'000));
}

}  // namespace
}  // namespace holdfast::client
