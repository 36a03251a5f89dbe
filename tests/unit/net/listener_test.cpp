// Tests listeners: limits, shares, drains, Unix sockets.

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>
#include <holdfast/net/client.hpp>

#include "support/base/temp_dir.hpp"
#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using test::FakeService;
using test::RawClient;
using test::RecordedEvents;
using test::TempDir;
using test::TestServer;

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

TEST(ListenerTest, DealsSocketsOutToAllShards) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request request, Responder respond) {
    respond({.body = std::to_string(request.head.shard)});
  };
  TestServer server(service, 3);
  std::set<std::string> shards;
  for (int i = 0; i < 6; ++i) {
    RawClient client(server.address());
    ASSERT_TRUE(client.send(kGet));
    shards.insert(client.read_response()->body);
  }
  EXPECT_EQ(shards, (std::set<std::string>{"0", "1", "2"}));
}

TEST(ListenerTest, SaysThatTheAddressIsTaken) {
  TestServer server(std::make_shared<FakeService>());
  const auto second = make_listener({.name = "second", .address = server.address(), .limits = {}},
                                    server.shards(), system_clock());
  const auto bound = second->bind();
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, Errc::io);
  EXPECT_NE(bound.error().message.find(server.address()), std::string::npos);
}

TEST(ListenerTest, RefusesWhatIsNoAddress) {
  TestServer server(std::make_shared<FakeService>());
  for (const char* address : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "unix:"}) {
    const auto listener = make_listener({.name = "bad", .address = address, .limits = {}},
                                        server.shards(), system_clock());
    const auto started = listener->start(std::make_shared<FakeService>());
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code, Errc::invalid_argument) << address;
  }
}

TEST(ListenerTest, SaysWhereItListensAtEveryLogLevel) {
  testing::internal::CaptureStdout();
  log::set_level(log::Level::error);
  {
    const TestServer server(std::make_shared<FakeService>());
  }
  log::set_level(log::Level::info);
  EXPECT_NE(testing::internal::GetCapturedStdout().find(R"("event":"listening")"),
            std::string::npos);
}

TEST(ListenerTest, ListensOnIpv6) {
  std::optional<TestServer> server;
  try {
    server.emplace(std::make_shared<FakeService>(), 1, HttpLimits{}, "[::1]:0");
  } catch (const std::runtime_error&) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  EXPECT_TRUE(server->address().starts_with("[::1]:"));
  RawClient client(server->address());
  ASSERT_TRUE(client.send(kGet));
  EXPECT_EQ(client.read_response()->status, 200);
}

TEST(UnixListenerTest, ProtectsItsFileAndReplacesAStaleOne) {
  const TempDir directory;
  const std::string path = directory.file("control.sock");
  const std::string address = "unix:" + path;
  {
    TestServer server(std::make_shared<FakeService>(), 1, {}, address);
    struct stat status{};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    // A killed process leaves a second name of a socket that no process listens on.
    ASSERT_EQ(link(path.c_str(), directory.file("stale").c_str()), 0);
    EXPECT_THROW(TestServer(std::make_shared<FakeService>(), 1, {}, address), std::runtime_error);
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0) << "the file stays behind";
  TestServer again(std::make_shared<FakeService>(), 1, {}, "unix:" + directory.file("stale"));
  RawClient client(again.address());
  ASSERT_TRUE(client.send(kGet));
  EXPECT_EQ(client.read_response()->status, 200);
}

TEST(UnixListenerTest, LeavesAFileThatIsNoSocketAlone) {
  const TempDir directory;
  std::ofstream(directory.file("data")) << "precious";
  EXPECT_THROW(TestServer(std::make_shared<FakeService>(), 1, {}, "unix:" + directory.file("data")),
               std::runtime_error);
  std::string kept;
  std::ifstream(directory.file("data")) >> kept;
  EXPECT_EQ(kept, "precious");
}

TEST(ListenerTest, Answers503AtItsLimit) {
  HttpLimits limits;
  limits.connections = 3;
  TestServer server(std::make_shared<FakeService>(), 1, limits);
  std::vector<std::unique_ptr<RawClient>> kept;
  for (int i = 0; i < 3; ++i) {
    kept.push_back(std::make_unique<RawClient>(server.address()));
    // One that waits for a request would make room.
    ASSERT_TRUE(kept.back()->send(std::string(kGet) + "GET / HTTP/1.1\r\nHost: "));
    EXPECT_EQ(kept.back()->read_response()->status, 200);
  }
  for (int i = 0; i < 5; ++i) {
    RawClient refused(server.address());
    refused.send(kGet);
    const auto response = refused.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 503);
    EXPECT_EQ(response->header("connection"), "close");
    EXPECT_TRUE(refused.ends());
    EXPECT_FALSE(refused.was_reset());
  }
  EXPECT_EQ(server.listener().stats().refused_connections, 5U);
  kept.pop_back();
  EXPECT_TRUE(test::eventually([&] {
    RawClient next(server.address());
    next.send(kGet);
    const auto response = next.read_response();
    return response && response->status == 200;
  }));
}

const std::string kHalf = "GET / HTTP/1.1\r\nHost: test\r\nX: ";

int status_of(RawClient& client, std::string_view request = kGet) {
  client.send(request);
  const auto response = client.read_response();
  return response ? response->status : 0;
}

TEST(ListenerTest, EndsTheConnectionThatHasWaitedLongestWhenItIsFull) {
  HttpLimits limits;
  limits.connections = 4;
  for (const std::size_t shards : {1U, 3U}) {
    TestServer server(std::make_shared<FakeService>(), shards, limits);
    RawClient busy(server.address());
    ASSERT_TRUE(busy.send(kHalf));
    RawClient first(server.address());
    ASSERT_EQ(status_of(first), 200);
    RawClient second(server.address());
    ASSERT_EQ(status_of(second), 200);
    RawClient silent(server.address());
    ASSERT_TRUE(test::eventually([&] { return server.listener().stats().open_sockets == 4; }));
    if (shards == 1) {
      ASSERT_EQ(status_of(first), 200) << "now the second has waited longer";
      RawClient third(server.address());
      EXPECT_EQ(status_of(third), 200);
      EXPECT_TRUE(second.ends());
      EXPECT_EQ(second.pending(), "") << "without a word";
      EXPECT_EQ(status_of(first), 200);
      EXPECT_TRUE(test::eventually([&] { return server.listener().stats().open_sockets == 4; }));
    }
    // Whichever shard it comes to: one of those that wait makes room.
    std::vector<std::unique_ptr<RawClient>> more;
    for (int i = 0; i < 3; ++i) {
      more.push_back(std::make_unique<RawClient>(server.address()));
      ASSERT_TRUE(more.back()->send(kHalf));
      ASSERT_TRUE(test::eventually([&] {
        return server.listener().stats().open_sockets == 4 && !more.back()->ends(Milliseconds(1));
      }));
    }
    RawClient refused(server.address());
    EXPECT_EQ(status_of(refused), 503);
    ASSERT_EQ(status_of(busy, "\r\n\r\n"), 200) << "what has begun is not ended";
    EXPECT_EQ(server.listener().stats().refused_connections, 1U);
  }
}

struct Flood {
  const char* name;
  std::string bytes;
};
class FloodsTest : public testing::TestWithParam<Flood> {};

// Of one address, while another is served all the time.
TEST_P(FloodsTest, StaysWithinItsShare) {
  const auto refusals = std::make_shared<BoundRefusals>();
  ListenerOptions options{.name = "test", .address = {}, .limits = {}, .access_log = false};
  options.limits.connections = 60;
  options.limits.connections_per_address = 40;
  options.limits.body_bytes_in_flight = 1 << 20;
  options.limits.body_bytes_per_address = 512 << 10;
  options.refusals = refusals;
  TestServer server(std::make_shared<FakeService>(), 2, options);
  RawClient other(server.address(), "127.0.0.2");
  ASSERT_EQ(status_of(other), 200);
  std::vector<std::unique_ptr<RawClient>> flood;
  for (int i = 0; i < 120; ++i) {
    flood.push_back(std::make_unique<RawClient>(server.address(), "127.0.0.3"));
    flood.back()->send(GetParam().bytes);
  }
  RawClient another(server.address(), "127.0.0.4");
  EXPECT_EQ(status_of(another), 200);
  const std::string large(200'000, 'x');
  EXPECT_EQ(
      status_of(another, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\n" + large),
      413);
  RawClient half(server.address(), "127.0.0.4");
  ASSERT_TRUE(half.send(kHalf + std::string(20'000, 'x')));
  EXPECT_EQ(status_of(half, "\r\n\r\n"), 200);
  EXPECT_EQ(status_of(other), 200) << "one that was there before";
  EXPECT_LE(server.listener().stats().body_bytes, 600'000U);
  EXPECT_GT(refusals->read(Bound::connections, BoundScope::share) +
                refusals->read(Bound::header_bytes, BoundScope::share) +
                refusals->read(Bound::body_bytes, BoundScope::share),
            0U);
  EXPECT_EQ(refusals->read(Bound::connections, BoundScope::all), 0U);
  EXPECT_EQ(refusals->read(Bound::header_bytes, BoundScope::all), 0U);
  EXPECT_EQ(refusals->read(Bound::body_bytes, BoundScope::all), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, FloodsTest,
    testing::Values(Flood{"Headers", kHalf + std::string(31'000, 'x')},
                    Flood{"Bodies",
                          "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 60000\r\n\r\n" +
                              std::string(59'000, 'x')},
                    Flood{"Beginnings", kHalf}),
    [](const auto& info) { return info.param.name; });

TEST(ListenerTest, GivesEachClientItsShareOfConnections) {
  HttpLimits limits;
  limits.connections = 100;
  limits.connections_per_address = 3;
  TestServer server(std::make_shared<FakeService>(), 2, limits);
  std::vector<std::unique_ptr<RawClient>> kept;
  for (int i = 0; i < 3; ++i) {
    kept.push_back(std::make_unique<RawClient>(server.address(), "127.0.0.2"));
    ASSERT_EQ(status_of(*kept.back(), kGet + kHalf), 200);
  }
  RawClient refused(server.address(), "127.0.0.2");
  EXPECT_EQ(status_of(refused), 503);
  RawClient other(server.address(), "127.0.0.3");
  EXPECT_EQ(status_of(other), 200);
  // One of its own that waits makes room for it, and no other's.
  ASSERT_EQ(status_of(*kept[1], "\r\n\r\n"), 200);
  RawClient next(server.address(), "127.0.0.2");
  EXPECT_EQ(status_of(next), 200);
  EXPECT_TRUE(kept[1]->ends());
  EXPECT_EQ(status_of(other), 200);
  server.listener().change_limits({}, false);
  RawClient unbounded(server.address(), "127.0.0.2");
  EXPECT_EQ(status_of(unbounded), 200);
}

TEST(ListenerTest, TellsTheLimitOfSocketsThatHoldsNow) {
  HttpLimits limits;
  limits.connections = 100;
  TestServer server(std::make_shared<FakeService>(), 1, limits);
  EXPECT_EQ(server.metric("holdfast_open_sockets_limit"), 100U);
  limits.connections = 7;
  server.listener().change_limits(limits, false);
  EXPECT_EQ(server.metric("holdfast_open_sockets_limit"), 7U);
}

// A WebSocket keeps its place until it has ended.
TEST(ListenerTest, CountsWebSocketsForTheirClients) {
  const auto service = std::make_shared<FakeService>();
  RecordedEvents events;
  service->on_open = [&](RequestHead head, LiveResponder respond) {
    respond(LiveAccepted{.shard = (head.shard + 1) % 2,
                         .on_open = [&](std::shared_ptr<delivery::Connection> connection) {
                           connection->start(events);
                         }});
  };
  HttpLimits limits;
  limits.connections_per_address = 1;
  TestServer server(service, 2, limits);
  auto first = std::make_unique<RawClient>(server.address());
  ASSERT_EQ(first->upgrade("/ws")->status, 101);
  RawClient second(server.address());
  EXPECT_EQ(status_of(second), 503);
  first->close();
  EXPECT_TRUE(test::eventually([&] {
    RawClient third(server.address());
    return status_of(third) == 200;
  }));
}

// Whom a trusted proxy names counts, and not the proxy.
TEST(ListenerTest, CountsThoseBehindATrustedProxy) {
  const auto service = std::make_shared<FakeService>();
  std::vector<Responder> waiting;
  service->on_handle = [&](Request request, Responder respond) {
    if (request.head.target == "/later") return waiting.push_back(std::move(respond));
    respond({});
  };
  ListenerOptions options{.name = "test", .address = {}, .limits = {}, .access_log = false};
  options.limits.connections_per_address = 2;
  options.trusted_proxies = TrustedProxies::parse({"127.0.0.0/8"}).value();
  TestServer server(service, 1, options);
  const auto request = [](const std::string& target, const std::string& client) {
    return "GET " + target + " HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: " + client + "\r\n\r\n";
  };
  std::vector<std::unique_ptr<RawClient>> connections;
  for (int i = 0; i < 8; ++i) {
    connections.push_back(std::make_unique<RawClient>(server.address()));
    ASSERT_EQ(status_of(*connections.back(), request("/", "203.0.113.9")), 200)
        << "between requests it is nobody's";
  }
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(connections[i]->send(request("/later", "2001:db8::1")));
  ASSERT_TRUE(test::eventually([&] { return server.listener().stats().requests == 10; }));
  EXPECT_EQ(status_of(*connections[2], request("/", "2001:db8::ffff")), 503) << "of the same /64";
  EXPECT_EQ(status_of(*connections[3], request("/", "2001:db8:0:1::1")), 200);
  server.run_on(0, [&] { waiting.clear(); });
}

// Nobody gets through before it says so; a script may rely on what was written until then.
TEST(ListenerTest, RefusesConnectionsBetweenBindAndStart) {
  const TempDir directory;
  const auto shards = make_shards(1);
  shards->start();
  for (const std::string& address :
       {std::string("127.0.0.1:0"), "unix:" + directory.file("socket")}) {
    const auto listener =
        make_listener({.name = "test", .address = address, .limits = {}}, *shards, system_clock());
    ASSERT_TRUE(listener->bind());
    EXPECT_THROW(RawClient(listener->address()), std::runtime_error);
    ASSERT_TRUE(listener->start(std::make_shared<FakeService>()));
    RawClient client(listener->address());
    EXPECT_EQ(status_of(client), 200);
    listener->close();
  }
  shards->stop();
  EXPECT_FALSE(std::filesystem::exists(directory.file("socket")));
}

TEST(UnixListenerTest, LivesInAFolderWithALongPath) {
  const TempDir directory;
  std::string folder = directory.file("");
  for (int i = 0; i < 5; ++i) folder += std::string(100, static_cast<char>('a' + i)) + "/";
  std::filesystem::create_directories(folder);
  const Url url{.scheme = "unix", .host = folder + "control.sock", .port = {}, .target = "/"};
  for (int round = 0; round < 2; ++round) {
    TestServer server(std::make_shared<FakeService>(), 1, {}, "unix:" + folder + "control.sock");
    const auto client = make_http_client(url, {});
    const auto response = client->request({.method = "GET", .target = "/long"});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "/long|");
    EXPECT_THROW(TestServer(std::make_shared<FakeService>(), 1, {}, server.address()),
                 std::runtime_error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  const auto nobody = make_http_client(url, {});
  EXPECT_FALSE(nobody->request({.method = "GET", .target = "/"}));
  EXPECT_THROW(
      TestServer(std::make_shared<FakeService>(), 1, {}, "unix:" + folder + std::string(120, 'n')),
      std::runtime_error);
}

TEST(ListenerTest, ShowsIpv4AsSuchOnADualStackSocket) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request request, Responder respond) {
    respond({.body = request.head.remote_address});
  };
  std::optional<TestServer> server;
  try {
    server.emplace(service, 1, HttpLimits{}, "[::]:0");
  } catch (const std::runtime_error&) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  const std::string port = server->address().substr(server->address().rfind(':'));
  for (const auto& [address, shown] :
       {std::pair("127.0.0.1" + port, "127.0.0.1"), std::pair("[::1]" + port, "::1")}) {
    RawClient client(address);
    client.send(kGet);
    EXPECT_EQ(client.read_response()->body, shown);
  }
}

// In a child process, because the limit is the whole process's.
void answer_with_a_descriptor_of_its_own() {
  const rlimit limit{.rlim_cur = 256, .rlim_max = 256};
  setrlimit(RLIMIT_NOFILE, &limit);
  ListenerOptions options{.name = "control", .address = {}, .limits = {}, .access_log = false};
  options.reserved_descriptors = 2;
  TestServer server(std::make_shared<FakeService>(), 1, options);
  std::vector<int> taken;
  for (int fd = dup(0); fd >= 0; fd = dup(0)) taken.push_back(fd);
  for (int i = 0; i < 20; ++i) {
    // The client's end needs one, too, which goes back to those who took all.
    ::close(taken.back());
    RawClient client(server.address());
    if (status_of(client) != 200) _exit(2);
    client.close();
    if (!test::eventually([&] { return server.listener().stats().open_sockets == 0; })) _exit(3);
    taken.back() = dup(0);
    if (taken.back() < 0) _exit(4);
    if (const int more = dup(0); more >= 0) _exit(5);
  }
  _exit(0);
}

TEST(ListenerTest, AnswersWithADescriptorThatItHasSetAside) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer looks at objects through a pipe, for which no descriptor is left";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(answer_with_a_descriptor_of_its_own(), testing::ExitedWithCode(0), "");
}

// In a child process, because the limit is the whole process's.
void survive_without_descriptors() {
  const rlimit limit{.rlim_cur = 256, .rlim_max = 256};
  setrlimit(RLIMIT_NOFILE, &limit);
  TestServer server(std::make_shared<FakeService>());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(std::make_unique<RawClient>(server.address()));
  const std::string half = "GET / HTTP/1.1\r\nHost: test\r\n";
  // Twice, so that their sockets have been waited for: a sanitizer that looks at an object of a
  // kind that it has not seen needs descriptors itself.
  for (const std::string& requests : {std::string(kGet), kGet + half}) {
    for (const auto& client : clients) client->send(requests);
    for (const auto& client : clients) {
      if (!client->read_response()) _exit(2);
    }
  }
  // From here on not one more can be accepted.
  std::vector<int> taken;
  for (int fd = dup(0); fd >= 0; fd = dup(0)) taken.push_back(fd);
  ::close(taken.back());
  taken.pop_back();
  RawClient waiting(server.address());
  waiting.send(kGet);
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  if (waiting.read_response(Milliseconds(500))) _exit(3);
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  const auto busy_ms = [](const rusage& usage) {
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
  };
  if (busy_ms(after) - busy_ms(before) > 250) _exit(4);
  // Those that are open are served meanwhile, and who waited is served when there is room.
  clients.front()->send("\r\n");
  if (!clients.front()->read_response()) _exit(5);
  for (const int fd : taken) ::close(fd);
  const auto response = waiting.read_response();
  _exit(response && response->status == 200 ? 0 : 6);
}

TEST(ListenerTest, SurvivesRunningOutOfDescriptorsWithoutSpinning) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(survive_without_descriptors(), testing::ExitedWithCode(0), "");
}

TEST(ListenerTest, DrainsWithoutLosingWhatIsInFlight) {
  const auto service = std::make_shared<FakeService>();
  std::vector<Responder> waiting;
  service->on_handle = [&](Request request, Responder respond) {
    if (request.head.target != "/later") return respond({.body = "now"});
    waiting.push_back(std::move(respond));
  };
  TestServer server(service);
  RawClient idle(server.address());
  ASSERT_TRUE(idle.send(kGet));
  EXPECT_EQ(idle.read_response()->status, 200);
  // Comes before the request that is waited for below, so it has been read when that has.
  RawClient begun(server.address());
  ASSERT_TRUE(begun.send("GET / HTTP/1.1\r\nHost: "));
  RawClient busy(server.address());
  ASSERT_TRUE(busy.send("GET /later HTTP/1.1\r\nHost: test\r\n\r\n"));
  ASSERT_TRUE(test::eventually([&] { return server.listener().stats().requests == 2; }));
  ASSERT_TRUE(test::eventually([&] { return server.listener().stats().open_sockets == 3; }));

  server.listener().drain();
  EXPECT_TRUE(idle.ends());
  EXPECT_EQ(idle.pending(), "");
  server.run_on(0, [&] { waiting.front()({.body = "late"}); });
  const auto response = busy.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "late");
  EXPECT_EQ(response->header("connection"), "close");
  EXPECT_TRUE(busy.ends());
  EXPECT_THROW(RawClient(server.address()), std::runtime_error);
  begun.send("test\r\n\r\n");
  const auto last = begun.read_response();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->header("connection"), "close");
  EXPECT_TRUE(begun.ends());
}

TEST(ListenerTest, LeavesWebSocketsOpenWhenItDrainsAndEndsThemWhenItCloses) {
  const auto service = std::make_shared<FakeService>();
  RecordedEvents events;
  service->on_open = [&](RequestHead, LiveResponder respond) {
    respond(LiveAccepted{.on_open = [&](std::shared_ptr<delivery::Connection> connection) {
      connection->start(events);
    }});
  };
  TestServer server(service, 2);
  RawClient client(server.address());
  EXPECT_EQ(client.upgrade("/ws")->status, 101);
  server.listener().drain();
  ASSERT_TRUE(client.send(test::make_frame("still here")));
  EXPECT_TRUE(events.saw("text:still here"));
  EXPECT_EQ(server.listener().stats().open_websockets, 1U);
  server.listener().close();
  EXPECT_TRUE(events.saw("closed"));
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(test::eventually([&] { return server.listener().stats().open_websockets == 0; }));
}

}  // namespace
}  // namespace holdfast::net
