// Tests the ledger with which other tests check deliveries.

#include "support/base/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    for (int i = 1; i <= 3; ++i) {
      ledger.sent("alice", "m" + std::to_string(i));
      ledger.acknowledged("m" + std::to_string(i), i);
    }
  }
  void receive(const std::vector<std::string>& texts) {
    const auto connection = ledger.open("alice");
    for (const std::string& text : texts) ledger.received(connection, text);
  }

  Ledger ledger;
};

TEST_F(LedgerTest, IsContentWhenAllArrivedInOrder) {
  receive({"m1", "m2", "m3"});
  EXPECT_THAT(ledger.check(), IsEmpty());
  EXPECT_EQ(ledger.missing_count(), 0U);
}

TEST_F(LedgerTest, TellsALostMessage) {
  receive({"m1", "m3"});
  EXPECT_THAT(ledger.check(), ElementsAre(StartsWith("lost: m2")));
  EXPECT_EQ(ledger.missing_count(), 1U);
}

TEST_F(LedgerTest, ForgivesTheLossOfWhatWasNeverAnswered) {
  ledger.sent("alice", "m4");
  receive({"m1", "m2", "m3"});
  EXPECT_THAT(ledger.check(), IsEmpty());
}

TEST_F(LedgerTest, TellsAnInventedMessage) {
  receive({"m1", "m2", "m3", "m4"});
  EXPECT_THAT(ledger.check(), ElementsAre(StartsWith("invented: m4")));
}

TEST_F(LedgerTest, TellsAMessageOfAnotherUser) {
  receive({"m1", "m2", "m3"});
  ledger.received(ledger.open("bob"), "m1");
  EXPECT_THAT(ledger.check(), ElementsAre(StartsWith("invented: m1")));
}

TEST_F(LedgerTest, TellsAReorderedMessage) {
  receive({"m2", "m1", "m3"});
  EXPECT_THAT(ledger.check(), ElementsAre(StartsWith("reordered: m1")));
}

TEST_F(LedgerTest, TrustsTheSequenceOfTheFrame) {
  ledger.sent("alice", "again");
  ledger.sent("alice", "again");
  ledger.acknowledged("again", 9);
  receive({"m1", "m2", "m3"});
  const auto connection = ledger.open("alice");
  ledger.received(connection, "again", 5);
  ledger.received(connection, "m3", 3);
  EXPECT_THAT(ledger.check(), ElementsAre(StartsWith("reordered: m3")));
}

TEST_F(LedgerTest, AllowsASecondArrivalOnALaterConnectionOnly) {
  receive({"m1", "m2"});
  receive({"m2", "m3"});
  EXPECT_THAT(ledger.check(), IsEmpty());
  receive({"m3", "m3"});
  EXPECT_THAT(ledger.check(), ElementsAre(StartsWith("repeated: m3")));
}

}  // namespace
}  // namespace holdfast::test
