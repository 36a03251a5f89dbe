// Tests child processes.

#include <csignal>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <holdfast/base/child_process.hpp>
#include <holdfast/base/file.hpp>

#include "support/base/temp_dir.hpp"
#include "support/client/eventually.hpp"

namespace holdfast {
namespace {

class ChildProcessTest : public testing::TestWithParam<Orphan> {
 protected:
  ChildOptions shell_options(const std::string& script) const {
    return {.command = {"sh", "-c", script},
            .environment = {"GREETING=hello", "PATH=/usr/bin:/bin"},
            .out_file = folder_.file("out"),
            .err_file = folder_.file("err"),
            .orphan = GetParam()};
  }
  ChildProcess shell(const std::string& script) const {
    auto child = ChildProcess::start(shell_options(script));
    EXPECT_TRUE(child);
    return std::move(*child);
  }
  static std::optional<int> end_of(ChildProcess& child) {
    test::eventually([&] { return child.exit_code().has_value(); });
    return child.exit_code();
  }
  std::string read(const std::string& name) const {
    std::ifstream file(folder_.file(name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  test::TempDir folder_;
};

INSTANTIATE_TEST_SUITE_P(WhateverBecomesOfAnOrphan, ChildProcessTest,
                         testing::Values(Orphan::lives, Orphan::dies));

TEST_P(ChildProcessTest, RunsWithItsOwnEnvironmentAndKeepsWhatItPrints) {
  ChildProcess child = shell("echo $GREETING; echo there >&2; exit 7");
  EXPECT_EQ(end_of(child), 7);
  EXPECT_EQ(read("out"), "hello\n");
  EXPECT_EQ(read("err"), "there\n");
}

TEST_P(ChildProcessTest, ReadsTheGivenInputOrNone) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd theirs(ends[0]);
  UniqueFd ours(ends[1]);
  ASSERT_TRUE(write_all(ours.get(), "given"));
  ours.reset();
  ChildOptions options = shell_options("cat");
  options.input = theirs.get();
  auto child = ChildProcess::start(options);
  ASSERT_TRUE(child);
  EXPECT_EQ(end_of(*child), 0);
  EXPECT_EQ(read("out"), "given");

  ChildProcess without = shell("cat");
  EXPECT_EQ(end_of(without), 0);
  EXPECT_EQ(read("out"), "");
}

TEST_P(ChildProcessTest, HasNoOtherDescriptorOfOurs) {
  const UniqueFd open = open_file("/dev/null", O_RDONLY);
  ASSERT_GE(open.get(), 3);
  ChildProcess child = shell("test ! -e /proc/$$/fd/" + std::to_string(open.get()));
  EXPECT_EQ(end_of(child), 0);
}

TEST_P(ChildProcessTest, DropsWhatHasNoFile) {
  ChildOptions options = shell_options("echo lost; echo kept >&2");
  options.out_file.clear();
  auto child = ChildProcess::start(options);
  ASSERT_TRUE(child);
  EXPECT_EQ(end_of(*child), 0);
  EXPECT_EQ(read("err"), "kept\n");
}

TEST_P(ChildProcessTest, LeavesNothingOfAnEarlierProcessInItsFiles) {
  ChildProcess first = shell("echo earlier; echo earlier >&2");
  EXPECT_EQ(end_of(first), 0);
  const ChildProcess second = shell("exec sleep 60");
  EXPECT_EQ(read("out"), "");
  EXPECT_EQ(read("err"), "");
}

TEST_P(ChildProcessTest, TellsAFileThatCannotBeMade) {
  ChildOptions options = shell_options("true");
  options.out_file = "/nonexistent/out";
  const auto child = ChildProcess::start(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().message, "cannot open /nonexistent/out: No such file or directory");
}

TEST_P(ChildProcessTest, TellsTheSignalThatEndedIt) {
  ChildProcess child = shell("exec sleep 60");
  EXPECT_FALSE(child.exit_code());
  child.signal(SIGKILL);
  EXPECT_EQ(end_of(child), 128 + SIGKILL);
}

TEST_P(ChildProcessTest, IsKilledWithItsObject) {
  pid_t pid = 0;
  {
    const ChildProcess child = shell("exec sleep 60");
    pid = child.pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST_P(ChildProcessTest, TakesWhatItStartedWithItWhenKilled) {
  ChildProcess child = shell("sleep 60 & echo $!; wait");
  ASSERT_TRUE(test::eventually([&] { return read("out").ends_with('\n'); }));
  const auto grandchild = static_cast<pid_t>(std::stoi(read("out")));
  EXPECT_EQ(kill(grandchild, 0), 0);
  child.kill_group();
  EXPECT_EQ(child.exit_code(), 128 + SIGKILL);
  // Somebody else's child by now, and a zombie until it is waited for.
  EXPECT_TRUE(test::eventually([&] {
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string id;
    std::string name;
    std::string state;
    return !(stat >> id >> name >> state) || state == "Z";
  }));
}

TEST_P(ChildProcessTest, LivesInAProcessGroupOfItsOwn) {
  ChildProcess child = shell("exec sleep 60");
  EXPECT_TRUE(test::eventually([&] { return getpgid(child.pid()) == child.pid(); }));
}

TEST_P(ChildProcessTest, TellsAProgramThatIsNotThere) {
  ChildOptions options = shell_options("");
  options.command = {"/nonexistent"};
  auto child = ChildProcess::start(options);
  if (GetParam() == Orphan::dies) {
    ASSERT_TRUE(child);
    EXPECT_EQ(end_of(*child), 127);
  } else {
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().message, "cannot run /nonexistent: No such file or directory");
  }
}

}  // namespace
}  // namespace holdfast
