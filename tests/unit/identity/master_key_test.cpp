// Tests loading and creating the master key.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/identity/key_ring.hpp>

#include "support/base/temp_dir.hpp"

namespace holdfast::identity {
namespace {

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(MasterKey, IsCreatedOnceAndReadableOnlyByItsOwner) {
  const test::TempDir dir;
  const std::string path = dir.file("master.key");
  const auto made = MasterKey::load(path, nullptr, MasterKey::Missing::create);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->bytes().size(), 32U);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));

  const auto again = MasterKey::load(path, nullptr, MasterKey::Missing::create);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->bytes(), made->bytes());
}

TEST(MasterKey, DiffersFromFileToFile) {
  const test::TempDir dir;
  const auto first = MasterKey::load(dir.file("a"), nullptr, MasterKey::Missing::create);
  const auto second = MasterKey::load(dir.file("b"), nullptr, MasterKey::Missing::create);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->bytes(), second->bytes());
}

TEST(MasterKey, IsNotMadeUnlessAskedFor) {
  const test::TempDir dir;
  const std::string path = dir.file("master.key");
  const auto key = MasterKey::load(path, nullptr, MasterKey::Missing::fail);
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Errc::not_found);
  EXPECT_NE(key.error().message.find(path), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(MasterKey, SurvivesALeftOverOfAnInterruptedStart) {
  const test::TempDir dir;
  const std::string path = dir.file("master.key");
  write(path + ".new", "half a k");
  const auto key = MasterKey::load(path, nullptr, MasterKey::Missing::create);
  ASSERT_TRUE(key);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  EXPECT_EQ(MasterKey::load(path, nullptr, MasterKey::Missing::fail)->bytes(), key->bytes());
}

TEST(MasterKey, ComesFromTheEnvironmentFirst) {
  const test::TempDir dir;
  const std::string path = dir.file("master.key");
  ASSERT_TRUE(MasterKey::load(path, nullptr, MasterKey::Missing::create));
  const std::string bytes(32, 'e');
  const auto key =
      MasterKey::load(path, (base64_encode(bytes) + "\n").c_str(), MasterKey::Missing::create);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->bytes(), bytes);
}

TEST(MasterKey, OfTheEnvironmentIsNotReplacedWhenItIsBroken) {
  const test::TempDir dir;
  for (const std::string& value :
       {std::string(), std::string("not base64!"), base64_encode(std::string(31, 'x')),
        base64_encode(std::string(33, 'x'))}) {
    const auto key =
        MasterKey::load(dir.file("master.key"), value.c_str(), MasterKey::Missing::create);
    ASSERT_FALSE(key) << value;
    EXPECT_EQ(key.error().code, Errc::invalid_argument);
    EXPECT_NE(key.error().message.find("HOLDFAST_MASTER_KEY"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(dir.file("master.key")));
  }
}

TEST(MasterKey, ReportsAShortOrBrokenFileAndLeavesItAlone) {
  const test::TempDir dir;
  const std::string path = dir.file("master.key");
  for (const std::string& text :
       {std::string(), base64_encode(std::string(16, 'x')), std::string("garbage \x01"),
        base64_encode(std::string(32, 'x')).substr(0, 20), std::string(5000, 'A')}) {
    write(path, text);
    const auto key = MasterKey::load(path, nullptr, MasterKey::Missing::create);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, Errc::invalid_argument);
    EXPECT_NE(key.error().message.find(path), std::string::npos) << key.error().message;
    EXPECT_EQ(std::filesystem::file_size(path), text.size());
  }
}

TEST(MasterKey, ReportsWhatIsNoReadableFile) {
  const test::TempDir dir;
  const std::string fifo = dir.file("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string loop = dir.file("loop");
  std::filesystem::create_symlink(loop, loop);
  for (const std::string& path : {dir.path().string(), fifo, loop, dir.file("fifo/below")}) {
    const auto key = MasterKey::load(path, nullptr, MasterKey::Missing::create);
    ASSERT_FALSE(key) << path;
    EXPECT_EQ(key.error().code, Errc::io);
    EXPECT_NE(key.error().message.find(path), std::string::npos) << key.error().message;
  }
}

/// Nobody in particular for a while: root may read everything.
class Unprivileged {
 public:
  Unprivileged() {
    if (user_ == 0) was_changed_ = seteuid(65534) == 0;
  }
  ~Unprivileged() {
    if (was_changed_ && seteuid(user_) != 0) std::abort();
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  uid_t user_ = geteuid();
  bool was_changed_ = false;
};

TEST(MasterKey, ReportsAFileThatItMayNotRead) {
  const test::TempDir dir;
  const std::string path = dir.file("master.key");
  ASSERT_TRUE(MasterKey::load(path, nullptr, MasterKey::Missing::create));
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  const Unprivileged unprivileged;
  const auto key = MasterKey::load(path, nullptr, MasterKey::Missing::create);
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Errc::io);
  EXPECT_EQ(key.error().message, "cannot read the master key " + path + ": Permission denied");
}

TEST(MasterKey, ReportsAFolderThatDoesNotExist) {
  const test::TempDir dir;
  const auto key =
      MasterKey::load(dir.file("missing/master.key"), nullptr, MasterKey::Missing::create);
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Errc::io);
}

}  // namespace
}  // namespace holdfast::identity
