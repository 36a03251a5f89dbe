// Tests receiving and reconnecting, with a scripted gateway.

#include "cli/receive.hpp"

#include <deque>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/base/manual_clock.hpp"

namespace holdfast::cli {
namespace {

using client::CallError;
using client::CallResult;
using testing::ElementsAre;
using testing::HasSubstr;

CallError error(int status, const std::string& message) { return {status, {}, message, {}}; }

// The script of one connection: frames, then its end. Without an end it stays open.
struct Script {
  std::deque<std::string> frames;
  int close_code = 0;
};

class ScriptedSocket final : public net::WebSocketClient {
 public:
  ScriptedSocket(Script script, std::vector<std::string>& written)
      : script_(std::move(script)), written_(written) {}
  Result<std::optional<std::string>> read(Milliseconds /*timeout*/) override {
    if (!script_.frames.empty()) {
      std::string frame = std::move(script_.frames.front());
      script_.frames.pop_front();
      return frame;
    }
    if (script_.close_code != 0) return fail(Errc::unavailable, "ended");
    return std::nullopt;
  }
  Result<void> write(std::string_view text) override {
    written_.emplace_back(text);
    return {};
  }
  void close() override { written_.emplace_back("(close)"); }
  int close_code() const override { return script_.close_code; }

 private:
  Script script_;
  std::vector<std::string>& written_;
};

// A gateway whose tokens and WebSockets come as scripted.
class ScriptedGateway final : public client::GatewayClient {
 public:
  std::deque<CallResult<std::string>> tokens;
  std::deque<CallResult<Script>> connections;
  std::vector<std::string> tokens_used;
  std::vector<std::string> subprotocols;
  std::vector<std::string> written;

  CallResult<std::string> temporary_token(std::string_view id_token) override {
    EXPECT_EQ(id_token, "the.id.token");
    if (tokens.empty()) return "t" + std::to_string(++made_);
    auto token = std::move(tokens.front());
    tokens.pop_front();
    return token;
  }
  CallResult<std::unique_ptr<net::WebSocketClient>> open_websocket(
      std::string_view token, const std::string& subprotocol) override {
    tokens_used.emplace_back(token);
    subprotocols.push_back(subprotocol);
    if (connections.empty()) return std::make_unique<ScriptedSocket>(Script{}, written);
    auto script = std::move(connections.front());
    connections.pop_front();
    if (!script) return std::unexpected(script.error());
    return std::make_unique<ScriptedSocket>(std::move(*script), written);
  }

  CallResult<client::Receipt> publish(const client::OutgoingMessage&) override { return unasked(); }
  CallResult<client::BatchAnswer> publish_all(
      const std::vector<client::OutgoingMessage>&) override {
    return unasked();
  }
  CallResult<std::string> admin_create_user(const std::string&, const std::string&) override {
    return unasked();
  }
  CallResult<client::AuthAnswer> admin_initiate_auth(const std::string&,
                                                     const std::string&) override {
    return unasked();
  }
  CallResult<client::AuthAnswer> admin_respond_new_password(const std::string&, const std::string&,
                                                            const std::string&) override {
    return unasked();
  }
  CallResult<void> admin_set_user_password(const std::string&, const std::string&) override {
    return unasked();
  }
  CallResult<client::AuthAnswer> initiate_auth(const std::string&, const std::string&) override {
    return unasked();
  }
  net::Url websocket_url(std::string_view) const override { return {}; }
  CallResult<std::string> jwks() override { return unasked(); }
  CallResult<net::Response> send(net::ClientRequest, std::string_view) override {
    return unasked();
  }

 private:
  static std::unexpected<CallError> unasked() { return std::unexpected(error(400, "unasked")); }
  int made_ = 0;
};

// Runs `receive` until what is scripted has happened and `looks` more looks found nothing.
class ReceiveTest : public testing::Test {
 protected:
  int run(const std::string& subprotocol = "", int looks = 3) {
    ReceiveOptions options;
    options.id_token = "the.id.token";
    options.subprotocol = subprotocol;
    int left = looks;
    const auto interrupted = [&, this] {
      if (!gateway_.connections.empty() || !gateway_.tokens.empty()) return false;
      return left-- <= 0;
    };
    return receive(context_, gateway_, options, interrupted, [this](Milliseconds pause) {
      pauses_.push_back(pause);
      clock_.advance(pause);
    });
  }

  ScriptedGateway gateway_;
  test::ManualClock clock_;
  std::ostringstream out_;
  std::ostringstream err_;
  Context context_{out_, err_, [](const std::string&) { return std::nullopt; }, clock_, "holdfast"};
  std::vector<Milliseconds> pauses_;
};

TEST_F(ReceiveTest, PrintsEachFrameAndEndsWith130OnCtrlC) {
  gateway_.connections.push_back(Script{{R"({"Payload":"a"})", R"({"Payload":"b"})"}, 0});
  EXPECT_EQ(run("", 5), kInterrupted);
  EXPECT_EQ(out_.str(), "< {\"Payload\":\"a\"}\n< {\"Payload\":\"b\"}\n");
  EXPECT_THAT(gateway_.written, ElementsAre("(close)"));
}

TEST_F(ReceiveTest, ReadsOnceMoreAfterCtrlCSoThatWhatItPrintedIsAcknowledged) {
  gateway_.connections.push_back(Script{{R"({"Payload":"a"})"}, 0});
  EXPECT_EQ(run("", 0), kInterrupted);
  EXPECT_EQ(out_.str(), "< {\"Payload\":\"a\"}\n");
  EXPECT_THAT(gateway_.written, ElementsAre("(close)"));
}

TEST_F(ReceiveTest, AcknowledgesByItselfUnderHoldfastV1Alone) {
  const Script script{
      {R"({"type":"message","sequence":7,"payload":"a"})", R"({"type":"other","sequence":8})",
       "not json", R"({"type":"message","sequence":9,"payload":"b"})"},
      0};
  gateway_.connections.push_back(script);
  EXPECT_EQ(run("holdfast.v1", 9), kInterrupted);
  EXPECT_THAT(gateway_.written, ElementsAre(R"({"type":"ack","sequence":7})",
                                            R"({"type":"ack","sequence":9})", "(close)"));
  EXPECT_THAT(gateway_.subprotocols, ElementsAre("holdfast.v1"));

  gateway_.written.clear();
  gateway_.connections.push_back(script);
  EXPECT_EQ(run("", 9), kInterrupted);
  EXPECT_THAT(gateway_.written, ElementsAre("(close)"));
}

TEST_F(ReceiveTest, ConnectsAgainWithANewTokenWheneverAConnectionEnds) {
  gateway_.connections = {Script{{"a"}, 1006}, Script{{"b"}, 1001}, Script{{"c"}, 0}};
  EXPECT_EQ(run("", 3), kInterrupted);
  EXPECT_EQ(out_.str(), "< a\n< b\n< c\n");
  EXPECT_THAT(gateway_.tokens_used, ElementsAre("t1", "t2", "t3"));
  EXPECT_EQ(pauses_.size(), 2U);
  EXPECT_THAT(err_.str(), HasSubstr("Disconnected (1006)."));
}

TEST_F(ReceiveTest, WaitsLongerFromFailureToFailure) {
  gateway_.connections = {Script{{}, 1006}};
  for (int i = 0; i < 6; ++i) gateway_.connections.push_back(std::unexpected(error(0, "refused")));
  gateway_.connections.push_back(Script{{"back"}, 0});
  EXPECT_EQ(run(), kInterrupted);
  ASSERT_EQ(pauses_.size(), 7U);
  // 250 ms doubled six times, half of it random.
  EXPECT_LE(pauses_.front().count(), 250);
  EXPECT_GE(pauses_.back().count(), 8'000);
  EXPECT_EQ(out_.str(), "< back\n");
}

TEST_F(ReceiveTest, KeepsTryingWhenTheGatewayIsAwayOrBusyOrATokenWasSpent) {
  gateway_.tokens = {"t1", std::unexpected(error(503, "busy")), "t2", "t3"};
  gateway_.connections = {Script{{"a"}, 1006}, std::unexpected(error(401, "spent")),
                          Script{{"b"}, 0}};
  EXPECT_EQ(run("", 5), kInterrupted);
  EXPECT_EQ(out_.str(), "< a\n< b\n");
  EXPECT_THAT(gateway_.tokens_used, ElementsAre("t1", "t2", "t3"));
}

TEST_F(ReceiveTest, WaitsAsLongAsTheGatewayAsks) {
  CallError busy = error(429, "slow down");
  busy.retry_after = Seconds(17);
  gateway_.tokens = {"t1", std::unexpected(busy), "t2"};
  gateway_.connections = {Script{{}, 1006}, Script{{"b"}, 0}};
  EXPECT_EQ(run(), kInterrupted);
  ASSERT_EQ(pauses_.size(), 2U);
  EXPECT_EQ(pauses_[1], Milliseconds(17'000));
}

TEST_F(ReceiveTest, FailsAtOnceWhenTheFirstConnectionCannotBeMade) {
  gateway_.tokens = {std::unexpected(error(0, "connection refused"))};
  EXPECT_EQ(run(), kFailure);
  EXPECT_THAT(err_.str(), HasSubstr("is `holdfast serve` running?"));
  EXPECT_TRUE(pauses_.empty());
}

TEST_F(ReceiveTest, EndsWhenTheIdTokenHasExpired) {
  gateway_.tokens = {"t1", std::unexpected(error(401, "The incoming token has expired"))};
  gateway_.connections = {Script{{"a"}, 1006}};
  EXPECT_EQ(run(), kFailure);
  EXPECT_THAT(err_.str(), HasSubstr("The incoming token has expired"));
  EXPECT_THAT(err_.str(), HasSubstr("holdfast auth"));
}

TEST_F(ReceiveTest, EndsOnACloseThatWouldOnlyComeAgain) {
  for (const int code : {1008, 4401, 4408}) {
    gateway_.connections = {Script{{"a"}, code}};
    EXPECT_EQ(run(), kFailure) << code;
    EXPECT_THAT(err_.str(), HasSubstr(std::to_string(code)));
  }
  EXPECT_TRUE(pauses_.empty());
}

TEST_F(ReceiveTest, DoesNotAcknowledgeWhatItCouldNotPrint) {
  out_.setstate(std::ios::badbit);
  gateway_.connections = {Script{{R"({"type":"message","sequence":7,"payload":"a"})"}, 0}};
  EXPECT_EQ(run("holdfast.v1"), kFailure);
  EXPECT_TRUE(gateway_.written.empty());
}

}  // namespace
}  // namespace holdfast::cli
