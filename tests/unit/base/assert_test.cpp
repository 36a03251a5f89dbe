// Tests that a broken invariant ends the process.

#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/log.hpp>

namespace holdfast {
namespace {

// Each runs in a process of its own.
class AssertDeathTest : public ::testing::Test {
 protected:
  AssertDeathTest() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  static void break_it(bool json) {
    log::Options options;
    options.json = json;
    options.file_descriptor = STDERR_FILENO;
    log::start(options);
    for (int i = 0; i < 1000; ++i) log::info(log::kAccessEvent, {{"number", i}});
    const int balance = -1;
    HOLDFAST_ASSERT(balance >= 0, "test.balance_never_negative");
  }
};

#ifdef GTEST_USES_POSIX_RE  // `.` is a line break, too
TEST_F(AssertDeathTest, WritesTheFactBehindWhatIsQueuedAndAborts) {
  EXPECT_EXIT(break_it(true), ::testing::KilledBySignal(SIGABRT),
              R"("number":999\}.\{"time":"[^"]+","level":"error","event":"invariant_broken",)"
              R"("fact":"test\.balance_never_negative",)"
              R"("file":"tests/unit/base/assert_test\.cpp","line":[1-9][0-9]*\}.$)");
}

TEST_F(AssertDeathTest, WritesTextWhereTheLogIsText) {
  EXPECT_EXIT(break_it(false), ::testing::KilledBySignal(SIGABRT),
              "number=999.[^ ]+ error invariant_broken fact=test\\.balance_never_negative "
              "file=tests/unit/base/assert_test\\.cpp line=[1-9][0-9]*.$");
}
#endif

TEST_F(AssertDeathTest, EndsWhenNobodyReadsTheLog) {
  const auto unread = [] {
    int ends[2];
    if (pipe(ends) != 0) std::_Exit(1);
    log::Options options;
    options.file_descriptor = ends[1];
    log::start(options);
    const std::string long_text(1000, 'x');
    for (int i = 0; i < 1000; ++i) log::info("filling", {{"text", long_text}});
    HOLDFAST_ASSERT(false, "test.never");
  };
  EXPECT_EXIT(unread(), ::testing::KilledBySignal(SIGABRT), "");
}

TEST(Assert, LooksOnceAndGoesOn) {
  int looks = 0;
  HOLDFAST_ASSERT(++looks == 1, "test.looks_once");
  EXPECT_EQ(looks, 1);
}

}  // namespace
}  // namespace holdfast
