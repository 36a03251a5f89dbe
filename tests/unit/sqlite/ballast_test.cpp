// Tests the reserve on the disk.

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "sqlite/room.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using sqlite::Ballast;

constexpr std::int64_t kBytes = 64 << 10;

class BallastFileTest : public testing::Test {
 protected:
  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
  fs::path file_ = path_ + ".ballast";
};

TEST_F(BallastFileTest, TakesUpRoomUntilItIsLetGo) {
  Ballast ballast(path_, kBytes);
  EXPECT_FALSE(ballast.is_there());
  EXPECT_FALSE(ballast.let_go());
  EXPECT_TRUE(ballast.make());
  EXPECT_EQ(fs::file_size(file_), kBytes);
  EXPECT_TRUE(ballast.let_go());
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_FALSE(ballast.let_go());
  EXPECT_TRUE(ballast.make());
}

TEST_F(BallastFileTest, SurvivesIntoTheNextProcess) {
  EXPECT_TRUE(Ballast(path_, kBytes).make());
  Ballast next(path_, kBytes);
  EXPECT_TRUE(next.is_there());
  EXPECT_TRUE(next.let_go());
  EXPECT_FALSE(fs::exists(file_));
}

// A process that was killed while it made one, or that had another bound.
TEST_F(BallastFileTest, ReplacesAFileOfAnotherSize) {
  std::ofstream(file_) << "short";
  Ballast ballast(path_, kBytes);
  EXPECT_FALSE(ballast.is_there());
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_TRUE(ballast.make());
  EXPECT_EQ(fs::file_size(file_), kBytes);
}

}  // namespace
}  // namespace holdfast::test
