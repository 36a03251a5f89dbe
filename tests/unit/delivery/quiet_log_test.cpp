// Keeps the log of these tests quiet.

#include <gtest/gtest.h>

#include <holdfast/base/log.hpp>

namespace {

/// Thousands of connections are expelled here on purpose.
class QuietLog : public testing::Environment {
 public:
  void SetUp() override { holdfast::log::set_level(holdfast::log::Level::error); }
};

[[maybe_unused]] const auto* const quiet = testing::AddGlobalTestEnvironment(new QuietLog);

}  // namespace
