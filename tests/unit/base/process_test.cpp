// Tests the hardening of the process.

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/process.hpp>

namespace holdfast {
namespace {

// Each runs in a process of its own.
class ProcessDeathTest : public ::testing::Test {
 protected:
  ProcessDeathTest() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

TEST_F(ProcessDeathTest, ClosedStandardStreamsBecomeNothing) {
  const auto run = [] {
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    open_standard_streams();
    struct stat status{};
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO}) {
      if (fstat(stream, &status) != 0 || !S_ISCHR(status.st_mode)) std::_Exit(1);
    }
    std::_Exit(open("/dev/zero", O_RDONLY) > STDERR_FILENO ? 0 : 1);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

TEST_F(ProcessDeathTest, EndsWithOneLineAndStatusOneWithoutMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer ends the process by itself where memory is missing";
#endif
  const auto greedy = [] {
    end_without_memory();
    std::vector<std::string> all;
    for (;;) all.emplace_back(std::size_t{1} << 50, 'x');
  };
  EXPECT_EXIT(greedy(), ::testing::ExitedWithCode(1), "^holdfast: out of memory\n$");
}

TEST_F(ProcessDeathTest, EndsWithOneLineAndStatusOneAfterAnException) {
  const auto thread = [] {
    end_without_memory();
    std::thread([] { throw std::runtime_error("what went wrong"); }).join();
  };
  EXPECT_EXIT(thread(), ::testing::ExitedWithCode(1), "^holdfast: what went wrong\n$");
}

TEST(TakeVariable, LeavesNoTraceOfIt) {
  ASSERT_EQ(setenv("HOLDFAST_TEST_SECRET", "a secret", 1), 0);
  const char* const place = std::getenv("HOLDFAST_TEST_SECRET");
  EXPECT_EQ(take_variable("HOLDFAST_TEST_SECRET"), "a secret");
  EXPECT_EQ(std::string(place, 8), std::string(8, '\0'));
  EXPECT_EQ(take_variable("HOLDFAST_TEST_SECRET"), std::nullopt);
  ASSERT_EQ(setenv("HOLDFAST_TEST_SECRET", "", 1), 0);
  EXPECT_EQ(take_variable("HOLDFAST_TEST_SECRET"), std::nullopt);
  EXPECT_EQ(std::getenv("HOLDFAST_TEST_SECRET"), nullptr);
}

}  // namespace
}  // namespace holdfast
