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

TEST(Listener, DealsSocketsOutToAllShards) {
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

TEST(Listener, SaysThatTheAddressIsTaken) {
  TestServer server(std::make_shared<FakeService>());
  const auto second =
      make_listener({.name = "second", .address = server.address(), .limits = {}}, server.shards(),
                    system_clock(), std::make_shared<FakeService>());
  const auto bound = second->bind();
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, Errc::io);
  EXPECT_NE(bound.error().message.find(server.address()), std::string::npos);
}

TEST(Listener, RefusesWhatIsNoAddress) {
  TestServer server(std::make_shared<FakeService>());
  for (const char* address : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "unix:"}) {
    const auto listener =
        make_listener({.name = "bad", .address = address, .limits = {}}, server.shards(),
                      system_clock(), std::make_shared<FakeService>());
    const auto started = listener->start();
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code, Errc::invalid_argument) << address;
  }
}

TEST(Listener, SaysWhereItListensAtEveryLogLevel) {
  testing::internal::CaptureStdout();
  log::set_level(log::Level::error);
  {
    const TestServer server(std::make_shared<FakeService>());
  }
  log::set_level(log::Level::info);
  EXPECT_NE(testing::internal::GetCapturedStdout().find(R"("event":"listening")"),
            std::string::npos);
}

TEST(Listener, ListensOnIpv6) {
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

TEST(UnixListener, ProtectsItsFileAndReplacesAStaleOne) {
  const TempDir directory;
  const std::string path = directory.file("control.sock");
  const std::string address = "unix:" + path;
  {
    TestServer server(std::make_shared<FakeService>(), 1, {}, address);
    struct stat status{};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    // What a killed process leaves behind is a second name of a socket that nobody listens on.
    ASSERT_EQ(link(path.c_str(), directory.file("stale").c_str()), 0);
    EXPECT_THROW(TestServer(std::make_shared<FakeService>(), 1, {}, address), std::runtime_error);
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0) << "the file stays behind";
  TestServer again(std::make_shared<FakeService>(), 1, {}, "unix:" + directory.file("stale"));
  RawClient client(again.address());
  ASSERT_TRUE(client.send(kGet));
  EXPECT_EQ(client.read_response()->status, 200);
}

TEST(UnixListener, LeavesAFileThatIsNoSocketAlone) {
  const TempDir directory;
  std::ofstream(directory.file("data")) << "precious";
  EXPECT_THROW(TestServer(std::make_shared<FakeService>(), 1, {}, "unix:" + directory.file("data")),
               std::runtime_error);
  std::string kept;
  std::ifstream(directory.file("data")) >> kept;
  EXPECT_EQ(kept, "precious");
}

TEST(Listener, Answers503AtItsBound) {
  HttpLimits limits;
  limits.connections = 3;
  TestServer server(std::make_shared<FakeService>(), 1, limits);
  std::vector<std::unique_ptr<RawClient>> kept;
  for (int i = 0; i < 3; ++i) {
    kept.push_back(std::make_unique<RawClient>(server.address()));
    ASSERT_TRUE(kept.back()->send(kGet));
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

// In a child process, because the limit is the whole process's.
void survive_without_descriptors() {
  const rlimit limit{.rlim_cur = 256, .rlim_max = 256};
  setrlimit(RLIMIT_NOFILE, &limit);
  TestServer server(std::make_shared<FakeService>());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(std::make_unique<RawClient>(server.address()));
  for (const auto& client : clients) client->send(kGet);
  for (const auto& client : clients) {
    if (!client->read_response()) _exit(2);
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
  clients.front()->send(kGet);
  if (!clients.front()->read_response()) _exit(5);
  for (const int fd : taken) ::close(fd);
  const auto response = waiting.read_response();
  _exit(response && response->status == 200 ? 0 : 6);
}

TEST(Listener, SurvivesRunningOutOfDescriptorsWithoutSpinning) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(survive_without_descriptors(), testing::ExitedWithCode(0), "");
}

TEST(Listener, DrainsWithoutLosingWhatIsInFlight) {
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

TEST(Listener, LeavesWebSocketsOpenWhenItDrainsAndEndsThemWhenItCloses) {
  const auto service = std::make_shared<FakeService>();
  RecordedEvents events;
  service->on_upgrade = [&](RequestHead, UpgradeResponder respond) {
    respond(UpgradeAccepted{.on_open = [&](std::shared_ptr<delivery::Connection> connection) {
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
