#include "simulation/simulation.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>

namespace holdfast::simulation {
namespace {

using Coverage = std::map<std::string, int>;

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

struct Outcome {
  std::optional<std::string> broken;
  std::uint64_t fingerprint = 0;
};

/// Runs one seed on a thread of its own, for a thread keeps random bytes in store.
Outcome run_seed(std::uint64_t seed, Coverage& coverage, bool trace = false) {
  Outcome outcome;
  std::thread([&] {
    Simulation simulation(seed, trace);
    outcome.broken = simulation.run();
    outcome.fingerprint = simulation.fingerprint();
    for (const auto& [what, times] : simulation.coverage()) coverage[what] += times;
  }).join();
  return outcome;
}

class SimulationTest : public testing::Test {
 protected:
  void SetUp() override {
    // The failures of the simulated disk are no news.
    log::start({.level = log::Level::error, .json = true, .file_descriptor = quiet_});
    if (std::filesystem::is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 0);
  }
  void TearDown() override {
    log::stop();
    close(quiet_);
  }

 private:
  const int quiet_ = open("/dev/null", O_WRONLY | O_CLOEXEC);
};

TEST_F(SimulationTest, KeepsEveryPromiseUnderTheSeedsOfTheCorpus) {
  if (const auto only = number_from("HOLDFAST_SEED")) {
    Coverage coverage;
    const Outcome outcome = run_seed(*only, coverage, true);
    EXPECT_EQ(outcome.broken.value_or(""), "");
    return;
  }
  std::ifstream corpus(std::string(HOLDFAST_SOURCE_DIR) + "/tests/simulation/corpus.txt");
  ASSERT_TRUE(corpus);
  Coverage coverage;
  int seeds = 0;
  for (std::string line; std::getline(corpus, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    const std::uint64_t seed = std::stoull(line);
    const Outcome outcome = run_seed(seed, coverage);
    ASSERT_EQ(outcome.broken.value_or(""), "") << "replay with HOLDFAST_SEED=" << seed;
    ++seeds;
  }
  EXPECT_GT(seeds, 0);
  // A schedule that never gets into trouble proves nothing.
  for (const char* const what : {"disk fault",
                                 "disk fails",
                                 "disk fills",
                                 "disk low",
                                 "disk full",
                                 "ballast let go",
                                 "the store ended the process",
                                 "killed",
                                 "power cut",
                                 "stopped",
                                 "stopped on a bad disk",
                                 "redriven",
                                 "deleted",
                                 "letter destroyed",
                                 "as many dead letters as are kept",
                                 "access ended",
                                 "refused",
                                 "closed with a code",
                                 "undeliverable",
                                 "row damaged",
                                 "damaged",
                                 "reloaded",
                                 "batch answered",
                                 "DELIVERED",
                                 "STORED",
                                 "unavailable"}) {
    EXPECT_GT(coverage[what], 0) << what;
  }
}

TEST_F(SimulationTest, KeepsEveryPromiseUnderFreshSeeds) {
  const std::uint64_t seconds = number_from("HOLDFAST_SIMULATE_SECONDS").value_or(3);
  const std::uint64_t first =
      number_from("HOLDFAST_SIMULATE_FROM")
          .value_or((std::uint64_t{std::random_device()()} << 16) + 1'000'000);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  Coverage coverage;
  std::uint64_t seed = first;
  for (; std::chrono::steady_clock::now() < end; ++seed) {
    const Outcome outcome = run_seed(seed, coverage);
    ASSERT_EQ(outcome.broken.value_or(""), "") << "replay with HOLDFAST_SEED=" << seed;
  }
  std::cout << seed - first << " fresh seeds from " << first << "\n";
  for (const auto& [what, times] : coverage) std::cout << "  " << what << ": " << times << "\n";
}

TEST_F(SimulationTest, ReplaysTheSameRunFromTheSameSeed) {
  for (std::uint64_t seed = 11; seed < 15; ++seed) {
    Coverage coverage;
    const std::uint64_t first = run_seed(seed, coverage).fingerprint;
    EXPECT_EQ(run_seed(seed, coverage).fingerprint, first) << "seed " << seed;
  }
}

}  // namespace
}  // namespace holdfast::simulation
