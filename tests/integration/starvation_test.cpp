// A start for which something is missing: it ends with a reason, or it works; it never hangs.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"

namespace holdfast::test {
namespace {

using ::testing::StartsWith;

constexpr uid_t kNobodyElse = 61'235;

class StarvedStartTest : public ::testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer needs memory, threads and descriptors of its own";
#endif
  }
  // `before` is what a shell does before it becomes the gateway.
  ChildProcess::Options gateway(const std::string& before, const std::string& redirections = "") {
    return {.command = {"/bin/sh", "-c", before + "; exec \"$0\" \"$@\" " + redirections,
                        holdfast_binary(), "serve", "--data-dir", data_, "--listen", "127.0.0.1:0",
                        "--control-listen", "127.0.0.1:0"}};
  }

  static void expect_a_reason_or_a_gateway(ChildProcess::Options options, const std::string& what) {
    ChildProcess process(std::move(options));
    const bool listens =
        process
            .wait_for_output(
                [](const std::string& line) { return line.contains(R"("part":"gateway")"); },
                kPatience)
            .has_value();
    if (listens) process.signal(SIGTERM);
    const auto status = process.wait(kPatience);
    ASSERT_TRUE(status) << what << ": hangs";
    const auto errors = process.errors();
    if (listens && *status == 0) return;
    EXPECT_EQ(*status, 1) << what;
    ASSERT_FALSE(errors.empty()) << what;
    EXPECT_THAT(errors.back(), StartsWith("holdfast: ")) << what;
  }

  TempDir dir_;
  const std::string data_ = dir_.file("data");
};

TEST_F(StarvedStartTest, GivesAReasonWithoutDescriptors) {
  for (const int files : {6, 7, 8, 10, 13, 16, 18, 20, 22, 26, 32}) {
    std::filesystem::remove_all(data_);
    const std::string limit = "ulimit -n " + std::to_string(files);
    expect_a_reason_or_a_gateway(gateway(limit), limit);
  }
}

TEST_F(StarvedStartTest, GivesAReasonWithoutMemory) {
  for (const int kilobytes : {32'000, 48'000, 64'000, 80'000}) {
    std::filesystem::remove_all(data_);
    const std::string limit = "ulimit -v " + std::to_string(kilobytes);
    expect_a_reason_or_a_gateway(gateway(limit), limit);
  }
}

TEST_F(StarvedStartTest, GivesAReasonWithoutThreads) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can run the gateway as a user without processes";
  ASSERT_EQ(chmod(dir_.path().c_str(), 0711), 0);
  for (int threads = 1; threads <= 9; ++threads) {
    std::filesystem::remove_all(data_);
    ASSERT_EQ(mkdir(data_.c_str(), 0700), 0);
    ASSERT_EQ(chown(data_.c_str(), kNobodyElse, kNobodyElse), 0);
    const std::string limit = "ulimit -u " + std::to_string(threads);
    ChildProcess::Options options = gateway(limit);
    const std::string user = std::to_string(kNobodyElse);
    const std::vector<std::string> as_user{"setpriv", "--reuid=" + user, "--regid=" + user,
                                           "--clear-groups"};
    options.command.insert(options.command.begin(), as_user.begin(), as_user.end());
    expect_a_reason_or_a_gateway(std::move(options), limit);
  }
}

TEST_F(StarvedStartTest, WritesIntoNoFileOfItsOwnWithClosedStreams) {
  ChildProcess process(gateway("true", "<&- >&- 2>&-"));
  const std::string credentials = data_ + "/credentials";
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!std::filesystem::exists(credentials) && std::chrono::steady_clock::now() < deadline &&
         !process.wait(std::chrono::milliseconds(10))) {
  }
  ASSERT_TRUE(std::filesystem::exists(credentials));
  for (const char* stream : {"0", "1", "2"}) {
    const std::string link = "/proc/" + std::to_string(process.pid()) + "/fd/" + stream;
    EXPECT_EQ(std::filesystem::read_symlink(link).string(), "/dev/null");
  }
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(kPatience), 0);
}

}  // namespace
}  // namespace holdfast::test
