// Tests descriptors and files.

#include <cerrno>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <holdfast/base/file.hpp>

#include "support/base/temp_dir.hpp"

namespace holdfast {
namespace {

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, ClosesOnce) {
  int number = -1;
  {
    UniqueFd first = open_file("/dev/null", O_RDONLY);
    ASSERT_TRUE(first);
    number = first.get();
    UniqueFd second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(second.get(), number);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFdTest, ClosesWhatIsAssignedOver) {
  UniqueFd first = open_file("/dev/null", O_RDONLY);
  UniqueFd second = open_file("/dev/null", O_RDONLY);
  const int lost = first.get();
  const int kept = second.get();
  first = std::move(second);
  EXPECT_EQ(first.get(), kept);
  EXPECT_FALSE(is_open(lost));
  UniqueFd& same = first;
  first = std::move(same);
  EXPECT_EQ(first.get(), kept);
  EXPECT_TRUE(is_open(kept));
}

TEST(UniqueFdTest, GivesItsDescriptorAway) {
  UniqueFd owner = open_file("/dev/null", O_RDONLY);
  const UniqueFd next(owner.release());
  EXPECT_FALSE(owner);
  EXPECT_TRUE(is_open(next.get()));
}

TEST(UniqueFdTest, KeepsErrnoWhenItCloses) {
  {
    // No descriptor has this number, so the close fails with EBADF.
    const UniqueFd wrong(1 << 20);
    errno = ENOENT;
  }
  EXPECT_EQ(errno, ENOENT);
}

TEST(OpenFileTest, InheritsToNobodyAndIsPrivate) {
  const test::TempDir dir;
  const UniqueFd file = open_file(dir.file("new"), O_CREAT | O_RDWR);
  ASSERT_TRUE(file);
  EXPECT_EQ(fcntl(file.get(), F_GETFD), FD_CLOEXEC);
  struct stat status{};
  ASSERT_EQ(fstat(file.get(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST(OpenFileTest, TellsWhatFailed) {
  EXPECT_FALSE(open_file("/nonexistent/file", O_RDONLY));
  const Result<void> error = file_error("read", "/nonexistent/file");
  EXPECT_EQ(error.error().code, Errc::io);
  EXPECT_EQ(error.error().message, "cannot read /nonexistent/file: No such file or directory");
  EXPECT_EQ(error.error().where, "/nonexistent/file");
}

TEST(FileTest, ReadsBackAllThatWasWritten) {
  const test::TempDir dir;
  const UniqueFd file = open_file(dir.file("file"), O_CREAT | O_RDWR);
  const std::string text(300'000, 'x');
  ASSERT_TRUE(write_all(file.get(), text));
  ASSERT_TRUE(write_all(file.get(), ""));
  ASSERT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
  std::string there(text.size() + 1, '\0');
  EXPECT_EQ(read_up_to(file.get(), there.data(), 7), 7U);
  EXPECT_EQ(read_up_to(file.get(), there.data() + 7, there.size() - 7), text.size() - 7);
  there.pop_back();
  EXPECT_EQ(there, text);
}

TEST(FileTest, TellsAReadOrWriteThatFails) {
  const UniqueFd folder = open_file("/", O_RDONLY | O_DIRECTORY);
  char byte = 0;
  EXPECT_FALSE(read_up_to(folder.get(), &byte, 1));
  EXPECT_EQ(errno, EISDIR);
  EXPECT_FALSE(write_all(folder.get(), "x"));
  EXPECT_EQ(errno, EBADF);
}

TEST(FileTest, SyncsFoldersAlone) {
  const test::TempDir dir;
  const std::string path = dir.file("file");
  EXPECT_TRUE(open_file(path, O_CREAT | O_RDWR));
  EXPECT_TRUE(sync_folder(folder_of(path)));
  EXPECT_FALSE(sync_folder(path));
  EXPECT_EQ(folder_of("name"), ".");
  EXPECT_EQ(folder_of("/name"), "/");
  EXPECT_EQ(folder_of("a/b"), "a");
}

}  // namespace
}  // namespace holdfast
