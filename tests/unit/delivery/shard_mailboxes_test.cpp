// A shard's mailboxes over fakes.

#include "delivery/shard_mailboxes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ShardMailboxesTest : public ShardFixture {
 protected:
  std::vector<SendOutcome> send_all(std::vector<SendRequest> requests) {
    std::vector<SendOutcome> out;
    mailboxes->send_all(std::move(requests), [&](std::vector<SendOutcome> o) { out = o; });
    run();
    return out;
  }
  std::vector<DeadLetter> dead_letters() const {
    std::vector<DeadLetter> out;
    for (const auto& [id, letter] : database->tables.dead_letters) out.push_back(letter);
    return out;
  }
  Answer redrive(const DeadLetter& letter, std::optional<Seconds> ttl = {}) {
    auto answer = std::make_shared<std::optional<SendOutcome>>();
    mailboxes->redrive(letter.message->user, letter.message->id, ttl,
                       [answer](SendOutcome outcome) { *answer = outcome; });
    return answer;
  }
  std::shared_ptr<std::optional<Result<Deletion>>> delete_pending(std::optional<MessageId> id) {
    auto answer = std::make_shared<std::optional<Result<Deletion>>>();
    mailboxes->delete_pending(user, id, "deleted",
                              [answer](Result<Deletion> deletion) { *answer = deletion; });
    return answer;
  }
  /// One message of the user that has become a dead letter.
  DeadLetter make_dead_letter() {
    send(request("old", {}, Seconds(1)));
    run();
    pass(Seconds(8));
    EXPECT_THAT(dead_letters(), SizeIs(1));
    return dead_letters().at(0);
  }
};

// ---- deduplication

TEST_F(ShardMailboxesTest, AnswersARepeatWithTheFirstAnswerAndDeliversOnce) {
  start();
  const auto first = send(request("m", "key"));
  run();
  const auto repeat = send(request("m", "key"));
  ASSERT_TRUE(*repeat);
  EXPECT_EQ((**repeat)->id, (**first)->id);
  EXPECT_EQ((**repeat)->sequence, (**first)->sequence);
  EXPECT_EQ(rows(), 1U);
  EXPECT_EQ(mailboxes->metrics().deduplicated.read(), 1U);
  const auto other = send(request("n", "key"));
  EXPECT_EQ(error(other), Errc::conflict);
}

TEST_F(ShardMailboxesTest, ScopesKeysToTheCallerAndTheUser) {
  start();
  send(request("m", "key"));
  auto other_caller = request("n", "key");
  other_caller.caller = std::make_shared<SenderQuota>("AKIAOTHER");
  auto other_user = request("o", "key");
  other_user.user = UserId("other");
  const auto second = send(std::move(other_caller));
  const auto third = send(std::move(other_user));
  run();
  EXPECT_EQ(status(second), DeliveryStatus::stored);
  EXPECT_EQ(status(third), DeliveryStatus::stored);
}

TEST_F(ShardMailboxesTest, GivesARepeatInFlightTheOutcomeOfTheFirst) {
  start();
  store->set_mode(Mode::manual);
  const auto first = send(request("m", "key"));
  const auto repeat = send(request("m", "key"));
  const auto conflict = send(request("n", "key"));
  EXPECT_EQ(error(conflict), Errc::conflict);
  EXPECT_FALSE(*repeat);
  store->set_mode(Mode::automatic);
  run();
  EXPECT_EQ(status(first), DeliveryStatus::stored);
  EXPECT_EQ((**repeat)->id, (**first)->id);
}

TEST_F(ShardMailboxesTest, CommitsTheKeyOfADeliveredMessageBeforeItAnswers) {
  start();
  auto& client = connect();
  run();
  store->set_mode(Mode::manual);
  const auto answer = send(request("m", "key"));
  executor.run();
  client.run();
  EXPECT_FALSE(*answer);
  EXPECT_EQ(store->calls(Kind::record), 1U);
  store->take();
  store->fail();
  run();
  EXPECT_FALSE(*answer);  // and tried again until it commits
  store->set_mode(Mode::automatic);
  pass(Milliseconds(300));
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
  EXPECT_EQ(database->tables.deduplication.begin()->second.receipt.status,
            DeliveryStatus::delivered);
  EXPECT_EQ(rows(), 0U);
}

TEST_F(ShardMailboxesTest, RemembersKeysAcrossARestartForFiveMinutes) {
  start();
  const auto first = send(request("m", "key"));
  run();
  const MessageId id = (**first)->id;
  restart();
  const auto repeat = send(request("m", "key"));
  ASSERT_TRUE(*repeat);
  EXPECT_EQ((**repeat)->id, id);
  pass(Seconds(301));
  const auto later = send(request("m", "key"));
  run();
  EXPECT_NE((**later)->id, id);
  pass(Seconds(400));
  EXPECT_THAT(database->tables.deduplication, IsEmpty());
}

TEST_F(ShardMailboxesTest, CountsTheFiveMinutesFromTheMessageAndNotFromTheRestart) {
  start();
  const auto first = send(request("m", "key"));
  run();
  const MessageId id = (**first)->id;
  pass(Seconds(240));
  restart();
  pass(Seconds(50));
  EXPECT_EQ((**send(request("m", "key")))->id, id);
  pass(Seconds(80));
  const auto later = send(request("m", "key"));
  run();
  EXPECT_NE((**later)->id, id);
}

TEST_F(ShardMailboxesTest, ForgetsNoKeyWhileTheClocksDisagree) {
  start();
  const auto first = send(request("m", "key"));
  run();
  clock.step_wall(Seconds(3'600));
  pass(Seconds(70));
  const auto repeat = send(request("m", "key"));
  ASSERT_TRUE(*repeat);
  EXPECT_EQ((**repeat)->id, (**first)->id);
  EXPECT_THAT(database->tables.deduplication, SizeIs(1));
}

TEST_F(ShardMailboxesTest, ForgetsKeysAgainOnceASetClockHasHeld) {
  for (const Seconds step : {Seconds(3'600), Seconds(-3'600)}) {
    limits.deduplication_keys = 16;  // two of one caller
    start();
    send(request("a", "1"));
    run();
    clock.step_wall(step);
    send(request("b", "2"));
    run();
    pass(Seconds(590));
    EXPECT_EQ(error(send(request("c", "3"))), Errc::limit_exceeded) << "while the clocks disagree";
    pass(Seconds(80));
    const auto later = send(request("c", "3"));
    run();
    EXPECT_EQ(status(later), DeliveryStatus::stored);
    const auto repeat = send(request("c", "3"));
    ASSERT_TRUE(*repeat);
    EXPECT_EQ((**repeat)->id, (**later)->id);
    pass(Seconds(400));
    restart();
  }
}

TEST_F(ShardMailboxesTest, ForgetsKeysAndExpiresAfterASuspension) {
  start();
  const auto first = send(request("m", "key", Seconds(400)));
  run();
  clock.suspend(Seconds(3'600));
  const auto later = send(request("m", "key"));
  run();
  ASSERT_TRUE(*later);
  EXPECT_NE((**later)->id, (**first)->id);
  pass(Seconds(20));
  EXPECT_THAT(dead_letters(), SizeIs(1));
}

TEST_F(ShardMailboxesTest, RefusesNewKeysWhenTooManyAreLive) {
  limits.deduplication_keys = 16;
  start();
  const auto fill = [this](const std::string& id) {
    caller = std::make_shared<SenderQuota>(id);
    send(request("a", "1"));
    send(request("b", "2"));
    const auto third = send(request("c", "3"));
    return error(third);
  };
  EXPECT_EQ(fill("one"), Errc::limit_exceeded) << "its share";
  for (int i = 0; i < 7; ++i) EXPECT_EQ(fill(std::to_string(i)), Errc::limit_exceeded);
  caller = std::make_shared<SenderQuota>("late");
  EXPECT_EQ(error(send(request("c", "3"))), Errc::unavailable) << "all of it";
  EXPECT_EQ(refusals->read(Bound::deduplication, BoundScope::share), 8U);
  EXPECT_EQ(refusals->read(Bound::deduplication, BoundScope::all), 1U);
  EXPECT_EQ(caller->in_flight, 0U) << "what was refused holds nothing";
  const auto plain = send("d");
  run();
  EXPECT_EQ(status(plain), DeliveryStatus::stored);
}

// ---- bounds

TEST_F(ShardMailboxesTest, LetsOneKeyHoldAnEighthOfTheQueuesBytes) {
  start();
  store->set_capacity_bytes(8'000);
  store->set_mode(Mode::manual);
  const auto busy = caller;
  const auto to = [this](const char* id, std::size_t bytes) {
    SendRequest out = request(std::string(bytes, 'x'));
    out.user = UserId(id);
    return error(send(std::move(out)));
  };
  EXPECT_EQ(to("u1", 600), std::nullopt);
  EXPECT_EQ(to("u2", 400), std::nullopt);
  EXPECT_EQ(to("u3", 1), Errc::limit_exceeded) << "the key";
  caller = std::make_shared<SenderQuota>("other");
  EXPECT_EQ(to("u3", 1), std::nullopt);
  EXPECT_EQ(to("u1", 401), Errc::limit_exceeded) << "the user";
  EXPECT_EQ(to("u1", 400), std::nullopt);
  // A message longer than a share still goes alone.
  caller = std::make_shared<SenderQuota>("long");
  EXPECT_EQ(to("u4", 3'000), std::nullopt);
  EXPECT_EQ(to("u5", 1), Errc::limit_exceeded);
  EXPECT_EQ(refusals->read(Bound::store_bytes, BoundScope::share), 3U);
  store->set_mode(Mode::automatic);
  run();
  EXPECT_EQ(busy->in_flight_bytes, 0U);
  caller = busy;
  EXPECT_EQ(to("u3", 1'000), std::nullopt);
}

TEST_F(ShardMailboxesTest, BoundsWhatIsPendingByCountAndBytes) {
  limits.pending_messages = 3;
  limits.pending_bytes = 100;
  start();
  const auto large = send(std::string(101, 'x'));
  EXPECT_EQ(error(large), Errc::limit_exceeded);
  for (int i = 0; i < 3; ++i) send("m");
  const auto fourth = send("m");
  EXPECT_EQ(error(fourth), Errc::limit_exceeded);
  EXPECT_EQ(refusals->read(Bound::pending_bytes, BoundScope::share), 2U);
  run();
  restart();  // the bound survives
  const auto again = send("m");
  EXPECT_EQ(error(again), Errc::limit_exceeded);
  connect();
  run();
  const auto after = send("m");
  run();
  EXPECT_EQ(status(after), DeliveryStatus::delivered);
}

TEST_F(ShardMailboxesTest, GivesOneUserAnEighthOfTheQueue) {
  slots = 32;
  start();
  store->set_mode(Mode::manual);
  caller = nullptr;
  for (int i = 0; i < 4; ++i) send("m");
  EXPECT_EQ(error(send("m")), Errc::limit_exceeded);
  EXPECT_EQ(refusals->read(Bound::store_slots, BoundScope::share), 1U);
  auto other = request("m");
  other.user = UserId("other");
  const auto others = send(std::move(other));
  EXPECT_FALSE(*others);
}

TEST_F(ShardMailboxesTest, GivesOneKeyAnEighthOfTheQueue) {
  slots = 32;
  start();
  store->set_mode(Mode::manual);
  const auto to = [&](int n) {
    auto out = request("m");
    out.user = UserId("user" + std::to_string(n));
    return out;
  };
  for (int i = 0; i < 4; ++i) send(to(i));
  EXPECT_EQ(error(send(to(4))), Errc::limit_exceeded);
  EXPECT_EQ(refusals->read(Bound::store_slots, BoundScope::share), 1U);
  caller = std::make_shared<SenderQuota>("AKIAOTHER");
  EXPECT_FALSE(*send(to(5)));
}

TEST_F(ShardMailboxesTest, RefusesBeforeAnythingIsSentWhenTheStoreIsFull) {
  start();
  auto& client = connect();
  run();
  store->refuse_reservations(true);
  EXPECT_EQ(error(send("m")), Errc::unavailable);
  run();
  EXPECT_THAT(client.texts, IsEmpty());
  EXPECT_EQ(caller->in_flight, 0U);
  EXPECT_EQ(caller->in_flight_bytes, 0U);
}

TEST_F(ShardMailboxesTest, RefusesAtTheCeilingUntilItIsExtended) {
  limits.ceiling_ahead = Seconds(0);
  start();
  store->set_mode(Mode::manual);
  // The fake starts every process a minute ahead: use that up.
  database->tables.ceiling = 0;
  mailboxes.reset();
  MailboxesOptions options;
  options.limits = limits;
  options.counter_start = unix_micros(clock.wall_now());
  options.ceiling = options.counter_start;
  limits.ceiling_ahead = Seconds(60);
  options.limits.ceiling_ahead = limits.ceiling_ahead;
  mailboxes = std::make_unique<ShardMailboxes>(std::move(options), clock, executor, *store,
                                               connection_store);
  EXPECT_EQ(error(send(request("m", "key"))), Errc::unavailable);
  EXPECT_EQ(store->calls(Kind::ceiling), 1U);
  EXPECT_EQ(store->reserved(), 0U);
  store->set_mode(Mode::automatic);
  run();
  const auto answer = send(request("m", "key"));
  run();
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
}

// ---- batches

TEST_F(ShardMailboxesTest, StoresABatchInOneInsertAndAnswersInOrder) {
  start();
  std::vector<SendRequest> requests;
  for (int i = 0; i < 10; ++i) requests.push_back(request(std::to_string(i)));
  const auto outcomes = send_all(std::move(requests));
  ASSERT_THAT(outcomes, SizeIs(10));
  EXPECT_EQ(store->calls(Kind::insert), 1U);
  for (std::size_t i = 1; i < outcomes.size(); ++i) {
    EXPECT_GT(outcomes[i]->sequence, outcomes[i - 1]->sequence);
  }
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
}

TEST_F(ShardMailboxesTest, FailsTheLaterEntriesOfABatchAlikeAfterATransientFailure) {
  limits.pending_bytes = 10;
  start();
  const auto outcomes = send_all({request("12345"), request("123456789"), request("1")});
  EXPECT_TRUE(outcomes[0]);
  EXPECT_EQ(outcomes[1].error().code, Errc::limit_exceeded);
  EXPECT_EQ(outcomes[2].error().code, Errc::limit_exceeded);
}

TEST_F(ShardMailboxesTest, GoesOnInABatchAfterAConflict) {
  start();
  const auto outcomes =
      send_all({request("a", "key"), request("b", "key"), request("a", "key"), request("c")});
  EXPECT_TRUE(outcomes[0]);
  EXPECT_EQ(outcomes[1].error().code, Errc::conflict);
  EXPECT_EQ(outcomes[2]->id, outcomes[0]->id);
  EXPECT_TRUE(outcomes[3]);
}

TEST_F(ShardMailboxesTest, AnswersAnEmptyBatchAtOnce) {
  start();
  bool answered = false;
  mailboxes->send_all({}, [&](const std::vector<SendOutcome>& o) { answered = o.empty(); });
  EXPECT_TRUE(answered);
}

// ---- connections

TEST_F(ShardMailboxesTest, ListsAndClosesConnections) {
  start();
  auto& first = connect();
  const ConnectionId id = last_id();
  connect();
  run();
  EXPECT_THAT(mailboxes->connections({.user = {}, .after = {}, .limit = 10}), SizeIs(2));
  EXPECT_THAT(mailboxes->connections({.user = {}, .after = {}, .limit = 1}), SizeIs(1));
  EXPECT_EQ(mailboxes->connections({.user = {}, .after = {}, .limit = 10})[0].username, "someone");
  EXPECT_EQ(mailboxes->connections({.user = {}, .after = {}, .limit = 10})[0].user_agent, "test");
  EXPECT_EQ(mailboxes->connections({.user = {}, .after = {}, .limit = 10})[0].remote_address,
            "192.0.2.1:4711");
  EXPECT_TRUE(mailboxes->close(id, CloseReason::requested, "bye"));
  EXPECT_EQ(first.connection().close_reason, CloseReason::requested);
  const auto staying = mailboxes->connections({.user = user, .after = {}, .limit = 10});
  ASSERT_THAT(staying, SizeIs(1)) << "although the client has not answered the Close yet";
  EXPECT_NE(staying[0].id, id);
  run();
  EXPECT_FALSE(mailboxes->close(id, CloseReason::requested, "bye"));
  EXPECT_FALSE(mailboxes->close(ConnectionId("unknown"), CloseReason::requested, "bye"));
  mailboxes->close_logins(user, Logins::all(), CloseReason::access_ended, "disabled");
  run();
  EXPECT_THAT(mailboxes->connections({.user = {}, .after = {}, .limit = 10}), IsEmpty());
  EXPECT_THAT(connection_store.open, IsEmpty());
}

TEST_F(ShardMailboxesTest, ClosesTheConnectionsOfTheLoginsThatHaveEnded) {
  const auto open = [&](const std::string& login) {
    auto connection = std::make_shared<test::FakeConnection>();
    ConnectionInfo info;
    info.id = ConnectionId("of " + login + std::to_string(clients.size()));
    info.user = user;
    info.login = login;
    mailboxes->attach(info, raw_protocol(), connection);
    mailboxes->start_delivery(info.id);
    clients.push_back(std::make_unique<test::ScriptedClient>(connection));
    return connection;
  };
  start();
  const auto first = open("a");
  const auto again = open("a");
  const auto second = open("b");
  const auto third = open("c");
  const auto without = open("");
  run();
  mailboxes->close_logins(user, Logins::only({"a", "x"}), CloseReason::access_ended, "revoked");
  EXPECT_EQ(first->close_reason, CloseReason::access_ended);
  EXPECT_EQ(again->close_reason, CloseReason::access_ended);
  EXPECT_EQ(second->close_reason, std::nullopt);
  EXPECT_EQ(without->close_reason, std::nullopt);
  mailboxes->close_logins(user, Logins::all_but("b"), CloseReason::access_ended,
                          "password changed");
  EXPECT_EQ(second->close_reason, std::nullopt);
  EXPECT_EQ(third->close_reason, CloseReason::access_ended);
  EXPECT_EQ(without->close_reason, CloseReason::access_ended) << "whose it is, nobody knows";
}

TEST_F(ShardMailboxesTest, ClosesConnectionsThatAreOldAtMomentsOfTheirOwn) {
  limits.connection_age = Seconds(1'000);
  start();
  constexpr int count = 200;
  for (int i = 0; i < count; ++i) connect(raw_protocol, UserId(std::to_string(i)));
  run();
  const auto step = [&](Seconds time) {
    clock.advance(time);
    pass(Milliseconds(1'100));
  };
  step(Seconds(890));
  EXPECT_EQ(mailboxes->metrics().connections.read(), count);
  std::int64_t most_at_once = 0;
  for (int i = 0; i < 20; ++i) {
    const std::int64_t before = mailboxes->metrics().connections.read();
    step(Seconds(5));
    most_at_once = std::max(most_at_once, before - mailboxes->metrics().connections.read());
  }
  EXPECT_LE(most_at_once, count / 5);
  EXPECT_EQ(mailboxes->metrics().connections.read(), 0);
  for (const auto& client : clients) {
    EXPECT_EQ(client->connection().close_reason, CloseReason::too_old);
  }
}

TEST_F(ShardMailboxesTest, AcknowledgesBeforeItClosesAnOldConnection) {
  limits.connection_age = Seconds(100);
  start();
  auto& client = connect();
  run();
  clock.advance(Seconds(99));
  send("m");
  pass(Milliseconds(1'100));
  EXPECT_EQ(client.connection().close_reason, CloseReason::too_old);
  EXPECT_THAT(client.texts, ElementsAre("m"));
  EXPECT_EQ(rows(), 0U);
}

TEST_F(ShardMailboxesTest, ClosesNoConnectionForItsAgeWhereThereIsNoBound) {
  limits.connection_age = Seconds(0);
  start();
  auto& client = connect();
  run();
  clock.advance(Seconds(365 * 24 * 3600));
  pass(Milliseconds(1'100));
  EXPECT_NE(client.connection().close_reason, CloseReason::too_old);
}

// Connections that are older by then do not all go in the moment of a reload.
TEST_F(ShardMailboxesTest, SpreadsTheClosesOfABoundThatIsNew) {
  limits.connection_age = Seconds(0);
  start();
  constexpr int count = 200;
  for (int i = 0; i < count; ++i) connect(raw_protocol, UserId(std::to_string(i)));
  run();
  clock.advance(Seconds(10'000));
  limits.connection_age = Seconds(1'000);
  mailboxes->change_limits(limits);
  pass(Milliseconds(1'100));
  EXPECT_GT(mailboxes->metrics().connections.read(), count * 9 / 10);
  for (int i = 0; i < 4; ++i) {
    clock.advance(Seconds(12));
    pass(Milliseconds(1'100));
  }
  EXPECT_LT(mailboxes->metrics().connections.read(), count * 3 / 4);
  EXPECT_GT(mailboxes->metrics().connections.read(), count / 4);
  clock.advance(Seconds(50));
  pass(Milliseconds(1'100));
  EXPECT_EQ(mailboxes->metrics().connections.read(), 0);
}

TEST_F(ShardMailboxesTest, PostsATextToOneConnectionAndStoresNothing) {
  start();
  auto& first = connect();
  const ConnectionId id = last_id();
  auto& second = connect();
  run();
  EXPECT_TRUE(mailboxes->post_text(id, "posted"));
  run();
  EXPECT_THAT(first.texts, ElementsAre("posted"));
  EXPECT_THAT(second.texts, IsEmpty());
  EXPECT_EQ(rows(), 0U);
  EXPECT_EQ(mailboxes->metrics().accepted.read(), 0U);
  // Messages before and behind it are acknowledged as ever.
  const auto before = send("m");
  EXPECT_TRUE(mailboxes->post_text(id, "again"));
  const auto behind = send("n");
  run();
  EXPECT_EQ(status(before), DeliveryStatus::delivered);
  EXPECT_EQ(status(behind), DeliveryStatus::delivered);
  EXPECT_THAT(first.texts, ElementsAre("posted", "m", "again", "n"));
  EXPECT_EQ(rows(), 0U);
}

TEST_F(ShardMailboxesTest, PostsNothingToAConnectionThatDoesNotReceive) {
  start();
  auto connection = std::make_shared<test::FakeConnection>();
  ConnectionInfo info;
  info.id = ConnectionId("c");
  info.user = user;
  mailboxes->attach(info, raw_protocol(), connection);
  const auto refused = [&] {
    const auto posted = mailboxes->post_text(info.id, "x");
    return !posted && posted.error().code == Errc::not_found &&
           !mailboxes->find_connection(info.id);
  };
  EXPECT_TRUE(refused()) << "before it is admitted";
  mailboxes->start_delivery(info.id);
  EXPECT_TRUE(mailboxes->find_connection(info.id));
  EXPECT_TRUE(mailboxes->post_text(info.id, "x"));
  mailboxes->close(info.id, CloseReason::requested, "");
  EXPECT_TRUE(refused()) << "while it closes";
  connection->end();
  run();
  EXPECT_TRUE(refused()) << "when it is gone";
  EXPECT_EQ(connection->texts_written, 1U);
}

TEST_F(ShardMailboxesTest, BoundsWhatIsPostedToAClientThatDoesNotRead) {
  limits.credit_bytes = 4096;
  start();
  auto& client = connect();
  run();
  client.connection().set_blocked(true);
  // One of any size when nothing waits; then a quarter of the credit in all.
  EXPECT_TRUE(mailboxes->post_text(last_id(), std::string(600, 'a')));
  executor.run();
  EXPECT_TRUE(mailboxes->post_text(last_id(), std::string(400, 'b')));
  pass(Seconds(3), false);  // sweeps forget nothing of it
  const auto refused = mailboxes->post_text(last_id(), std::string(400, 'c'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
  client.connection().set_blocked(false);
  run();
  EXPECT_TRUE(mailboxes->post_text(last_id(), std::string(5000, 'd')));
  run();
  EXPECT_THAT(client.texts, SizeIs(3));
}

TEST_F(ShardMailboxesTest, TellsWhenAConnectionWasLastActive) {
  start();
  connect();
  run();
  const auto idle = [&] {
    const auto info = mailboxes->find_connection(last_id()).value();
    return clock.wall_now() - info.last_active_at;
  };
  pass(Seconds(5));
  EXPECT_GE(idle(), Milliseconds(4'900));
  send("m");
  run();
  pass(Milliseconds(500));
  EXPECT_LE(idle(), Milliseconds(600));
  EXPECT_TRUE(mailboxes->post_text(last_id(), "x"));
  pass(Milliseconds(10));
  EXPECT_LE(idle(), Milliseconds(20));
}

TEST_F(ShardMailboxesTest, ClosesAConnectionBetweenAttachingAndAdmitting) {
  start();
  auto connection = std::make_shared<test::FakeConnection>();
  ConnectionInfo info;
  info.id = ConnectionId("c");
  info.user = user;
  mailboxes->attach(info, raw_protocol(), connection);
  mailboxes->close_logins(user, Logins::all(), CloseReason::access_ended, "disabled");
  EXPECT_EQ(connection->close_reason, CloseReason::access_ended);
  mailboxes->start_delivery(info.id);
  send("m");
  run();
  EXPECT_EQ(connection->texts_written, 0U);
  connection->end();
  run();
  EXPECT_EQ(mailboxes->metrics().connections.read(), 0);
}

TEST_F(ShardMailboxesTest, CutsWhatAClientSaysOfItself) {
  start();
  auto connection = std::make_shared<test::FakeConnection>();
  ConnectionInfo info;
  info.id = ConnectionId("c");
  info.user = user;
  info.user_agent = std::string(8'000, 'a');
  mailboxes->attach(info, raw_protocol(), connection);
  EXPECT_EQ(mailboxes->connections({.user = {}, .after = {}, .limit = 1})[0].user_agent,
            std::string(128, 'a'));
}

/// A connection that costs nothing, to weigh what delivery itself keeps.
class WeightlessConnection final : public Connection {
 public:
  void start(ConnectionEvents&) override {}
  WriteResult write_text(std::string_view) override { return {}; }
  bool can_fence() const noexcept override { return true; }
  void write_fence(std::string_view) override {}
  void flush() override {}
  std::uint64_t bytes_sent() const override { return 0; }
  std::uint64_t bytes_taken() const override { return 0; }
  std::uint64_t bytes_arrived() const override { return 0; }
  void close(CloseReason, std::string_view) override {}
  void abort() override {}
};

TEST_F(ShardMailboxesTest, KeepsLittleForAnIdleUser) {
  limits.executions = 16;
  start();
  const auto connection = std::make_shared<WeightlessConnection>();
  const auto open = [&](int n) {
    ConnectionInfo info;
    info.id = ConnectionId("0123456789ab" + std::to_string(1'000 + n));
    info.user = UserId("0190f0d4-9d6c-7c3e-a0c8-" + std::to_string(100'000'000'000 + n));
    info.username = "testUser";
    info.remote_address = "192.0.2.200:54321";
    info.user_agent = "Mozilla/5.0 (X11; Linux x86_64)";
    mailboxes->attach(info, payload_protocol(), connection);
    connection_store.open.clear();
    mailboxes->start_delivery(info.id);
    executor.run();
  };
  open(0);
  store->set_mode(Mode::automatic);
  const auto before = mallinfo2().uordblks;
  if (before == 0) GTEST_SKIP() << "this allocator does not count";
  constexpr int count = 4'000;
  for (int i = 1; i <= count; ++i) open(i);
  database->tables.messages.clear();
  const auto each = (mallinfo2().uordblks - before) / count;
  RecordProperty("bytes_per_idle_user", static_cast<int>(each));
  EXPECT_LT(each, 704U);
}

// ---- measuring

TEST_F(ShardMailboxesTest, MeasuresTheTimeToTheFirstAcknowledgementOfEachMessage) {
  start();
  auto& quick = connect();
  auto& slow = connect();
  run();
  send("m");
  executor.run();
  quick.read();
  slow.read();
  clock.advance(Milliseconds(3));
  quick.answer_pings();
  clock.advance(Seconds(2));
  slow.answer_pings();
  run();
  const MailboxMetrics& metrics = mailboxes->metrics();
  EXPECT_EQ(metrics.acknowledgement.read().count(), 1U) << "the second acknowledgement is not news";
  EXPECT_EQ(metrics.acknowledgement.read().sum, 3'000U);
  EXPECT_EQ(metrics.acknowledgement.read().counts[LatencyHistogram::range_of(3'000)], 1U);
  EXPECT_EQ(metrics.held_acknowledgement.read().count(), 0U);
  EXPECT_EQ(metrics.fence_round_trip.read().count(), 2U);
  EXPECT_EQ(metrics.fence_round_trip.read().sum, 3'000U + 2'003'000U);
}

TEST_F(ShardMailboxesTest, MeasuresWhatWasHeldApartFromWhatWasSentAsItCame) {
  start();
  send("waits");
  run();
  pass(Seconds(100));
  connect();
  run();
  send("comes");
  run();
  const MailboxMetrics& metrics = mailboxes->metrics();
  EXPECT_EQ(metrics.flushed.read(), 1U);
  EXPECT_EQ(metrics.held_acknowledgement.read().count(), 1U);
  EXPECT_GE(metrics.held_acknowledgement.read().sum, 100'000'000U);
  EXPECT_EQ(metrics.acknowledgement.read().count(), 1U);
  EXPECT_EQ(metrics.acknowledgement.read().sum, 0U);
}

TEST_F(ShardMailboxesTest, AddsUpTheNumbersOfShards) {
  start();
  connect();
  send("m");
  run();
  MetricCollector sum;
  mailboxes->metrics().collect(sum);
  mailboxes->metrics().collect(sum);
  EXPECT_EQ(sum.sum("holdfast_messages_accepted_total"), 2);
  EXPECT_EQ(sum.sum("holdfast_connections"), 2);
}

// ---- expiry

TEST_F(ShardMailboxesTest, MovesWhatIsTooOldToTheDeadLetters) {
  start();
  send(request("short", {}, Seconds(2)));
  send("long");
  run();
  pass(Seconds(1));
  EXPECT_EQ(rows(), 2U);
  pass(Seconds(8));
  EXPECT_EQ(rows(), 1U);
  ASSERT_THAT(dead_letters(), SizeIs(1));
  EXPECT_EQ(dead_letters()[0].message->payload, "short");
  EXPECT_EQ(dead_letters()[0].reason, "expired");
  EXPECT_EQ(mailboxes->pending(user).messages, 1);
  EXPECT_EQ(mailboxes->metrics().expired.read(), 1U);
}

TEST_F(ShardMailboxesTest, BeginsEachPassWithWhatWasDueFirst) {
  start();
  send("long");
  constexpr std::size_t kTwoPages = 513;
  for (std::size_t i = 0; i < kTwoPages; ++i) {
    auto brief = request("m", {}, Seconds(2));
    brief.user = UserId("user " + std::to_string(i));
    send(std::move(brief));
    run();
  }
  pass(Seconds(20));
  ASSERT_EQ(dead_letters().size(), kTwoPages);
  // A correction of lifetimes may make it due before all that the pass has come by.
  MessagePtr& row = database->tables.messages.at(user).begin()->second;
  auto moved = std::make_shared<Message>(*row);
  moved->expires_at = clock.wall_now() - Seconds(60);
  row = std::move(moved);
  pass(Seconds(20));
  EXPECT_EQ(dead_letters().size(), kTwoPages + 1);
}

TEST_F(ShardMailboxesTest, MovesWhatAUserHasPendingWhoseAccessHasEnded) {
  start();
  send("one");
  send("two");
  run();
  pass(Seconds(1));
  EXPECT_EQ(rows(), 2U);
  mailboxes->move_to_dead_letters(user, "user_deleted");
  pass(Seconds(1));
  EXPECT_EQ(rows(), 0U);
  ASSERT_THAT(dead_letters(), SizeIs(2));
  EXPECT_EQ(dead_letters()[0].reason, "user_deleted");
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
  EXPECT_EQ(mailboxes->metrics().buried.read(), 2U);
  // Later messages are not theirs to have lost.
  send("three");
  run();
  pass(Seconds(1));
  EXPECT_EQ(rows(), 1U);
}

TEST_F(ShardMailboxesTest, MovesAlsoWhatAConnectionHadNotAcknowledged) {
  start();
  auto& client = connect();
  const Answer answer = send("unacknowledged");
  mailboxes->close_logins(user, Logins::all(), CloseReason::access_ended, "user deleted");
  mailboxes->move_to_dead_letters(user, "user_deleted");
  pass(limits.close_wait + Seconds(1), false);
  client.connection().end();
  pass(Seconds(1), false);
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
  EXPECT_EQ(rows(), 0U);
  ASSERT_THAT(dead_letters(), SizeIs(1));
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
}

TEST_F(ShardMailboxesTest, MovesNothingOfAUserWhoIsBackBefore) {
  start();
  send("kept");
  run();
  pass(Seconds(1));
  mailboxes->move_to_dead_letters(user, "user_disabled");
  connect();
  pass(Seconds(1));
  EXPECT_EQ(rows(), 0U);
  EXPECT_THAT(dead_letters(), IsEmpty());
  EXPECT_EQ(clients.back()->texts.size(), 1U);
}

TEST_F(ShardMailboxesTest, SweepsEveryPageOfUsersAgainAndAgain) {
  slots = 16'384;
  start();
  caller = nullptr;
  for (std::size_t round = 1; round <= 3; ++round) {
    for (int i = 0; i < 1'200; ++i) {
      auto one = request("m", {}, Seconds(1));
      one.user = UserId("u" + std::to_string(i));
      send(std::move(one));
    }
    run();
    pass(Seconds(10));
    EXPECT_EQ(dead_letters().size(), 1'200U * round);
    EXPECT_EQ(mailboxes->metrics().pending_messages.read(), 0);
    EXPECT_EQ(mailboxes->metrics().mailboxes.read(), 0);
  }
}

// A user who connects meanwhile waits for the sweep of what is theirs, and for those before it.
TEST_F(ShardMailboxesTest, SweepsFewRowsAtATime) {
  start();
  caller = nullptr;
  for (int user_index = 0; user_index < 8; ++user_index) {
    for (int i = 0; i < 100; ++i) {
      auto one = request("m", {}, Seconds(1));
      one.user = UserId("u" + std::to_string(user_index));
      send(std::move(one));
    }
  }
  run();
  clock.advance(Seconds(6));
  store->set_mode(Mode::manual);
  mailboxes->tick();
  ASSERT_TRUE(store->take());
  store->commit();
  run();
  EXPECT_EQ(store->queued(), 5U) << "512 rows";
  ASSERT_TRUE(store->take());
  store->commit();
  run();
  EXPECT_EQ(store->queued(), 3U) << "the others follow at once";
  store->set_mode(Mode::automatic);
  run();
  EXPECT_EQ(dead_letters().size(), 800U);
}

// Acknowledged, but not deleted yet: it was delivered, and is no dead letter.
TEST_F(ShardMailboxesTest, MovesNothingThatWasAcknowledgedToTheDeadLetters) {
  for (const bool is_purged : {false, true}) {
    database->tables = {};
    store.reset();
    start();
    store->fail_erases(true);
    send(request("acknowledged", {}, Seconds(3)));
    run();
    auto& client = connect();
    run();
    EXPECT_EQ(client.texts.size(), 1U);
    client.connection().end();
    send(request("late", {}, Seconds(3)));
    run();
    EXPECT_EQ(rows(), 2U);
    if (is_purged) mailboxes->move_to_dead_letters(user, "user_deleted");
    pass(Seconds(is_purged ? 1 : 10));
    ASSERT_THAT(dead_letters(), SizeIs(1));
    EXPECT_EQ(dead_letters()[0].message->payload, "late");
    EXPECT_EQ(dead_letters()[0].reason, is_purged ? "user_deleted" : "expired");
    store->fail_erases(false);
    pass(Seconds(1));
    EXPECT_EQ(rows(), 0U);
  }
}

// A client may act on what it was sent until its connection is gone.
TEST_F(ShardMailboxesTest, MovesNothingUnderAConnectedClientsEyes) {
  start();
  auto& client = connect();
  const Answer answer = send("sent");
  pass(Seconds(1), false);
  ASSERT_EQ(status(answer), DeliveryStatus::stored);
  mailboxes->move_to_dead_letters(user, "user_disabled");
  pass(Seconds(3), false);
  EXPECT_THAT(dead_letters(), IsEmpty());
  client.run();
  executor.run();
  client.connection().end();
  pass(Seconds(1));
  EXPECT_EQ(rows(), 0U);
  EXPECT_THAT(dead_letters(), IsEmpty()) << "it was acknowledged in the end";
}

TEST_F(ShardMailboxesTest, GivesAPurgeUpForGoodWhenTheUserIsBack) {
  start();
  auto& first = connect();
  const Answer answer = send("kept");
  pass(Seconds(1), false);
  ASSERT_EQ(status(answer), DeliveryStatus::stored);
  mailboxes->move_to_dead_letters(user, "user_disabled");  // waits for the connection
  pass(Seconds(1), false);
  auto& second = connect();
  pass(Seconds(1), false);
  first.connection().end();
  second.connection().end();
  pass(Seconds(3), false);
  EXPECT_EQ(rows(), 1U);
  EXPECT_THAT(dead_letters(), IsEmpty());
}

TEST_F(ShardMailboxesTest, LeavesUsersOfAnotherHomeAlone) {
  start();
  send(request("m", {}, Seconds(1)));
  run();
  // This disk, seen by a shard that has no such user.
  mailboxes.reset();
  MailboxesOptions options;
  options.counter_start = unix_micros(clock.wall_now());
  options.ceiling = options.counter_start + 60'000'000;
  mailboxes = std::make_unique<ShardMailboxes>(std::move(options), clock, executor, *store,
                                               connection_store);
  pass(Seconds(20));
  EXPECT_EQ(rows(), 1U);
}

TEST_F(ShardMailboxesTest, ExpiresNothingWhileTheClocksDisagree) {
  start();
  send(request("m", {}, Seconds(100)));
  run();
  clock.step_wall(Seconds(3'600));
  pass(Seconds(20));
  EXPECT_EQ(rows(), 1U);
  auto& client = connect();  // nor by a page read
  run();
  EXPECT_THAT(client.texts, ElementsAre("m"));
}

TEST_F(ShardMailboxesTest, ExpiresAgainOnceASetClockHasHeld) {
  start();
  send(request("m", {}, Seconds(100)));
  run();
  clock.step_wall(Seconds(3'600));
  pass(Seconds(595));
  EXPECT_EQ(rows(), 1U);
  pass(Seconds(20));
  EXPECT_EQ(rows(), 0U);
  EXPECT_THAT(dead_letters(), SizeIs(1));
}

TEST_F(ShardMailboxesTest, ExpiresByPageReadsWhileSomebodyIsConnected) {
  start();
  send(request("old", {}, Seconds(3)));
  send("young");
  run();
  clock.advance(Seconds(4));
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("young"));
  EXPECT_THAT(dead_letters(), SizeIs(1));
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
}

// ---- a start by a clock that may be wrong

TEST_F(ShardMailboxesTest, ExpiresNothingForTenMinutesBehindAStartByAnotherTime) {
  for (const Seconds away : {Seconds(20 * 86'400), Seconds(-20 * 86'400)}) {
    database->tables = {};
    store.reset();
    start();
    const Seconds lifetime = away.count() > 0 ? Seconds(14 * 86'400) : Seconds(300);
    send(request("m", {}, lifetime));
    run();
    pass(Seconds(400));
    const bool is_due = lifetime == Seconds(300);
    EXPECT_EQ(rows(), is_due ? 0U : 1U);
    if (is_due) send(request("m", {}, lifetime));
    run();
    mailboxes.reset();
    clock.step_wall(away);
    // However often it is started.
    for (int i = 0; i < 3; ++i) {
      restart();
      pass(Seconds(550));
      EXPECT_EQ(rows(), 1U);
    }
    auto& client = connect();  // nor by a page read
    run();
    EXPECT_THAT(client.texts, ElementsAre("m"));
  }
}

TEST_F(ShardMailboxesTest, ExpiresAtOnceBehindARestartByTheTimeThatIsKnown) {
  start();
  send(request("m", {}, Seconds(100)));
  run();
  pass(Seconds(90));
  restart();
  pass(Seconds(20));
  EXPECT_EQ(rows(), 0U);
}

TEST_F(ShardMailboxesTest, ExpiresOnceTheTimeOfAStartHasHeld) {
  start();
  send(request("m", {}, Seconds(100)));
  run();
  pass(Seconds(1));
  mailboxes.reset();
  clock.advance(Seconds(86'400));  // it was down for a day
  restart();
  pass(Seconds(595));
  EXPECT_EQ(rows(), 1U);
  pass(Seconds(20));
  EXPECT_EQ(rows(), 0U);
  EXPECT_THAT(dead_letters(), SizeIs(1));
}

// A machine without a battery: it starts with the time of long ago, and is set right soon.
TEST_F(ShardMailboxesTest, MovesTheLifetimesOfWhatWasAcceptedByAWrongTime) {
  start();
  send(request("before", {}, Seconds(86'400)));
  run();
  pass(Seconds(1));
  mailboxes.reset();
  clock.step_wall(Seconds(-20 * 86'400));
  restart();
  send(request("early", {}, Seconds(3'600)));
  run();
  pass(Seconds(30));
  clock.step_wall(Seconds(20 * 86'400));
  pass(Seconds(30));
  send(request("late", {}, Seconds(3'600)));
  run();
  pass(Seconds(900));
  EXPECT_EQ(rows(), 3U) << "none is an hour old";
  const auto payloads = [&] {
    std::vector<std::string> out;
    for (const auto& [sequence, message] : database->tables.messages[user]) {
      out.push_back(message->payload);
      EXPECT_EQ(message->expires_at - message->accepted_at,
                message->payload == "before" ? Seconds(86'400) : Seconds(3'600));
    }
    return out;
  };
  pass(Seconds(2'670));
  EXPECT_THAT(payloads(), ElementsAre("before", "late")) << "each lives its hour";
  pass(Seconds(60));
  EXPECT_THAT(payloads(), ElementsAre("before"));
}

// Both were right by the clock of their time.
TEST_F(ShardMailboxesTest, MovesTheLifetimesOfAllThatIsPendingWhenTheClockIsSet) {
  for (const Seconds step : {Seconds(7'200), Seconds(-7'200)}) {
    database->tables = {};
    store.reset();
    start();
    send(request("first", {}, Seconds(3'600)));
    run();
    pass(Seconds(60));
    clock.step_wall(step);
    send(request("second", {}, Seconds(3'600)));
    run();
    pass(Seconds(3'500));
    EXPECT_EQ(rows(), 2U);
    pass(Seconds(60));
    EXPECT_EQ(rows(), 1U);
    pass(Seconds(60));
    EXPECT_EQ(rows(), 0U);
  }
}

// The clock is wrong for some seconds only: what came then lives no longer and no shorter.
TEST_F(ShardMailboxesTest, MovesWhatCameWhileTheClockWasAwayForAMoment) {
  start();
  clock.step_wall(Seconds(-86'400));
  auto& client = connect();
  const Answer waiting = send(request("waiting", {}, Seconds(3'600)));  // for its acknowledgement
  executor.run();
  const UserId other("other");
  auto stored = request("stored", {}, Seconds(3'600));
  stored.user = other;
  send(std::move(stored));
  executor.run();
  clock.step_wall(Seconds(86'400));
  mailboxes->tick();
  executor.run();
  client.connection().end();
  pass(Seconds(60), false);
  EXPECT_EQ(status(waiting), DeliveryStatus::stored);
  for (const UserId& of : {user, other}) {
    const auto& kept = database->tables.messages[of];
    ASSERT_EQ(kept.size(), 1U);
    const auto left = kept.begin()->second->expires_at - clock.wall_now();
    EXPECT_GT(left, Seconds(3'500));
    EXPECT_LE(left, Seconds(3'600));
  }
}

// Keys go by the machine's own clock: a start after a pause does not keep them longer.
TEST_F(ShardMailboxesTest, ForgetsKeysAsEverBehindADoubtfulStart) {
  start();
  pass(Seconds(1));
  mailboxes.reset();
  clock.advance(Seconds(86'400));
  restart();
  const Answer first = send(request("m", "key"));
  run();
  pass(Seconds(301));
  const Answer again = send(request("other", "key"));
  run();
  EXPECT_EQ(status(again), DeliveryStatus::stored);
}

// ---- purges across a restart

TEST_F(ShardMailboxesTest, GoesOnWithAPurgeBehindARestart) {
  start();
  send("one");
  send("two");
  run();
  const Sequence up_to = database->tables.messages[user].rbegin()->first;
  send("three");  // behind the end of the access
  run();
  database->tables.pending_purges[user] = {user, up_to, "user_deleted"};
  database->tables.pending_purges[UserId("nobody")] = {UserId("nobody"), 9, "user_deleted"};
  restart();
  pass(Seconds(1));
  EXPECT_EQ(rows(), 1U);
  ASSERT_THAT(dead_letters(), SizeIs(2));
  EXPECT_EQ(dead_letters()[0].reason, "user_deleted");
  EXPECT_TRUE(database->tables.pending_purges.empty());
}

TEST_F(ShardMailboxesTest, GivesAPurgeUpBehindARestartWhenTheUserIsBack) {
  start();
  send("one");
  run();
  const Sequence up_to = database->tables.messages[user].rbegin()->first;
  database->tables.pending_purges[user] = {user, up_to, "user_disabled"};
  restart();
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("one"));
  EXPECT_TRUE(database->tables.pending_purges.empty());
  pass(Seconds(1));
  EXPECT_THAT(dead_letters(), IsEmpty());
}

TEST_F(ShardMailboxesTest, MovesManyUsersFewRowsAtATime) {
  start();
  caller = nullptr;
  for (int i = 0; i < 200; ++i) {
    for (int n = 0; n < 4; ++n) {
      auto one = request("m");
      one.user = UserId("u" + std::to_string(i));
      send(std::move(one));
      run();
    }
  }
  pass(Seconds(1));
  store->set_mode(Mode::manual);
  for (int i = 0; i < 200; ++i)
    mailboxes->move_to_dead_letters(UserId("u" + std::to_string(i)), "user_deleted");
  for (int i = 0; i < 10; ++i) mailboxes->tick();
  EXPECT_EQ(store->queued(), 128U) << "of four rows each";
  store->set_mode(Mode::automatic);
  pass(Seconds(5));
  EXPECT_EQ(dead_letters().size(), 800U);
  EXPECT_EQ(mailboxes->metrics().mailboxes.read(), 0);
}

// ---- ids of repeats

TEST_F(ShardMailboxesTest, GivesARepeatTheIdThatAClientMayHaveFromARefusedAttempt) {
  for (const bool restarted : {true, false}) {
    clients.clear();
    mailboxes.reset();
    store.reset();
    database = std::make_shared<test::FakeDatabase>();
    start();
    auto& client = connect(holdfast_v1_protocol);
    run();
    store->fail_transactions(true);
    const auto first = send(request("text", "job-17"));
    executor.run();
    client.read();  // it has it, and its connection ends before it can say so
    ASSERT_EQ(client.texts.size(), 1U);
    const std::string received = client.texts[0];
    client.connection().end();
    run();
    ASSERT_EQ(error(first), Errc::unavailable);
    store->fail_transactions(false);
    if (restarted) {
      restart();
    } else {  // across the border of two windows
      pass(limits.deduplication_window - Seconds(5));
    }
    const auto repeat = send(request("text", "job-17"));
    const auto other = send(request("another text", "job-18"));
    run();
    ASSERT_EQ(status(repeat), DeliveryStatus::stored);
    EXPECT_THAT(received, testing::HasSubstr((**repeat)->id.str())) << restarted;
    EXPECT_NE((**other)->id, (**repeat)->id);
    // Of what was stored the answer is repeated, and a new window has a new message.
    const auto again = send(request("text", "job-17"));
    run();
    EXPECT_EQ((**again)->sequence, (**repeat)->sequence);
    pass(limits.deduplication_window + Seconds(1));
    const auto later = send(request("text", "job-17"));
    run();
    EXPECT_NE((**later)->id, (**repeat)->id);
  }
}

TEST_F(ShardMailboxesTest, GivesAKeysNextMessageAnotherIdAlsoWhenTheClockWasSetBack) {
  start();
  const auto first = send(request("text", "job-17"));
  run();
  clock.advance(limits.deduplication_window + Seconds(1));
  clock.step_wall(-(limits.deduplication_window + Seconds(1)));
  pass(Seconds(700), false);  // until the new time is believed
  clock.step_wall(-Seconds(700));
  pass(Seconds(700), false);
  const auto second = send(request("text", "job-17"));
  run();
  ASSERT_TRUE(status(second));
  EXPECT_NE((**second)->sequence, (**first)->sequence);
  EXPECT_NE((**second)->id, (**first)->id);
}

// ---- redrive

TEST_F(ShardMailboxesTest, RedrivesADeadLetterUnderItsIdAndANewSequence) {
  start();
  const DeadLetter letter = make_dead_letter();
  const auto answer = redrive(letter);
  run();
  ASSERT_EQ(status(answer), DeliveryStatus::stored);
  EXPECT_EQ((**answer)->id, letter.message->id);
  EXPECT_GT((**answer)->sequence, letter.message->sequence);
  EXPECT_THAT(dead_letters(), IsEmpty());
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("old"));
}

TEST_F(ShardMailboxesTest, GivesWhatHadExpiredTheConfiguredLifetimeAndOthersTheirOwn) {
  start();
  const auto lifetime = [&] {
    const auto& row = database->tables.messages.at(user).begin()->second;
    return row->expires_at - row->accepted_at;
  };
  const auto removed = [&] {
    const auto deletion = delete_pending(std::nullopt);
    run();
    EXPECT_TRUE(*deletion && **deletion);
    return dead_letters().at(0);
  };
  const DeadLetter expired = make_dead_letter();  // after a second
  redrive(expired);
  run();
  EXPECT_EQ(lifetime(), limits.message_ttl);
  redrive(removed(), Seconds(60));
  run();
  EXPECT_EQ(lifetime(), Seconds(60));
  redrive(removed());
  run();
  EXPECT_EQ(lifetime(), Seconds(60)) << "it was taken away, and had not expired";
}

TEST_F(ShardMailboxesTest, AnswersARedriveOnlyWhenTheDeadLetterIsGoneForGood) {
  start();
  const DeadLetter letter = make_dead_letter();
  auto& client = connect();
  run();
  const auto answer = redrive(letter);
  executor.run_one();
  store->set_mode(Mode::manual);
  executor.run();
  client.run();
  EXPECT_THAT(client.texts, ElementsAre("old"));
  EXPECT_FALSE(*answer);
  store->set_mode(Mode::automatic);
  run();
  EXPECT_EQ(status(answer), DeliveryStatus::delivered);
  EXPECT_THAT(dead_letters(), IsEmpty());
}

TEST_F(ShardMailboxesTest, RefusesToRedriveTwiceOrWhatIsNotThere) {
  start();
  const DeadLetter letter = make_dead_letter();
  const auto first = redrive(letter);
  const auto second = redrive(letter);
  EXPECT_EQ(error(second), Errc::conflict);
  run();
  EXPECT_TRUE(status(first));
  const auto third = redrive(letter);
  run();
  EXPECT_EQ(error(third), Errc::not_found);
}

TEST_F(ShardMailboxesTest, NeverSendsADeadLetterThatIsDamaged) {
  start();
  const DeadLetter letter = make_dead_letter();
  database->tables.dead_letters.at(letter.message->id).damaged = true;
  auto& client = connect();
  run();
  const auto answer = redrive(letter);
  run();
  EXPECT_EQ(error(answer), Errc::io);
  EXPECT_THAT(client.texts, IsEmpty());
  EXPECT_THAT(dead_letters(), SizeIs(1));
}

TEST_F(ShardMailboxesTest, KeepsADeadLetterWhoseUserHasNoRoomForIt) {
  limits.pending_messages = 1;
  start();
  const DeadLetter letter = make_dead_letter();
  send("fills the only place");
  run();
  const auto answer = redrive(letter);
  run();
  EXPECT_EQ(error(answer), Errc::limit_exceeded);
  EXPECT_THAT(dead_letters(), SizeIs(1));
  EXPECT_EQ(rows(), 1U);
}

TEST_F(ShardMailboxesTest, RedrivesADeadLetterOfItsOwnUserAlone) {
  start();
  const DeadLetter letter = make_dead_letter();
  auto answer = std::make_shared<std::optional<SendOutcome>>();
  mailboxes->redrive(UserId("another"), letter.message->id, {},
                     [answer](SendOutcome outcome) { *answer = outcome; });
  run();
  EXPECT_EQ(error(answer), Errc::not_found);
  EXPECT_THAT(dead_letters(), SizeIs(1));
}

TEST_F(ShardMailboxesTest, NeitherDeletesWhatIsBeingRedrivenNorRedrivesWhatIsBeingDeleted) {
  start();
  const DeadLetter letter = make_dead_letter();
  const MessageId id = letter.message->id;
  std::optional<std::vector<MessageId>> deleted;
  const auto remember = [&](const Result<std::vector<MessageId>>& ids) { deleted = ids.value(); };
  const auto redriven = redrive(letter, Seconds(1));
  mailboxes->delete_dead_letters({id}, remember);
  run();
  EXPECT_THAT(*deleted, IsEmpty());
  ASSERT_TRUE(status(redriven));

  // It dies again, under a new sequence.
  pass(Seconds(8));
  ASSERT_THAT(dead_letters(), SizeIs(1));
  mailboxes->delete_dead_letters({id}, remember);
  EXPECT_EQ(error(redrive(letter)), Errc::conflict);
  run();
  EXPECT_THAT(*deleted, ElementsAre(id));
  EXPECT_THAT(dead_letters(), IsEmpty());
  EXPECT_EQ(rows(), 0U);
}

// ---- deleting what is pending

TEST_F(ShardMailboxesTest, MovesOneDeletedMessageToTheDeadLetters) {
  start();
  send("a");
  const auto second = send("b");
  send("c");
  run();
  const auto deletion = delete_pending((**second)->id);
  run();
  ASSERT_TRUE(*deletion && **deletion);
  EXPECT_EQ((**deletion)->moved.messages, 1);
  EXPECT_EQ((**deletion)->left.messages, 2);
  ASSERT_THAT(dead_letters(), SizeIs(1));
  EXPECT_EQ(dead_letters()[0].reason, "deleted");
  EXPECT_EQ(mailboxes->pending(user).messages, 2);
  EXPECT_EQ(mailboxes->metrics().deleted.read(), 1U);
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("a", "c"));
  const auto again = delete_pending((**second)->id);
  run();
  EXPECT_EQ((**again).error().code, Errc::not_found);
}

TEST_F(ShardMailboxesTest, RefusesToDeleteWhatAConnectionWasSent) {
  start();
  auto& client = connect();
  run();
  client.connection().set_blocked(true);
  const auto sent = send("sent");
  pass(limits.ack_wait + Milliseconds(50), false);
  ASSERT_EQ(status(sent), DeliveryStatus::stored);
  const auto one = delete_pending((**sent)->id);
  const auto all = delete_pending({});
  pass(Milliseconds(20), false);
  EXPECT_EQ((**one).error().code, Errc::conflict);
  ASSERT_TRUE(**all);
  EXPECT_EQ((**all)->moved.messages, 0);
  EXPECT_EQ((**all)->left.messages, 1);
  client.connection().set_blocked(false);
  run();
  EXPECT_THAT(client.texts, ElementsAre("sent"));
  EXPECT_EQ(rows(), 0U);
  EXPECT_THAT(dead_letters(), IsEmpty());
}

TEST_F(ShardMailboxesTest, DeletesWhatAConnectedUserWasNotSentYetAndDeliversTheRest) {
  limits.credit_messages = 2;
  start();
  for (const char* const text : {"a", "b", "c", "d", "e"}) send(text);
  run();
  auto& client = connect();
  executor.run();  // two are on their way; the client reads later
  const auto all = delete_pending({});
  executor.run();
  ASSERT_TRUE(*all && **all);
  EXPECT_EQ((**all)->moved.messages, 3);
  EXPECT_EQ((**all)->left.messages, 2);
  run();
  send("f");
  run();
  EXPECT_THAT(client.texts, ElementsAre("a", "b", "f"));
  EXPECT_THAT(dead_letters(), SizeIs(3));
  EXPECT_EQ(mailboxes->pending(user).messages, 0);
}

TEST_F(ShardMailboxesTest, DeletesFromTheTailOfAClientThatFellBehind) {
  limits.credit_messages = 1;
  start();
  auto& client = connect();
  run();
  client.connection().set_blocked(true);
  for (const char* const text : {"a", "b", "c"}) send(text);
  pass(limits.ack_wait + Milliseconds(50), false);
  ASSERT_EQ(rows(), 3U);
  const auto middle = database->tables.messages[user];
  const auto deletion = delete_pending(std::next(middle.begin())->second->id);
  executor.run();
  ASSERT_TRUE(*deletion && **deletion);
  client.connection().set_blocked(false);
  run();
  EXPECT_THAT(client.texts, ElementsAre("a", "c"));
}

TEST_F(ShardMailboxesTest, KeepsWhatCannotBeMoved) {
  start();
  send("a");
  run();
  store->fail_transactions(true);
  const auto deletion = delete_pending({});
  run();
  store->fail_transactions(false);
  ASSERT_TRUE(*deletion);
  EXPECT_EQ((**deletion).error().code, Errc::unavailable);
  EXPECT_THAT(dead_letters(), IsEmpty());
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("a"));
}

TEST_F(ShardMailboxesTest, ListsConnectionsPageByPageTheOldestFirst) {
  start();
  for (int i = 0; i < 5; ++i) {
    if (i > 0) clock.advance(Seconds(1));
    connect(raw_protocol, UserId(i % 2 ? "odd" : "even"));
  }
  std::vector<std::string> ids;
  ConnectionQuery query{.user = {}, .after = {}, .limit = 2};
  while (true) {
    const auto page = mailboxes->connections(query);
    for (const ConnectionInfo& info : page) ids.push_back(info.id.str());
    if (page.size() < query.limit) break;
    query.after = {page.back().connected_at, page.back().id};
  }
  EXPECT_THAT(ids, ElementsAre("connection-1", "connection-2", "connection-3", "connection-4",
                               "connection-5"));
  const auto odd = mailboxes->connections({.user = UserId("odd"), .after = {}, .limit = 9});
  ASSERT_THAT(odd, SizeIs(2));
  EXPECT_EQ(odd[0].id.str(), "connection-2");
}

// ---- executions

TEST_F(ShardMailboxesTest, LeavesEveryStepOfAMessageBehind) {
  start();
  connect();
  run();
  const auto answer = send("m");
  run();
  const auto listed = mailboxes->executions({.user = {}, .id = (**answer)->id}, 1);
  ASSERT_THAT(listed, SizeIs(1));
  std::vector<std::string> states;
  for (std::uint32_t i = 0; i < listed[0].step_count; ++i) {
    states.emplace_back(to_string(listed[0].steps[i].state));
  }
  EXPECT_THAT(states,
              ElementsAre("Received", "LookUpConnection", "Sending", "AwaitingAck", "Delivered"));
  EXPECT_TRUE(listed[0].finished);
}

TEST_F(ShardMailboxesTest, LeavesEveryStepOfCatchingUpBehind) {
  limits.credit_messages = 2;
  start();
  for (int i = 0; i < 3; ++i) send("m");
  run();
  connect();
  run();
  Execution unsent;
  for (const Execution& execution : mailboxes->executions({.user = user, .id = {}}, 10)) {
    if (execution.workflow == Workflow::send_unsent_messages) unsent = execution;
  }
  std::vector<std::string> states;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(unsent.step_count, 12); ++i) {
    states.emplace_back(to_string(unsent.steps[i].state));
  }
  EXPECT_THAT(states, ElementsAre("ReadingPage", "SendingPage", "AwaitingPageAck", "Deleting",
                                  "ReadingPage", "SendingPage", "CaughtUp"));
  EXPECT_EQ(unsent.messages, 3U);
  EXPECT_TRUE(unsent.finished);
}

// ---- shutdown

TEST_F(ShardMailboxesTest, DrainsByAwaitingFencesAndStoringTheRest) {
  start();
  auto& client = connect();
  auto& silent = connect(raw_protocol, UserId("silent"));
  run();
  const auto answered = send("a");
  auto to_silent = request("b");
  to_silent.user = UserId("silent");
  const auto stored = send(std::move(to_silent));
  bool drained = false;
  mailboxes->drain([&] { drained = true; });
  EXPECT_EQ(error(send("late")), Errc::unavailable);
  executor.run();
  client.run();
  EXPECT_EQ(status(answered), DeliveryStatus::delivered);
  EXPECT_FALSE(drained);
  pass(limits.close_wait + Milliseconds(50), false);
  EXPECT_EQ(status(stored), DeliveryStatus::stored);
  EXPECT_TRUE(drained);
  EXPECT_FALSE(silent.connection().closing);
}

TEST_F(ShardMailboxesTest, ClosesEveryConnectionStillTakingPongsAndAppliesDeletes) {
  start();
  auto& client = connect();
  run();
  send("m");
  executor.run();
  client.read();
  bool drained = false;
  bool closed = false;
  mailboxes->drain([&] { drained = true; });
  pass(limits.close_wait + Milliseconds(50), false);
  ASSERT_TRUE(drained);
  EXPECT_EQ(rows(), 1U);
  mailboxes->close_connections([&] { closed = true; });
  EXPECT_EQ(client.connection().close_reason, CloseReason::shutting_down);
  client.answer_pings();
  executor.run();
  EXPECT_EQ(rows(), 0U);
  EXPECT_FALSE(closed);
  client.run();
  pass(Milliseconds(20));
  EXPECT_TRUE(closed);
}

TEST_F(ShardMailboxesTest, EndsConnectionsThatNeverAnswerTheClose) {
  start();
  auto& client = connect();
  run();
  bool closed = false;
  mailboxes->drain([] {});
  mailboxes->close_connections([&] { closed = true; });
  pass(limits.close_wait * 2 + Milliseconds(50), false);
  EXPECT_TRUE(client.connection().aborted);
  client.connection().end();
  pass(Milliseconds(20), false);
  EXPECT_TRUE(closed);
}

TEST_F(ShardMailboxesTest, ClosesWhoeverComesDuringAShutdown) {
  start();
  mailboxes->drain([] {});
  auto& late = connect();
  EXPECT_EQ(late.connection().close_reason, CloseReason::shutting_down);
  run();
  EXPECT_EQ(mailboxes->metrics().connections.read(), 0);
}

TEST_F(ShardMailboxesTest, RefusesAtOnceWhatCannotBeStoredWhileDraining) {
  start();
  auto& client = connect();
  run();
  const auto answer = send("m");
  store->fail_transactions(true);
  bool drained = false;
  mailboxes->drain([&] { drained = true; });
  pass(limits.close_wait + Milliseconds(50), false);
  EXPECT_EQ(error(answer), Errc::unavailable);
  EXPECT_TRUE(drained);
  EXPECT_FALSE(client.connection().closing);
}

TEST_F(ShardMailboxesTest, EndsAConnectionThatHasNoRoomForAMessage) {
  start();
  auto& client = connect();
  run();
  client.connection().waiting_bytes_max = 4;
  const auto fits = send("four");
  run();
  EXPECT_EQ(status(fits), DeliveryStatus::delivered);
  const auto answer = send("longer");
  run();
  EXPECT_TRUE(client.connection().aborted);
  client.connection().end();
  run();
  EXPECT_EQ(status(answer), DeliveryStatus::stored);
}

// ---- calls from inside answers

TEST_F(ShardMailboxesTest, TakesCallsFromInsideAnAnswer) {
  start();
  connect();
  run();
  Answer second;
  mailboxes->send(request("first"), [&](const SendOutcome&) {
    second = send("second");
    mailboxes->close_logins(user, Logins::all(), CloseReason::requested, "bye");
  });
  run();
  ASSERT_TRUE(second);
  EXPECT_TRUE(status(second));
}

}  // namespace
}  // namespace holdfast::delivery
