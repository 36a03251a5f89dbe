// Tests files that only their owner may read.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/base/file.hpp>
#include <holdfast/base/private_file.hpp>

#include "support/base/temp_dir.hpp"

namespace holdfast {
namespace {

using ::testing::HasSubstr;

struct stat status_of(const std::string& path) {
  struct stat found{};
  EXPECT_EQ(lstat(path.c_str(), &found), 0) << path;
  return found;
}

mode_t mode_of(const std::string& path) { return status_of(path).st_mode & 07777; }

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A file that another user has made, and holds open for reading.
class HeldFile {
 public:
  explicit HeldFile(const std::string& path, mode_t mode = 0600)
      : file_(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)) {
    EXPECT_GE(file_.get(), 0);
    if (geteuid() == 0) {
      EXPECT_EQ(fchown(file_.get(), 65534, 65534), 0);
    }
  }
  [[nodiscard]] std::string text() const {
    std::string out(4096, '\0');
    const ssize_t got = pread(file_.get(), out.data(), out.size(), 0);
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return out;
  }

 private:
  UniqueFd file_;
};

TEST(WritePrivateFile, ReplacesTheTextAndKeepsItPrivate) {
  const test::TempDir dir;
  const std::string path = dir.file("credentials");
  ASSERT_TRUE(write_private_file(path, "one\n"));
  EXPECT_EQ(text_of(path), "one\n");
  EXPECT_EQ(mode_of(path), 0600U);
  ASSERT_TRUE(write_private_file(path, "two\n"));
  EXPECT_EQ(text_of(path), "two\n");
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(WritePrivateFile, TakesTheRightsOfOthersAway) {
  const test::TempDir dir;
  const std::string path = dir.file("credentials");
  std::ofstream(path) << "same\n";
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  ASSERT_TRUE(write_private_file(path, "same\n"));
  EXPECT_EQ(mode_of(path), 0600U);
}

TEST(WritePrivateFile, LeavesTheSameTextAlone) {
  const test::TempDir dir;
  const std::string path = dir.file("credentials");
  ASSERT_TRUE(write_private_file(path, "same\n"));
  const auto before = status_of(path).st_ino;
  ASSERT_TRUE(write_private_file(path, "same\n"));
  EXPECT_EQ(before, status_of(path).st_ino);
}

TEST(WritePrivateFile, NeverWritesIntoAFileThatSomebodyHoldsOpen) {
  for (const bool aside : {true, false}) {
    for (const mode_t mode : {0600U, 0666U}) {
      const test::TempDir dir;
      const std::string path = dir.file("secret");
      const HeldFile held(aside ? path + ".new" : path, mode);
      ASSERT_TRUE(write_private_file(path, "a secret\n"));
      EXPECT_EQ(held.text(), "");
      EXPECT_EQ(text_of(path), "a secret\n");
      EXPECT_EQ(status_of(path).st_uid, geteuid());
      EXPECT_EQ(mode_of(path), 0600U);
    }
  }
}

TEST(WritePrivateFile, FollowsNoLinkAndWritesThroughNoName) {
  const test::TempDir dir;
  const std::string path = dir.file("secret");
  std::ofstream(dir.file("other")) << "theirs";
  for (const std::string& name : {path + ".new", path}) {
    std::filesystem::create_symlink(dir.file("other"), name);
    ASSERT_TRUE(write_private_file(path, "a secret"));
    EXPECT_FALSE(std::filesystem::is_symlink(path));
    std::filesystem::remove(path);
    std::filesystem::create_hard_link(dir.file("other"), name);
    ASSERT_TRUE(write_private_file(path, "a secret"));
    EXPECT_EQ(status_of(path).st_nlink, 1U);
    std::filesystem::remove(path);
    ASSERT_EQ(mkfifo(name.c_str(), 0600), 0);
    ASSERT_TRUE(write_private_file(path, "a secret"));
    EXPECT_EQ(text_of(path), "a secret");
    std::filesystem::remove(path);
  }
  EXPECT_EQ(text_of(dir.file("other")), "theirs");
}

TEST(WritePrivateFile, KeepsExistingFilesByDefault) {
  const test::TempDir dir;
  const std::string path = dir.file("master.key");
  ASSERT_TRUE(write_private_file(path, "one", {.replace = false}));
  const auto again = write_private_file(path, "two", {.replace = false});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::already_exists);
  EXPECT_EQ(text_of(path), "one");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(WritePrivateFile, NamesAPathThatCannotBeWritten) {
  const auto written = write_private_file("/no/such/folder/credentials", "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::io);
  EXPECT_THAT(written.error().message, HasSubstr("/no/such/folder/credentials"));
}

TEST(WritePrivateFile, WritesDevelopmentKeys) {
  const test::TempDir dir;
  const HeldFile authority(dir.file("ca.key.new"));
  const HeldFile server(dir.file("server.key.new"));
  ASSERT_TRUE(make_dev_certificates(dir.path().string(), {}));
  EXPECT_EQ(authority.text(), "");
  EXPECT_EQ(server.text(), "");
  EXPECT_EQ(mode_of(dir.file("ca.key")), 0600U);
  EXPECT_EQ(mode_of(dir.file("ca.pem")), 0644U);
  EXPECT_THAT(text_of(dir.file("server.key")), HasSubstr("PRIVATE KEY"));
}

TEST(OthersMayWrite, LooksAtModeAndOwner) {
  const test::TempDir dir;
  EXPECT_FALSE(others_may_write(dir.path().string()));
  ASSERT_EQ(chmod(dir.path().c_str(), 0770), 0);
  EXPECT_TRUE(others_may_write(dir.path().string()));
  ASSERT_EQ(chmod(dir.path().c_str(), 0755), 0);
  EXPECT_FALSE(others_may_write(dir.path().string()));
  if (geteuid() == 0) {
    ASSERT_EQ(chown(dir.path().c_str(), 65534, 65534), 0);
    EXPECT_TRUE(others_may_write(dir.path().string()));
  }
}

}  // namespace
}  // namespace holdfast
