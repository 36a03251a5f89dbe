// Commits that a disk loses: the ledger must notice.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/base/ledger.hpp"
#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

// The ledger notices a broken promise: one run on a good disk and on one that
// lies about its last commit.
class LostCommitTest : public ShardFixture {
 protected:
  void publish(const std::string& text) {
    ledger.sent(user.str(), text);
    const auto answer = send(text);
    run();
    ASSERT_TRUE(*answer && **answer);
    ledger.acknowledged(text, (**answer)->sequence);
  }
  void receive_all() {
    auto& client = connect();
    run();
    const auto connection = ledger.open(user.str());
    for (const std::string& text : client.texts) ledger.received(connection, text);
  }

  test::Ledger ledger;
};

TEST_F(LostCommitTest, TheLedgerIsContentWithADiskThatKeepsItsCommits) {
  start();
  publish("first");
  publish("last");
  restart();
  receive_all();
  EXPECT_THAT(ledger.check(), IsEmpty());
}

TEST_F(LostCommitTest, TheLedgerTellsTheLossOfTheLastCommit) {
  start();
  publish("first");
  publish("last");
  database->lose_last_commit();
  restart();
  receive_all();
  EXPECT_THAT(ledger.check(), ElementsAre(StartsWith("lost: last")));
}

}  // namespace
}  // namespace holdfast::delivery
