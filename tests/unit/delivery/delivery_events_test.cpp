// Checks what those hear who listen to delivery.

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/delivery/event_record.hpp"
#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class DeliveryEventsTest : public ShardFixture {
 protected:
  DeliveryEventsTest() { listeners = {&record}; }
  ~DeliveryEventsTest() override { EXPECT_EQ(record.broken, std::nullopt); }

  /// Of the only message, or the one that was accepted last.
  const test::EventRecord::Heard& last() { return record.messages.rbegin()->second; }
  void redrive_the_only_letter() {
    mailboxes->redrive(user, database->tables.dead_letters.begin()->first, {},
                       [](const SendOutcome&) {});
    run();
  }

  test::EventRecord record;
};

TEST_F(DeliveryEventsTest, FollowAMessageFromAcceptanceOverTheStoreToAClient) {
  start();
  const auto answer = send("m");
  run();
  EXPECT_THAT(record.names, ElementsAre("accepted", "stored"));
  EXPECT_EQ(last().id, (**answer)->id);
  EXPECT_EQ(record.messages.begin()->first.second, (**answer)->sequence);
  EXPECT_EQ(last().caller, caller->id);
  connect(holdfast_v1_protocol);
  run();
  EXPECT_THAT(record.names, ElementsAre("accepted", "stored")) << "it was sent, and no more";
  clients[0]->connection().text(R"({"type":"ack","sequence":)" +
                                std::to_string((**answer)->sequence) + "}");
  EXPECT_THAT(record.names, ElementsAre("accepted", "stored", "acknowledged"));
  EXPECT_EQ(last().proof, Proof::client);
  EXPECT_EQ(last().connection, last_id().str());
}

TEST_F(DeliveryEventsTest, ComeBeforeTheAnswerThatRestsOnThem) {
  start();
  connect();
  run();
  std::vector<std::string> order;
  record.on_event = [&](std::string_view what, const MessageEvent& message) {
    order.emplace_back(what);
    EXPECT_EQ(message.at, clock.wall_now());
    EXPECT_EQ(message.caller, caller->id) << "its producer waits";
  };
  mailboxes->send(request("m"), [&](const SendOutcome&) { order.emplace_back("answered"); });
  run();
  EXPECT_THAT(order, ElementsAre("accepted", "acknowledged", "answered"));
  EXPECT_EQ(last().proof, Proof::fence);
}

TEST_F(DeliveryEventsTest, SayOfEachMessageOnceThatItIsAcknowledged) {
  start();
  connect();
  connect();
  run();
  send("one");
  send("two");
  run();
  EXPECT_THAT(record.names, ElementsAre("accepted", "accepted", "acknowledged", "acknowledged"));
}

TEST_F(DeliveryEventsTest, SayNothingOfACommitThatAnAcknowledgementOvertook) {
  start();
  auto& client = connect();
  run();
  store->set_mode(Mode::manual);
  send(request("remembered", "key"));
  pass(Milliseconds(110), false);  // it is on its way to the store
  client.run();
  store->set_mode(Mode::automatic);
  run();
  EXPECT_THAT(record.names, ElementsAre("accepted", "acknowledged"));
}

TEST_F(DeliveryEventsTest, SayHowMessagesBecameDeadLetters) {
  start();
  send(request("expires", {}, Seconds(1)));
  run();
  pass(Seconds(8));
  EXPECT_EQ(last().end, "expired");
  const auto removed = send("is deleted");
  run();
  mailboxes->delete_pending(user, (**removed)->id, "deleted", [](const Result<Deletion>&) {});
  run();
  EXPECT_EQ(last().end, "deleted");
  EXPECT_EQ(last().id, (**removed)->id);
  send("belongs to nobody");
  run();
  mailboxes->move_to_dead_letters(user, "user_deleted");
  pass(Seconds(1));
  EXPECT_EQ(last().end, "user_deleted");
  EXPECT_THAT(record.names, SizeIs(9));
}

TEST_F(DeliveryEventsTest, NameWhatAPageReadLetsExpire) {
  start();
  send(request("expires", {}, Seconds(1)));
  send("stays");
  run();
  clock.advance(Seconds(2));
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("stays"));
  EXPECT_THAT(record.names,
              ElementsAre("accepted", "accepted", "stored", "stored", "expired", "acknowledged"));
  EXPECT_EQ(record.messages.begin()->second.end, "expired");
}

TEST_F(DeliveryEventsTest, SayThatAMessageCannotBeTaken) {
  limits.poison_attempts = 1;
  start();
  send("poison");
  run();
  for (int i = 0; i < 3 && last().end.empty(); ++i) {
    auto& client = connect();
    executor.run();
    client.connection().take_bytes();
    client.connection().close_by_client(1011);
    executor.run();
  }
  EXPECT_EQ(last().end, "undeliverable");
}

TEST_F(DeliveryEventsTest, SayThatADeadLetterIsSentAgain) {
  start();
  const auto first = send(request("old", {}, Seconds(1)));
  run();
  pass(Seconds(8));
  redrive_the_only_letter();
  EXPECT_THAT(record.names, ElementsAre("accepted", "stored", "expired", "redriven", "stored"));
  EXPECT_EQ(last().id, (**first)->id);
  EXPECT_EQ(last().caller, "") << "it was an operator";
  EXPECT_THAT(record.messages, SizeIs(2)) << "the sequence is another";
}

TEST_F(DeliveryEventsTest, SayThatACommitFailedAndNotWhatAClientSaysOfItLater) {
  start();
  auto& client = connect(holdfast_v1_protocol);
  run();
  store->fail_transactions(true);
  const auto answer = send("m");
  pass(Milliseconds(110));
  EXPECT_THAT(record.names, ElementsAre("accepted"));
  pass(limits.ack_timeout + Milliseconds(20));
  EXPECT_EQ(error(answer), Errc::unavailable);
  EXPECT_THAT(record.names, ElementsAre("accepted", "rejected"));
  const std::string sequence = std::to_string(record.messages.begin()->first.second);
  client.connection().text(R"({"type":"ack","sequence":)" + sequence + "}");
  EXPECT_THAT(record.names, ElementsAre("accepted", "rejected"));
}

// It is no part of the log any more, which has gone on without it.
TEST_F(DeliveryEventsTest, SayThatAMessageWhoseCommitFailedIsAcknowledgedBehindOthers) {
  start();
  auto& first = connect(holdfast_v1_protocol);
  run();
  store->fail_transactions(true);
  send("failed");
  pass(Milliseconds(110));
  store->fail_transactions(false);
  connect();
  run();
  send("later");
  run();
  EXPECT_THAT(record.names, ElementsAre("accepted", "accepted", "acknowledged"));
  EXPECT_EQ(record.messages.begin()->second.end, "") << "the second client was not sent it";
  const std::string sequence = std::to_string(record.messages.begin()->first.second);
  first.connection().text(R"({"type":"ack","sequence":)" + sequence + "}");
  EXPECT_EQ(record.messages.begin()->second.end, "acknowledged");
  EXPECT_EQ(record.messages.begin()->second.connection, "connection-1");
}

TEST_F(DeliveryEventsTest, FollowAConnectionFromItsBeginningToItsEnd) {
  limits.connections_per_user = 1;
  start();
  auto& first = connect();
  EXPECT_THAT(record.connections, SizeIs(1));
  connect();
  run();
  EXPECT_TRUE(first.connection().closing) << "it is displaced";
  EXPECT_THAT(record.connections, SizeIs(1));
  clients[1]->connection().close_by_client(1001);
  EXPECT_THAT(record.connections, IsEmpty());
  ASSERT_THAT(record.ends, SizeIs(2));
  EXPECT_EQ(record.ends[0].first, "connection-1");
  EXPECT_EQ(record.ends[1].second.by, ConnectionEnd::By::client);
  EXPECT_EQ(record.ends[1].second.code, 1001);
}

TEST_F(DeliveryEventsTest, SayThatAConnectionIsGoneWhenItsMailboxLetsGoOfIt) {
  start();
  auto& client = connect(holdfast_v1_protocol);
  run();
  client.connection().text(R"({"type":"ack","sequence":9007199254740991})");
  EXPECT_THAT(record.ends, SizeIs(1)) << "it broke the rules";
  client.connection().end();
  EXPECT_THAT(record.ends, SizeIs(1));
}

TEST_F(DeliveryEventsTest, ReachEveryListenerInTheirOrder) {
  test::EventRecord second;
  listeners.push_back(&second);
  std::vector<int> order;
  record.on_event = [&](std::string_view, const MessageEvent&) { order.push_back(1); };
  second.on_event = [&](std::string_view, const MessageEvent&) { order.push_back(2); };
  start();
  send("m");
  run();
  EXPECT_THAT(order, ElementsAre(1, 2, 1, 2));
}

TEST_F(DeliveryEventsTest, TellOfAFormerProcessOnlyHowItsMessagesEnd) {
  start();
  send("m");
  run();
  restart();
  record.messages.clear();
  record.names.clear();
  connect();
  run();
  EXPECT_THAT(record.names, ElementsAre("acknowledged"));
  EXPECT_EQ(last().caller, "") << "nobody knows any more";
}

}  // namespace
}  // namespace holdfast::delivery
