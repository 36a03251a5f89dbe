// Random schedules over one user's mailbox.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "unit/delivery/mailbox_world.hpp"

namespace holdfast::delivery {
namespace {

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

/// Several tests share the seeds, so that they run beside each other. HOLDFAST_SEED replays one;
/// HOLDFAST_SEEDS sets how many each test runs.
class MailboxProperty : public testing::TestWithParam<std::uint64_t> {};

using Coverage = std::map<std::string, int>;

/// Runs the seeds from `first` on, and adds up what happened in them.
void run_seeds(std::uint64_t first, std::uint64_t count, bool trace, Coverage& coverage) {
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    MailboxWorld world(test::Choices(seed), {.trace = trace});
    const auto broken = world.run();
    ASSERT_FALSE(broken) << *broken << "\nreplay with HOLDFAST_SEED=" << seed;
    for (const auto& [what, times] : world.coverage()) coverage[what] += times;
  }
}

TEST_P(MailboxProperty, KeepsEveryPromiseWhateverTheInterleaving) {
  const auto only = number_from("HOLDFAST_SEED");
  const std::uint64_t count = only ? 1 : number_from("HOLDFAST_SEEDS").value_or(1'000);
  const std::uint64_t first = only.value_or(GetParam() * 1'000'000);
  Coverage coverage;
  run_seeds(first, count, only.has_value(), coverage);
  if (only || HasFatalFailure()) return;
  // A schedule that never gets into trouble proves nothing.
  for (const char* const what : {"crash",
                                 "clean stop",
                                 "batch failed",
                                 "insert failed",
                                 "insert failed, sent already",
                                 "503 after acceptance",
                                 "expired",
                                 "redrive",
                                 "repeat answered",
                                 "refused conflict",
                                 "refused limit_exceeded",
                                 "DELIVERED, elided",
                                 "DELIVERED, stored too",
                                 "STORED",
                                 "another time held",
                                 "deleted",
                                 "deletion refused conflict",
                                 "dead letter deleted",
                                 "event stored",
                                 "event acknowledged",
                                 "event expired",
                                 "event deleted",
                                 "event rejected"}) {
    EXPECT_GT(coverage[what], 0) << what;
  }
  if (std::getenv("HOLDFAST_COVERAGE") == nullptr) return;
  for (const auto& [what, times] : coverage) std::cout << what << ": " << times << "\n";
}

// Other schedules in each run: what the fixed seeds do not meet, one of many runs does.
TEST(MailboxPropertyFresh, KeepsEveryPromiseUnderSeedsThatNobodyChose) {
  const std::uint64_t first = (std::uint64_t{std::random_device()()} << 8) + 1'000'000'000;
  std::cout << "fresh seeds from " << first << "\n";
  Coverage coverage;
  run_seeds(first, number_from("HOLDFAST_SEEDS").value_or(1'000), false, coverage);
}

// Seeds that once failed.
TEST(MailboxPropertyCorpus, KeepsEveryPromiseUnderSeedsThatOnceFailed) {
  Coverage coverage;
  for (const std::uint64_t seed : {11'973, 1'002'433}) run_seeds(seed, 1, false, coverage);
}

INSTANTIATE_TEST_SUITE_P(Seeds, MailboxProperty, testing::Values(0, 1, 2, 3));

TEST(MailboxPropertyChecks, SeeADiskThatLosesItsLastCommit) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    MailboxWorld world(test::Choices(seed), {.lose_last_commit = true, .trace = false});
    const auto broken = world.run();
    if (broken && broken->starts_with("1 lost")) ++lost;
  }
  EXPECT_GT(lost, 0);
}

}  // namespace
}  // namespace holdfast::delivery
