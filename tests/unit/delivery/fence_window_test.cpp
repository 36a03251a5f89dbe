// Pings in flight, and the Pongs that match them.

#include "delivery/fence_window.hpp"

#include <gtest/gtest.h>

namespace holdfast::delivery {
namespace {

TEST(FenceWindow, TakesThePongOfAnOutstandingFenceOnce) {
  FenceWindow window(42);
  const FenceBytes fence = window.add(7);
  EXPECT_EQ(window.match(fence.view()).value().sequence, 7);
  EXPECT_EQ(window.outstanding(), 0U);
  EXPECT_FALSE(window.match(fence.view()));
}

TEST(FenceWindow, IsCumulativeForAPeerThatAnswersOnlyTheLatestPing) {
  FenceWindow window(42);
  const FenceBytes first = window.add(1);
  const FenceBytes second = window.add(2);
  (void)window.add(3);
  EXPECT_EQ(window.match(second.view()).value().sequence, 2);
  EXPECT_EQ(window.outstanding(), 1U);
  EXPECT_FALSE(window.match(first.view()));
}

TEST(FenceWindow, TellsWhenTheAnsweredFenceWasSent) {
  FenceWindow window(42);
  (void)window.add(1, 1'000);
  const FenceBytes second = window.add(2, 2'500);
  EXPECT_EQ(window.match(second.view()).value().sent_us, 2'500U);
}

TEST(FenceWindow, IgnoresAPongThatDiffersInAnyByte) {
  FenceWindow window(42);
  const std::string fence(window.add(7).view());
  for (std::size_t i = 0; i < fence.size(); ++i) {
    std::string other = fence;
    other[i] = other[i] == '0' ? '1' : '0';
    EXPECT_FALSE(window.match(other)) << i;
  }
  EXPECT_FALSE(window.match(fence.substr(1)));
  EXPECT_FALSE(window.match(fence + "0"));
  EXPECT_FALSE(window.match(""));
  EXPECT_EQ(window.outstanding(), 1U);
}

TEST(FenceWindow, NeverMakesTheSameFenceTwice) {
  FenceWindow window(42);
  const FenceBytes first = window.add(7);
  const FenceBytes second = window.add(7);  // an idle one: nothing was sent in between
  EXPECT_NE(first.view(), second.view());
  FenceWindow other(43);
  EXPECT_NE(other.add(7).view(), first.view());
}

TEST(FenceWindow, FitsIntoAControlFrame) {
  EXPECT_LE(FenceWindow(~0ULL).add(1LL << 53).view().size(), 125U);
}

}  // namespace
}  // namespace holdfast::delivery
