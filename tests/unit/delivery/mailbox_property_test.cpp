#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
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

TEST_P(MailboxProperty, KeepsEveryPromiseWhateverTheInterleaving) {
  const auto only = number_from("HOLDFAST_SEED");
  const std::uint64_t count = only ? 1 : number_from("HOLDFAST_SEEDS").value_or(1'000);
  const std::uint64_t first = only.value_or(GetParam() * 1'000'000);
  std::map<std::string, int> coverage;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    MailboxWorld world(seed, {.trace = only.has_value()});
    const auto broken = world.run();
    ASSERT_FALSE(broken) << *broken << "\nreplay with HOLDFAST_SEED=" << seed;
    for (const auto& [what, times] : world.coverage()) coverage[what] += times;
  }
  if (only) return;
  // A schedule that never gets into trouble proves nothing.
  for (const char* const what :
       {"crash", "clean stop", "batch failed", "insert failed", "insert failed, sent already",
        "503 after acceptance", "expired", "redrive", "repeat answered", "refused conflict",
        "refused limit_exceeded", "DELIVERED, elided", "DELIVERED, stored too", "STORED",
        "another time held", "deleted", "deletion refused conflict", "dead letter deleted"}) {
    EXPECT_GT(coverage[what], 0) << what;
  }
  if (std::getenv("HOLDFAST_COVERAGE") == nullptr) return;
  for (const auto& [what, times] : coverage) std::cout << what << ": " << times << "\n";
}

INSTANTIATE_TEST_SUITE_P(Seeds, MailboxProperty, testing::Values(0, 1, 2, 3));

TEST(MailboxPropertyChecks, SeeADiskThatLosesItsLastCommit) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    MailboxWorld world(seed, {.lose_last_commit = true, .trace = false});
    const auto broken = world.run();
    if (broken && broken->starts_with("1 lost")) ++lost;
  }
  EXPECT_GT(lost, 0);
}

}  // namespace
}  // namespace holdfast::delivery
