// Tests the reports to systemd.

#include "app/service_manager.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/base/notify_socket.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::app {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

/// The service manager, which the environment names.
class Manager : public test::NotifySocket {
 public:
  explicit Manager(const std::string& name) : NotifySocket(name) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() {
    for (const char* variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
      unsetenv(variable);
  }
};

class ServiceManagerTest : public ::testing::Test {
 protected:
  void SetUp() override {
#ifndef HOLDFAST_SYSTEMD
    GTEST_SKIP() << "built without libsystemd";
#endif
  }
  test::TempDir dir_;
};

TEST_F(ServiceManagerTest, ReportsTheStateOfTheProcess) {
  const Manager manager(dir_.file("notify"));
  ServiceManager told;
  told.ready("Serving on 127.0.0.1:8080");
  EXPECT_EQ(manager.next(), "READY=1\nSTATUS=Serving on 127.0.0.1:8080");
  told.reloading();
  EXPECT_THAT(manager.next().value_or(""),
              MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+\nSTATUS=.*"));
  told.stopping(milliseconds(9'500), "Closing connections");
  EXPECT_EQ(manager.next(), "STOPPING=1\nSTATUS=Closing connections\nEXTEND_TIMEOUT_USEC=9500000");
}

TEST_F(ServiceManagerTest, ReachesAnAbstractSocket) {
  const Manager manager("@holdfast-test-" + std::to_string(getpid()));
  ServiceManager().ready("x");
  EXPECT_THAT(manager.next().value_or(""), StartsWith("READY=1"));
}

TEST_F(ServiceManagerTest, DoesNothingWithoutAManager) {
  ServiceManager told;
  told.ready("x");
  told.watch([](milliseconds) { return true; });
  told.stopping(milliseconds(1), "y");
}

TEST_F(ServiceManagerTest, HearsOfEveryYesTwiceInAPeriodAndOfNoNo) {
  const Manager manager(dir_.file("notify"));
  setenv("WATCHDOG_USEC", "200000", 1);
  std::atomic<bool> alive{true};
  std::atomic<int> asked{0};
  std::atomic<std::int64_t> patience_ms{0};
  ServiceManager told;
  told.watch([&](milliseconds patience) {
    ++asked;
    patience_ms = patience.count();
    return alive.load();
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(manager.next(), "WATCHDOG=1");
  EXPECT_EQ(patience_ms, 50);
  alive = false;
  while (manager.next(milliseconds(0))) {
  }
  const int before = asked;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  // One that was asked before it changed may still be told.
  int told_since = 0;
  while (asked < before + 4 && std::chrono::steady_clock::now() < deadline) {
    if (manager.next(milliseconds(10))) ++told_since;
  }
  EXPECT_LE(told_since, 1);
  alive = true;
  EXPECT_EQ(manager.next(), "WATCHDOG=1");
  told.stop_watching();
  const int at_end = asked;
  while (manager.next(milliseconds(0))) {
  }
  EXPECT_FALSE(manager.next(milliseconds(250)));
  EXPECT_EQ(asked, at_end);
}

TEST_F(ServiceManagerTest, IgnoresAWatchdogOfAnotherProcess) {
  const Manager manager(dir_.file("notify"));
  setenv("WATCHDOG_USEC", "100000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  ServiceManager told;
  told.watch([](milliseconds) { return true; });
  EXPECT_FALSE(manager.next(milliseconds(200)));
}

}  // namespace
}  // namespace holdfast::app
