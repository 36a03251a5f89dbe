// Tests child processes.

#include "cli/child.hpp"

#include <csignal>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/base/temp_dir.hpp"
#include "support/client/eventually.hpp"

namespace holdfast::cli {
namespace {

class ChildTest : public testing::Test {
 protected:
  Child shell(const std::string& script) {
    auto child = Child::start({"/bin/sh",
                               {"-c", script},
                               {"GREETING=hello", "PATH=/usr/bin:/bin"},
                               folder_.file("out"),
                               folder_.file("err")});
    EXPECT_TRUE(child);
    return std::move(*child);
  }
  std::optional<int> end_of(Child& child) {
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

TEST_F(ChildTest, RunsWithItsOwnEnvironmentAndKeepsWhatItPrints) {
  Child child = shell("echo $GREETING; echo there >&2; exit 7");
  EXPECT_EQ(end_of(child), 7);
  EXPECT_EQ(read("out"), "hello\n");
  EXPECT_EQ(read("err"), "there\n");
}

TEST_F(ChildTest, LeavesNothingOfAnEarlierProcessInItsFiles) {
  Child first = shell("echo earlier; echo earlier >&2");
  EXPECT_EQ(end_of(first), 0);
  const Child second = shell("exec sleep 60");
  EXPECT_EQ(read("out"), "");
  EXPECT_EQ(read("err"), "");
}

TEST_F(ChildTest, TellsAFileThatCannotBeMade) {
  EXPECT_FALSE(Child::start({"/bin/true", {}, {}, "/nonexistent/out", folder_.file("err")}));
}

TEST_F(ChildTest, TellsTheSignalThatEndedIt) {
  Child child = shell("exec sleep 60");
  EXPECT_FALSE(child.exit_code());
  child.signal(SIGKILL);
  EXPECT_EQ(end_of(child), 128 + SIGKILL);
}

TEST_F(ChildTest, IsKilledWithItsObject) {
  pid_t pid = 0;
  {
    const Child child = shell("exec sleep 60");
    pid = child.pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST_F(ChildTest, LivesInAProcessGroupOfItsOwn) {
  Child child = shell("exec sleep 60");
  EXPECT_TRUE(test::eventually([&] { return getpgid(child.pid()) == child.pid(); }));
}

TEST_F(ChildTest, TellsAProgramThatIsNotThere) {
  auto child = Child::start({"/nonexistent", {}, {}, folder_.file("out"), folder_.file("err")});
  ASSERT_TRUE(child);
  EXPECT_EQ(end_of(*child), 127);
}

}  // namespace
}  // namespace holdfast::cli
