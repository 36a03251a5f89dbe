// Tests open_store with files of every kind. It starts, or says in one line why not, and never
// replaces a bad database by an empty one.
#include "sqlite/data_file.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite/migrations.hpp"
#include "sqlite/sqlite.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "unit/sqlite/child.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class DataFileTest : public testing::Test {
 protected:
  /// A database with a few pages of messages in it.
  void fill() {
    OpenedStore opened(path_);
    for (Sequence i = 1; i <= 40; ++i) {
      ASSERT_TRUE(opened.calls().insert({make_message("anna", i, std::string(900, 'x'))}));
    }
  }
  Error open_error() {
    const ManualClock clock;
    const auto before = size();
    auto opened = sqlite::open_store(OpenedStore::options_for(path_), clock);
    EXPECT_FALSE(opened) << "the store opened";
    if (opened) return {Errc::internal, "opened"};
    EXPECT_EQ(size(), before) << "the bad file was changed";
    EXPECT_THAT(opened.error().message, Not(HasSubstr("\n")));
    EXPECT_THAT(opened.error().where, HasSubstr(folder_.path().string()));
    return opened.error();
  }
  std::int64_t size() const {
    std::error_code error;
    const auto bytes = fs::file_size(path_, error);
    return error ? -1 : static_cast<std::int64_t>(bytes);
  }
  void overwrite(std::int64_t offset, const std::string& bytes) const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  void execute(const char* sql) const {
    auto database = sqlite::Database::open(path_);
    ASSERT_TRUE(database);
    ASSERT_TRUE((*database)->execute(sql)) << (*database)->message();
  }

  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
};

TEST_F(DataFileTest, CreatesItForItsOwnerAlone) {
  OpenedStore opened(path_);
  ASSERT_TRUE(opened.calls().insert({make_message("anna", 1)}));
  for (const char* suffix : {"", "-wal", ".ballast"}) {
    struct stat info{};
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << suffix;
  }
  EXPECT_FALSE(fs::exists(path_ + ".new"));
}

// The index of the log would need room on the disk when the log grows.
TEST_F(DataFileTest, CreatesNoSharedMemoryFile) {
  fill();
  std::ofstream(path_ + "-shm") << std::string(32'768, 'x');
  OpenedStore opened(path_);
  for (Sequence i = 1'000; i <= 1'050; ++i) {
    ASSERT_TRUE(opened.calls().insert({make_message("anna", i, std::string(100'000, 'x'))}));
  }
  EXPECT_FALSE(fs::exists(path_ + "-shm"));
}

// A reader beside the store could hold up its checkpoints.
TEST_F(DataFileTest, LetsNobodyReadBesideTheStore) {
  OpenedStore opened(path_);
  auto other = sqlite::Database::open(path_);
  ASSERT_TRUE(other);
  EXPECT_EQ((*other)->integer("SELECT count(*) FROM meta"), 0);
  EXPECT_EQ((*other)->code() & 0xff, SQLITE_BUSY);
}

TEST_F(DataFileTest, KeepsOtherReadersOut) {
  fill();
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write | fs::perms::others_read);
  OpenedStore opened(path_);
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(DataFileTest, ReplacesAHalfMadeFile) {
  std::ofstream(path_ + ".new") << "half";
  std::ofstream(path_ + ".new-wal") << "half";
  OpenedStore opened(path_);
  EXPECT_TRUE(opened.calls().insert({make_message("anna", 1)}));
}

TEST_F(DataFileTest, ConflictsWithinThisProcess) {
  const OpenedStore opened(path_);
  const ManualClock clock;
  const auto second = sqlite::open_store(OpenedStore::options_for(path_), clock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_THAT(second.error().message, HasSubstr("in use"));
}

TEST_F(DataFileTest, ConflictsWithAnotherProcess) {
  const TempDir signals;
  const std::string opened = signals.file("opened");
  ASSERT_EQ(::mkfifo(opened.c_str(), 0600), 0);
  Child child([&](int) {
    const OpenedStore store(path_);
    std::ofstream(opened) << "yes";
    ::pause();
    return 0;
  });
  std::string answer;
  std::ifstream(opened) >> answer;
  ASSERT_EQ(answer, "yes");
  const ManualClock clock;
  const auto second = sqlite::open_store(OpenedStore::options_for(path_), clock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  child.kill();
  static_cast<void>(child.wait());
  const OpenedStore after_its_death(path_);
}

TEST_F(DataFileTest, RefusesAnEmptyFile) {
  std::ofstream{path_};
  const Error error = open_error();
  EXPECT_EQ(error.code, Errc::io);
  EXPECT_THAT(error.message, HasSubstr("truncated"));
}

TEST_F(DataFileTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path_) << std::string(8'192, 'x');
  const Error error = open_error();
  EXPECT_EQ(error.code, Errc::io);
  EXPECT_THAT(error.message, HasSubstr("damaged"));
}

TEST_F(DataFileTest, RefusesACorruptHeader) {
  fill();
  overwrite(0, "SQLite farmat 3");
  EXPECT_EQ(open_error().code, Errc::io);
}

TEST_F(DataFileTest, RefusesATruncatedFileOfEveryLength) {
  fill();
  const std::int64_t whole = size();
  for (std::int64_t bytes : {whole - 4'096, whole - 1, whole / 2, std::int64_t{4'096},
                             std::int64_t{512}, std::int64_t{50}, std::int64_t{1}}) {
    if (bytes > size()) continue;
    fs::resize_file(path_, static_cast<std::uintmax_t>(bytes));
    EXPECT_EQ(open_error().code, Errc::io) << bytes;
  }
}

TEST_F(DataFileTest, RefusesACorruptPageInTheMiddle) {
  fill();
  overwrite(4'096 * 3, std::string(4'096, '\x5a'));
  EXPECT_EQ(open_error().code, Errc::io);
}

TEST_F(DataFileTest, ChecksLargerFilesWholeAfterACrash) {
  fill();
  // The last page is read by nothing that a start needs.
  overwrite(size() - 4'096, std::string(4'096, '\x5a'));
  const auto opens = [&](sqlite::CheckBounds bounds) {
    return sqlite::open_data_file(path_, sqlite::embedded_migrations(), bounds).has_value();
  };
  const std::int64_t bytes = size();
  EXPECT_TRUE(opens({.after_clean_stop = bytes - 1, .after_crash = bytes}));
  EXPECT_FALSE(opens({.after_clean_stop = bytes, .after_crash = bytes}));
  const auto leave_log = [&] { std::ofstream(path_ + "-wal") << std::string(5'000, 'x'); };
  leave_log();
  EXPECT_FALSE(opens({.after_clean_stop = bytes - 1, .after_crash = bytes}));
  leave_log();
  EXPECT_TRUE(opens({.after_clean_stop = bytes - 1, .after_crash = bytes - 1}));
}

// A sync of the log may have failed before the end: nothing is put behind what only memory may
// have.
TEST_F(DataFileTest, MovesTheLogOfAnUncleanEndIntoTheFile) {
  const TempDir copies;
  const std::string copy = copies.file("holdfast.db");
  {
    OpenedStore opened(path_);
    ASSERT_TRUE(opened.calls().insert({make_message("anna", 1, "left in the log")}));
    for (const char* suffix : {"", "-wal"}) fs::copy_file(path_ + suffix, copy + suffix);
  }
  ASSERT_GT(fs::file_size(copy + "-wal"), 0U);
  const auto before = fs::file_size(copy);

  const auto database = sqlite::open_data_file(copy, sqlite::embedded_migrations(), {}, {});
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_EQ(fs::file_size(copy + "-wal"), 0U);
  EXPECT_GE(fs::file_size(copy), before);
  EXPECT_EQ((*database)->text("SELECT payload FROM messages"), "left in the log");
}

TEST_F(DataFileTest, RefusesALogWithoutAFile) {
  std::ofstream(path_ + "-wal") << std::string(5'000, 'x');
  const Error error = open_error();
  EXPECT_EQ(error.code, Errc::io);
  EXPECT_THAT(error.message, HasSubstr("missing"));
}

TEST_F(DataFileTest, RefusesAnotherProgramsDatabase) {
  {
    std::ofstream{path_};
    auto database = sqlite::Database::open(path_);
    ASSERT_TRUE((*database)->execute("CREATE TABLE theirs (x)"));
  }
  const Error error = open_error();
  EXPECT_EQ(error.code, Errc::io);
  EXPECT_THAT(error.message, HasSubstr("not a Holdfast database"));
}

TEST_F(DataFileTest, RefusesAFolder) {
  fs::create_directory(path_);
  EXPECT_EQ(open_error().code, Errc::io);
}

TEST_F(DataFileTest, RefusesAMissingFolder) {
  path_ = folder_.file("missing/holdfast.db");
  EXPECT_EQ(open_error().code, Errc::io);
}

TEST_F(DataFileTest, RefusesANewerSchema) {
  fill();
  execute("PRAGMA user_version = 999");
  const Error error = open_error();
  EXPECT_EQ(error.code, Errc::conflict);
  EXPECT_THAT(error.message, HasSubstr("999"));
}

TEST_F(DataFileTest, ForgetsItsConnectionsAtStart) {
  {
    OpenedStore opened(path_);
    delivery::ConnectionInfo info;
    info.user = UserId("anna");
    info.id = ConnectionId("one");
    opened.handles().connections->opened(info);
    info.id = ConnectionId("two");
    opened.handles().connections->opened(info);
    opened.handles().connections->closed(ConnectionId("one"));
  }
  const auto count = [&] {
    auto database = sqlite::Database::open(path_);
    return (*database)->text("SELECT group_concat(id) FROM connections");
  };
  EXPECT_EQ(count(), "two");
  {
    const OpenedStore opened(path_);
  }
  EXPECT_EQ(count(), "");
}

TEST_F(DataFileTest, LeavesNoLogAfterACleanStop) {
  fill();
  EXPECT_FALSE(fs::exists(path_ + "-wal"));
  EXPECT_THAT(OpenedStore(path_).calls().list_pending(),
              ElementsAre(MessageCalls::UserTotals{"anna", 40, 40 * 900}));
}

}  // namespace
}  // namespace holdfast::test
