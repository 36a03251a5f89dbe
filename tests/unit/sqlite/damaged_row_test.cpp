// A row that is not as it was written is never delivered, and nothing behind it waits for it.
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/sqlite/database_file.hpp>

#include "sqlite/checksum.hpp"
#include "sqlite/sqlite.hpp"
#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "unit/sqlite/ledger.hpp"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DamagedRowTest : public testing::Test {
 protected:
  DamagedRowTest() {
    OpenedStore opened(path_);
    ids_ = {make_message("anna", 1), make_message("anna", 2, kText), make_message("anna", 3)};
    EXPECT_TRUE(opened.calls().insert(ids_));
  }
  void execute(const std::string& sql) {
    auto database = sqlite::Database::open(path_);
    ASSERT_TRUE(database);
    ASSERT_TRUE((*database)->execute(sql.c_str())) << (*database)->message();
  }
  // All but the second message come, and that one is a dead letter.
  void expect_it_is_found() {
    const auto check = sqlite::check_database(path_);
    ASSERT_TRUE(check);
    EXPECT_THAT(check->problems, testing::Contains(HasSubstr("not as it was written: anna 2")));
    OpenedStore opened(path_);
    EXPECT_THAT(opened.calls().sequences("anna"), ElementsAre(1, 3));
    const auto letters = opened.calls().list_dead_letters();
    ASSERT_EQ(letters.size(), 1U);
    EXPECT_EQ(letters[0].reason, "damaged");
    EXPECT_EQ(opened.store().file_metrics().damaged.read(), 1U);
    expect_totals_equal_rows(opened);
  }

  inline static const std::string kText = "what was sent" + std::string(200, 'x');
  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
  std::vector<delivery::MessagePtr> ids_;
};

class DamagedColumnTest : public DamagedRowTest, public testing::WithParamInterface<const char*> {};

TEST_P(DamagedColumnTest, MakesADeadLetterOfTheRow) {
  execute("UPDATE messages SET " + std::string(GetParam()) + " WHERE sequence = 2");
  expect_it_is_found();
}

INSTANTIATE_TEST_SUITE_P(Each, DamagedColumnTest,
                         testing::Values("payload = CAST(replace(payload, 'what', 'whit') AS BLOB)",
                                         "accepted_at = accepted_at + 1",
                                         "expires_at = expires_at + 4096", "id = randomblob(16)",
                                         "checksum = checksum + 1"));

// Other columns are in `check`'s words and in what the user is left with.
TEST_F(DamagedRowTest, MakesADeadLetterOfARowWhoseSequenceIsAnother) {
  execute("UPDATE messages SET sequence = 200 WHERE sequence = 2");
  OpenedStore opened(path_);
  EXPECT_THAT(opened.calls().sequences("anna"), ElementsAre(1, 3));
  ASSERT_EQ(opened.calls().list_dead_letters().size(), 1U);
  EXPECT_EQ(opened.calls().list_dead_letters()[0].reason, "damaged");
  EXPECT_EQ(opened.calls().list_pending().front().messages, 2);
}

TEST_F(DamagedRowTest, MakesADeadLetterOfARowWhoseUserIsAnother) {
  execute("UPDATE messages SET user = 'anne' WHERE sequence = 2");
  OpenedStore opened(path_);
  EXPECT_THAT(opened.calls().sequences("anna"), ElementsAre(1, 3));
  EXPECT_THAT(opened.calls().sequences("anne"), IsEmpty());
  ASSERT_EQ(opened.calls().list_dead_letters().size(), 1U);
  EXPECT_EQ(opened.calls().list_dead_letters()[0].reason, "damaged");
  for (const auto& totals : opened.calls().list_pending()) EXPECT_GT(totals.messages, 0);
}

TEST_F(DamagedRowTest, DetectsAnyFlippedBitOfItsText) {
  std::mt19937 random(7);
  const std::string good = read_file(path_);
  const std::size_t at = good.find(kText);
  ASSERT_NE(at, std::string::npos);
  for (int i = 0; i < 30; ++i) {
    std::string bytes = good;
    bytes[at + random() % kText.size()] ^= static_cast<char>(1U << (random() % 8));
    write_file(path_, bytes);
    expect_it_is_found();
  }
}

TEST_F(DamagedRowTest, PassesWithoutAChecksum) {
  execute("UPDATE messages SET checksum = NULL");
  EXPECT_THAT(sqlite::check_database(path_)->problems, IsEmpty());
  OpenedStore opened(path_);
  EXPECT_THAT(opened.calls().sequences("anna"), ElementsAre(1, 2, 3));
  ASSERT_TRUE(opened.calls().move_to_dead_letters("anna", 0, 3, "deleted"));
  EXPECT_EQ(opened.calls().list_dead_letters().size(), 3U);
}

// ---- dead letters

class DamagedLetterTest : public DamagedRowTest {
 protected:
  DamagedLetterTest() {
    OpenedStore opened(path_);
    EXPECT_TRUE(opened.calls().move_to_dead_letters("anna", 0, 3, "deleted"));
  }
  bool is_damaged(const delivery::MessagePtr& message) {
    OpenedStore opened(path_);
    return opened.calls().find_dead_letter(message->id).value().damaged;
  }
};

TEST_F(DamagedLetterTest, DiffersFromAGoodOne) {
  for (const auto& message : ids_) EXPECT_FALSE(is_damaged(message));
  std::string bytes = read_file(path_);
  const std::size_t at = bytes.find(kText);
  ASSERT_NE(at, std::string::npos);
  // SQLite may keep what is deleted; only the letter's own text counts.
  for (std::size_t next = at; next != std::string::npos; next = bytes.find(kText, next)) {
    bytes[next + 5] ^= 1;
  }
  write_file(path_, bytes);
  EXPECT_TRUE(is_damaged(ids_[1]));
  EXPECT_FALSE(is_damaged(ids_[0]));
  EXPECT_FALSE(is_damaged(ids_[2]));
}

TEST_F(DamagedLetterTest, PassesWithoutAChecksum) {
  execute("UPDATE dead_letters SET checksum = NULL, payload = x'61'");
  EXPECT_FALSE(is_damaged(ids_[1]));
}

// ---- rows from before there were sums

/// A database whose rows are from before there were sums: more than one transaction sums.
class OldRowsTest : public testing::Test {
 protected:
  OldRowsTest() {
    OpenedStore opened(path_);
    for (const char* user : {"anna", "bert", "carl"}) {
      std::vector<delivery::MessagePtr> messages;
      for (Sequence i = 1; i <= 1'100; ++i) {
        messages.push_back(make_message(user, i, "old text " + std::to_string(i)));
      }
      EXPECT_TRUE(opened.calls().insert(messages));
    }
    // Beyond what a transaction sums by its bytes.
    for (Sequence i = 1; i <= 6; ++i) {
      EXPECT_TRUE(opened.calls().insert({make_message("dora", i, std::string(1 << 20, 'd'))}));
    }
    for (int i = 0; i < 1'100;) {
      i += static_cast<int>(
          opened.calls().move_to_dead_letters("carl", 0, 1'100, "deleted").value().messages);
    }
    forget_sums_ = "UPDATE messages SET checksum = NULL; UPDATE dead_letters SET checksum = NULL;";
  }
  void execute(const std::string& sql) {
    auto database = sqlite::Database::open(path_);
    ASSERT_TRUE(database);
    ASSERT_TRUE((*database)->execute(sql.c_str())) << (*database)->message();
  }

  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
  std::string forget_sums_;
};

TEST_F(OldRowsTest, GetsAChecksumEach) {
  execute(forget_sums_);
  EXPECT_EQ(sqlite::check_database(path_)->rows_without_checksum, 3'306);
  const auto added = sqlite::add_checksums(path_);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->messages, 2'206);
  EXPECT_EQ(added->dead_letters, 1'100);
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
  const auto check = sqlite::check_database(path_);
  EXPECT_THAT(check->problems, IsEmpty());
  EXPECT_EQ(check->rows_without_checksum, 0);
  const auto again = sqlite::add_checksums(path_);
  EXPECT_EQ(again->messages + again->dead_letters, 0);
  // From here on damage is found.
  execute(
      "UPDATE messages SET payload = x'61' WHERE user = 'bert' AND sequence = 1100;"
      "UPDATE dead_letters SET payload = x'61' WHERE sequence = 7");
  EXPECT_THAT(sqlite::check_database(path_)->problems,
              testing::IsSupersetOf({HasSubstr("message that is not as it was written: bert 1100"),
                                     HasSubstr("letter that is not as it was written: carl 7")}));
}

TEST_F(OldRowsTest, LeavesOtherRowsAsTheyAre) {
  execute(
      "UPDATE messages SET checksum = NULL WHERE sequence % 100 = 0;"
      "UPDATE messages SET checksum = 7 WHERE user = 'anna' AND sequence = 50");
  const auto added = sqlite::add_checksums(path_);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->messages, 22);
  EXPECT_EQ(added->dead_letters, 0);
  EXPECT_THAT(sqlite::check_database(path_)->problems,
              ElementsAre(HasSubstr("not as it was written: anna 50")));
}

TEST_F(OldRowsTest, NeedsASchemaWithChecksums) {
  execute("ALTER TABLE messages DROP COLUMN checksum; PRAGMA user_version = 8");
  const auto added = sqlite::add_checksums(path_);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, Errc::conflict);
  EXPECT_THAT(added.error().message, HasSubstr("start the gateway once"));
  write_file(folder_.file("text"), "no database");
  EXPECT_FALSE(sqlite::add_checksums(folder_.file("text")));
  EXPECT_FALSE(sqlite::add_checksums(folder_.file("none")));
}

// Sums are in databases: they must stay what they are.
TEST(ChecksumTest, StaysTheSameInEveryVersion) {
  EXPECT_NE(sqlite::checksum_of({}), 0);
  const sqlite::SummedRow row{.user = "anna",
                              .sequence = 7,
                              .id = "0123456789abcdef",
                              .accepted_at = 1'769'076'000'000'000,
                              .expires_at = 1'769'079'600'000'000,
                              .payload = "a text of more than sixteen bytes"};
  EXPECT_EQ(sqlite::checksum_of(row), -3'444'537'591'830'320'242);
}

TEST(ChecksumTest, DependsOnEachColumnAndOnWhereOneEnds) {
  const sqlite::SummedRow row{.user = "anna", .sequence = 1, .id = "i", .payload = "p"};
  sqlite::SummedRow other = row;
  other.user = "annai";
  other.id = "";
  EXPECT_NE(sqlite::checksum_of(other), sqlite::checksum_of(row));
  other = row;
  other.payload = std::string_view("p\0", 2);
  EXPECT_NE(sqlite::checksum_of(other), sqlite::checksum_of(row));
  other = row;
  std::swap(other.accepted_at, other.sequence);
  EXPECT_NE(sqlite::checksum_of(other), sqlite::checksum_of(row));
}

}  // namespace
}  // namespace holdfast::test
