// One user's mailbox, step by step.

#include "delivery/mailbox.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class MailboxTest : public ShardFixture {
 protected:
  static std::string ack(Sequence sequence) {
    return R"({"type":"ack","sequence":)" + std::to_string(sequence) + "}";
  }
  static std::string payload_of(const std::string& frame) {
    const auto at = frame.find(R"("payload":")") + 11;
    return frame.substr(at, frame.size() - at - 2);
  }
  std::size_t pings(const test::ScriptedClient& client) { return client.pings.size(); }
};

// ---- sending and storing

TEST_F(MailboxTest, DeliversToAConnectedUserWithoutTouchingTheDisk) {
  start();
  auto& client = connect();
  run();
  const auto answer = send("hello");
  EXPECT_FALSE(*answer);
  run();
  EXPECT_THAT(client.texts, ElementsAre("hello"));
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
  EXPECT_EQ(store->calls(Kind::insert), 0U);
  EXPECT_EQ(store->calls(Kind::erase), 0U);
  EXPECT_EQ(mailboxes->metrics().elided.read(), 1U);
  EXPECT_EQ(store->reserved(), 0U);
  EXPECT_EQ(caller->in_flight, 0U);
}

TEST_F(MailboxTest, StoresForAUserWhoIsAwayAndDeliversInOrderOnReconnect) {
  start();
  std::vector<Answer> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(send(std::to_string(i)));
  run();
  for (const auto& answer : answers) EXPECT_EQ(status(answer), DeliveryStatus::stored);
  EXPECT_EQ(rows(), 5U);
  EXPECT_EQ(mailboxes->metrics().mailboxes.read(), 0);
  EXPECT_EQ(mailboxes->pending(user).messages, 5);

  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
}

TEST_F(MailboxTest, KeepsStoredMessagesAcrossAKill) {
  start();
  send("a");
  send("b");
  run();
  restart();
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("a", "b"));
  const auto answer = send("c");
  run();
  EXPECT_THAT(client.texts, ElementsAre("a", "b", "c"));
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
}

TEST_F(MailboxTest, StoresWhatIsNotAcknowledgedInTimeAndDeletesItWhenItIs) {
  start();
  auto& client = connect();
  run();
  const auto answer = send("late");
  executor.run();
  client.read();
  pass(Milliseconds(90), false);
  EXPECT_FALSE(*answer);
  pass(Milliseconds(20), false);
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
  EXPECT_EQ(rows(), 1U);
  client.answer_pings();
  run();
  EXPECT_EQ(rows(), 0U);
  EXPECT_THAT(client.texts, ElementsAre("late"));
}

TEST_F(MailboxTest, AnswersDeliveredWhenTheAcknowledgementComesWhileStoring) {
  start();
  auto& client = connect();
  run();
  store->set_mode(Mode::manual);
  const auto answer = send("m");
  executor.run();
  client.read();
  pass(Milliseconds(110), false);
  EXPECT_EQ(store->calls(Kind::insert), 1U);
  client.answer_pings();
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
  store->set_mode(Mode::automatic);
  run();
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
}

TEST_F(MailboxTest, StoresAtOnceWhenTheLastConnectionThatWasSentItCloses) {
  start();
  auto& client = connect();
  run();
  const auto answer = send("m");
  executor.run();
  client.connection().end();
  run();
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
}

TEST_F(MailboxTest, RejectsOnlyWhenNobodyCanAcknowledgeAMessageWhoseCommitFailed) {
  start();
  auto& client = connect();
  run();
  store->fail_transactions(true);
  const auto held = send("held");
  executor.run();
  client.read();
  pass(Milliseconds(110), false);
  EXPECT_FALSE(*held);
  client.answer_pings();
  EXPECT_EQ(status(held), DeliveryStatus::delivered);

  client.connection().end();
  const auto refused = send("refused");
  run();
  EXPECT_EQ(error(refused), Errc::unavailable);
  EXPECT_EQ(store->reserved(), 0U);
  store->fail_transactions(false);
  auto& next = connect();
  run();
  EXPECT_THAT(next.texts, IsEmpty());
}

TEST_F(MailboxTest, RejectsAHeldMessageAfterTheAckTimeout) {
  start();
  auto& client = connect(holdfast_v1_protocol);
  run();
  store->fail_transactions(true);
  const auto answer = send("held");
  pass(Milliseconds(110));  // its Ping is answered, but there only an ack settles
  EXPECT_FALSE(*answer);
  pass(limits.ack_timeout + Milliseconds(20));
  EXPECT_EQ(error(answer), Errc::unavailable);
  EXPECT_FALSE(client.connection().aborted);
}

TEST_F(MailboxTest, SendsAndStoresAtOnceOverASlowLink) {
  start();
  auto& client = connect();
  run();
  for (int i = 0; i < 8; ++i) {
    send("slow");
    executor.run();
    pass(Milliseconds(80), false);
    client.run();
    executor.run();
  }
  const auto inserts = store->calls(Kind::insert);
  const auto answer = send("both");
  executor.run();
  EXPECT_EQ(store->calls(Kind::insert), inserts + 1);
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
  run();
  EXPECT_EQ(client.texts.back(), "both");
  for (int i = 0; i < 20; ++i) {  // a link that is fast again is trusted again
    send("fast");
    run();
  }
  const auto elided = send("elided");
  run();
  EXPECT_EQ(status(elided), DeliveryStatus::delivered);
}

TEST_F(MailboxTest, HandsMessagesToTheStoreInOrder) {
  limits.credit_messages = 1;
  start();
  connect();
  run();
  store->set_mode(Mode::manual);
  std::vector<std::string> inserted;
  store->on_insert = [&](const Message& m) { inserted.push_back(m.payload); };
  send("sent");
  EXPECT_THAT(inserted, IsEmpty());
  send("without credit");
  EXPECT_THAT(inserted, ElementsAre("sent", "without credit"));
}

TEST_F(MailboxTest, RepeatsADeleteThatWasNotConfirmed) {
  start();
  send("m");
  run();
  store->set_mode(Mode::manual);
  auto& client = connect();
  store->take();
  store->commit();
  run();
  EXPECT_THAT(client.texts, ElementsAre("m"));
  store->take();
  store->fail(true);
  run();
  client.connection().end();
  EXPECT_EQ(mailboxes->metrics().mailboxes.read(), 1);  // kept alive by the delete
  store->set_mode(Mode::automatic);
  pass(Milliseconds(300));
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(mailboxes->metrics().mailboxes.read(), 0);
}

// ---- fences

TEST_F(MailboxTest, FlushesTheMessagesOfATurnWithOneFenceBehindThem) {
  start();
  auto& client = connect();
  run();
  const auto flushes = client.connection().flushes;
  for (const char* const text : {"a", "b", "c"}) send(text);
  executor.run();
  EXPECT_EQ(client.connection().flushes, flushes + 1);
  client.read();
  EXPECT_THAT(client.texts, ElementsAre("a", "b", "c"));
  EXPECT_EQ(pings(client), 1U);
}

TEST_F(MailboxTest, PutsAFenceAfterEverySoManyBytes) {
  limits.fence_bytes = 1'000;
  start();
  auto& client = connect();
  run();
  for (int i = 0; i < 8; ++i) send(std::string(300, 'x'));
  executor.run();
  client.read();
  EXPECT_EQ(pings(client), 3U);
}

TEST_F(MailboxTest, PutsAFenceBeforeAMessageThatIsLongerThanTheRest) {
  start();
  auto& client = connect();
  run();
  send("short");
  send(std::string(100'000, 'x'));
  executor.run();
  const auto& sent = client.connection().sent;
  ASSERT_EQ(sent.size(), 4U);
  EXPECT_EQ(sent[0].bytes, "short");
  EXPECT_EQ(sent[1].kind, test::FakeConnection::Kind::ping);
}

// The link of such a client never lasts for a whole page.
TEST_F(MailboxTest, MakesProgressWithAClientThatAlwaysLeavesEarly) {
  constexpr std::size_t messages = 60;
  for (const std::size_t received_bytes : {6'000, 20'000}) {
    start();
    for (std::size_t i = 0; i < messages; ++i) {
      send(std::to_string(i) + std::string(1'000, 'x'));
      run();
    }
    EXPECT_EQ(rows(), messages);
    restart();  // so that all of it comes by pages
    std::size_t visits = 0;
    for (std::size_t left = messages; left > 0; left = rows()) {
      auto& client = connect();
      executor.run();
      auto& sent = client.connection().sent;
      for (std::size_t bytes = 0; !sent.empty(); sent.pop_front()) {
        bytes += sent.front().bytes.size();
        if (bytes > received_bytes) break;
        if (sent.front().kind == test::FakeConnection::Kind::ping) {
          client.connection().pong(sent.front().bytes);
        }
      }
      client.connection().end();
      executor.run();
      // It has acknowledged a third of what it received, or what was left.
      ASSERT_LE(rows(), left - std::min(left, received_bytes / 3'000));
      ++visits;
    }
    EXPECT_LE(visits, 3 * messages * 1'000 / received_bytes);
  }
}

TEST_F(MailboxTest, FencesWhatFoundAllFencesInFlightWhenOneComesBack) {
  limits.fences = 2;
  start();
  auto& client = connect();
  run();
  std::vector<Answer> answers;
  for (int i = 0; i < 5; ++i) {
    answers.push_back(send(std::to_string(i)));
    executor.run();
  }
  client.read();
  EXPECT_EQ(pings(client), 2U);
  run();
  client.answer_pings();
  run();
  for (const auto& answer : answers) EXPECT_EQ(status(answer), DeliveryStatus::delivered);
}

TEST_F(MailboxTest, IgnoresPongsThatAnswerNoFence) {
  start();
  auto& client = connect();
  run();
  const auto answer = send("m");
  executor.run();
  client.read();
  client.connection().pong("");
  client.connection().pong("forged");
  client.connection().pong(client.pings[0].substr(1));
  EXPECT_FALSE(*answer);
  client.answer_pings();
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
}

TEST_F(MailboxTest, ClosesAConnectionWithoutProgressAndKeepsItsMessages) {
  start();
  auto& client = connect();
  run();
  const auto answer = send("m");
  pass(limits.ack_timeout - Milliseconds(100), false);
  EXPECT_FALSE(client.connection().aborted);
  pass(Milliseconds(1'500), false);
  EXPECT_TRUE(client.connection().aborted);
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
  EXPECT_EQ(mailboxes->metrics().timeouts.read(), 1U);
  EXPECT_EQ(rows(), 1U);
  client.connection().end();
  EXPECT_THAT(connection_store.open, IsEmpty());
}

TEST_F(MailboxTest, LetsASlowLinkTakeItsTime) {
  start();
  auto& client = connect();
  run();
  send(std::string(1'000, 'x'));
  executor.run();
  for (int i = 0; i < 60; ++i) {
    pass(Seconds(1), false);
    client.connection().take_bytes(10);
  }
  EXPECT_FALSE(client.connection().aborted);
  pass(limits.ack_timeout + Seconds(2), false);
  EXPECT_TRUE(client.connection().aborted);
}

// A proxy takes all bytes at once and passes them on as slowly as its link is.
TEST_F(MailboxTest, WaitsForWhatIsOnItsWayAtTheLeastRate) {
  limits.least_bytes_per_second = 10'000;
  start();
  auto& client = connect();
  run();
  const auto answer = send(std::string(125'000, 'x'));
  executor.run();
  client.connection().take_bytes();
  pass(Seconds(13), false);
  EXPECT_FALSE(client.connection().aborted);
  client.run();
  executor.run();
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(client.texts.size(), 1U);

  // A peer that vanished behind such a proxy is found, too.
  send(std::string(125'000, 'x'));
  executor.run();
  client.connection().take_bytes();
  pass(limits.ack_timeout + Seconds(12), false);
  EXPECT_FALSE(client.connection().aborted);
  pass(Seconds(3), false);
  EXPECT_TRUE(client.connection().aborted);
}

TEST_F(MailboxTest, FindsAPeerThatVanishedAsSoonHoweverMuchWaitsForIt) {
  limits.idle_ping = Seconds(20);
  start();
  auto& client = connect();
  run();
  for (int i = 0; i < 200; ++i) {  // hours of idle Pings are on nobody's way
    pass(limits.idle_ping);
    client.connection().take_bytes();
  }
  send(std::string(900'000, 'x'));
  executor.run();
  pass(limits.ack_timeout - Seconds(1), false);
  EXPECT_FALSE(client.connection().aborted);
  pass(Milliseconds(3'300), false);
  EXPECT_TRUE(client.connection().aborted);
}

TEST_F(MailboxTest, PingsIdleConnectionsAndScattersThem) {
  start();
  constexpr int count = 40;
  for (int i = 0; i < count; ++i) connect(raw_protocol, UserId("u" + std::to_string(i)));
  run();
  pass(limits.idle_ping * 3 / 4 - Seconds(1), false);
  for (auto& client : clients) client->read();
  int early = 0;
  int late = 0;
  for (auto& client : clients) EXPECT_THAT(client->pings, IsEmpty());
  pass(limits.idle_ping / 8, false);
  for (auto& client : clients) {
    client->read();
    early += static_cast<int>(client->pings.size());
    client->answer_pings();
  }
  pass(limits.idle_ping / 8 + Seconds(2), false);
  for (auto& client : clients) {
    client->read();
    late += static_cast<int>(client->pings.size());
  }
  EXPECT_GT(early, count / 5);
  EXPECT_GT(late, count / 5);
  EXPECT_EQ(early + late, count);
}

TEST_F(MailboxTest, GivesEachConnectionANonceOfItsOwn) {
  start();
  auto& first = connect();
  auto& second = connect();
  run();
  send("m");
  executor.run();
  first.read();
  second.read();
  EXPECT_NE(first.pings, second.pings);
}

// ---- holdfast.v1

TEST_F(MailboxTest, SettlesByAcksAloneUnderHoldfastV1) {
  start();
  auto& client = connect(holdfast_v1_protocol);
  run();
  const auto answer = send("m");
  run();  // answers the Ping
  EXPECT_FALSE(*answer);
  ASSERT_THAT(client.texts, SizeIs(1));
  EXPECT_EQ(payload_of(client.texts[0]), "m");
  pass(Milliseconds(110));
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
  client.connection().text(ack((**answer)->sequence));
  run();
  EXPECT_EQ(rows(), 0U);
}

TEST_F(MailboxTest, TakesAcksAsCumulativeAndIgnoresOldOnes) {
  start();
  auto& client = connect(holdfast_v1_protocol);
  run();
  const auto first = send("1");
  const auto second = send("2");
  const auto third = send("3");
  run();
  const auto listed = mailboxes->executions({}, 2);
  client.connection().text(ack(listed[1].sequence));
  EXPECT_EQ(status(first), DeliveryStatus::delivered);
  EXPECT_EQ(status(second), DeliveryStatus::delivered);
  EXPECT_FALSE(*third);
  client.connection().text(ack(listed[1].sequence));
  client.connection().text(ack(0));
  EXPECT_FALSE(*third);
  EXPECT_FALSE(client.connection().closing);
}

TEST_F(MailboxTest, ClosesWhoAcknowledgesWhatWasNotSent) {
  start();
  auto& client = connect(holdfast_v1_protocol);
  run();
  const auto answer = send("m");
  run();
  client.connection().text(ack(9'007'199'254'740'991));
  EXPECT_EQ(client.connection().close_reason, CloseReason::policy_violation);
  run();
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
}

TEST_F(MailboxTest, ClosesWhoAcknowledgesWhatIsNotFullyWritten) {
  start();
  auto& client = connect(holdfast_v1_protocol);
  run();
  client.connection().set_blocked(true);
  const auto answer = send("m");
  executor.run();
  client.connection().text(ack(mailboxes->executions({}, 1)[0].sequence));
  EXPECT_EQ(client.connection().close_reason, CloseReason::policy_violation);
  run();
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
}

TEST_F(MailboxTest, KeepsAV1ConnectionThatNeverAcknowledges) {
  start();
  auto& client = connect(holdfast_v1_protocol);
  run();
  send("m");
  pass(limits.ack_timeout * 3);
  EXPECT_FALSE(client.connection().aborted);
  EXPECT_EQ(rows(), 1U);
}

TEST_F(MailboxTest, AnswersOtherTextsAsApiGatewayDoesUntilTheyFlood) {
  start();
  auto& client = connect();
  run();
  client.connection().text("hello");
  client.connection().text(ack(1));  // no acknowledgements without the subprotocol
  run();
  ASSERT_THAT(client.texts, SizeIs(2));
  EXPECT_THAT(client.texts[0],
              HasSubstr(R"({"message":"Forbidden","connectionId":"connection-1")"));
  EXPECT_EQ(mailboxes->metrics().foreign_texts.read(), 2U);
  for (int i = 0; i < 600; ++i) {  // ten a minute is no flood
    clock.advance(Seconds(6));
    client.connection().text("hello");
    executor.run();
    client.read();
    client.answer_pings();
  }
  EXPECT_FALSE(client.connection().closing);
  for (int i = 0; i < 100; ++i) client.connection().text("hello");
  EXPECT_EQ(client.connection().close_reason, CloseReason::policy_violation);
}

// ---- several connections

TEST_F(MailboxTest, SendsToEveryConnectionAndTheFirstAcknowledgementSettles) {
  start();
  auto& first = connect(payload_protocol);
  auto& second = connect(holdfast_v1_protocol);
  run();
  const auto answer = send("m");
  run();
  EXPECT_THAT(first.texts, ElementsAre(R"({"Payload":"m"})"));
  EXPECT_THAT(second.texts, SizeIs(1));
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
}

TEST_F(MailboxTest, ClosesTheOldestOfTooManyAfterItsFence) {
  limits.connections_per_user = 2;
  start();
  auto& oldest = connect();
  connect();
  run();
  send("m");
  executor.run();
  oldest.read();
  auto& newest = connect();
  EXPECT_FALSE(oldest.connection().closing);
  send("later");
  oldest.answer_pings();
  EXPECT_EQ(oldest.connection().close_reason, CloseReason::too_many_connections);
  run();
  EXPECT_THAT(oldest.texts, ElementsAre("m"));
  EXPECT_THAT(newest.texts, testing::Contains("later"));
  EXPECT_EQ(mailboxes->metrics().connections.read(), 2);
}

TEST_F(MailboxTest, WaitsForAFenceOnlySoLongBeforeAClose) {
  start();
  auto& client = connect();
  run();
  send("m");
  executor.run();
  EXPECT_TRUE(mailboxes->close(last_id(), CloseReason::access_ended, "over"));
  EXPECT_FALSE(client.connection().closing);
  pass(limits.close_wait + Milliseconds(20), false);
  EXPECT_EQ(client.connection().close_reason, CloseReason::access_ended);
}

TEST_F(MailboxTest, BoundsConnectionsOnTheirWayOutToo) {
  limits.connections_per_user = 2;
  start();
  for (int i = 0; i < 50; ++i) {
    connect();
    send("m" + std::to_string(i));
    executor.run();  // nobody reads
  }
  EXPECT_LE(mailboxes->find(user)->cursors().size(), 4U);
}

TEST_F(MailboxTest, SendsOnlyToTheLatestAndHandsOnWhenItCloses) {
  limits.policy = Policy::latest;
  start();
  auto& older = connect();
  run();
  send("1");
  run();
  auto& newer = connect();
  run();
  send("2");
  run();
  EXPECT_THAT(older.texts, ElementsAre("1"));
  EXPECT_THAT(newer.texts, ElementsAre("2"));
  const auto answer = send("3");
  executor.run();
  newer.connection().end();
  run();
  EXPECT_THAT(older.texts, ElementsAre("1", "3"));
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
  EXPECT_EQ(rows(), 0U);
}

TEST_F(MailboxTest, HandsTheOlderDeviceNothingThatANewerOneHasSettled) {
  limits.policy = Policy::latest;
  limits.credit_bytes = 60;  // five bare texts, one frame with ids
  start();
  auto& oldest = connect();
  run();
  auto& newer = connect();
  run();
  for (const char* const text : {"1", "2", "3", "4", "5"}) send(text);
  executor.run();
  newer.read();
  auto& newest = connect(holdfast_v1_protocol);
  executor.run();
  EXPECT_EQ(newest.connection().texts_written, 1U);
  newer.answer_pings();  // while the newest still needs the rest from memory
  newer.connection().end();
  newest.connection().end();
  run();
  EXPECT_THAT(oldest.texts, IsEmpty());
  send("6");
  run();
  EXPECT_THAT(oldest.texts, ElementsAre("6"));
}

TEST_F(MailboxTest, SendsNoPageToAConnectionThatReceivesNoMore) {
  for (const bool displaced : {false, true}) {
    limits.policy = displaced ? Policy::latest : Policy::all;
    store.reset();
    start();
    send("held");
    executor.run();
    store->set_mode(Mode::manual);
    auto& first = connect();
    executor.run();
    ASSERT_EQ(store->open_reads(), 1U);
    if (displaced) {
      connect();
    } else {
      mailboxes->close(last_id(), CloseReason::access_ended, "over");
    }
    store->set_mode(Mode::automatic);
    executor.run();
    EXPECT_EQ(first.connection().texts_written, 0U) << displaced;
    run();
    clients.clear();
    mailboxes.reset();
  }
}

// ---- memory

TEST_F(MailboxTest, StopsSendingWithoutCreditAndKeepsTheTailBounded) {
  limits.credit_messages = 4;
  limits.tail_messages = 3;
  start();
  auto& client = connect();
  run();
  for (int i = 0; i < 100; ++i) {
    send(std::to_string(i));
    executor.run();
  }
  EXPECT_EQ(client.connection().texts_written, 4U);
  EXPECT_LE(mailboxes->find(user)->tail_size(), 3U);
  EXPECT_EQ(rows(), 100U);
  run();
  pass(Milliseconds(50));
  EXPECT_THAT(client.texts, SizeIs(100));
  EXPECT_EQ(client.texts.back(), "99");
  EXPECT_EQ(rows(), 0U);
}

TEST_F(MailboxTest, BoundsTheTailInBytesToo) {
  limits.tail_bytes = 1'000;
  limits.credit_bytes = 1;
  start();
  connect();
  run();
  for (int i = 0; i < 20; ++i) send(std::string(300, 'x'));
  executor.run();
  EXPECT_LE(mailboxes->find(user)->tail_size(), 3U);
}

TEST_F(MailboxTest, KeepsNothingInMemoryForUsersWhoAreAway) {
  start();
  for (int i = 0; i < 50; ++i) {
    auto to_other = request("m");
    to_other.user = UserId("away" + std::to_string(i));
    send(std::move(to_other));
  }
  run();
  EXPECT_EQ(mailboxes->metrics().mailboxes.read(), 0);
  EXPECT_EQ(mailboxes->metrics().pending_messages.read(), 50);
}

TEST_F(MailboxTest, DoublesPagesWithEachAcknowledgement) {
  limits.first_page_bytes = 10;
  start();
  for (int i = 0; i < 15; ++i) send(std::string(10, 'x'));
  run();
  auto& client = connect();
  std::vector<std::size_t> pages;
  for (int i = 0; i < 4; ++i) {
    store->set_mode(Mode::manual);
    store->set_mode(Mode::automatic);
    const auto before = client.connection().texts_written;
    executor.run();
    pages.push_back(client.connection().texts_written - before);
    client.run();
  }
  run();
  EXPECT_THAT(client.texts, SizeIs(15));
}

TEST_F(MailboxTest, LetsSeveralConnectionsCatchUpInTurn) {
  limits.first_page_bytes = 1;
  limits.credit_bytes = 40;
  start();
  for (int i = 0; i < 30; ++i) send(std::string(10, 'x'));
  run();
  auto& first = connect();
  auto& second = connect();
  for (int i = 0; i < 12; ++i) executor.run_one();
  const auto written = [](test::ScriptedClient& c) { return c.connection().texts_written; };
  EXPECT_GT(written(first), 0U);
  EXPECT_GT(written(second), 0U);
  run();
  EXPECT_EQ(rows(), 0U);
}

}  // namespace
}  // namespace holdfast::delivery
