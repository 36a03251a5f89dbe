// A mailbox whose connection speaks a protocol with state of its own.

#include <optional>
#include <string>

#include <gmock/gmock.h>

#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

using testing::ElementsAre;

/// Wants to be greeted, asked for messages, and answered within 15 s.
class SubscribingProtocol final : public ClientProtocol {
 public:
  explicit SubscribingProtocol(int& alive, Proof proof = Proof::fence)
      : ClientProtocol({.name = "subscribing", .proof = proof, .frame_key = 0, .shared = false}),
        alive_(alive) {
    ++alive_;
    set_delivers(false);
  }
  ~SubscribingProtocol() override { --alive_; }

  void open(const ProtocolContext& context, Frames& out) override {
    deadline_ = context.now + Seconds(15);
    out.push_back("hello " + std::string(context.connection_id));
  }
  std::string_view encode(const Message& message, std::string& buffer) override {
    EXPECT_TRUE(delivers());
    return buffer = topic_ + ": " + message.payload;
  }
  ClientText read(std::string_view text, const ProtocolContext&, Frames& out) override {
    ClientText said;
    if (text.starts_with("subscribe ")) {
      topic_ = text.substr(10);
      set_delivers(true);
      deadline_.reset();
      out.emplace_back("subscribed");
    } else if (text == "unsubscribe") {
      set_delivers(false);
    } else if (text.starts_with("got ")) {
      said.acknowledges = std::stoll(std::string(text.substr(4)));
    } else {
      said.violation = {.reason = CloseReason::policy_violation, .text = "not understood"};
    }
    return said;
  }
  std::optional<Violation> tick(const ProtocolContext& context, Frames& out) override {
    if (deadline_ && context.now >= *deadline_) {
      return Violation{.reason = CloseReason::policy_violation, .text = "said nothing"};
    }
    if (!deadline_ && !reminded_) {
      reminded_ = true;
      out.emplace_back("still here");
    }
    return std::nullopt;
  }

 private:
  int& alive_;
  std::string topic_;
  std::optional<SteadyTime> deadline_;
  bool reminded_ = false;
};

class OwnProtocol : public ShardFixture {
 protected:
  test::ScriptedClient& subscriber(Proof proof = Proof::fence) {
    auto& client = connect(ProtocolPtr(new SubscribingProtocol(alive, proof)));
    run();
    return client;
  }

  int alive = 0;
};

TEST_F(OwnProtocol, GreetsFirstAndIsSentNothingBeforeItAsks) {
  start();
  auto& client = subscriber();
  EXPECT_THAT(client.texts, ElementsAre("hello connection-1"));
  const auto waiting = send("one");
  run();
  EXPECT_EQ(status(waiting), DeliveryStatus::stored) << "nothing waits for it";
  EXPECT_EQ(client.texts.size(), 1U);

  client.connection().text("subscribe news");
  run();
  EXPECT_THAT(client.texts, ElementsAre("hello connection-1", "subscribed", "news: one"));
  const auto live = send("two");
  run();
  EXPECT_EQ(status(live), DeliveryStatus::delivered);
  EXPECT_EQ(client.texts.back(), "news: two");
  EXPECT_EQ(rows(), 0U);
}

TEST_F(OwnProtocol, BeginsBehindWhatAnotherConnectionAcknowledged) {
  start();
  auto& client = subscriber();
  connect();
  run();
  const auto first = send("one");
  run();
  EXPECT_EQ(status(first), DeliveryStatus::delivered);
  client.connection().text("subscribe news");
  send("two");
  run();
  EXPECT_THAT(client.texts, ElementsAre("hello connection-1", "subscribed", "news: two"));
}

TEST_F(OwnProtocol, BeginsBehindWhatIsKeptForASlowerConnectionAlone) {
  limits.credit_messages = 1;
  start();
  auto& client = subscriber();
  auto& quick = connect();
  auto& slow = connect();
  run();
  for (const char* const text : {"one", "two", "three"}) {
    const auto answer = send(text);
    executor.run();
    quick.run();
    executor.run();
    EXPECT_EQ(status(answer), DeliveryStatus::delivered);
  }
  ASSERT_EQ(mailboxes->find(user)->tail_size(), 2U) << "the slow one has still to get them";
  client.connection().text("subscribe news");
  executor.run();
  client.run();
  EXPECT_THAT(client.texts, ElementsAre("hello connection-1", "subscribed"));
  slow.run();
  run();
  EXPECT_EQ(rows(), 0U);
}

TEST_F(OwnProtocol, GoesOnWhereItStoodWhenItAsksAgain) {
  start();
  auto& client = subscriber();
  client.connection().text("subscribe news");
  send("one");
  run();
  client.connection().text("unsubscribe");
  const auto second = send("two");
  const auto third = send("three");
  run();
  EXPECT_EQ(status(second), DeliveryStatus::stored);
  EXPECT_EQ(status(third), DeliveryStatus::stored);
  client.connection().text("subscribe more");
  run();
  EXPECT_THAT(client.texts, ElementsAre("hello connection-1", "subscribed", "news: one",
                                        "subscribed", "more: two", "more: three"));
  EXPECT_EQ(rows(), 0U);
}

TEST_F(OwnProtocol, AcknowledgesByItsOwnWord) {
  start();
  auto& client = subscriber(Proof::client);
  client.connection().text("subscribe news");
  run();
  const auto answer = send("one");
  run();
  EXPECT_EQ(rows(), 0U) << "it waits for the acknowledgement";
  EXPECT_EQ(status(answer), std::nullopt) << "a Pong alone is none";
  client.connection().text("got 9007199254740991");
  run();
  EXPECT_EQ(client.connection().close_reason, CloseReason::policy_violation);
}

TEST_F(OwnProtocol, GoesOverATransportWithoutFences) {
  start();
  auto connection = std::make_shared<test::FakeConnection>();
  connection->fences = false;
  ConnectionInfo info;
  info.id = ConnectionId("c");
  info.user = user;
  mailboxes->attach(info, ProtocolPtr(new SubscribingProtocol(alive, Proof::client)), connection);
  mailboxes->start_delivery(info.id);
  clients.push_back(std::make_unique<test::ScriptedClient>(connection));
  run();
  connection->text("subscribe news");
  run();
  const auto answer = send("one");
  pass(limits.ack_timeout * 2 + limits.idle_ping * 2);
  EXPECT_THAT(clients[0]->texts, testing::Contains("news: one"));
  EXPECT_FALSE(connection->aborted) << "silence is no sign of anything here";
  EXPECT_EQ(connection->pings_written, 0U);
  EXPECT_EQ(rows(), 1U);
  connection->text("got " + std::to_string((**answer)->sequence));
  run();
  EXPECT_EQ(rows(), 0U);
}

TEST_F(OwnProtocol, IsNobodysNewestBeforeItAsks) {
  limits.policy = Policy::latest;
  start();
  auto& older = connect();
  auto& newer = subscriber();
  send("one");
  run();
  EXPECT_THAT(older.texts, ElementsAre("one"));
  newer.connection().text("subscribe news");
  send("two");
  run();
  EXPECT_THAT(older.texts, ElementsAre("one"));
  EXPECT_EQ(newer.texts.back(), "news: two");
  newer.connection().text("unsubscribe");
  send("three");
  run();
  EXPECT_THAT(older.texts, ElementsAre("one", "three"));
}

TEST_F(OwnProtocol, ClosesForWhatItDoesNotAllow) {
  start();
  auto& client = subscriber();
  client.connection().text("what?");
  run();
  EXPECT_TRUE(client.connection().closing);
  EXPECT_EQ(client.connection().close_reason, CloseReason::policy_violation);
  EXPECT_FALSE(mailboxes->find_connection(last_id()));
}

TEST_F(OwnProtocol, DoesWhatIsDueAsTimePasses) {
  start();
  auto& silent = subscriber();
  auto& asks = subscriber();
  asks.connection().text("subscribe news");
  pass(Seconds(13));
  EXPECT_FALSE(silent.connection().closing);
  EXPECT_EQ(asks.texts.back(), "still here");
  pass(Seconds(4));
  EXPECT_EQ(silent.connection().close_reason, CloseReason::policy_violation);
  EXPECT_FALSE(asks.connection().closing);
}

TEST_F(OwnProtocol, LivesAsLongAsItsConnection) {
  start();
  auto& client = subscriber();
  EXPECT_EQ(alive, 1);
  client.connection().end();
  pass(Milliseconds(20));
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace holdfast::delivery
