// Tests delivery from producer to client.

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "support/base/manual_clock.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

std::vector<std::string> texts(const std::string& prefix, int from, int to) {
  std::vector<std::string> out;
  for (int i = from; i <= to; ++i) out.push_back(prefix + std::to_string(i));
  return out;
}

std::vector<std::string> payload_frames(const std::vector<std::string>& messages) {
  std::vector<std::string> out;
  for (const std::string& text : messages) out.push_back(payload_frame(text));
  return out;
}

class DeliveryTest : public ::testing::Test {
 protected:
  // Clients here acknowledge; on a busy machine it may take them a while.
  static void SetUpTestSuite() {
    gateway_ = new TestGateway({.settings = {"delivery.ack_wait_ms=5000"}});
  }
  static void TearDownTestSuite() {
    delete gateway_;
    gateway_ = nullptr;
  }
  // A user of the test's own.
  static TestUser user() {
    return gateway_->make_user(::testing::UnitTest::GetInstance()->current_test_info()->name());
  }

  // A connection takes part only after its 101, when the user has been checked once more: waits
  // until it does. What was sent for that is the first of its frames.
  static void join(const TestUser& user, const Inbox& inbox) {
    gateway_->publish(user.id, "first");
    ASSERT_EQ(inbox.wait_for(1).size(), 1u);
    ASSERT_TRUE(eventually([&] { return gateway_->pending(user.id) == 0; }));
  }

  static TestGateway* gateway_;
};
TestGateway* DeliveryTest::gateway_ = nullptr;

TEST_F(DeliveryTest, SendsToAConnectedUserAndSaysThatItWasDelivered) {
  const TestUser alice = user();
  const Inbox inbox(*gateway_, alice);
  join(alice, inbox);
  EXPECT_EQ(gateway_->publish_status(alice.id, "Serverless is cool"), "DELIVERED");
  EXPECT_EQ(inbox.wait_for(2).back(), R"({"Payload":"Serverless is cool"})");
  EXPECT_EQ(gateway_->pending(alice.id), 0u);
}

TEST_F(DeliveryTest, HoldsMessagesAndSendsThemInOrderOnReconnect) {
  const TestUser alice = user();
  {
    const Inbox inbox(*gateway_, alice);
    join(alice, inbox);
    EXPECT_EQ(gateway_->publish_status(alice.id, "while connected"), "DELIVERED");
  }
  // The gateway hears of the end of a connection a moment after its client.
  ASSERT_TRUE(eventually([&] {
    return gateway_->control("GET", "/v1/connections?userId=" + alice.id).at("connections").empty();
  }));
  for (const std::string& text : texts("held ", 1, 5)) {
    EXPECT_EQ(gateway_->publish_status(alice.id, text), "STORED");
  }
  EXPECT_EQ(gateway_->pending(alice.id), 5u);
  const Inbox inbox(*gateway_, alice);
  EXPECT_THAT(inbox.wait_for(5), ElementsAreArray(payload_frames(texts("held ", 1, 5))));
  EXPECT_TRUE(eventually([&] { return gateway_->pending(alice.id) == 0; }));
}

TEST_F(DeliveryTest, KeepsMessagesForUsersWhomThePoolDoesNotKnow) {
  EXPECT_EQ(gateway_->publish_status("someone else's user", "hello"), "STORED");
  EXPECT_EQ(gateway_->pending("someone else's user"), 1u);
}

TEST_F(DeliveryTest, MixesCatchingUpAndLiveWithoutGapOrDisorder) {
  const TestUser alice = user();
  std::atomic<bool> stop{false};
  std::atomic<int> sent{0};
  std::thread producer([&] {
    const auto client = gateway_->client();
    while (!stop || sent < 300) {
      const auto receipt = client->publish({.user_id = alice.id,
                                            .text = std::to_string(sent.load()),
                                            .deduplication_id = std::nullopt,
                                            .ttl = std::nullopt});
      if (!receipt) return;
      ++sent;
    }
  });
  EXPECT_TRUE(eventually([&] { return sent > 100; }, Milliseconds(30'000)));
  const Inbox inbox(*gateway_, alice);
  stop = true;
  producer.join();
  const int count = sent;
  const auto frames = inbox.wait_for(static_cast<std::size_t>(count), Milliseconds(30'000));
  EXPECT_THAT(frames, ElementsAreArray(payload_frames(texts("", 0, count - 1))));
}

TEST_F(DeliveryTest, SendsEveryMessageToEveryConnectionOfAUser) {
  const TestUser alice = user();
  const Inbox phone(*gateway_, alice);
  const Inbox laptop(*gateway_, alice);
  ASSERT_TRUE(eventually([&] {
    gateway_->publish(alice.id, "are both there?");
    return !phone.frames().empty() && !laptop.frames().empty();
  }));
  for (const std::string& text : texts("m", 1, 20)) gateway_->publish(alice.id, text);
  const auto expected = payload_frames(texts("m", 1, 20));
  for (const Inbox* const inbox : {&phone, &laptop}) {
    EXPECT_TRUE(eventually([&] { return inbox->frames().back() == expected.back(); }));
    auto frames = inbox->frames();
    ASSERT_GE(frames.size(), expected.size());
    frames.erase(frames.begin(), frames.end() - static_cast<std::ptrdiff_t>(expected.size()));
    EXPECT_THAT(frames, ElementsAreArray(expected));
  }
}

TEST_F(DeliveryTest, SendsNothingToAnotherUser) {
  const TestUser alice = user();
  const TestUser bob = gateway_->make_user("bob");
  const Inbox inbox(*gateway_, bob);
  gateway_->publish(alice.id, "for alice alone");
  gateway_->publish(bob.id, "for bob");
  EXPECT_THAT(inbox.wait_for(1), ElementsAreArray({payload_frame("for bob")}));
}

TEST_F(DeliveryTest, ClosesTheOldestConnectionWhenOneMoreThanAllowedComes) {
  const TestUser alice = user();
  std::vector<std::unique_ptr<Inbox>> devices;
  for (int i = 0; i < 9; ++i) devices.push_back(std::make_unique<Inbox>(*gateway_, alice));
  EXPECT_EQ(devices[0]->wait_closed(), 4408);
  EXPECT_TRUE(eventually([&] {
    gateway_->publish(alice.id, "still there?");
    return !devices[8]->frames().empty();
  }));
}

TEST_F(DeliveryTest, AcceptsAMessageOnceUnderOneDeduplicationId) {
  const TestUser alice = user();
  const client::OutgoingMessage message{
      .user_id = alice.id, .text = "once", .deduplication_id = "order-1", .ttl = std::nullopt};
  const auto first = gateway_->root().publish(message);
  ASSERT_TRUE(first) << first.error().text();
  const auto again = gateway_->root().publish(message);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->message_id, first->message_id);
  EXPECT_EQ(again->sequence, first->sequence);
  EXPECT_EQ(again->status, first->status);
  EXPECT_EQ(gateway_->pending(alice.id), 1u);

  client::OutgoingMessage other = message;
  other.text = "twice";
  const auto refused = gateway_->root().publish(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 409);
  EXPECT_EQ(gateway_->pending(alice.id), 1u);
}

TEST_F(DeliveryTest, RemembersADeduplicationIdOfADeliveredMessage) {
  const TestUser alice = user();
  const Inbox inbox(*gateway_, alice);
  join(alice, inbox);
  const client::OutgoingMessage message{
      .user_id = alice.id, .text = "once", .deduplication_id = "order-2", .ttl = std::nullopt};
  const auto first = gateway_->root().publish(message);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->status, "DELIVERED");
  const auto again = gateway_->root().publish(message);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->sequence, first->sequence);
  gateway_->publish(alice.id, "next");
  EXPECT_THAT(inbox.wait_for(3), ElementsAreArray(payload_frames({"first", "once", "next"})));
}

TEST_F(DeliveryTest, TakesABatchForSeveralUsersInOrder) {
  const TestUser alice = user();
  std::vector<client::OutgoingMessage> batch;
  for (int i = 0; i < 200; ++i) {
    batch.push_back({.user_id = i % 2 == 0 ? alice.id : "nobody in the pool",
                     .text = "m" + std::to_string(i),
                     .deduplication_id = std::nullopt,
                     .ttl = std::nullopt});
  }
  const auto answer = gateway_->root().publish_all(batch);
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_THAT(answer->failed, IsEmpty());
  ASSERT_EQ(answer->successful.size(), 200u);
  const Inbox inbox(*gateway_, alice);
  const std::vector<std::string> frames = inbox.wait_for(100);
  ASSERT_EQ(frames.size(), 100u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(frames[static_cast<std::size_t>(i)], payload_frame("m" + std::to_string(2 * i)));
  }
}

TEST_F(DeliveryTest, SettlesOnlyWhatAHoldfastV1ClientHasAcknowledged) {
  const TestUser alice = user();
  std::vector<Sequence> sequences;
  for (const std::string& text : texts("m", 1, 3)) {
    sequences.push_back(gateway_->publish(alice.id, text).sequence);
  }
  {
    Inbox inbox(*gateway_, alice, "holdfast.v1");
    const std::vector<std::string> frames = inbox.wait_for(3);
    ASSERT_EQ(frames.size(), 3u);
    const auto first = parse_json(frames[0]);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->at("type"), "message");
    EXPECT_EQ(first->at("payload"), "m1");
    EXPECT_EQ(first->at("sequence").get<Sequence>(), sequences[0]);
    EXPECT_TRUE(first->at("timestamp").is_number_integer());
    EXPECT_EQ(first->at("messageId").get<std::string>().size(), 36u);
    ASSERT_TRUE(inbox.write(R"({"type":"ack","sequence":)" + std::to_string(sequences[1]) + "}"));
    EXPECT_TRUE(eventually([&] { return gateway_->pending(alice.id) == 1; }));
  }
  const Inbox inbox(*gateway_, alice, "holdfast.v1");
  const std::vector<std::string> frames = inbox.wait_for(1);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(parse_json(frames[0])->at("payload"), "m3");
}

TEST_F(DeliveryTest, ShowsWhatBecameOfAMessage) {
  const TestUser alice = user();
  const Inbox inbox(*gateway_, alice);
  join(alice, inbox);
  const client::Receipt receipt = gateway_->publish(alice.id, "seen");
  const Json answer = gateway_->control("GET", "/v1/executions/" + receipt.message_id);
  ASSERT_EQ(answer.at("executions").size(), 1u);
  const Json& run = answer.at("executions")[0];
  EXPECT_EQ(run.at("workflow"), "SendMessage");
  EXPECT_EQ(run.at("userId"), alice.id);
  EXPECT_EQ(run.at("state"), "Delivered");
  std::vector<std::string> states;
  for (const Json& step : run.at("steps")) states.push_back(step.at("state"));
  EXPECT_THAT(states, ElementsAreArray(
                          {"Received", "LookUpConnection", "Sending", "AwaitingAck", "Delivered"}));
}

TEST(ConfiguredDeliveryTest, ExpiresAMessageAtItsOwnLifetime) {
  TestGateway::Options options;
  ManualClock clock(unix_micros(system_clock().wall_now()));
  options.clock = &clock;
  TestGateway gateway(std::move(options));
  const auto receipt = gateway.root().publish({.user_id = "u",
                                               .text = "short-lived",
                                               .deduplication_id = std::nullopt,
                                               .ttl = Seconds(60)});
  ASSERT_TRUE(receipt) << receipt.error().text();
  EXPECT_EQ(gateway.pending("u"), 1u);
  clock.advance(Seconds(3'600));
  // Lets time go on: a sweep that began before may find nothing, and the next is seconds later.
  EXPECT_TRUE(eventually(
      [&] {
        clock.advance(Seconds(5));
        return gateway.pending("u") == 0;
      },
      Milliseconds(15'000)));
}

TEST(ConfiguredDeliveryTest, SendsTheBareTextWhenToldTo) {
  TestGateway gateway({.settings = {"websocket.frame=raw"}});
  const TestUser alice = gateway.make_user();
  const Inbox inbox(gateway, alice);
  gateway.publish(alice.id, "just \"this\"");
  EXPECT_THAT(inbox.wait_for(1), ElementsAreArray({"just \"this\""}));
}

TEST(ConfiguredDeliveryTest, KeepsOrderAndPendingMessagesAcrossARestart) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  std::vector<Sequence> sequences;
  for (const std::string& text : texts("before ", 1, 3)) {
    sequences.push_back(gateway.publish(alice.id, text).sequence);
  }
  EXPECT_TRUE(gateway.stop());
  gateway.start();
  for (const std::string& text : texts("after ", 1, 3)) {
    sequences.push_back(gateway.publish(alice.id, text).sequence);
  }
  EXPECT_TRUE(std::ranges::is_sorted(sequences));
  EXPECT_EQ(std::ranges::adjacent_find(sequences), sequences.end());
  std::vector<std::string> expected = payload_frames(texts("before ", 1, 3));
  for (const std::string& text : texts("after ", 1, 3)) expected.push_back(payload_frame(text));
  const Inbox inbox(gateway, alice);
  EXPECT_THAT(inbox.wait_for(6), ElementsAreArray(expected));
  EXPECT_TRUE(eventually([&] { return gateway.pending(alice.id) == 0; }));
}

TEST(ConfiguredDeliveryTest, KeepsSequencesRisingWhenTheClockWasSetBackBetweenRuns) {
  ManualClock clock(unix_micros(system_clock().wall_now()));
  TestGateway::Options options;
  options.clock = &clock;
  TestGateway gateway(std::move(options));
  const Sequence before = gateway.publish("u", "m").sequence;
  EXPECT_TRUE(gateway.stop());
  clock.step_wall(-Seconds(3'600));
  gateway.start();
  EXPECT_GT(gateway.publish("u", "m").sequence, before);
}

TEST(ConfiguredDeliveryTest, BoundsWhatOneUserMayHavePending) {
  TestGateway gateway({.settings = {"delivery.pending_messages=3"}});
  for (const std::string& text : texts("m", 1, 3)) gateway.publish("full", text);
  const auto answer =
      gateway.send_raw(gateway.signed_request("/message", R"({"userId":"full","message":"m4"})"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 429);
  EXPECT_EQ(answer->header("x-amzn-ErrorType"), "LimitExceededException");
  EXPECT_NE(answer->header("Retry-After"), "");
  EXPECT_EQ(gateway.publish_status("another", "m"), "STORED");
}

TEST(ConfiguredDeliveryTest, SaysThatTheDatabaseIsFullAndRecovers) {
  TestGateway gateway({.settings = {"storage.database_bytes_max=2097152"}});
  const TestUser alice = gateway.make_user();
  const std::string text(100'000, 'x');
  int stored = 0;
  std::optional<RawResponse> refused;
  while (!refused && stored < 100) {
    const auto answer = gateway.send_raw(gateway.signed_request(
        "/message",
        R"({"userId":")" + alice.id + R"(","message":")" + std::to_string(stored) + text + "\"}"));
    ASSERT_TRUE(answer);
    if (answer->status == 200) {
      ++stored;
    } else {
      refused = answer;
    }
  }
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->header("x-amzn-ErrorType"), "ServiceUnavailableException");
  EXPECT_NE(refused->header("Retry-After"), "");
  // Its user comes and takes everything: there is room again.
  const Inbox inbox(gateway, alice);
  EXPECT_EQ(inbox.wait_for(static_cast<std::size_t>(stored)).size(),
            static_cast<std::size_t>(stored));
  EXPECT_TRUE(eventually([&] { return gateway.pending(alice.id) == 0; }));
  EXPECT_TRUE(eventually([&] {
    const auto answer = gateway.root().publish(
        {.user_id = "v", .text = text, .deduplication_id = std::nullopt, .ttl = std::nullopt});
    return answer.has_value();
  }));
}

}  // namespace
}  // namespace holdfast::test
