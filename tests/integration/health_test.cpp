// Tests the control listener's reports of the process, from its first moment to its last.

#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <holdfast/base/dev_certificates.hpp>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/metrics.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

// Its certificate comes from a pipe, and so not before the test has seen it wait.
TEST(HealthTest, ReportsAliveAndNotReadyDuringTheStart) {
  TempDir dir;
  const auto made = make_dev_certificates(dir.file("tls"), {}).value();
  const std::string pipe = dir.file("certificate");
  ASSERT_EQ(mkfifo(pipe.c_str(), S_IRUSR | S_IWUSR), 0);
  const std::string control = "unix:" + dir.file("control");
  auto starting = std::async(std::launch::async, [&] {
    return std::make_unique<TestGateway>(
        TestGateway::Options{.settings = {"server.control_listen=" + control,
                                          "tls.certificate=" + pipe, "tls.key=" + made.key_file}});
  });
  const auto ask = [&](const std::string& path) -> std::string {
    try {
      return ask_control(control, path);
    } catch (const std::exception&) {
      return {};  // not there yet
    }
  };
  EXPECT_TRUE(eventually([&] { return ask("/livez") == "200 ok"; }, Milliseconds(15'000)));
  EXPECT_EQ(ask("/readyz"), "503 starting");
  EXPECT_EQ(ask("/metrics"), "503 starting");
  EXPECT_EQ(ask("/console/"), "503 starting");
  std::ofstream(pipe) << read_file(made.certificate_file);
  const auto gateway = starting.get();
  EXPECT_EQ(ask("/readyz"), "200 ready");
  EXPECT_THAT(ask("/metrics"), testing::StartsWith("200 "));
}

// A damaged record hides those behind it: no start, and no query, stumbles over that.
TEST(HealthTest, TellsThatMessagesAreMissing) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const auto text = [](int i) { return "text " + std::to_string(i) + " of a hundred"; };
  for (int i = 1; i <= 100; ++i) gateway.publish(alice.id, text(i));
  gateway.stop();
  const std::string path = gateway.data_dir() + "/holdfast.db";
  std::string bytes = read_file(path);
  const std::size_t at = bytes.rfind(alice.id, bytes.find(text(50)));
  ASSERT_NE(at, std::string::npos);
  bytes[at] = static_cast<char>(bytes[at] ^ 0x80);
  write_file(path, bytes);
  gateway.start();

  const std::string control = gateway.info().control_address;
  EXPECT_EQ(ask_control(control, "/readyz"), "200 ready");
  EXPECT_EQ(scrape(control).at("holdfast_store_missing_messages"), 0);
  const Inbox inbox(gateway, alice);
  EXPECT_TRUE(
      eventually([&] { return ask_control(control, "/readyz") == "200 ready, messages_missing"; }));
  const auto missing =
      static_cast<std::size_t>(scrape(control).at("holdfast_store_missing_messages"));
  ASSERT_GT(missing, 0U);
  ASSERT_LT(missing, 100U);
  EXPECT_EQ(inbox.wait_for(100 - missing).size(), 100 - missing) << "what can be read comes";
  // Later messages arrive, too.
  gateway.publish(alice.id, "later");
  EXPECT_EQ(inbox.wait_for(101 - missing).back(), payload_frame("later"));
}

TEST(HealthTest, ReportsNotReadyDuringTheDrain) {
  TestGateway gateway({.settings = {"shutdown.drain_seconds=5"}});
  const TestUser alice = gateway.make_user();
  RawClient silent = gateway.raw();
  ASSERT_EQ(silent.upgrade("/ws?token=" + gateway.token(alice))->status, 101);
  gateway.publish(alice.id, "that nobody acknowledges");
  const std::string control = gateway.info().control_address;
  EXPECT_EQ(ask_control(control, "/readyz"), "200 ready");
  std::thread stopper([&] { gateway.stop(); });
  EXPECT_TRUE(eventually([&] { return ask_control(control, "/readyz") == "503 draining"; }));
  EXPECT_EQ(ask_control(control, "/livez"), "200 ok");
  EXPECT_EQ(scrape(control).at("holdfast_state{state=\"draining\"}"), 1);
  stopper.join();
}

// A disk that takes no more: files may not grow beyond what the test allows.
TEST(HealthTest, ReportsNotReadyWhileTheStoreCannotCommit) {
  TempDir dir;
  const std::string program = holdfast_binary();
  const std::string limited = dir.file("limited");
  write_file(limited, "#!/bin/sh\ntrap '' XFSZ\nulimit -S -f 4096\nexec " + program + " \"$@\"\n");
  ASSERT_EQ(chmod(limited.c_str(), S_IRWXU), 0);
  ASSERT_EQ(setenv("HOLDFAST_BINARY", limited.c_str(), 1), 0);
  GatewayProcess gateway({.data_dir = dir.file("data")});
  ASSERT_EQ(setenv("HOLDFAST_BINARY", program.c_str(), 1), 0);
  const std::string& control = gateway.control_address();
  EXPECT_EQ(ask_control(control, "/readyz"), "200 ready");
  const auto client = gateway.client();
  const auto status = [&] {
    const auto answer = client->publish({.user_id = "u",
                                         .text = std::string(100'000, 'x'),
                                         .deduplication_id = std::nullopt,
                                         .ttl = std::nullopt});
    return answer ? 200 : answer.error().status;
  };
  int last = 200;
  for (int i = 0; i < 60 && last == 200; ++i) last = status();
  EXPECT_EQ(last, 503);
  EXPECT_EQ(ask_control(control, "/readyz"), "503 store_failed");
  EXPECT_EQ(ask_control(control, "/livez"), "200 ok");
  const Samples failed = scrape(control);
  EXPECT_EQ(failed.at("holdfast_store_writable"), 0);
  EXPECT_EQ(failed.at("holdfast_state{state=\"store_failed\"}"), 1);
  EXPECT_GE(failed.at("holdfast_store_transactions_total{outcome=\"failed\"}"), 1);

  rlimit room{};
  ASSERT_EQ(prlimit(gateway.process().pid(), RLIMIT_FSIZE, nullptr, &room), 0);
  room.rlim_cur = room.rlim_max;
  ASSERT_EQ(prlimit(gateway.process().pid(), RLIMIT_FSIZE, &room, nullptr), 0);
  EXPECT_TRUE(eventually([&] { return status() == 200; }));
  EXPECT_EQ(ask_control(control, "/readyz"), "200 ready");
}

}  // namespace
}  // namespace holdfast::test
