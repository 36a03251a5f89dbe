// Tests reloads by SIGHUP.

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <holdfast/app/config.hpp>

#include "support/base/files.hpp"
#include "support/base/notify_socket.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ReloadTest, BringsLiveKeysToARunningGatewayAndNamesTheOthers) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  gateway.publish(alice.id, "one");
  const auto outcome =
      gateway.reload({"delivery.pending_messages=1", "limits.message_bytes=10", "server.workers=1",
                      "storage.queue_slots=64", "user_pool.password_min_length=20"});
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_THAT(outcome->changed, ElementsAre("limits.message_bytes", "delivery.pending_messages",
                                            "user_pool.password_min_length"));
  EXPECT_THAT(outcome->need_restart, ElementsAre("server.workers", "storage.queue_slots"));
  const auto full = gateway.root().publish(
      {.user_id = alice.id, .text = "two", .deduplication_id = {}, .ttl = {}});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().status, 429);
  const auto long_one = gateway.root().publish(
      {.user_id = "bob", .text = "more than ten", .deduplication_id = {}, .ttl = {}});
  ASSERT_FALSE(long_one);
  EXPECT_EQ(long_one.error().status, 413);
  EXPECT_THROW((void)gateway.control("POST", "/v1/messages",
                                     {{"userId", "bob"}, {"message", "more than ten"}}),
               std::exception);
  const auto created = gateway.root().admin_create_user("carol", "too short");
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().type, "InvalidPasswordException");

  // And back.
  const auto back = gateway.reload({});
  ASSERT_TRUE(back);
  EXPECT_EQ(back->changed.size(), 3u);
  EXPECT_THAT(back->need_restart, IsEmpty());
  gateway.publish(alice.id, "two, and more than ten");
  EXPECT_NO_THROW((void)gateway.control("POST", "/v1/messages",
                                        {{"userId", "bob"}, {"message", "more than ten"}}));
}

TEST(ReloadTest, ChangesNothingWhereWhatMayChangeDoesNotGoWithWhatMayNot) {
  TestGateway gateway;
  // Both would be right together, but the credit stays until the next start.
  const auto outcome =
      gateway.reload({"delivery.credit_bytes=65536", "limits.outbound_bytes=1048576",
                      "delivery.pending_messages=1"});
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message, HasSubstr("limits.outbound_bytes"));
  gateway.publish("u", "one");
  gateway.publish("u", "two");
}

TEST(ReloadTest, ChangesRatesOriginsAndTheStage) {
  TestGateway gateway;
  ASSERT_TRUE(gateway.reload({"aws.stage=live", "websocket.allowed_origins=[\"https://a.example\"]",
                              "limits.key_requests_per_second=1"}));
  const std::string old_stage = "GET /prod/tokens HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string new_stage = "GET /live/tokens HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_EQ(gateway.send_bytes(old_stage)->status, 403);
  EXPECT_EQ(gateway.send_bytes(new_stage)->status, 401);
  const auto preflight = gateway.send_bytes(
      "OPTIONS /tokens HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n"
      "Access-Control-Request-Method: GET\r\n\r\n");
  ASSERT_TRUE(preflight);
  EXPECT_LT(preflight->status, 300);
  int refused = 0;
  for (int i = 0; i < 20; ++i) {
    const auto sent =
        gateway.root().publish({.user_id = "u", .text = "m", .deduplication_id = {}, .ttl = {}});
    if (!sent && sent.error().status == 429) ++refused;
  }
  EXPECT_GT(refused, 0);
}

class ServedProcessTest : public ::testing::Test {
 protected:
  GatewayProcess start(const std::string& config,
                       std::vector<std::pair<std::string, std::string>> environment = {}) {
    write_file(config_, config);
    return GatewayProcess({.data_dir = dir_.file("data"),
                           .arguments = {"--config", config_},
                           .environment = std::move(environment)});
  }
  // SIGHUP, and the line that tells what came of it.
  static std::string reload(GatewayProcess& gateway, const std::string& event) {
    const std::size_t from = gateway.process().output().size();
    gateway.process().signal(SIGHUP);
    return gateway.process()
        .wait_for_output(
            [&](const std::string& line) { return line.contains("\"" + event + "\""); }, kPatience,
            from)
        .value_or("no such line");
  }

  TempDir dir_;
  std::string config_ = dir_.file("holdfast.json");
};

TEST_F(ServedProcessTest, TakesOverTheConfigurationOnSighup) {
  GatewayProcess gateway = start("{}");
  write_file(
      config_,
      R"({"limits": {"message_bytes": 5}, "log": {"level": "debug"}, "server": {"workers": 7}})");
  EXPECT_THAT(reload(gateway, "config_reloaded"),
              HasSubstr(R"("keys":"limits.message_bytes, log.level")"));
  EXPECT_THAT(reload(gateway, "config_needs_restart"), HasSubstr(R"("keys":"server.workers")"));
  const auto sent = gateway.client()->publish(
      {.user_id = "u", .text = "too long", .deduplication_id = {}, .ttl = {}});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().status, 413);
  EXPECT_EQ(gateway.terminate(), 0);
}

TEST_F(ServedProcessTest, KeepsItsConfigurationWhereTheNewOneIsBad) {
  GatewayProcess gateway = start(R"({"limits": {"message_bytes": 5}})");
  write_file(config_, "{\n \"limits\": {\"message_bytes\": 100},\n \"sever\": {}\n}");
  EXPECT_THAT(reload(gateway, "config_not_reloaded"),
              testing::AllOf(HasSubstr(config_ + ":3"), HasSubstr("sever")));
  const auto sent = gateway.client()->publish(
      {.user_id = "u", .text = "too long", .deduplication_id = {}, .ttl = {}});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().status, 413);
  EXPECT_EQ(gateway.terminate(), 0);
}

class NotifyingProcessTest : public ServedProcessTest {
 protected:
  void SetUp() override {
#ifndef HOLDFAST_SYSTEMD
    GTEST_SKIP() << "built without libsystemd";
#endif
  }
};

TEST_F(NotifyingProcessTest, TellsItsServiceManager) {
  const NotifySocket manager(dir_.file("notify"));
  GatewayProcess gateway =
      start(R"({"shutdown": {"drain_seconds": 2}})", {{"NOTIFY_SOCKET", dir_.file("notify")}});
  EXPECT_EQ(manager.next(kPatience).value_or(""),
            "READY=1\nSTATUS=Serving on " + gateway.address());
  EXPECT_THAT(reload(gateway, "reloaded"), HasSubstr("info"));
  EXPECT_THAT(manager.next(kPatience).value_or(""),
              testing::StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_THAT(manager.next(kPatience).value_or(""), testing::StartsWith("READY=1"));
  EXPECT_EQ(gateway.terminate(), 0);
  EXPECT_THAT(
      manager.next(kPatience).value_or(""),
      testing::AllOf(testing::StartsWith("STOPPING=1"), HasSubstr("EXTEND_TIMEOUT_USEC=7000000")));
}

// The thread of this name.
pid_t thread_of(pid_t process, const std::string& name) {
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
    if (read_file(entry.path().string() + "/comm") == name + "\n") {
      return std::stoi(entry.path().filename().string());
    }
  }
  return -1;
}

// Holds one thread of another process still, as one that hangs.
class HeldThread {
 public:
  explicit HeldThread(pid_t thread) : thread_(thread) {
    if (ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0) return;
    ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr);
    int status = 0;
    held_ = waitpid(thread_, &status, __WALL) == thread_ && WIFSTOPPED(status);
  }
  ~HeldThread() {
    if (held_) ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
  }
  HeldThread(const HeldThread&) = delete;
  HeldThread& operator=(const HeldThread&) = delete;
  [[nodiscard]] bool held() const noexcept { return held_; }

 private:
  pid_t thread_;
  bool held_ = false;
};

TEST_F(NotifyingProcessTest, BeatsNoLongerWhileAShardOrTheStoreHangs) {
  const NotifySocket manager(dir_.file("notify"));
  GatewayProcess gateway =
      start("{}", {{"NOTIFY_SOCKET", dir_.file("notify")}, {"WATCHDOG_USEC", "1000000"}});
  EXPECT_TRUE(manager.wait_for("WATCHDOG=1"));
  for (const char* name : {"hf-shard-0", "hf-store"}) {
    SCOPED_TRACE(name);
    const pid_t thread = thread_of(gateway.process().pid(), name);
    ASSERT_GT(thread, 0);
    {
      const std::size_t from = gateway.process().output().size();
      const HeldThread hangs(thread);
      if (!hangs.held()) GTEST_SKIP() << "no ptrace here";
      EXPECT_TRUE(gateway.process().wait_for_output(
          [](const std::string& line) { return line.contains("watchdog_no_answer"); }, kPatience,
          from));
      while (manager.next(milliseconds(0))) {
      }
      // Longer than the period: the manager would have ended it.
      EXPECT_FALSE(manager.next(milliseconds(1'200)));
    }
    EXPECT_TRUE(manager.wait_for("WATCHDOG=1"));
  }
  EXPECT_EQ(gateway.terminate(), 0);
}

}  // namespace
}  // namespace holdfast::test
