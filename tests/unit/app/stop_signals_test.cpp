// Tests the handling of signals, each in a process of its own.

#include "app/stop_signals.hpp"

#include <csignal>
#include <cstdlib>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace holdfast::app {
namespace {

using std::chrono::milliseconds;

// Each runs in a process of its own: what is tested is how that process ends.
class StopSignalsDeathTest : public ::testing::Test {
 protected:
  StopSignalsDeathTest() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  [[noreturn]] static void never_ends() {
    for (;;) pause();
  }
};

TEST_F(StopSignalsDeathTest, EndsInOrderOnTheFirstSignal) {
  const auto orderly = [](int number) {
    StopSignals signals;
    kill(getpid(), number);
    signals.wait(milliseconds(60'000));
    std::exit(0);
  };
  EXPECT_EXIT(orderly(SIGTERM), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(orderly(SIGINT), ::testing::ExitedWithCode(0), "");
}

TEST_F(StopSignalsDeathTest, EndsAtOnceOnTheSecondSignal) {
  const auto impatient = [] {
    StopSignals signals;
    kill(getpid(), SIGTERM);
    signals.wait(milliseconds(60'000));
    kill(getpid(), SIGINT);
    never_ends();
  };
  EXPECT_EXIT(impatient(), ::testing::ExitedWithCode(128 + SIGINT), "");
}

TEST_F(StopSignalsDeathTest, EndsWhenAStartHangs) {
  const auto hung = [] {
    const StopSignals signals(milliseconds(10));
    kill(getpid(), SIGTERM);
    never_ends();
  };
  EXPECT_EXIT(hung(), ::testing::ExitedWithCode(1), "");
}

TEST_F(StopSignalsDeathTest, EndsWhenAShutdownTakesTooLong) {
  const auto stuck = [] {
    StopSignals signals;
    kill(getpid(), SIGTERM);
    signals.wait(milliseconds(1));
    never_ends();
  };
  EXPECT_EXIT(stuck(), ::testing::ExitedWithCode(1), "");
}

TEST_F(StopSignalsDeathTest, StaysAliveOnAHangup) {
  const auto reloaded = [] {
    StopSignals signals;
    std::counting_semaphore<8> came(0);
    kill(getpid(), SIGHUP);
    signals.on_hangup([&came] { came.release(); });
    kill(getpid(), SIGHUP);
    came.acquire();
    kill(getpid(), SIGHUP);
    signals.on_hangup(nullptr);
    kill(getpid(), SIGTERM);
    signals.wait(milliseconds(60'000));
    std::exit(0);
  };
  EXPECT_EXIT(reloaded(), ::testing::ExitedWithCode(0), "");
}

TEST_F(StopSignalsDeathTest, ActsOnAHangupThatCameBeforeTheAction) {
  const auto early = [] {
    StopSignals signals;
    std::counting_semaphore<8> came(0);
    kill(getpid(), SIGHUP);
    // It has been taken once a later signal is.
    kill(getpid(), SIGTERM);
    signals.wait(milliseconds(60'000));
    signals.on_hangup([&came] { came.release(); });
    came.acquire();
    signals.on_hangup(nullptr);
    std::exit(0);
  };
  EXPECT_EXIT(early(), ::testing::ExitedWithCode(0), "");
}

TEST_F(StopSignalsDeathTest, WaitsForNoSignalAtTheEnd) {
  const auto quiet = [] {
    {
      StopSignals signals;
    }
    std::exit(0);
  };
  EXPECT_EXIT(quiet(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace holdfast::app
