// Tests the server's end of a WebSocket.

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using delivery::CloseReason;
using test::FakeService;
using test::kClose;
using test::kPing;
using test::kPong;
using test::kText;
using test::make_close_frame;
using test::make_frame;
using test::RawClient;
using test::RecordedEvents;
using test::TestServer;

/// Accepts every upgrade onto one shard, and starts what opens unless it is told not to.
class Gateway {
 public:
  explicit Gateway(std::size_t shards = 1, HttpLimits limits = {}, std::size_t target_shard = 0)
      : service(std::make_shared<FakeService>()) {
    service->on_open = [this, target_shard](RequestHead, LiveResponder respond) {
      respond(LiveAccepted{.shard = target_shard,
                           .message_bytes_max = 128 << 10,
                           .on_open = [this](std::shared_ptr<delivery::Connection> opened) {
                             connection = std::move(opened);
                             if (start_at_once) connection->start(events);
                             is_open = true;
                           }});
    };
    server = std::make_unique<TestServer>(service, shards, limits);
  }
  ~Gateway() { server->stop(); }

  RawClient connect() {
    RawClient client(server->address());
    const auto response = client.upgrade("/ws?token=secret");
    EXPECT_EQ(response ? response->status : 0, 101);
    EXPECT_TRUE(test::eventually([&] { return is_open.load(); }));
    return client;
  }
  void run(std::move_only_function<void()> task) { server->run_on(0, std::move(task)); }
  bool all_closed() {
    return test::eventually([&] { return server->listener().stats().open_sockets == 0; });
  }

  std::shared_ptr<FakeService> service;
  RecordedEvents events;
  std::shared_ptr<delivery::Connection> connection;
  std::atomic<bool> is_open = false;
  bool start_at_once = true;
  std::unique_ptr<TestServer> server;
};

struct BadUpgrade {
  const char* name;
  std::string request;
  int status;
};
class BadUpgradesTest : public testing::TestWithParam<BadUpgrade> {};

TEST_P(BadUpgradesTest, GetsARefusal) {
  Gateway gateway;
  RawClient client(gateway.server->address());
  ASSERT_TRUE(client.send(GetParam().request));
  const bool head = GetParam().request.starts_with("HEAD");
  const auto response = client.read_response(RawClient::kPatience, head);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, GetParam().status);
  if (GetParam().status == 426) {
    EXPECT_EQ(response->header("sec-websocket-version"), "13");
    EXPECT_EQ(response->header("upgrade"), "websocket");
  }
  EXPECT_EQ(gateway.is_open, false);
}

std::string upgrade(const std::string& line, const std::string& version = "13",
                    const std::string& key = "dGhlIHNhbXBsZSBub25jZQ==",
                    const std::string& more = "") {
  return line + " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
         (version.empty() ? "" : "Sec-WebSocket-Version: " + version + "\r\n") +
         (key.empty() ? "" : "Sec-WebSocket-Key: " + key + "\r\n") + more + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadUpgradesTest,
    testing::Values(
        BadUpgrade{"Post", upgrade("POST /ws"), 426}, BadUpgrade{"Head", upgrade("HEAD /ws"), 426},
        BadUpgrade{"Version12", upgrade("GET /ws", "12"), 426},
        BadUpgrade{"NoVersion", upgrade("GET /ws", ""), 426},
        BadUpgrade{"Versions", upgrade("GET /ws", "13, 8"), 426},
        BadUpgrade{"NoKey", upgrade("GET /ws", "13", ""), 400},
        BadUpgrade{"ShortKey", upgrade("GET /ws", "13", "c2hvcnQ="), 400},
        BadUpgrade{"KeyNotBase64", upgrade("GET /ws", "13", "!!!!!!!!!!!!!!!!!!!!!!=="), 400},
        BadUpgrade{"TwoKeys",
                   upgrade("GET /ws", "13", "dGhlIHNhbXBsZSBub25jZQ==",
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
                   400},
        BadUpgrade{"WithABody",
                   upgrade("GET /ws", "13", "dGhlIHNhbXBsZSBub25jZQ==", "Content-Length: 1\r\n"),
                   400},
        BadUpgrade{"OtherRoute", upgrade("GET /other"), 200},
        BadUpgrade{"NoConnectionToken",
                   "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n\r\n", 200}),
    [](const auto& info) { return info.param.name; });

TEST(WebSocketUpgradeTest, AnswersWithTheAcceptKeyOfTheRfc) {
  Gateway gateway;
  RawClient client(gateway.server->address());
  const auto response = client.upgrade("/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 101);
  EXPECT_EQ(response->header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(response->header("sec-websocket-extensions"), "");
  EXPECT_EQ(response->header("sec-websocket-protocol"), "");
  EXPECT_FALSE(response->header("date").empty());
}

TEST(WebSocketUpgradeTest, PassesOnTheServicesRefusal) {
  TestServer server(std::make_shared<FakeService>());
  RawClient client(server.address());
  EXPECT_EQ(client.upgrade("/ws")->status, 401);
  EXPECT_EQ(client.upgrade("/ws")->status, 401);
}

struct BrokenFrame {
  const char* name;
  std::string bytes;
  int close_code;
};
class BrokenFramesTest : public testing::TestWithParam<BrokenFrame> {};

// The peer really receives the Close: no reset overtakes it, whatever it sent behind.
TEST_P(BrokenFramesTest, EndsTheConnectionWithItsCode) {
  Gateway gateway;
  RawClient client = gateway.connect();
  ASSERT_TRUE(client.send(GetParam().bytes + make_frame(std::string(100'000, 'x'))));
  const auto frame = client.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode(), kClose);
  EXPECT_EQ(frame->close_code(), GetParam().close_code);
  EXPECT_TRUE(client.ends());
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(client.pending(), "");
  EXPECT_TRUE(gateway.events.saw("closed"));
  EXPECT_EQ(gateway.events.all(), std::vector<std::string>{"closed"});
  client.close();
  EXPECT_TRUE(gateway.all_closed());
}

std::string repeat(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BrokenFramesTest,
    testing::Values(
        BrokenFrame{"Unmasked", make_frame("a", {.masked = false}), 1002},
        BrokenFrame{"UnmaskedPing", make_frame("a", {.opcode = kPing, .masked = false}), 1002},
        BrokenFrame{"Rsv1", make_frame("a", {.reserved_bits = 4}), 1002},
        BrokenFrame{"Rsv2", make_frame("a", {.reserved_bits = 2}), 1002},
        BrokenFrame{"Rsv3OnPing", make_frame("a", {.opcode = kPing, .reserved_bits = 1}), 1002},
        BrokenFrame{"Opcode3", make_frame("a", {.opcode = 3}), 1002},
        BrokenFrame{"Opcode11", make_frame("a", {.opcode = 11}), 1002},
        BrokenFrame{"LongPing", make_frame(std::string(126, 'a'), {.opcode = kPing}), 1002},
        BrokenFrame{"LongPong", make_frame(std::string(200, 'a'), {.opcode = kPong}), 1002},
        BrokenFrame{"FragmentedPing", make_frame("a", {.fin = false, .opcode = kPing}), 1002},
        BrokenFrame{"ContinuationOfNothing", make_frame("a", {.opcode = 0}), 1002},
        BrokenFrame{"TextInsideText",
                    make_frame("a", {.fin = false}) + make_frame("b", {.opcode = kText}), 1002},
        BrokenFrame{"LengthNotMinimal", make_frame("abc", {.claimed_length = 3}), 1002},
        BrokenFrame{"InvalidUtf8", make_frame("a\xc3("), 1007},
        BrokenFrame{"Utf8CutOff", make_frame("a\xc3"), 1007},
        BrokenFrame{"Utf8Surrogate", make_frame("\xed\xa0\x80"), 1007},
        BrokenFrame{"InvalidUtf8InFragments",
                    make_frame("a\xc3", {.fin = false}) + make_frame("(", {.opcode = 0}), 1007},
        BrokenFrame{"OverTheLimit", make_frame(std::string((128 << 10) + 1, 'a')), 1009},
        BrokenFrame{"OverTheLimitInFragments",
                    make_frame(std::string(100'000, 'a'), {.fin = false}) +
                        make_frame(std::string(100'000, 'a'), {.opcode = 0}),
                    1009},
        BrokenFrame{"Length2To63", make_frame("", {.claimed_length = 1ULL << 63}), 1009},
        BrokenFrame{"Length2To64", make_frame("", {.claimed_length = ~0ULL}), 1009},
        BrokenFrame{"Binary", make_frame("a", {.opcode = test::kBinary}), 1003},
        BrokenFrame{"EmptyBinary", make_frame("", {.opcode = test::kBinary}), 1003},
        BrokenFrame{"EmptyContinuations",
                    make_frame("", {.fin = false}) +
                        repeat(make_frame("", {.fin = false, .opcode = 0}), 50'000),
                    1008},
        BrokenFrame{"CloseCode0", make_close_frame(0), 1002},
        BrokenFrame{"CloseCode999", make_close_frame(999), 1002},
        BrokenFrame{"CloseCode1005", make_close_frame(1005), 1002},
        BrokenFrame{"CloseCode1006", make_close_frame(1006), 1002},
        BrokenFrame{"CloseCode1015", make_close_frame(1015), 1002},
        BrokenFrame{"CloseCode2999", make_close_frame(2999), 1002},
        BrokenFrame{"CloseCode5000", make_close_frame(5000), 1002},
        BrokenFrame{"CloseCode65535", make_close_frame(65535), 1002},
        BrokenFrame{"CloseOfOneByte", make_frame("a", {.opcode = kClose}), 1002},
        BrokenFrame{"CloseReasonNotUtf8", make_close_frame(1000, "\xff"), 1007},
        BrokenFrame{"CloseReasonCutOff", make_close_frame(1000, "abc\xe2\x82"), 1007},
        BrokenFrame{"CloseCode1004", make_close_frame(1004), 1002},
        BrokenFrame{"Utf8CutOffBeforeAnEmptyEnd",
                    make_frame("a\xc3", {.fin = false}) + make_frame("", {.opcode = 0}), 1007},
        BrokenFrame{"Utf8CutOffBehindEmptyFragments",
                    make_frame("", {.fin = false}) +
                        make_frame("\xf0\x9f\x98", {.fin = false, .opcode = 0}) +
                        make_frame("", {.fin = false, .opcode = 0}) + make_frame("", {.opcode = 0}),
                    1007}),
    [](const auto& info) { return info.param.name; });

TEST(WebSocketTest, EndsAPingFlood) {
  Gateway gateway;
  RawClient client = gateway.connect();
  client.send(repeat(make_frame("x", {.opcode = kPing}), 1000));
  int pongs = 0;
  auto frame = client.read_frame();
  for (; frame && frame->opcode() == kPong; frame = client.read_frame()) ++pongs;
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->close_code(), 1008);
  EXPECT_GE(pongs, 50);
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(gateway.events.saw("closed"));
}

TEST(WebSocketTest, EndsAFloodOfPongsThatNobodyAskedFor) {
  Gateway gateway;
  RawClient client = gateway.connect();
  client.send(repeat(make_frame("x", {.opcode = kPong}), 1000));
  EXPECT_EQ(client.read_frame()->close_code(), 1008);
  EXPECT_TRUE(gateway.events.saw("closed"));
}

TEST(WebSocketTest, TakesManyPongsWhenItAskedForThem) {
  Gateway gateway;
  RawClient client = gateway.connect();
  for (int round = 0; round < 10; ++round) {
    gateway.run([&] {
      for (int i = 0; i < 50; ++i) gateway.connection->write_fence("fence");
      gateway.connection->flush();
    });
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(client.read_frame()->payload, "fence");
      ASSERT_TRUE(client.send(make_frame("fence", {.opcode = kPong})));
    }
  }
  EXPECT_TRUE(test::eventually([&] { return gateway.events.count("pong:fence") == 500; }));
}

TEST(WebSocketTest, AnswersPingsWithTheirBytes) {
  Gateway gateway;
  RawClient client = gateway.connect();
  const std::string longest(125, 'p');
  ASSERT_TRUE(
      client.send(make_frame(longest, {.opcode = kPing}) + make_frame("", {.opcode = kPing})));
  const auto first = client.read_frame();
  EXPECT_EQ(first->opcode(), kPong);
  EXPECT_EQ(first->payload, longest);
  EXPECT_EQ(client.read_frame()->opcode(), kPong);
}

TEST(WebSocketTest, TellsTextsAndPongsInTheirOrder) {
  Gateway gateway;
  RawClient client = gateway.connect();
  gateway.run([&] {
    gateway.connection->write_fence("p");
    gateway.connection->flush();
  });
  const std::string large(128 << 10, 'l');
  ASSERT_TRUE(client.send(make_frame("one") + make_frame("p", {.opcode = kPong}) +
                          make_frame("t", {.fin = false}) + make_frame("p", {.opcode = kPong}) +
                          make_frame("", {.fin = false, .opcode = 0}) +
                          make_frame("wo", {.opcode = 0}) + make_frame("") + make_frame(large) +
                          make_frame(std::string(129, 'm')) + make_frame("\xc3\xa9")));
  ASSERT_TRUE(gateway.events.saw("text:\xc3\xa9"));
  EXPECT_EQ(gateway.events.all(),
            (std::vector<std::string>{"text:one", "pong:p", "pong:p", "text:two",
                                      "text:", "text:" + large, "text:" + std::string(129, 'm'),
                                      "text:\xc3\xa9"}));
}

TEST(WebSocketTest, ReadsFramesThatComeByteByByte) {
  Gateway gateway;
  RawClient client = gateway.connect();
  const std::string text(300, 'x');
  for (const char c : make_frame(text) + make_frame("q", {.opcode = kPing}) + make_frame("end")) {
    ASSERT_TRUE(client.send({&c, 1}));
  }
  EXPECT_TRUE(gateway.events.saw("text:end"));
  EXPECT_EQ(gateway.events.all(), (std::vector<std::string>{"text:" + text, "text:end"}));
}

// However a frame is chopped, it is one; and a text of nothing is a text.
TEST(WebSocketTest, CountsOnlyWhatBringsNothingForwardAsAFlood) {
  Gateway gateway;
  RawClient client = gateway.connect();
  const std::string longest(125, 'p');
  for (const char c : make_frame(longest, {.opcode = kPing})) ASSERT_TRUE(client.send({&c, 1}));
  const auto pong = client.read_frame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode(), kPong);
  EXPECT_EQ(pong->payload, longest);
  for (std::size_t i = 1; i <= 200; ++i) {
    ASSERT_TRUE(client.send(make_frame("")));
    ASSERT_TRUE(test::eventually([&] { return gateway.events.count("text:") == i; }));
  }
  std::string pieces;
  for (int i = 0; i < 500; ++i) pieces += make_frame("a", {.fin = false, .opcode = i > 0 ? 0 : 1});
  for (int i = 0; i < 60; ++i) pieces += make_frame("", {.fin = false, .opcode = 0});
  ASSERT_TRUE(client.send(pieces + make_frame("", {.opcode = 0})));
  EXPECT_TRUE(gateway.events.saw("text:" + std::string(500, 'a')));
}

// Bytes in the request's own segment go with the socket to its shard.
TEST(WebSocketTest, MovesToItsShardWithWhatCameEarly) {
  Gateway gateway(3, {}, 2);
  for (int i = 0; i < 6; ++i) {
    gateway.is_open = false;
    RawClient client(gateway.server->address());
    const std::string text = "early" + std::to_string(i);
    ASSERT_TRUE(client.send(upgrade("GET /ws") + make_frame(text)));
    EXPECT_EQ(client.read_response()->status, 101);
    ASSERT_TRUE(client.send(make_frame(text + "!")));
    EXPECT_TRUE(gateway.events.saw("text:" + text));
    EXPECT_TRUE(gateway.events.saw("text:" + text + "!"));
  }
}

TEST(WebSocketTest, ReadsNothingBeforeItIsStarted) {
  Gateway gateway;
  gateway.start_at_once = false;
  RawClient client = gateway.connect();
  ASSERT_TRUE(client.send(make_frame("waiting")));
  gateway.run([&] {
    gateway.connection->write_text("before");
    gateway.connection->flush();
  });
  EXPECT_EQ(client.read_frame()->payload, "before");
  EXPECT_TRUE(gateway.events.all().empty());
  gateway.run([&] { gateway.connection->start(gateway.events); });
  EXPECT_TRUE(gateway.events.saw("text:waiting"));
}

TEST(WebSocketTest, EndsWhenItIsLetGoOfBeforeItIsStarted) {
  Gateway gateway;
  gateway.start_at_once = false;
  RawClient client = gateway.connect();
  gateway.run([&] { gateway.connection.reset(); });
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(gateway.all_closed());
}

TEST(WebSocketTest, SendsWhatWasGatheredInOneCall) {
  Gateway gateway;
  RawClient client = gateway.connect();
  gateway.run([&] {
    const std::uint64_t before = gateway.connection->bytes_sent();
    const std::uint64_t first = gateway.connection->write_text("one").end;
    const std::uint64_t second = gateway.connection->write_text(std::string(1000, 'x')).end;
    EXPECT_EQ(first, before + 5);
    EXPECT_EQ(second, first + 1004);
    gateway.connection->write_fence("fence");
    EXPECT_EQ(gateway.connection->bytes_sent(), before) << "sent before the flush";
    gateway.connection->flush();
    EXPECT_EQ(gateway.connection->bytes_sent(), second + 7) << "not sent by the flush";
  });
  // One send on loopback arrives as one segment.
  EXPECT_EQ(client.receive_some().size(), 5U + 1004U + 7U);
}

TEST(WebSocketTest, CountsWhatThePeersKernelHasTaken) {
  Gateway gateway;
  RawClient client = gateway.connect();
  std::uint64_t end = 0;
  gateway.run([&] {
    end = gateway.connection->write_text(std::string(5000, 'x')).end;
    gateway.connection->flush();
  });
  EXPECT_TRUE(test::eventually([&] {
    std::uint64_t taken = 0;
    gateway.run([&] { taken = gateway.connection->bytes_taken(); });
    return taken == end;
  }));
}

TEST(WebSocketTest, TakesNothingBeyondTheOutboundLimitOfAPeerThatDoesNotRead) {
  HttpLimits limits;
  limits.outbound_bytes = 1 << 20;
  Gateway gateway(1, limits);
  RawClient client = gateway.connect();
  client.set_receive_buffer(4096);
  const std::string message(64 << 10, 'x');
  using State = WriteResult::State;
  WriteResult written;
  std::uint64_t before = 0;
  for (int i = 0; i < 1000 && written.state == State::ok; ++i) {
    before = written.end;
    gateway.run([&] {
      written = gateway.connection->write_text(message);
      gateway.connection->flush();
    });
  }
  EXPECT_EQ(written.state, State::backpressure);
  EXPECT_EQ(written.end, before);
  // The bound, and what the kernel's own buffers took.
  EXPECT_LT(written.end, 16U << 20);
  EXPECT_EQ(gateway.events.count("closed"), 0U);
  gateway.run([&] {
    gateway.connection->abort();
    EXPECT_EQ(gateway.connection->write_text("late").state, State::closed);
  });
  EXPECT_TRUE(gateway.events.saw("closed"));
  EXPECT_TRUE(gateway.all_closed());
}

TEST(WebSocketTest, KeepsToAnOutboundLimitThatIsNew) {
  HttpLimits limits;
  limits.outbound_bytes = 1 << 20;
  Gateway gateway(1, limits);
  const RawClient client = gateway.connect();
  const std::string message(64 << 10, 'x');
  const auto written = [&] {
    WriteResult::State state{};
    gateway.run([&] { state = gateway.connection->write_text(message).state; });
    return state;
  };
  EXPECT_EQ(written(), WriteResult::State::ok);
  EXPECT_EQ(written(), WriteResult::State::ok);
  limits.outbound_bytes = 64 << 10;
  gateway.server->listener().change_limits(limits, false);
  EXPECT_EQ(written(), WriteResult::State::backpressure);
  limits.outbound_bytes = 1 << 20;
  gateway.server->listener().change_limits(limits, false);
  EXPECT_EQ(written(), WriteResult::State::ok);
}

TEST(WebSocketTest, SaysInOneLineThatPeersWereEndedForWhatTheyDidNotRead) {
  HttpLimits limits;
  limits.outbound_bytes = 64 << 10;
  testing::internal::CaptureStdout();
  {
    Gateway gateway(1, limits);
    for (std::size_t i = 1; i <= 2; ++i) {
      gateway.is_open = false;
      const RawClient client = gateway.connect();
      gateway.run([&] {
        while (gateway.connection->write_text(std::string(65 << 10, 'x')).state ==
               WriteResult::State::ok) {
        }
        gateway.connection->abort();
      });
      ASSERT_TRUE(test::eventually([&] { return gateway.events.count("closed") == i; }));
    }
  }
  const std::string log = testing::internal::GetCapturedStdout();
  const std::string line =
      R"("level":"warn","event":"outbound_limit_reached","part":"test","limit_bytes":65536)"
      R"(,"connections_ended":1})";
  const std::size_t found = log.find(line);
  EXPECT_NE(found, std::string::npos) << log;
  EXPECT_EQ(log.find("outbound_limit_reached", found + line.size()), std::string::npos) << log;
}

// It was accepted under a higher bound: refused, it would end each connection of its user.
TEST(WebSocketTest, TakesOneFrameThatDoesNotFitTheOutboundLimit) {
  HttpLimits limits;
  limits.outbound_bytes = 64 << 10;
  Gateway gateway(1, limits);
  RawClient client = gateway.connect();
  for (const std::size_t size : {std::size_t{3} << 20, std::size_t{65'530}, std::size_t{5} << 20}) {
    gateway.run([&] {
      gateway.connection->write_text(std::string(30'000, 'a'));  // waits before it
      gateway.connection->write_text(std::string(size, 'b'));
      gateway.connection->write_fence("fence");
      gateway.connection->flush();
    });
    for (const std::size_t expected : {std::size_t{30'000}, size, std::size_t{5}}) {
      const auto frame = client.read_frame();
      ASSERT_TRUE(frame) << size;
      ASSERT_EQ(frame->payload.size(), expected);
    }
  }
  EXPECT_EQ(gateway.events.count("closed"), 0U);
}

TEST(WebSocketTest, SendsManyMegabytesToASlowReaderInOrder) {
  HttpLimits limits;
  limits.outbound_bytes = 64 << 20;
  Gateway gateway(1, limits);
  RawClient client = gateway.connect();
  constexpr int kMessages = 400;
  gateway.run([&] {
    for (int i = 0; i < kMessages; ++i) {
      gateway.connection->write_text(std::to_string(i) + std::string(50'000, 'x'));
      gateway.connection->flush();
    }
  });
  for (int i = 0; i < kMessages; ++i) {
    const auto frame = client.read_frame();
    ASSERT_TRUE(frame);
    ASSERT_EQ(frame->payload.substr(0, frame->payload.find('x')), std::to_string(i));
  }
}

TEST(WebSocketCloseTest, WaitsForThePeersAndStillTellsPongs) {
  Gateway gateway;
  RawClient client = gateway.connect();
  gateway.run([&] {
    gateway.connection->write_text("last");
    gateway.connection->write_fence("fence");
    gateway.connection->close(CloseReason::shutting_down, "bye");
    gateway.connection->write_text("too late");
    gateway.connection->flush();
  });
  EXPECT_EQ(client.read_frame()->payload, "last");
  EXPECT_EQ(client.read_frame()->payload, "fence");
  const auto close = client.read_frame();
  EXPECT_EQ(close->close_code(), 1001);
  EXPECT_EQ(close->payload.substr(2), "bye");
  ASSERT_TRUE(client.send(make_frame("fence", {.opcode = kPong})));
  EXPECT_TRUE(gateway.events.saw("pong:fence"));
  EXPECT_EQ(gateway.events.count("closed"), 0U);
  ASSERT_TRUE(client.send(make_frame("also told") + make_close_frame(1001)));
  EXPECT_TRUE(gateway.events.saw("closed"));
  EXPECT_EQ(gateway.events.all(),
            (std::vector<std::string>{"pong:fence", "text:also told", "closed"}));
  EXPECT_TRUE(client.ends());
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(client.pending(), "");
}

TEST(WebSocketCloseTest, TellsTheCodeThatStandsForItsReason) {
  const std::pair<CloseReason, int> rows[] = {
      {CloseReason::requested, 1000},     {CloseReason::closed_by_operator, 1001},
      {CloseReason::shutting_down, 1001}, {CloseReason::too_old, 1001},
      {CloseReason::try_again, 1001},     {CloseReason::policy_violation, 1008},
      {CloseReason::access_ended, 4401},  {CloseReason::too_many_connections, 4408}};
  for (const auto& [reason, code] : rows) {
    Gateway gateway;
    RawClient client = gateway.connect();
    gateway.run([&] { gateway.connection->close(reason, "why"); });
    const auto close = client.read_frame();
    EXPECT_EQ(close->close_code(), code);
    EXPECT_EQ(close->payload.substr(2), "why");
  }
}

TEST(WebSocketCloseTest, WaitsNoLongerThanItsTimeout) {
  HttpLimits limits;
  limits.close_timeout = Milliseconds(50);
  Gateway gateway(1, limits);
  RawClient client = gateway.connect();
  gateway.run([&] { gateway.connection->close(CloseReason::too_many_connections, ""); });
  EXPECT_EQ(client.read_frame()->close_code(), 4408);
  EXPECT_TRUE(gateway.events.saw("closed"));
  EXPECT_TRUE(client.ends());
}

TEST(WebSocketCloseTest, EchoesThePeersCode) {
  for (const int code : {1000, 1001, 1011, 3000, 4999}) {
    Gateway gateway;
    RawClient client = gateway.connect();
    ASSERT_TRUE(client.send(make_close_frame(code, "bye")));
    EXPECT_EQ(client.read_frame()->close_code(), code);
    EXPECT_TRUE(client.ends());
    EXPECT_FALSE(client.was_reset());
    EXPECT_TRUE(gateway.events.saw("closed"));
  }
}

TEST(WebSocketCloseTest, AnswersACloseWithoutACode) {
  Gateway gateway;
  RawClient client = gateway.connect();
  ASSERT_TRUE(client.send(make_frame("", {.opcode = kClose})));
  EXPECT_EQ(client.read_frame()->opcode(), kClose);
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(gateway.events.saw("closed"));
}

TEST(WebSocketCloseTest, TellsTheEndOnceWhateverElseComes) {
  Gateway gateway;
  RawClient client = gateway.connect();
  gateway.run([&] {
    gateway.connection->abort();
    EXPECT_EQ(gateway.events.count("closed"), 0U) << "told from inside the command";
    gateway.connection->abort();
    gateway.connection->close(CloseReason::requested, "");
    gateway.connection->write_text("x");
    gateway.connection->write_fence("x");
    gateway.connection->flush();
  });
  EXPECT_TRUE(gateway.events.saw("closed"));
  EXPECT_TRUE(client.ends());
  gateway.run([] {});
  EXPECT_EQ(gateway.events.all(), std::vector<std::string>{"closed"});
}

TEST(WebSocketCloseTest, ReportsAnEndBeforeTheStart) {
  Gateway gateway;
  gateway.start_at_once = false;
  RawClient client = gateway.connect();
  gateway.run([&] { gateway.connection->abort(); });
  gateway.run([&] { gateway.connection->start(gateway.events); });
  EXPECT_TRUE(gateway.events.saw("closed"));
  EXPECT_EQ(gateway.events.count("closed"), 1U);
}

/// Ends the connection from inside its own events.
class EndingEvents : public RecordedEvents {
 public:
  explicit EndingEvents(std::shared_ptr<delivery::Connection>& connection)
      : connection_(connection) {}
  void on_fence(std::string_view bytes) override {
    RecordedEvents::on_fence(bytes);
    connection_->abort();
  }
  void on_text(std::string_view text) override {
    RecordedEvents::on_text(text);
    connection_->close(CloseReason::policy_violation, "");
    connection_->abort();
    connection_.reset();
  }

 private:
  std::shared_ptr<delivery::Connection>& connection_;
};

TEST(WebSocketCloseTest, WorksInsideAnEvent) {
  for (const std::string& frames :
       {make_frame("a") + make_frame("b"), make_frame("a", {.opcode = kPong}) + make_frame("b")}) {
    Gateway gateway;
    gateway.start_at_once = false;
    RawClient client = gateway.connect();
    EndingEvents events(gateway.connection);
    gateway.run([&] { gateway.connection->start(events); });
    ASSERT_TRUE(client.send(frames));
    EXPECT_TRUE(events.saw("closed"));
    EXPECT_EQ(events.all().size(), 2U);
    EXPECT_TRUE(client.ends());
  }
}

TEST(WebSocketCloseTest, ReportsAVanishedClient) {
  for (const bool reset : {false, true}) {
    for (const std::string& sent :
         {std::string(), make_frame("abc").substr(0, 1), make_frame("abc").substr(0, 7),
          make_frame("a", {.fin = false}), make_frame(std::string(50'000, 'x')).substr(0, 9'000)}) {
      Gateway gateway;
      RawClient client = gateway.connect();
      ASSERT_TRUE(client.send(sent));
      reset ? client.reset() : client.close();
      EXPECT_TRUE(gateway.events.saw("closed"));
      EXPECT_TRUE(gateway.all_closed());
    }
  }
}

TEST(WebSocketCloseTest, TellsWhoEndedItAndHow) {
  using By = delivery::ConnectionEnd::By;
  struct Case {
    const char* name;
    std::function<void(Gateway&, RawClient&)> act;
    By by;
    int code;
  };
  const auto sends = [](std::string bytes) {
    return [bytes = std::move(bytes)](Gateway&, RawClient& client) { (void)client.send(bytes); };
  };
  const Case cases[] = {
      {"too big", sends(make_close_frame(1009, "too big")), By::client, 1009},
      {"broken text", sends(make_close_frame(1007)), By::client, 1007},
      {"leaves", sends(make_close_frame(1001)), By::client, 1001},
      {"its own code", sends(make_close_frame(4321)), By::client, 4321},
      {"no code", sends(make_frame("", {.opcode = kClose})), By::client, 1005},
      {"not masked", sends(make_frame("x", {.masked = false})), By::client, 1002},
      {"not UTF-8", sends(make_frame("\xff\xff")), By::client, 1007},
      {"not text", sends(make_frame("x", {.opcode = test::kBinary})), By::client, 1003},
      {"too long", sends(make_frame(std::string(200 << 10, 'x'))), By::client, 1009},
      {"reset", [](Gateway&, RawClient& client) { client.reset(); }, By::network, 1006},
      {"cut off", [](Gateway&, RawClient& client) { client.close(); }, By::network, 1006},
      {"ended here", [](Gateway& g, RawClient&) { g.run([&] { g.connection->abort(); }); },
       By::gateway, 1006},
      {"closed here",
       [](Gateway& g, RawClient& client) {
         g.run([&] { g.connection->close(CloseReason::shutting_down, "bye"); });
         (void)client.read_frame();
         (void)client.send(make_close_frame(1001));
       },
       By::gateway, 1001},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    Gateway gateway;
    RawClient client = gateway.connect();
    std::uint64_t end = 0;
    gateway.run([&] {
      end = gateway.connection->write_text("to be taken").end;
      gateway.connection->flush();
    });
    ASSERT_TRUE(client.read_frame());
    one.act(gateway, client);
    ASSERT_TRUE(gateway.events.saw("closed"));
    EXPECT_EQ(gateway.events.end().by, one.by);
    EXPECT_EQ(gateway.events.end().code, one.code);
    // The progress is known after the end, too.
    gateway.run([&] { EXPECT_GE(gateway.connection->bytes_arrived(), end); });
  }
}

// A client with a limit refuses a message by its header and closes with the rest unread: its Close
// is there, and a reset behind it. Whatever the gateway does next meets the reset first.
TEST(WebSocketCloseTest, ReadsTheCloseOfAClientWithUnreadMessages) {
  HttpLimits limits;
  limits.outbound_bytes = 32 << 20;
  for (const std::size_t bytes : {10UZ, 100'000UZ, 7'000'000UZ}) {
    for (const bool more : {false, true}) {
      SCOPED_TRACE(std::to_string(bytes) + (more ? " and more" : ""));
      Gateway gateway(1, limits);
      RawClient client = gateway.connect();
      client.set_receive_buffer(4096);
      gateway.run([&] {
        gateway.connection->write_text(std::string(bytes, 'x'));
        gateway.connection->flush();
      });
      ASSERT_FALSE(client.receive_some().empty());
      // The shard finds all of it at once.
      gateway.run([&] {
        gateway.connection->write_fence("unread");
        gateway.connection->flush();
        (void)client.send(make_frame("said before") + make_close_frame(1009));
        std::this_thread::sleep_for(Milliseconds(20));
        client.close();
        std::this_thread::sleep_for(Milliseconds(20));
        if (!more) return;
        gateway.connection->write_text("more");
        gateway.connection->flush();
      });
      ASSERT_TRUE(gateway.events.saw("closed"));
      EXPECT_EQ(gateway.events.all(), (std::vector<std::string>{"text:said before", "closed"}));
      EXPECT_EQ(gateway.events.end().by, delivery::ConnectionEnd::By::client);
      EXPECT_EQ(gateway.events.end().code, 1009);
      EXPECT_TRUE(gateway.all_closed());
    }
  }
}

// From its first byte on, of whatever it is made and whatever comes in between.
TEST(WebSocketCloseTest, EndsWhatDribbles) {
  HttpLimits limits;
  limits.body_timeout = Milliseconds(150);
  const std::string nothing = make_frame("", {.fin = false, .opcode = 0});
  struct Dribble {
    std::string first;
    std::string then;
  };
  for (const Dribble& dribble :
       {Dribble{make_frame("part", {.fin = false}), make_frame("b", {.fin = false, .opcode = 0})},
        Dribble{make_frame("", {.fin = false}), nothing},
        Dribble{make_frame("", {.fin = false}), ""},
        Dribble{make_frame("", {.fin = false}), make_frame("", {.opcode = kPing})},
        Dribble{make_frame("whole") + "\x81", ""}, Dribble{make_frame("abcdef").substr(0, 4), ""},
        Dribble{make_frame("abcdef", {.opcode = kPing}).substr(0, 8), ""}}) {
    Gateway gateway(1, limits);
    RawClient client = gateway.connect();
    ASSERT_TRUE(client.send(dribble.first));
    std::optional<test::RawFrame> frame;
    for (int i = 0; i < 200 && (!frame || frame->opcode() == kPong); ++i) {
      if (!dribble.then.empty()) client.send(dribble.then);
      frame = client.read_frame(Milliseconds(40));
    }
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->close_code(), 1008);
    EXPECT_TRUE(gateway.events.saw("closed"));
  }
}

TEST(WebSocketCloseTest, LeavesAConnectionAloneThatSendsWholeMessages) {
  HttpLimits limits;
  limits.body_timeout = Milliseconds(60);
  Gateway gateway(1, limits);
  RawClient client = gateway.connect();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(client.send(make_frame("a", {.fin = false}) + make_frame("b", {.opcode = 0})));
    EXPECT_FALSE(client.read_frame(Milliseconds(30)));
  }
  EXPECT_EQ(gateway.events.count("text:ab"), 10U);
}

TEST(WebSocketCloseTest, ComesWithTheStopOfTheShards) {
  Gateway gateway;
  RawClient client = gateway.connect();
  gateway.server->shards().stop();
  EXPECT_EQ(gateway.events.count("closed"), 1U);
}

TEST(WebSocketUpgradeTest, LogsAndCountsOnlyOnceWritten) {
  const auto service = std::make_shared<FakeService>();
  std::optional<LiveResponder> waiting;
  std::shared_ptr<delivery::Connection> connection;
  service->on_open = [&](RequestHead, LiveResponder respond) { waiting = std::move(respond); };
  testing::internal::CaptureStdout();
  {
    ListenerOptions options;
    options.name = "test";
    TestServer server(service, 1, std::move(options));
    const auto accept = [&] {
      server.run_on(0, [&] {
        std::exchange(waiting, std::nullopt).value()(LiveAccepted{.on_open = [&](auto opened) {
          connection = opened;
        }});
      });
    };
    RawClient gone(server.address());
    ASSERT_TRUE(gone.send(upgrade("GET /ws/gone")));
    ASSERT_TRUE(test::eventually([&] { return server.listener().stats().requests == 1; }));
    gone.reset();
    accept();
    ASSERT_TRUE(test::eventually([&] { return server.listener().stats().open_sockets == 0; }));
    RawClient client(server.address());
    ASSERT_TRUE(client.send(upgrade("GET /ws/there")));
    ASSERT_TRUE(test::eventually([&] { return server.listener().stats().requests == 2; }));
    EXPECT_EQ(server.responses("1xx"), 0U);
    accept();
    EXPECT_EQ(client.read_response()->status, 101);
    EXPECT_TRUE(test::eventually([&] { return server.responses("1xx") == 1; }));
    server.run_on(0, [&] { connection = nullptr; });
  }
  const std::string log = testing::internal::GetCapturedStdout();
  const std::string opened = R"("event":"access","part":"test","method":"GET","path":"/ws/there",)"
                             R"("status":101,"bytes":0,"duration_us":)";
  EXPECT_NE(log.find(opened), std::string::npos) << log;
  EXPECT_EQ(log.find(R"("path":"/ws/gone","status")"), std::string::npos) << log;
  EXPECT_NE(log.find(R"("event":"handover_failed","part":"test","path":"/ws/gone",)"
                     R"("remote_address":"127.0.0.1")"),
            std::string::npos)
      << log;
}

TEST(WebSocketUpgradeTest, OpensAndClosesWhenTheClientHasGone) {
  Gateway gateway;
  std::optional<LiveResponder> waiting;
  gateway.service->on_open = [&](RequestHead, LiveResponder respond) {
    waiting = std::move(respond);
  };
  RawClient client(gateway.server->address());
  ASSERT_TRUE(client.send(upgrade("GET /ws")));
  ASSERT_TRUE(test::eventually([&] {
    bool asked = false;
    gateway.run([&] { asked = waiting.has_value(); });
    return asked;
  }));
  client.reset();
  gateway.run([&] {
    std::exchange(waiting, std::nullopt)
        .value()(LiveAccepted{.on_open = [&](std::shared_ptr<delivery::Connection> opened) {
          gateway.connection = opened;
          opened->start(gateway.events);
        }});
  });
  EXPECT_TRUE(gateway.events.saw("closed"));
  EXPECT_TRUE(gateway.all_closed());
}

}  // namespace
}  // namespace holdfast::net
