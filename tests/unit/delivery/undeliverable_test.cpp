// Messages at which connections end, and when they are given up.

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/delivery/shard_fixture.hpp"

namespace holdfast::delivery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using By = ConnectionEnd::By;

/// The end of a client's connection.
struct HowEnded {
  const char* name;
  By by;
  std::uint16_t code;
  int connections;  ///< until the message is given up
};
constexpr HowEnded kReset{"reset", By::network, ConnectionEnd::kNoClose, 5};

/// A client whose connections end at what contains "poison": it takes frames one after the other,
/// answers Pings, and under `holdfast.v1` acknowledges each message.
class UndeliverableTest : public ShardFixture {
 protected:
  static bool is_poison(const test::FakeConnection::Frame& frame) {
    return frame.kind == test::FakeConnection::Kind::text && frame.bytes.contains("poison");
  }
  static Sequence sequence_of(const std::string& frame) {
    const auto at = frame.find(R"("sequence":)");
    return at == std::string::npos ? 0 : std::stoll(frame.substr(at + 11));
  }
  /// Takes one frame; false when there is none, or it is poison.
  bool take_one(test::ScriptedClient& client, MakeProtocol protocol) {
    auto& sent = client.connection().sent;
    if (sent.empty() || is_poison(sent.front())) return false;
    const auto frame = sent.front();
    sent.pop_front();
    client.connection().take_bytes(frame.bytes.size() + 2);
    if (frame.kind == test::FakeConnection::Kind::ping) client.connection().pong(frame.bytes);
    if (frame.kind != test::FakeConnection::Kind::text) return true;
    client.texts.push_back(frame.bytes);
    if (protocol == holdfast_v1_protocol) {
      const std::string sequence = std::to_string(sequence_of(frame.bytes));
      client.connection().text(R"({"type":"ack","sequence":)" + sequence + "}");
    }
    return true;
  }
  /// Takes what comes, up to poison. False when there was none.
  bool take_up_to_poison(test::ScriptedClient& client, MakeProtocol protocol = raw_protocol) {
    do {
      executor.run();
    } while (take_one(client, protocol) || !executor.idle());
    return !client.connection().sent.empty();
  }
  /// Like that, of a client that may have begun already.
  void run_until_poison(test::ScriptedClient& client) {
    while (take_one(client, raw_protocol)) executor.run();
    executor.run();
    while (take_one(client, raw_protocol)) executor.run();
  }
  void end_at_poison(test::ScriptedClient& client, const HowEnded& how) {
    test::FakeConnection& connection = client.connection();
    const bool refused_by_header = how.code == 1009;
    if (!refused_by_header) connection.take_bytes(connection.sent.front().bytes.size() + 2);
    if (how.by == By::network && how.code == ConnectionEnd::kSilent) {
      for (int i = 0; i < 600 && !connection.aborted; ++i) pass(Milliseconds(100), false);
      EXPECT_TRUE(connection.aborted);
    }
    connection.end({.by = how.by, .code = how.code});
    executor.run();
  }
  /// Connects again and again until nothing ends a connection; answers how often it ended.
  int connect_until_it_holds(const HowEnded& how, MakeProtocol protocol = raw_protocol) {
    for (int ended = 0; ended < 50; ++ended) {
      auto& client = connect(protocol);
      const bool poison = take_up_to_poison(client, protocol);
      received.insert(received.end(), client.texts.begin(), client.texts.end());
      if (!poison) {
        client.connection().end({.by = By::gateway});
        executor.run();
        return ended;
      }
      end_at_poison(client, how);
    }
    return 50;
  }
  /// Ends connections at the message that comes first, so many times.
  void fail_times(int times, const HowEnded& how) {
    for (int i = 0; i < times; ++i) {
      auto& client = connect();
      ASSERT_TRUE(take_up_to_poison(client));
      end_at_poison(client, how);
    }
  }
  /// Returns the texts received, each once, in the order in which they first came.
  std::vector<std::string> payloads() const {
    std::vector<std::string> out;
    for (const std::string& frame : received) {
      const auto at = frame.find(R"("payload":")");
      const std::string payload =
          at == std::string::npos ? frame : frame.substr(at + 11, frame.size() - at - 13);
      if (std::ranges::find(out, payload) == out.end()) out.push_back(payload);
    }
    return out;
  }
  const DeadLetter* letter() const {
    const auto& letters = database->tables.dead_letters;
    return letters.empty() ? nullptr : &letters.begin()->second;
  }

  std::vector<std::string> received;
};

TEST_F(UndeliverableTest, DeliversWhatIsBehindAMessageThatEndsEveryConnection) {
  const HowEnded ends[] = {
      {"1009", By::client, 1009, 1},
      {"1007", By::client, 1007, 5},
      {"1002", By::client, 1002, 5},
      {"1003", By::client, 1003, 5},
      {"1008", By::client, 1008, 5},
      {"1011", By::client, 1011, 5},
      {"1000", By::client, 1000, 5},
      {"no code", By::client, 1005, 5},
      {"4000", By::client, 4000, 5},
      kReset,
      {"silent", By::network, ConnectionEnd::kSilent, 5},
  };
  for (const HowEnded& how : ends) {
    for (const MakeProtocol protocol : {raw_protocol, holdfast_v1_protocol}) {
      for (const std::size_t size : {10, 40'000}) {
        for (const bool pages : {false, true}) {
          SCOPED_TRACE(std::string(how.name) + (protocol == raw_protocol ? " raw " : " v1 ") +
                       std::to_string(size) + (pages ? " from pages" : " from the tail"));
          database = std::make_shared<test::FakeDatabase>();
          store.reset();
          received.clear();
          start();
          if (!pages) {  // sent as they come, behind what a client holds already
            auto& client = connect(protocol);
            executor.run();
            client.connection().set_blocked(true);
            for (int i = 0; i < 3; ++i) send("before " + std::to_string(i));
            send("poison" + std::string(size, 'x'));
            send("behind 1");
            send("behind 2");
            executor.run();
            client.connection().end();
            executor.run();
          } else {
            for (int i = 0; i < 3; ++i) send("before " + std::to_string(i));
            send("poison" + std::string(size, 'x'));
            send("behind 1");
            send("behind 2");
            executor.run();
          }
          const int ended = connect_until_it_holds(how, protocol);
          // A refusal for its length counts at once when it is certain which one is so long.
          const bool certain = how.code != 1009 || size > 1'000 || protocol != raw_protocol;
          EXPECT_LE(ended, certain ? how.connections : 2);
          EXPECT_THAT(payloads(),
                      ElementsAre("before 0", "before 1", "before 2", "behind 1", "behind 2"));
          ASSERT_NE(letter(), nullptr);
          EXPECT_EQ(letter()->reason, "undeliverable");
          EXPECT_THAT(letter()->detail,
                      HasSubstr(how.code == 0 ? "silent" : std::to_string(how.code)));
          EXPECT_EQ(mailboxes->metrics().undeliverable.read(), 1U);
          EXPECT_EQ(mailboxes->metrics().deleted.read(), 0U);
          EXPECT_EQ(rows(), 0U);
          EXPECT_EQ(mailboxes->pending(user).messages, 0);

          auto redriven = std::make_shared<std::optional<SendOutcome>>();
          mailboxes->redrive(user, letter()->message->id, {},
                             [redriven](SendOutcome outcome) { *redriven = outcome; });
          auto& another = connect();
          run();
          EXPECT_TRUE(status(redriven));
          EXPECT_THAT(another.texts, testing::Contains(HasSubstr("poison")));
          EXPECT_EQ(letter(), nullptr);
          clients.clear();
          mailboxes.reset();
        }
      }
    }
  }
}

TEST_F(UndeliverableTest, FindsTheOneAmongMany) {
  start();
  std::vector<std::string> expected;
  for (int i = 0; i < 60; ++i) {
    const std::string text = "m" + std::to_string(i);
    if (i == 23) {
      send("poison");
      continue;
    }
    send(text);
    expected.push_back(text);
  }
  executor.run();
  EXPECT_LE(connect_until_it_holds(kReset), 5);
  EXPECT_EQ(payloads(), expected);
  ASSERT_NE(letter(), nullptr);
  EXPECT_EQ(letter()->message->payload, "poison");
}

TEST_F(UndeliverableTest, FindsTheOneHoweverFewAttemptsAreEnough) {
  for (const std::uint32_t attempts : {1U, 2U, 3U}) {
    SCOPED_TRACE(attempts);
    limits.poison_attempts = attempts;
    database = std::make_shared<test::FakeDatabase>();
    store.reset();
    received.clear();
    start();
    for (const char* const text : {"1", "2", "poison", "3"}) send(text);
    executor.run();
    EXPECT_LE(connect_until_it_holds({"1011", By::client, 1011, 3}), 4);
    EXPECT_THAT(payloads(), ElementsAre("1", "2", "3"));
    ASSERT_NE(letter(), nullptr);
    EXPECT_EQ(letter()->message->payload, "poison");
    EXPECT_EQ(mailboxes->metrics().undeliverable.read(), 1U);
    clients.clear();
    mailboxes.reset();
  }
}

TEST_F(UndeliverableTest, GivesUpSeveralOneAfterTheOther) {
  start();
  for (const char* const text : {"1", "poison a", "poison b", "2", "poison c", "3"}) send(text);
  executor.run();
  EXPECT_LE(connect_until_it_holds(kReset), 15);
  EXPECT_THAT(payloads(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(mailboxes->metrics().undeliverable.read(), 3U);
}

TEST_F(UndeliverableTest, TakesAClientThatTakesNothingForWhatItIs) {
  start();
  for (int i = 0; i < 100; ++i) send("poison " + std::to_string(i));
  executor.run();
  for (int i = 0; i < 200; ++i) {
    auto& client = connect();
    ASSERT_TRUE(take_up_to_poison(client));
    end_at_poison(client, {"no code", By::client, 1005, 5});
  }
  EXPECT_EQ(mailboxes->metrics().undeliverable.read(), 8U);
  EXPECT_EQ(rows(), 92U);
  // One that takes something shows that it is the messages again.
  auto& good = connect();
  executor.run();
  for (int i = 0; i < 4; ++i) {
    while (!good.connection().sent.empty() && good.texts.empty()) {
      const auto frame = good.connection().sent.front();
      good.connection().sent.pop_front();
      if (frame.kind == test::FakeConnection::Kind::text) good.texts.push_back(frame.bytes);
      if (frame.kind == test::FakeConnection::Kind::ping) good.connection().pong(frame.bytes);
    }
    executor.run();
  }
  good.answer_pings();
  while (!good.connection().sent.empty()) {
    const auto frame = good.connection().sent.front();
    good.connection().sent.pop_front();
    if (frame.kind == test::FakeConnection::Kind::ping) good.connection().pong(frame.bytes);
    if (rows() < 92) break;
  }
  executor.run();
  good.connection().end({.by = By::gateway});
  executor.run();
  ASSERT_LT(rows(), 92U);
  const std::size_t left = rows();
  for (int i = 0; i < 7; ++i) {
    auto& client = connect();
    if (!take_up_to_poison(client)) break;
    end_at_poison(client, {"no code", By::client, 1005, 5});
  }
  EXPECT_LT(rows(), left);
}

TEST_F(UndeliverableTest, WaitsForEverWhenToldSo) {
  limits.poison_attempts = 0;
  start();
  send("poison");
  send("behind");
  executor.run();
  fail_times(40, {"1009", By::client, 1009, 1});
  EXPECT_EQ(letter(), nullptr);
  EXPECT_EQ(rows(), 2U);
}

TEST_F(UndeliverableTest, NeverTakesFromOneDeviceWhatAnotherMayStillTake) {
  start();
  auto& able = connect();
  executor.run();
  able.connection().set_blocked(true);  // slow, and there
  send("poison");
  send("behind");
  executor.run();
  fail_times(20, {"1009", By::client, 1009, 1});
  EXPECT_EQ(letter(), nullptr);
  able.connection().set_blocked(false);
  able.run();
  executor.run();
  able.run();
  EXPECT_THAT(able.texts, ElementsAre("poison", "behind"));
  EXPECT_EQ(rows(), 0U);
  // Its acknowledgement ends the row: the next message has one of its own.
  able.connection().end({.by = By::client, .code = 1000});
  send("poison 2");
  executor.run();
  fail_times(4, kReset);
  EXPECT_EQ(letter(), nullptr);
}

// Two devices with the same limit, each of which comes back before the other one fails.
TEST_F(UndeliverableTest, GivesUpWhatTwoDevicesFailAtThatOverlap) {
  for (const HowEnded& how : {HowEnded{"1009", By::client, 1009, 5}, kReset}) {
    SCOPED_TRACE(how.name);
    database = std::make_shared<test::FakeDatabase>();
    store.reset();
    start();
    send("poison");
    send("behind");
    executor.run();
    int ended = 0;
    test::ScriptedClient* first = &connect();
    std::vector<std::string> seen;
    for (; ended < 50 && seen.empty(); ++ended) {
      auto& second = connect();
      ASSERT_TRUE(take_up_to_poison(*first));
      take_up_to_poison(second);
      end_at_poison(*first, how);
      run_until_poison(second);
      seen = second.texts;
      first = &second;
    }
    EXPECT_LE(ended, 7);
    EXPECT_THAT(seen, ElementsAre("behind"));
    ASSERT_NE(letter(), nullptr);
    EXPECT_EQ(letter()->message->payload, "poison");
    EXPECT_EQ(rows(), 0U);
    clients.clear();
    mailboxes.reset();
  }
}

TEST_F(UndeliverableTest, KeepsNobodyWaitingForLongOnAccountOfAnother) {
  start();
  send("poison");
  send("behind");
  executor.run();
  fail_times(4, kReset);
  auto& last = connect();
  ASSERT_TRUE(take_up_to_poison(last));
  auto& other = connect(holdfast_v1_protocol);
  ASSERT_TRUE(take_up_to_poison(other, holdfast_v1_protocol));
  end_at_poison(last, kReset);
  auto& able = connect();
  able.run();
  executor.run();
  able.run();
  EXPECT_THAT(able.texts, IsEmpty()) << "the other one may still take it";
  // It answers Pings and acknowledges nothing: it is there, and may do so for ever.
  for (int i = 0; i < 24; ++i) {
    other.run();
    pass(limits.ack_timeout / 20, false);
  }
  EXPECT_FALSE(other.connection().aborted);
  able.run();
  executor.run();
  able.run();
  EXPECT_THAT(able.texts, ElementsAre("poison", "behind"));
  executor.run();
  EXPECT_EQ(letter(), nullptr);
  EXPECT_EQ(rows(), 0U);
}

TEST_F(UndeliverableTest, TellsOfAMessageThatNobodyGetsPastThoughItIsNotGivenUp) {
  start();
  send("poison");
  send("behind");
  executor.run();
  const auto reset_at_once = [this] {
    auto& client = connect();
    executor.run();
    client.connection().end();
    executor.run();
  };
  for (int i = 0; i < 9; ++i) reset_at_once();
  EXPECT_EQ(mailboxes->metrics().stuck.read(), 0U);
  for (int i = 0; i < 100; ++i) reset_at_once();
  EXPECT_EQ(mailboxes->metrics().stuck.read(), 1U) << "each message once";
  EXPECT_EQ(letter(), nullptr);
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("poison", "behind"));
  client.connection().end();
  send("poison again");
  executor.run();
  for (int i = 0; i < 9; ++i) reset_at_once();
  EXPECT_EQ(mailboxes->metrics().stuck.read(), 1U) << "an acknowledgement begins anew";
  reset_at_once();
  EXPECT_EQ(mailboxes->metrics().stuck.read(), 2U);
}

TEST_F(UndeliverableTest, LetsAnAcknowledgementWinThatComesWhileItIsMoved) {
  start();
  send("poison");
  send("behind");
  executor.run();
  fail_times(4, kReset);
  auto& last = connect();
  ASSERT_TRUE(take_up_to_poison(last));
  auto& other = connect();  // comes in before the fifth end
  end_at_poison(last, kReset);
  other.run();
  executor.run();
  run();
  EXPECT_THAT(other.texts, ElementsAre("poison", "behind"));
  EXPECT_EQ(letter(), nullptr);
}

TEST_F(UndeliverableTest, WaitsForTheCommitOfWhatItGivesUp) {
  limits.poison_attempts = 1;
  start();
  auto& client = connect();
  run();
  store->set_mode(Mode::manual);
  send("poison");
  ASSERT_TRUE(take_up_to_poison(client));
  end_at_poison(client, {"1011", By::client, 1011, 1});
  EXPECT_EQ(store->calls(Kind::insert), 1U);
  EXPECT_EQ(store->calls(Kind::expire), 0U);
  store->set_mode(Mode::automatic);
  executor.run();
  ASSERT_NE(letter(), nullptr);
  EXPECT_EQ(letter()->message->payload, "poison");
  EXPECT_EQ(mailboxes->metrics().mailboxes.read(), 0);
}

TEST_F(UndeliverableTest, CountsATooLongOneAtOnceOnlyWhenTheClientNeverTookOneSoLong) {
  const HowEnded too_big{"1009", By::client, 1009, 1};
  start();
  auto& client = connect();
  run();
  send(std::string(2'000, 'a'));
  run();
  send("poison" + std::string(1'000, 'x'));
  ASSERT_TRUE(take_up_to_poison(client));
  end_at_poison(client, too_big);
  EXPECT_EQ(connect_until_it_holds(too_big), 4) << "it took a longer one: another reason";
  send("poison" + std::string(3'000, 'x'));
  executor.run();
  EXPECT_EQ(connect_until_it_holds(too_big), 1);
}

TEST_F(UndeliverableTest, RemembersTheLongestOneBehindTheEndOfItsConnection) {
  const HowEnded too_big{"1009", By::client, 1009, 1};
  start();
  auto& client = connect();
  send(std::string(2'000, 'a'));
  run();
  client.connection().close_by_client(1000);
  run();
  send("poison" + std::string(1'000, 'x'));
  executor.run();
  EXPECT_EQ(connect_until_it_holds(too_big), 5) << "it took a longer one: another reason";
  send("poison" + std::string(3'000, 'x'));
  executor.run();
  EXPECT_EQ(connect_until_it_holds(too_big), 1);
}

TEST_F(UndeliverableTest, CountsATooLongOneAtOnceOnlyWhenItIsCertainWhichOne) {
  const HowEnded too_big{"1009", By::client, 1009, 1};
  start();
  send("short");
  send("poison" + std::string(1'000, 'x'));
  executor.run();
  // The client has not answered for the short one, which goes first: the next time it goes alone.
  EXPECT_EQ(connect_until_it_holds(too_big), 2);
  EXPECT_THAT(payloads(), ElementsAre("short"));
  ASSERT_NE(letter(), nullptr);
  EXPECT_THAT(letter()->message->payload, testing::StartsWith("poison"));
}

TEST_F(UndeliverableTest, CountsNoEndThatTheGatewayBegan) {
  start();
  send("poison");
  executor.run();
  for (int i = 0; i < 20; ++i) {
    auto& client = connect();
    ASSERT_TRUE(take_up_to_poison(client));
    mailboxes->close(last_id(), CloseReason::access_ended, "over");
    client.connection().take_bytes();
    client.connection().end({.by = By::client, .code = 1000});
    executor.run();
  }
  EXPECT_EQ(letter(), nullptr);
}

// ---- networks

TEST_F(UndeliverableTest, LosesNothingOfAClientWhoseNetworkAlwaysBreaksAtOnce) {
  start();
  send("poison");
  send("behind");
  executor.run();
  for (int i = 0; i < 100; ++i) {
    auto& client = connect();
    executor.run();
    // The bytes may have come through, even to a proxy; the client never said a word.
    if (i % 2 == 0) client.connection().take_bytes();
    client.connection().end();
    executor.run();
  }
  EXPECT_EQ(letter(), nullptr);
  EXPECT_EQ(rows(), 2U);
  auto& client = connect();
  run();
  EXPECT_THAT(client.texts, ElementsAre("poison", "behind"));
}

/// A link that carries frames down and answers up in order, some at a time, and breaks at random
/// with all that is on it. What has come down is known to the gateway's kernel.
class LossyLink {
 public:
  LossyLink(std::mt19937_64& random, test::ScriptedClient& client, double loss)
      : random_(random), client_(client), loss_(loss) {}

  /// False when it broke.
  bool step() {
    if (std::uniform_real_distribution<>(0, 1)(random_) < loss_) return false;
    test::FakeConnection& connection = client_.connection();
    if (random_() % 2 == 0) {
      // Whole segments: what was sent together mostly arrives together.
      std::size_t bytes = 1'400;
      while (!connection.sent.empty() && bytes > 0) {
        const auto frame = connection.sent.front();
        const std::size_t size = frame.bytes.size() + 2;
        if (size > bytes && bytes < 1'400) break;
        connection.sent.pop_front();
        connection.take_bytes(size);
        bytes -= std::min(bytes, size);
        if (frame.kind == test::FakeConnection::Kind::text) client_.texts.push_back(frame.bytes);
        if (frame.kind == test::FakeConnection::Kind::ping) up_.push_back(frame.bytes);
      }
    } else {
      for (const std::string& pong : std::exchange(up_, {})) connection.pong(pong);
    }
    return true;
  }

 private:
  std::mt19937_64& random_;
  test::ScriptedClient& client_;
  double loss_;
  std::vector<std::string> up_;
};

TEST_F(UndeliverableTest, LosesNothingOverALinkThatBreaksAtRandom) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    clients.clear();
    mailboxes.reset();
    store.reset();
    database = std::make_shared<test::FakeDatabase>();
    start();
    const double loss = std::array{0.05, 0.2, 0.4}[seed % 3];
    int sent = 0;
    std::vector<std::string> seen;
    for (int connections = 0; connections < 3'000 && (sent < 60 || rows() > 0); ++connections) {
      for (std::uint64_t more = random() % 6; more > 0 && sent < 60; --more) {
        send(std::to_string(sent++) + std::string(random() % 3 == 0 ? 900 : 5, '.'));
      }
      auto& client = connect();
      executor.run();
      LossyLink link(random, client, loss);
      while (link.step() && (rows() > 0 || sent < 60)) {
        executor.run();
        if (random() % 8 == 0 && sent < 60) send(std::to_string(sent++) + "..");
      }
      client.connection().end();
      executor.run();
      for (const std::string& text : client.texts) {
        const std::string number = text.substr(0, text.find('.'));
        if (std::ranges::find(seen, number) == seen.end()) seen.push_back(number);
      }
      clients.clear();
    }
    ASSERT_EQ(mailboxes->metrics().undeliverable.read(), 0U) << "seed " << seed;
    ASSERT_THAT(database->tables.dead_letters, IsEmpty());
    ASSERT_EQ(seen.size(), 60U) << "seed " << seed;
    for (int i = 0; i < 60; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], std::to_string(i));
  }
}

}  // namespace
}  // namespace holdfast::delivery
