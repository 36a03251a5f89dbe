// Answers that are written bit by bit, over real sockets.

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/net/client.hpp>
#include <holdfast/net/http.hpp>
#include <holdfast/net/tls.hpp>

#include "support/base/temp_dir.hpp"
#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using test::FakeService;
using test::RawClient;
using test::TestServer;
using Written = WriteResult::State;

constexpr const char* kStreamRequest = "GET /events HTTP/1.1\r\nHost: test\r\n\r\n";
constexpr LogKey kUserField{"user", 0};

ListenerOptions stream_options(HttpLimits limits, std::shared_ptr<TlsServer> tls = nullptr) {
  return {
      .name = "test", .address = {}, .limits = limits, .access_log = false, .tls = std::move(tls)};
}

/// Answers each request by a stream on one shard, which the test writes.
class Streams {
 public:
  explicit Streams(std::size_t shards = 1, HttpLimits limits = {}, std::size_t target = 0,
                   std::shared_ptr<TlsServer> tls = nullptr)
      : Streams(shards, stream_options(limits, std::move(tls)), target) {}
  Streams(std::size_t shards, ListenerOptions options, std::size_t target = 0) : target_(target) {
    service->on_handle = [this](const Request&, Responder respond) {
      StreamAccepted accepted{.shard = target_, .status = status};
      accepted.headers = {{"Content-Type", "text/event-stream"}};
      accepted.log_fields.set(kUserField, "somebody");
      accepted.ends_on_drain = ends_on_drain;
      accepted.on_open = [this](std::shared_ptr<ResponseWriter> opened) {
        writer = std::move(opened);
        if (listens) writer->on_closed([this] { ++closed; });
        if (on_open) on_open(*writer);
        ++opened_;
      };
      std::move(respond).with([](Answer& answer) {
        headers_of(answer).emplace_back("X-Passed", "yes");
      })(std::move(accepted));
    };
    server = std::make_unique<TestServer>(service, shards, std::move(options));
  }
  ~Streams() { server->stop(); }

  /// A client whose stream is open, and its head.
  RawClient connect(const std::string& request = kStreamRequest, int receive_buffer = 0) {
    const int before = opened_;
    RawClient client(server->address());
    if (receive_buffer > 0) client.set_receive_buffer(receive_buffer);
    EXPECT_TRUE(client.send(request));
    EXPECT_TRUE(test::eventually([&] { return opened_ > before; }));
    return client;
  }
  void run(std::move_only_function<void()> task) { server->run_on(target_, std::move(task)); }
  WriteResult write(std::string_view bytes) {
    WriteResult out;
    run([&] {
      out = writer->write(bytes);
      writer->flush();
    });
    return out;
  }
  bool all_gone() {
    return test::eventually([&] { return server->listener().stats().open_sockets == 0; });
  }
  /// `on_closed` has come, and does not come again.
  bool closed_once() {
    if (!test::eventually([&] { return closed == 1; })) return false;
    run([] {});
    return closed == 1;
  }

  std::shared_ptr<FakeService> service = std::make_shared<FakeService>();
  std::shared_ptr<ResponseWriter> writer;
  std::move_only_function<void(ResponseWriter&)> on_open;
  int status = 200;
  bool ends_on_drain = true;
  bool listens = true;
  std::atomic<int> closed = 0;
  std::unique_ptr<TestServer> server;

 private:
  const std::size_t target_;
  std::atomic<int> opened_ = 0;
};

/// Reads up to and with `end`; or all, if the connection ends before.
std::string read_up_to(RawClient& client, std::string_view end) {
  std::string out;
  while (!out.ends_with(end)) {
    const std::string more = client.receive_some();
    if (more.empty()) break;
    out += more;
  }
  return out;
}
std::string read_stream_head(RawClient& client) { return read_up_to(client, "\r\n\r\n"); }
/// All until the connection ends.
std::string read_stream(RawClient& client) { return read_up_to(client, "\r\n\r\nnever"); }

TEST(ResponseStreamTest, GoesOutInChunksAsItIsWritten) {
  Streams streams;
  RawClient client = streams.connect();
  const std::string head = read_stream_head(client);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
  for (const char* const line :
       {"\r\nTransfer-Encoding: chunked\r\n", "\r\nConnection: close\r\n",
        "\r\nDate: ", "\r\nContent-Type: text/event-stream\r\n", "\r\nX-Passed: yes\r\n",
        "\r\nCache-Control: no-store\r\n", "\r\nX-Content-Type-Options: nosniff\r\n"}) {
    EXPECT_NE(head.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(head.find("Content-Length"), std::string::npos);
  streams.run([&] {
    const std::uint64_t before = streams.writer->bytes_sent();
    EXPECT_EQ(before, head.size());
    const WriteResult first = streams.writer->write("hello");
    EXPECT_EQ(first.state, Written::ok);
    EXPECT_EQ(first.end, before + 10);
    EXPECT_EQ(streams.writer->write("").end, first.end) << "an empty chunk would be the last";
    EXPECT_EQ(streams.writer->write(std::string(20, 'x')).end, first.end + 26);
    EXPECT_EQ(streams.writer->bytes_sent(), before) << "sent before the flush";
    streams.writer->flush();
    EXPECT_EQ(streams.writer->bytes_sent(), first.end + 26);
  });
  const std::string chunks = "5\r\nhello\r\n14\r\n" + std::string(20, 'x') + "\r\n";
  EXPECT_EQ(read_up_to(client, "x\r\n"), chunks);
  EXPECT_EQ(streams.closed, 0);
  streams.run([&] {
    streams.writer->end();
    EXPECT_EQ(streams.writer->write("more").state, Written::closed);
    EXPECT_EQ(streams.closed, 0) << "told inside a command";
  });
  EXPECT_EQ(read_stream(client), "0\r\n\r\n");
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(streams.closed_once());
  client.close();
  EXPECT_TRUE(streams.all_gone());
}

TEST(ResponseStreamTest, EndsWithTheConnectionOnHttp10) {
  Streams streams;
  RawClient client = streams.connect("GET /events HTTP/1.0\r\nHost: test\r\n\r\n");
  const std::string head = read_stream_head(client);
  EXPECT_EQ(head.find("Transfer-Encoding"), std::string::npos) << head;
  EXPECT_NE(head.find("\r\nConnection: close\r\n"), std::string::npos) << head;
  EXPECT_EQ(streams.write("hello").end, head.size() + 5);
  streams.run([&] { streams.writer->end(); });
  EXPECT_EQ(read_stream(client), "hello");
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(streams.closed_once());
}

// A client could not tell an end in order from the whole.
TEST(ResponseStreamTest, ResetsAnAbortedAnswerOnHttp10) {
  Streams streams;
  RawClient client = streams.connect("GET /events HTTP/1.0\r\nHost: test\r\n\r\n");
  read_stream_head(client);
  streams.write("half");
  EXPECT_EQ(read_up_to(client, "half"), "half");
  streams.run([&] { streams.writer->abort(); });
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(client.was_reset());
  EXPECT_TRUE(streams.closed_once());
}

TEST(ResponseStreamTest, SendsNoLastChunkWhenAborted) {
  Streams streams;
  RawClient client = streams.connect();
  read_stream_head(client);
  streams.write("half");
  streams.run([&] { streams.writer->abort(); });
  EXPECT_EQ(read_stream(client), "4\r\nhalf\r\n");
  EXPECT_TRUE(streams.closed_once());
  EXPECT_TRUE(streams.all_gone());
}

TEST(ResponseStreamTest, SendsOnlyTheHeadForAHeadRequest) {
  Streams streams;
  RawClient client = streams.connect("HEAD /events HTTP/1.1\r\nHost: test\r\n\r\n");
  const std::string all = read_stream(client);
  EXPECT_TRUE(all.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(all.ends_with("Connection: close\r\n\r\n")) << all;
  EXPECT_NE(all.find("Transfer-Encoding: chunked"), std::string::npos) << all;
  EXPECT_EQ(streams.write("x").state, Written::closed);
  EXPECT_TRUE(streams.closed_once());
}

TEST(ResponseStreamTest, SendsOnlyTheHeadForAStatusWithoutABody) {
  Streams streams;
  streams.status = 204;
  RawClient client = streams.connect();
  const std::string all = read_stream(client);
  EXPECT_TRUE(all.starts_with("HTTP/1.1 204 No Content\r\n"));
  EXPECT_TRUE(all.ends_with("\r\n\r\n"));
  EXPECT_EQ(all.find("Transfer-Encoding"), std::string::npos) << all;
  EXPECT_TRUE(streams.closed_once());
}

TEST(ResponseStreamTest, RunsOnTheShardThatItsServiceChose) {
  Streams streams(2, HttpLimits{}, 1);
  std::vector<RawClient> clients;
  std::thread::id written_by;
  streams.on_open = [&](ResponseWriter&) { written_by = std::this_thread::get_id(); };
  std::thread::id shard;
  streams.run([&] { shard = std::this_thread::get_id(); });
  // Accepted on either shard in turn.
  for (int i = 0; i < 6; ++i) {
    clients.push_back(streams.connect());
    read_stream_head(clients.back());
    EXPECT_EQ(written_by, shard);
    streams.write(std::to_string(i));
    EXPECT_EQ(read_up_to(clients.back(), "\r\n" + std::to_string(i) + "\r\n"),
              "1\r\n" + std::to_string(i) + "\r\n");
  }
  for (RawClient& client : clients) client.reset();
  EXPECT_TRUE(streams.all_gone());
  EXPECT_TRUE(test::eventually([&] { return streams.closed == 6; }));
}

TEST(ResponseStreamTest, EndsWhenItsClientEndsOrSendsMore) {
  const struct {
    const char* name;
    void (*act)(RawClient&);
  } rows[] = {{"close", [](RawClient& client) { client.close(); }},
              {"reset", [](RawClient& client) { client.reset(); }},
              {"half-close", [](RawClient& client) { client.shutdown_send(); }},
              {"a byte", [](RawClient& client) { client.send("x"); }},
              {"a request", [](RawClient& client) { client.send(kStreamRequest); }}};
  for (const char* const version : {"1.0", "1.1"}) {
    for (const auto& row : rows) {
      SCOPED_TRACE(std::string(row.name) + " " + version);
      Streams streams;
      RawClient client =
          streams.connect("GET /events HTTP/" + std::string(version) + "\r\nHost: test\r\n\r\n");
      streams.write("something");
      row.act(client);
      EXPECT_TRUE(streams.closed_once());
      EXPECT_EQ(streams.write("more").state, Written::closed);
      if (client.descriptor() >= 0) {
        EXPECT_TRUE(client.ends());
        EXPECT_EQ(client.pending().find("0\r\n\r\n"), std::string::npos);
        client.close();
      }
      EXPECT_TRUE(streams.all_gone());
    }
  }
}

TEST(ResponseStreamTest, EndsWhenBytesCameBehindTheRequest) {
  Streams streams;
  RawClient client = streams.connect(std::string(kStreamRequest) + kStreamRequest);
  EXPECT_TRUE(streams.closed_once());
  EXPECT_TRUE(client.ends());
  EXPECT_EQ(client.pending().find("HTTP/1.1", 1), std::string::npos);
}

TEST(ResponseStreamTest, OpensAndEndsWhenTheClientHasGone) {
  Streams streams;
  std::optional<Responder> waiting;
  std::move_only_function<void(Request, Responder)> answer =
      std::exchange(streams.service->on_handle,
                    [&](const Request&, Responder respond) { waiting = std::move(respond); });
  RawClient client(streams.server->address());
  ASSERT_TRUE(client.send(kStreamRequest));
  ASSERT_TRUE(test::eventually([&] {
    bool asked = false;
    streams.run([&] { asked = waiting.has_value(); });
    return asked;
  }));
  client.reset();
  streams.run([&] { answer({}, *std::exchange(waiting, std::nullopt)); });
  EXPECT_TRUE(streams.closed_once());
  EXPECT_TRUE(streams.all_gone());
}

TEST(ResponseStreamTest, AbortsWhenItsWriterIsDropped) {
  Streams streams;
  streams.listens = false;
  RawClient client = streams.connect();
  streams.write("x");
  streams.run([&] { streams.writer = nullptr; });
  EXPECT_TRUE(read_stream(client).ends_with("1\r\nx\r\n"));
  EXPECT_TRUE(streams.all_gone());
}

TEST(ResponseStreamTest, KeepsItselfUntilItHasToldThatItIsOver) {
  Streams streams;
  RawClient client = streams.connect();
  std::weak_ptr<ResponseWriter> weak;
  streams.run([&] {
    weak = streams.writer;
    streams.writer = nullptr;
  });
  EXPECT_FALSE(weak.expired());
  client.close();
  EXPECT_TRUE(streams.closed_once());
  EXPECT_TRUE(weak.expired());
}

TEST(ResponseStreamTest, TellsWhoAsksAfterItsEnd) {
  Streams streams;
  streams.listens = false;
  RawClient client = streams.connect();
  client.close();
  EXPECT_TRUE(streams.all_gone());
  streams.run([&] {
    streams.writer->on_closed([&] { ++streams.closed; });
    EXPECT_EQ(streams.closed, 0);
  });
  EXPECT_TRUE(streams.closed_once());
}

TEST(ResponseStreamTest, TakesNothingBeyondTheOutboundLimitOfAClientThatDoesNotRead) {
  HttpLimits limits;
  limits.outbound_bytes = 256 << 10;
  Streams streams(1, limits);
  RawClient client = streams.connect();
  const std::string piece(64 << 10, 'x');
  WriteResult written;
  std::uint64_t taken = 0;
  for (int i = 0; i < 1000 && written.state == Written::ok; ++i) {
    taken = written.end;
    written = streams.write(piece);
  }
  EXPECT_EQ(written.state, Written::backpressure);
  EXPECT_EQ(written.end, taken);
  EXPECT_EQ(streams.closed, 0);
  EXPECT_LT(taken, 16U << 20);
  // It has all that was taken once it reads, whole and in order.
  streams.run([&] { streams.writer->end(); });
  const std::string all = read_stream(client);
  EXPECT_EQ(all.size(), taken + 5);
  EXPECT_TRUE(all.ends_with("x\r\n0\r\n\r\n"));
  EXPECT_TRUE(streams.closed_once());
}

TEST(ResponseStreamTest, EndsWhenTheClientReadsNothingInTime) {
  HttpLimits limits;
  limits.write_timeout = Milliseconds(300);
  limits.outbound_bytes = 64 << 20;
  for (const std::size_t bytes : {std::size_t{48} << 20, std::size_t{200'000}}) {
    SCOPED_TRACE(bytes);
    Streams streams(1, limits);
    RawClient client = streams.connect(kStreamRequest, 4096);
    // All of it, or what the kernel's buffers hold of it.
    streams.write(std::string(bytes, 'x'));
    // Other writes give no more time.
    EXPECT_TRUE(test::eventually([&] {
      if (streams.closed == 0) streams.write(":\n");
      return streams.closed == 1;
    }));
    EXPECT_TRUE(streams.all_gone());
  }
}

TEST(ResponseStreamTest, LastsForAClientThatReadsSlowlyAndForOneThatHasNothingToRead) {
  HttpLimits limits;
  limits.write_timeout = Milliseconds(300);
  limits.outbound_bytes = 64 << 20;
  Streams streams(1, limits);
  RawClient client = streams.connect(kStreamRequest, 64 << 10);
  const std::string piece(32 << 20, 'x');
  streams.write(piece);
  const auto end = std::chrono::steady_clock::now() + Milliseconds(1'200);
  while (std::chrono::steady_clock::now() < end) {
    ASSERT_FALSE(client.receive_some().empty());
    std::this_thread::sleep_for(Milliseconds(10));
  }
  EXPECT_EQ(streams.closed, 0);
  EXPECT_TRUE(read_up_to(client, "x\r\n").ends_with("x\r\n"));
  std::this_thread::sleep_for(Milliseconds(700));
  EXPECT_EQ(streams.closed, 0);
  streams.write("still there");
  EXPECT_EQ(read_up_to(client, "there\r\n"), "b\r\nstill there\r\n");
}

TEST(ResponseStreamTest, CountsWhatItsClientsKernelHasTaken) {
  Streams streams;
  RawClient client = streams.connect();
  const std::uint64_t end = streams.write(std::string(5000, 'x')).end;
  EXPECT_TRUE(test::eventually([&] {
    std::uint64_t taken = 0;
    std::uint64_t arrived = 0;
    streams.run([&] {
      taken = streams.writer->bytes_taken();
      arrived = streams.writer->bytes_arrived();
    });
    return taken == end && arrived == end;
  }));
  client.close();
  EXPECT_TRUE(streams.closed_once());
  streams.run([&] { EXPECT_EQ(streams.writer->bytes_arrived(), end); });
}

TEST(ResponseStreamTest, EndsInOrderWithADrain) {
  Streams streams;
  RawClient client = streams.connect();
  streams.run([&] { streams.writer->write("last"); });
  streams.server->listener().drain();
  EXPECT_TRUE(read_stream(client).ends_with("4\r\nlast\r\n0\r\n\r\n"));
  EXPECT_TRUE(streams.closed_once());
}

TEST(ResponseStreamTest, OutlivesADrainIfItsServiceWantsIt) {
  Streams streams;
  streams.ends_on_drain = false;
  RawClient client = streams.connect();
  streams.server->listener().drain();
  streams.write("after");
  EXPECT_TRUE(read_up_to(client, "after\r\n").ends_with("5\r\nafter\r\n"));
  EXPECT_EQ(streams.closed, 0);
  streams.server->listener().close();
  EXPECT_TRUE(streams.closed_once());
  EXPECT_TRUE(client.ends());
}

TEST(ResponseStreamTest, StaysClosedWhileTheListenerDrains) {
  Streams streams;
  std::optional<Responder> waiting;
  auto answer = std::exchange(streams.service->on_handle, [&](const Request&, Responder respond) {
    waiting = std::move(respond);
  });
  RawClient client(streams.server->address());
  ASSERT_TRUE(client.send(kStreamRequest));
  ASSERT_TRUE(test::eventually([&] { return streams.server->listener().stats().requests == 1; }));
  streams.server->listener().drain();
  streams.run([&] { answer({}, *std::exchange(waiting, std::nullopt)); });
  EXPECT_EQ(client.read_response()->status, 503);
  EXPECT_EQ(streams.writer, nullptr);
}

TEST(ResponseStreamTest, EndsWithTheStopOfTheShards) {
  Streams streams;
  RawClient client = streams.connect();
  streams.server->shards().stop();
  EXPECT_EQ(streams.closed, 1);
  EXPECT_TRUE(client.ends());
}

TEST(ResponseStreamTest, LogsAllItsBytesAtItsEnd) {
  testing::internal::CaptureStdout();
  std::size_t bytes = 0;
  {
    ListenerOptions options = stream_options({});
    options.access_log = true;
    Streams streams(1, std::move(options));
    RawClient client = streams.connect("GET /events?token=s3cret HTTP/1.1\r\nHost: test\r\n\r\n");
    streams.write("hello");
    EXPECT_EQ(streams.server->responses("2xx"), 1U);
    std::this_thread::sleep_for(Milliseconds(20));
    streams.run([&] { streams.writer->end(); });
    bytes = read_stream(client).size();
    EXPECT_TRUE(streams.closed_once());
    EXPECT_EQ(streams.server->metric("holdfast_outbound_bytes_total", {{"protocol", "http"}}),
              bytes);
  }
  const std::string log = testing::internal::GetCapturedStdout();
  const std::string line =
      R"("event":"access","part":"test","method":"GET","path":"/events","status":200,"bytes":)" +
      std::to_string(bytes) + R"(,"duration_us":)";
  const std::size_t at = log.find(line);
  ASSERT_NE(at, std::string::npos) << log;
  EXPECT_GE(std::stoi(log.substr(at + line.size())), 20'000);
  EXPECT_NE(log.find(R"("remote_address":"127.0.0.1","user":"somebody"})", at), std::string::npos)
      << log;
  EXPECT_EQ(log.find(R"("event":"access")", at + line.size()), std::string::npos) << log;
  EXPECT_EQ(log.find("s3cret"), std::string::npos) << log;
}

TEST(ResponseStreamTest, GoesOverTls) {
  const test::TempDir dir;
  const auto made = make_dev_certificates(dir.file("tls"), {}).value();
  Streams streams(
      2, HttpLimits{}, 1,
      make_tls_server({.certificate_file = made.certificate_file, .key_file = made.key_file})
          .value());
  const std::string body(300'000, 'x');
  streams.on_open = [&](ResponseWriter& writer) {
    writer.write(body);
    writer.write("end");
    writer.flush();
    writer.end();
  };
  for (int i = 0; i < 2; ++i) {
    const auto client =
        make_http_client(parse_url("https://" + streams.server->address() + "/events").value(),
                         {.ca_file = made.ca_file});
    const auto response = client->request({});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, body + "end");
  }
  EXPECT_TRUE(test::eventually([&] { return streams.closed == 2; }));
  EXPECT_TRUE(streams.all_gone());
}

TEST(ResponseStreamTest, EndsWhenATlsClientEnds) {
  const test::TempDir dir;
  const auto made = make_dev_certificates(dir.file("tls"), {}).value();
  Streams streams(
      1, HttpLimits{}, 0,
      make_tls_server({.certificate_file = made.certificate_file, .key_file = made.key_file})
          .value());
  streams.on_open = [](ResponseWriter& writer) {
    writer.write("something");
    writer.flush();
  };
  const auto client =
      make_http_client(parse_url("https://" + streams.server->address() + "/events").value(),
                       {.ca_file = made.ca_file});
  // Its deadline passes, and it lets go of the connection.
  EXPECT_FALSE(client->request({}, Milliseconds(200)));
  EXPECT_TRUE(streams.closed_once());
  EXPECT_TRUE(streams.all_gone());
}

}  // namespace
}  // namespace holdfast::net
