// Tests the lock and the rights of a data directory.

#include "app/data_directory.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/base/temp_dir.hpp"

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;

mode_t mode_of(const std::string& path) {
  struct stat found{};
  return stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

TEST(DataDirectoryTest, CreatesItForItsOwnerAlone) {
  const test::TempDir dir;
  const auto opened = DataDirectory::open(dir.file("data"));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(mode_of(dir.file("data")), 0700u);
  EXPECT_EQ((*opened)->file("holdfast.db"), dir.file("data") + "/holdfast.db");
}

TEST(DataDirectoryTest, BelongsToOneAtATime) {
  const test::TempDir dir;
  auto first = DataDirectory::open(dir.file("data"));
  ASSERT_TRUE(first);
  const auto second = DataDirectory::open(dir.file("data"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_THAT(second.error().message, HasSubstr(dir.file("data") + " is in use"));
  first->reset();
  EXPECT_TRUE(DataDirectory::open(dir.file("data")));
}

TEST(DataDirectoryTest, NamesAPathThatCannotBeOne) {
  const test::TempDir dir;
  std::ofstream(dir.file("file")) << "x";
  const auto on_a_file = DataDirectory::open(dir.file("file"));
  ASSERT_FALSE(on_a_file);
  EXPECT_THAT(on_a_file.error().message, HasSubstr("is not a directory"));
  const auto below_nothing = DataDirectory::open(dir.file("no/such/parent"));
  ASSERT_FALSE(below_nothing);
  EXPECT_EQ(below_nothing.error().code, Errc::io);
  EXPECT_THAT(below_nothing.error().message, HasSubstr(dir.file("no/such/parent")));
}

TEST(DataDirectoryTest, RefusesOneThatOthersMayWriteTo) {
  for (const mode_t mode : {0720U, 0702U, 0777U, 01777U}) {
    const test::TempDir dir;
    ASSERT_EQ(mkdir(dir.file("data").c_str(), 0700), 0);
    ASSERT_EQ(chmod(dir.file("data").c_str(), mode), 0);
    const auto opened = DataDirectory::open(dir.file("data"));
    ASSERT_FALSE(opened) << std::oct << mode;
    EXPECT_THAT(opened.error().message, HasSubstr("other users may write"));
    EXPECT_THAT(opened.error().message, HasSubstr(dir.file("data")));
    EXPECT_TRUE(std::filesystem::is_empty(dir.file("data")));
  }
}

TEST(DataDirectoryTest, RefusesAnotherUsersExceptToRootsCommands) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  const test::TempDir dir;
  ASSERT_EQ(mkdir(dir.file("data").c_str(), 0700), 0);
  ASSERT_EQ(chown(dir.file("data").c_str(), 65534, 65534), 0);
  const auto opened = DataDirectory::open(dir.file("data"));
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("belongs to another user (65534)"));
  EXPECT_TRUE(std::filesystem::is_empty(dir.file("data")));
  EXPECT_TRUE(DataDirectory::open(dir.file("data"), DataDirectory::Use::maintain));
}

}  // namespace
}  // namespace holdfast::app
