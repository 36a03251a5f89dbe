// Tests the queue of messages that are not due yet.

#include "sample_app/outbox.hpp"

#include <gtest/gtest.h>

namespace holdfast::sample_app {
namespace {

constexpr SteadyTime at(std::int64_t ms) { return SteadyTime(Milliseconds(ms)); }

Job job(const std::string& user, const std::string& text, std::int64_t due_ms) {
  return {user, text, "d-" + text, at(due_ms)};
}

TEST(Outbox, GivesAJobWhenItIsDueAndNotBefore) {
  Outbox outbox(10, 1'000);
  EXPECT_FALSE(outbox.next_due());
  ASSERT_TRUE(outbox.push(job("ann", "a", 100)));
  EXPECT_EQ(outbox.next_due(), at(100));
  EXPECT_FALSE(outbox.take(at(99)));
  const auto taken = outbox.take(at(100));
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->text, "a");
  EXPECT_FALSE(outbox.next_due());
  EXPECT_EQ(outbox.size(), 1U);
  outbox.finish(*taken);
  EXPECT_EQ(outbox.size(), 0U);
}

TEST(Outbox, KeepsTheOrderOfJobsThatFallDueAtOnce) {
  Outbox outbox(10, 1'000);
  for (const char* text : {"a", "b", "c"}) ASSERT_TRUE(outbox.push(job("ann", text, 5)));
  for (const char* text : {"a", "b", "c"}) {
    const auto taken = outbox.take(at(5));
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->text, text);
    outbox.finish(*taken);
  }
}

TEST(Outbox, PutsAJobThatFallsDueEarlierBeforeOneThatCameFirst) {
  Outbox outbox(10, 1'000);
  ASSERT_TRUE(outbox.push(job("ann", "late", 100)));
  ASSERT_TRUE(outbox.push(job("ann", "early", 5)));
  EXPECT_EQ(outbox.next_due(), at(5));
  EXPECT_EQ(outbox.take(at(200))->text, "early");
}

TEST(Outbox, TakesOneJobOfAUserAtATimeAndOthersBeside) {
  Outbox outbox(10, 1'000);
  ASSERT_TRUE(outbox.push(job("ann", "a1", 1)));
  ASSERT_TRUE(outbox.push(job("ann", "a2", 2)));
  ASSERT_TRUE(outbox.push(job("bob", "b1", 3)));
  const auto first = outbox.take(at(10));
  EXPECT_EQ(first->text, "a1");
  EXPECT_EQ(outbox.take(at(10))->text, "b1");
  EXPECT_FALSE(outbox.take(at(10)));
  outbox.finish(*first);
  EXPECT_EQ(outbox.take(at(10))->text, "a2");
}

TEST(Outbox, HoldsBackTheLaterJobsOfAUserWhileOneIsToBeTriedAgain) {
  Outbox outbox(10, 1'000);
  ASSERT_TRUE(outbox.push(job("ann", "a1", 1)));
  ASSERT_TRUE(outbox.push(job("ann", "a2", 1)));
  outbox.retry(*outbox.take(at(1)), at(500));
  ASSERT_TRUE(outbox.push(job("ann", "a3", 1)));
  EXPECT_FALSE(outbox.take(at(499)));
  EXPECT_EQ(outbox.next_due(), at(500));
  for (const char* text : {"a1", "a2", "a3"}) {
    const auto taken = outbox.take(at(500));
    ASSERT_TRUE(taken) << text;
    EXPECT_EQ(taken->text, text);
    outbox.finish(*taken);
  }
}

TEST(Outbox, IsBoundedInJobsAndInBytesAndCountsWhatIsTaken) {
  Outbox jobs(2, 1'000);
  ASSERT_TRUE(jobs.push(job("ann", "a", 1)));
  ASSERT_TRUE(jobs.push(job("bob", "b", 1)));
  EXPECT_FALSE(jobs.push(job("eve", "c", 1)));
  const auto taken = jobs.take(at(1));
  EXPECT_FALSE(jobs.push(job("eve", "c", 1)));
  jobs.finish(*taken);
  EXPECT_TRUE(jobs.push(job("eve", "c", 1)));

  Outbox bytes(10, 5);
  ASSERT_TRUE(bytes.push(job("ann", "1234", 1)));
  EXPECT_FALSE(bytes.push(job("ann", "12", 1)));
  EXPECT_TRUE(bytes.push(job("ann", "1", 1)));
}

TEST(Outbox, GivesUpEverythingThatWaits) {
  Outbox outbox(10, 1'000);
  ASSERT_TRUE(outbox.push(job("ann", "a1", 1)));
  ASSERT_TRUE(outbox.push(job("ann", "a2", 2)));
  ASSERT_TRUE(outbox.push(job("bob", "b1", 900)));
  EXPECT_EQ(outbox.clear().size(), 3U);
  EXPECT_EQ(outbox.size(), 0U);
  EXPECT_FALSE(outbox.next_due());
  EXPECT_FALSE(outbox.take(at(1'000)));
}

}  // namespace
}  // namespace holdfast::sample_app
