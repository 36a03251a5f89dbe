#include "app/data_directory.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/base/temp_dir.hpp"

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;

mode_t mode_of(const std::string& path) {
  struct stat found{};
  return stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(DataDirectory, IsMadeForItsOwnerAlone) {
  const test::TempDir dir;
  const auto opened = DataDirectory::open(dir.file("data"));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(mode_of(dir.file("data")), 0700u);
  EXPECT_EQ((*opened)->file("holdfast.db"), dir.file("data") + "/holdfast.db");
}

TEST(DataDirectory, BelongsToOneAtATime) {
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

TEST(DataDirectory, NamesAPathThatCannotBeOne) {
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

TEST(WritePrivateFile, ReplacesTheTextAndKeepsItPrivate) {
  const test::TempDir dir;
  const std::string path = dir.file("credentials");
  ASSERT_TRUE(write_private_file(path, "one\n"));
  EXPECT_EQ(text_of(path), "one\n");
  EXPECT_EQ(mode_of(path), 0600u);
  ASSERT_TRUE(write_private_file(path, "two\n"));
  EXPECT_EQ(text_of(path), "two\n");
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(WritePrivateFile, TakesTheRightsOfOthersAway) {
  const test::TempDir dir;
  const std::string path = dir.file("credentials");
  std::ofstream(path) << "same\n";
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  ASSERT_TRUE(write_private_file(path, "same\n"));
  EXPECT_EQ(mode_of(path), 0600u);
}

TEST(WritePrivateFile, LeavesTheSameTextAlone) {
  const test::TempDir dir;
  const std::string path = dir.file("credentials");
  ASSERT_TRUE(write_private_file(path, "same\n"));
  struct stat before{};
  ASSERT_EQ(stat(path.c_str(), &before), 0);
  ASSERT_TRUE(write_private_file(path, "same\n"));
  struct stat after{};
  ASSERT_EQ(stat(path.c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST(WritePrivateFile, DoesNotFollowALinkThatSomebodyLaid) {
  const test::TempDir dir;
  std::ofstream(dir.file("other")) << "theirs";
  std::filesystem::create_symlink(dir.file("other"), dir.file("credentials.new"));
  EXPECT_FALSE(write_private_file(dir.file("credentials"), "secret"));
  EXPECT_EQ(text_of(dir.file("other")), "theirs");
}

TEST(WritePrivateFile, NamesAPathThatCannotBeWritten) {
  const auto written = write_private_file("/no/such/folder/credentials", "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::io);
  EXPECT_THAT(written.error().message, HasSubstr("/no/such/folder/credentials"));
}

}  // namespace
}  // namespace holdfast::app
