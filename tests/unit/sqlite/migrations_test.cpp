// Tests migrations of the schema.

#include "sqlite/migrations.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sqlite/data_file.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using sqlite::Migration;
using sqlite::open_data_file;
using testing::HasSubstr;

const Migration kFirst{"0001_first.sql", "CREATE TABLE things (x INTEGER);"};
const Migration kSecond{"0002_second.sql",
                        "ALTER TABLE things ADD COLUMN y INTEGER NOT NULL DEFAULT 7;\n"
                        "CREATE INDEX things_by_y ON things (y) -- no semicolon at the end"};
const Migration kBroken{"0003_broken.sql", "CREATE TABLE more (x); CREATE TABLE things (x);"};

class MigrationsTest : public testing::Test {
 protected:
  Result<std::unique_ptr<sqlite::Database>> open(const std::vector<Migration>& migrations) {
    return open_data_file(path_, migrations);
  }
  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
};

TEST_F(MigrationsTest, MakesAFreshDatabase) {
  auto database = open({kFirst, kSecond});
  ASSERT_TRUE(database);
  EXPECT_EQ((*database)->integer("PRAGMA user_version"), 2);
  EXPECT_EQ((*database)->integer("PRAGMA application_id"), sqlite::kApplicationId);
}

TEST_F(MigrationsTest, UpgradesAnOlderDatabaseAndKeepsItsRows) {
  {
    auto database = open({kFirst});
    ASSERT_TRUE((*database)->execute("INSERT INTO things (x) VALUES (5)"));
  }
  auto database = open({kFirst, kSecond});
  ASSERT_TRUE(database);
  EXPECT_EQ((*database)->integer("PRAGMA user_version"), 2);
  EXPECT_EQ((*database)->integer("SELECT x + y FROM things"), 12);
}

TEST_F(MigrationsTest, RefusesANewerDatabase) {
  {
    ASSERT_TRUE(open({kFirst, kSecond}));
  }
  const auto database = open({kFirst});
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Errc::conflict);
}

TEST_F(MigrationsTest, ChangesNothingAndNamesTheStepOnFailure) {
  {
    ASSERT_TRUE(open({kFirst, kSecond}));
  }
  {
    const auto database = open({kFirst, kSecond, kBroken});
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, Errc::io);
    EXPECT_THAT(database.error().message, HasSubstr("0003_broken.sql"));
  }
  auto database = open({kFirst, kSecond});
  ASSERT_TRUE(database);
  EXPECT_EQ((*database)->integer("SELECT count(*) FROM sqlite_schema WHERE name = 'more'"), 0);
}

TEST_F(MigrationsTest, LeavesNoDatabaseWhenAFreshOneFails) {
  ASSERT_FALSE(open({kFirst, kSecond, kBroken}));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(open({kFirst}));
}

TEST_F(MigrationsTest, EmbedsThemInOrder) {
  const auto embedded = sqlite::embedded_migrations();
  ASSERT_FALSE(embedded.empty());
  EXPECT_EQ(std::string(embedded[0].name), "0001_schema.sql");
  for (std::size_t i = 1; i < embedded.size(); ++i) {
    EXPECT_LT(std::string(embedded[i - 1].name), std::string(embedded[i].name));
  }
}

}  // namespace
}  // namespace holdfast::test
