// A record whose head is damaged hides rows behind it: nothing fails, and so it must be told.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/sqlite/database_file.hpp>

#include "sqlite/data_file.hpp"
#include "sqlite/tables.hpp"
#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "unit/sqlite/ledger.hpp"
#include "unit/sqlite/turned_store.hpp"

namespace holdfast::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr int kRows = 100;
// https://www.sqlite.org/fileformat2.html section 2.1: the size of the record's head, and the types
// of its seven columns, of which the text's takes two bytes.
constexpr std::size_t kHeadBytes = 9;

std::string text_of(const std::string& user, int row) {
  return "text " + std::to_string(row) + " of " + user + std::string(60, '.');
}

delivery::PageQuery all_of(const std::string& user, WallTime now = kTestTime) {
  delivery::PageQuery query;
  query.user = UserId(user);
  query.up_to = INT64_MAX;
  query.messages = 1'000;
  query.bytes = 1 << 20;
  query.now = now;
  return query;
}

/// The damaged byte of a record, counted from where the user's name begins in it.
class HiddenRowsTest : public testing::TestWithParam<int> {
 protected:
  HiddenRowsTest() {
    OpenedStore opened(path_);
    for (const char* user : {"alice", "bob", "carol"}) {
      for (int row = 1; row <= kRows; ++row) {
        EXPECT_TRUE(opened.calls().insert({make_message(user, row, text_of(user, row))}));
      }
    }
  }
  void spoil() {
    std::string bytes = read_file(path_);
    const std::size_t text = bytes.find(text_of("alice", 40));
    ASSERT_NE(text, std::string::npos);
    const std::size_t name = bytes.rfind("alice", text);
    ASSERT_EQ(bytes[name - kHeadBytes], static_cast<char>(kHeadBytes));
    char& byte = bytes[name + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(GetParam()))];
    byte = static_cast<char>(byte ^ 0x80);
    write_file(path_, bytes);
  }

  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
};

TEST_P(HiddenRowsTest, ReportsThemAtTheEndOfARead) {
  spoil();
  TurnedStore store(path_);
  std::vector<delivery::Page> pages;
  const auto read = [&](delivery::PageQuery query) {
    const std::size_t before = pages.size();
    store.messages().read_page(std::move(query), [&](Result<delivery::Page> page) {
      ASSERT_TRUE(page);
      pages.push_back(std::move(*page));
    });
    store.run_until([&] { return pages.size() > before; });
    return pages.back().messages.size();
  };
  EXPECT_EQ(read(all_of("bob")), static_cast<std::size_t>(kRows));
  EXPECT_EQ(store.file_metrics().missing.read(), 0);

  delivery::PageQuery some = all_of("alice");
  some.messages = 3;
  ASSERT_EQ(read(some), 3U);
  EXPECT_EQ(store.file_metrics().missing.read(), 0) << "it did not come to the end";

  const auto readable = static_cast<std::int64_t>(read(all_of("alice")));
  ASSERT_LT(readable, kRows);
  ASSERT_GT(readable, 3) << "what can be read is delivered";
  EXPECT_EQ(store.file_metrics().missing.read(), kRows - readable);
  read(all_of("alice", kTestTime + Seconds(61)));
  EXPECT_EQ(store.file_metrics().missing.read(), kRows - readable) << "the same ones, once more";
}

TEST_P(HiddenRowsTest, NamesTheUserInTheCheck) {
  spoil();
  const auto check = sqlite::check_database(path_);
  ASSERT_TRUE(check);
  EXPECT_THAT(check->problems, Contains(AllOf(HasSubstr("user alice has 100 pending messages"),
                                              HasSubstr("can be read"))));
  EXPECT_THAT(check->problems, testing::Not(Contains(HasSubstr("user bob"))));
}

INSTANTIATE_TEST_SUITE_P(Spoilt, HiddenRowsTest, testing::Values(0, -static_cast<int>(kHeadBytes)),
                         [](const auto& info) { return info.param == 0 ? "Key" : "Head"; });

// Concurrent inserts, erases and moves make no difference.
TEST(PresentRowsTest, ReportsNoneMissing) {
  const TempDir folder;
  OpenedStore opened(folder.file("holdfast.db"));
  std::mt19937 random(11);
  Sequence sequence = 0;
  int waiting = 0;
  for (int round = 0; round < 300; ++round) {
    // A look at each read: the time goes on by more than a minute.
    const WallTime now = kTestTime + Seconds(70 * round);
    const std::string user = "user-" + std::to_string(random() % 3);
    for (unsigned i = 0; i < random() % 4; ++i) {
      std::vector<delivery::Insert> inserts;
      inserts.push_back(opened.calls().as_insert(
          make_message(user, ++sequence, "text", Seconds(70 * (random() % 400)))));
      ++waiting;
      opened.messages().insert(std::move(inserts), [&](Result<void>) { --waiting; });
    }
    if (random() % 3 == 0) {
      ++waiting;
      opened.messages().erase(UserId(user), 0, sequence - static_cast<Sequence>(random() % 20),
                              [&](const Result<delivery::PendingTotals>&) { --waiting; });
    }
    delivery::PageQuery query = all_of(user, now);
    query.messages = 1 + random() % 10;
    if (random() % 2 == 0) query.expire_above = 0;
    ++waiting;
    opened.messages().read_page(query, [&](const Result<delivery::Page>&) { --waiting; });
    if (random() % 4 == 0) opened.executor().run_until([&] { return waiting == 0; });
  }
  opened.executor().run_until([&] { return waiting == 0; });
  EXPECT_EQ(opened.store().file_metrics().missing.read(), 0);
}

// A read that is tried again shares its transaction with inserts.
TEST(PresentRowsTest, CountsThemInTheInsertingTransaction) {
  const TempDir folder;
  auto database = sqlite::open_data_file(folder.file("holdfast.db"), sqlite::embedded_migrations());
  ASSERT_TRUE(database);
  {
    sqlite::Tables tables(**database, {.messages = 10, .bytes = 1'000});
    Sequence passed = 0;
    const auto read = [&](WallTime now = kTestTime) {
      return tables.messages.read(all_of("anna", now), true, passed);
    };
    ASSERT_TRUE((*database)->execute("BEGIN IMMEDIATE"));
    tables.begin();
    const auto message = make_message("anna", 1);
    const auto other = make_message("anna", 2);
    tables.messages.insert(*message);
    tables.messages.insert(*other);
    EXPECT_THAT(read().messages, SizeIs(2));
    EXPECT_EQ(tables.messages.missing(), 0);
    sqlite::RowWalk walk;
    const UserId anna("anna");
    tables.messages.erase(anna, 0, 1, walk);
    EXPECT_THAT(read(kTestTime + Seconds(61)).messages, SizeIs(1));
    EXPECT_EQ(tables.messages.missing(), 0);
    tables.flush();
    ASSERT_TRUE((*database)->execute("COMMIT"));
    // A difference that is there, and is gone again.
    ASSERT_TRUE((*database)->execute("UPDATE pending SET messages = 4"));
    tables.begin();
    (void)read(kTestTime + Seconds(100));
    EXPECT_EQ(tables.messages.missing(), 0) << "it was looked at less than a minute ago";
    (void)read(kTestTime + Seconds(200));
    EXPECT_EQ(tables.messages.missing(), 3);
    ASSERT_TRUE((*database)->execute("UPDATE pending SET messages = 1"));
    (void)read(kTestTime + Seconds(300));
    EXPECT_EQ(tables.messages.missing(), 0);
  }
}

}  // namespace
}  // namespace holdfast::test
