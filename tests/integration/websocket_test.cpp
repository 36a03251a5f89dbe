// Tests WebSockets of a whole gateway.

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <holdfast/base/json.hpp>

#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

class WebSocketTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    gateway_ = new TestGateway(
        {.settings = {"delivery.connections_per_user=100", "tokens.max_outstanding=100"}});
    alice_ = new TestUser(gateway_->make_user());
  }
  static void TearDownTestSuite() {
    delete alice_;
    delete gateway_;
  }

  static RawClient connected() {
    RawClient socket = gateway_->raw();
    const auto answer = socket.upgrade("/ws?token=" + gateway_->token(*alice_));
    if (!answer || answer->status != 101) throw std::runtime_error("not connected");
    return socket;
  }
  // With what code the server closes when it gets these bytes; 0 when it does not.
  static int closed_with(const std::string& bytes) {
    RawClient socket = connected();
    socket.send(bytes);
    while (const auto frame = socket.read_frame()) {
      if (frame->opcode() == kClose) return frame->close_code();
    }
    return 0;
  }

  static TestGateway* gateway_;
  static TestUser* alice_;
};
TestGateway* WebSocketTest::gateway_ = nullptr;
TestUser* WebSocketTest::alice_ = nullptr;

TEST_F(WebSocketTest, ClosesOnWhatRfc6455Forbids) {
  EXPECT_EQ(closed_with(make_frame("x", {.masked = false})), 1002);
  EXPECT_EQ(closed_with(make_frame("x", {.reserved_bits = 4})), 1002);
  EXPECT_EQ(closed_with(make_frame("x", {.opcode = 3})), 1002);
  EXPECT_EQ(closed_with(make_frame("x", {.opcode = 11})), 1002);
  EXPECT_EQ(closed_with(make_frame(std::string(126, 'x'), {.opcode = kPing})), 1002);
  EXPECT_EQ(closed_with(make_frame("x", {.fin = false, .opcode = kPing})), 1002);
  EXPECT_EQ(closed_with(make_frame("x", {.opcode = 0})), 1002);
  EXPECT_EQ(closed_with(make_close_frame(999)), 1002);
  EXPECT_EQ(closed_with(make_close_frame(1005)), 1002);
}

TEST_F(WebSocketTest, ClosesOnTextThatIsNotUtf8AndOnBinary) {
  EXPECT_EQ(closed_with(make_frame("\xff\xfe")), 1007);
  EXPECT_EQ(closed_with(make_frame("x", {.opcode = kBinary})), 1003);
}

TEST_F(WebSocketTest, ClosesOnMessagesThatAreTooLong) {
  EXPECT_EQ(closed_with(make_frame(std::string(131'073, 'x'))), 1009);
  EXPECT_EQ(closed_with(make_frame("", {.claimed_length = 0x7fffffffffffffffULL})), 1009);
}

TEST_F(WebSocketTest, ClosesOnFloods) {
  std::string continuations = make_frame("", {.fin = false});
  for (int i = 0; i < 20'000; ++i) continuations += make_frame("", {.fin = false, .opcode = 0});
  EXPECT_EQ(closed_with(continuations), 1008);
  std::string pings;
  for (int i = 0; i < 20'000; ++i) pings += make_frame("ping", {.opcode = kPing});
  EXPECT_EQ(closed_with(pings), 1008);
}

TEST_F(WebSocketTest, AnswersTextThatIsNoAcknowledgementAsApiGatewayDoes) {
  RawClient socket = connected();
  socket.send(make_frame("hello?"));
  const auto frame = socket.read_frame();
  ASSERT_TRUE(frame);
  const auto json = parse_json(frame->payload);
  ASSERT_TRUE(json) << frame->payload;
  EXPECT_EQ(json->at("message"), "Forbidden");
  EXPECT_TRUE(json->contains("connectionId"));
  EXPECT_TRUE(json->contains("requestId"));
}

TEST_F(WebSocketTest, AnswersPingsAndCloses) {
  RawClient socket = connected();
  socket.send(make_frame("are you there", {.opcode = kPing}));
  const auto pong = socket.read_frame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode(), kPong);
  EXPECT_EQ(pong->payload, "are you there");
  socket.send(make_close_frame(1000));
  const auto close = socket.read_frame();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->opcode(), kClose);
  EXPECT_EQ(close->close_code(), 1000);
  EXPECT_TRUE(socket.ends());
}

TEST_F(WebSocketTest, IgnoresPongsOfOtherBytes) {
  const TestUser bob = gateway_->make_user("bob");
  RawClient socket = gateway_->raw();
  ASSERT_EQ(socket.upgrade("/ws?token=" + gateway_->token(bob))->status, 101);
  std::thread impostor([&] {
    while (const auto frame = socket.read_frame(Milliseconds(1'000))) {
      if (frame->opcode() != kPing) continue;
      std::string other = frame->payload;
      other.back() = static_cast<char>(other.back() ^ 1);
      socket.send(make_frame(other, {.opcode = kPong}));
      socket.send(make_frame("", {.opcode = kPong}));
    }
  });
  EXPECT_EQ(gateway_->publish_status(bob.id, "prove it"), "STORED");
  EXPECT_EQ(gateway_->pending(bob.id), 1u);
  impostor.join();
}

TEST_F(WebSocketTest, ClosesAHoldfastV1ClientThatAcknowledgesWhatWasNeverSent) {
  Inbox inbox(*gateway_, *alice_, "holdfast.v1");
  ASSERT_TRUE(inbox.write(R"({"type":"ack","sequence":9007199254740991})"));
  EXPECT_EQ(inbox.wait_closed(), 1008);
}

TEST(ConfiguredWebSocketTest, LosesNothingWhenTheClientNeverReads) {
  TestGateway gateway({.settings = {"delivery.ack_timeout_ms=1500"}});
  const TestUser alice = gateway.make_user();
  RawClient deaf = gateway.raw();
  deaf.set_receive_buffer(4'096);
  ASSERT_EQ(deaf.upgrade("/ws?token=" + gateway.token(alice))->status, 101);

  const std::string text(60'000, 'x');
  constexpr std::size_t kMessages = 100;
  for (std::size_t i = 0; i < kMessages; ++i) {
    EXPECT_EQ(gateway.publish_status(alice.id, std::to_string(i) + text), "STORED");
  }
  EXPECT_TRUE(eventually(
      [&] { return gateway.control("GET", "/v1/connections").at("connections").empty(); },
      Milliseconds(15'000)));
  const Inbox inbox(gateway, alice);
  const auto frames = inbox.wait_for(kMessages);
  ASSERT_EQ(frames.size(), kMessages);
  for (std::size_t i = 0; i < kMessages; ++i) {
    EXPECT_EQ(frames[i], payload_frame(std::to_string(i) + text)) << i;
  }
  EXPECT_TRUE(eventually([&] { return gateway.pending(alice.id) == 0; }));
}

TEST(ConfiguredWebSocketTest, LosesNothingWhenTheClientVanishes) {
  TestGateway gateway({.settings = {"delivery.ack_timeout_ms=1000"}});
  const TestUser alice = gateway.make_user();
  {
    RawClient silent = gateway.raw();
    ASSERT_EQ(silent.upgrade("/ws?token=" + gateway.token(alice))->status, 101);
    // Its kernel takes the bytes; nobody is there to answer the fence.
    EXPECT_EQ(gateway.publish_status(alice.id, "into the void"), "STORED");
    EXPECT_TRUE(silent.ends(Milliseconds(10'000)));
  }
  const Inbox inbox(gateway, alice);
  EXPECT_THAT(inbox.wait_for(1), ::testing::ElementsAre(payload_frame("into the void")));
}

}  // namespace
}  // namespace holdfast::test
