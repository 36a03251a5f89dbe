// Waits for the signals that stop or reload the process.

#include "stop_signals.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>
#include <holdfast/base/process.hpp>

namespace holdfast::app {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct StopSignals::State {
  int signals = -1;
  int wake = -1;  // an eventfd: wakes the thread to read the state again
  std::mutex mutex;
  std::condition_variable changed;
  bool came = false;
  bool ended = false;
  milliseconds start_patience{};
  std::mutex hangup_mutex;
  std::function<void()> hangup;
  bool hung_up = false;  ///< no action has handled it yet
  steady_clock::time_point deadline = steady_clock::time_point::max();
  std::thread thread;

  void run();
  /// Handles a hangup, as soon as there is an action.
  void act_on_hangup(bool came_now);
  /// Sleeps until there is work. Returns the signal that came, or 0.
  int next();
};

int StopSignals::State::next() {
  int timeout_ms = -1;
  {
    const std::lock_guard lock(mutex);
    if (deadline != steady_clock::time_point::max()) {
      const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
      timeout_ms = static_cast<int>(std::max<milliseconds::rep>(left.count(), 0));
    }
  }
  pollfd wait_for[] = {{.fd = signals, .events = POLLIN, .revents = 0},
                       {.fd = wake, .events = POLLIN, .revents = 0}};
  if (poll(wait_for, 2, timeout_ms) <= 0) return 0;
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t woken = read(wake, &count, sizeof count);
  signalfd_siginfo info{};
  if (read(signals, &info, sizeof info) != sizeof info) return 0;
  return static_cast<int>(info.ssi_signo);
}

void StopSignals::State::act_on_hangup(bool came_now) {
  const std::lock_guard lock(hangup_mutex);
  hung_up |= came_now;
  if (!hung_up || !hangup) return;
  hung_up = false;
  hangup();
}

void StopSignals::State::run() {
  for (;;) {
    const int number = next();
    if (number == SIGHUP) log::info("signal", {{"number", SIGHUP}});
    act_on_hangup(number == SIGHUP);
    if (number == SIGHUP) continue;
    const std::lock_guard lock(mutex);
    if (ended) return;
    if (steady_clock::now() >= deadline) {
      log::error("shutdown_took_too_long");
      log::stop();
      std::_Exit(EXIT_FAILURE);
    }
    if (number == 0) continue;
    if (came) std::_Exit(128 + number);
    log::info("signal", {{"number", number}});
    came = true;
    // A hanging start must not delay the end for ever.
    deadline = steady_clock::now() + start_patience;
    changed.notify_all();
  }
}

StopSignals::StopSignals(milliseconds start_patience) : state_(std::make_unique<State>()) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  state_->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  state_->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Without these, no signal would ever arrive.
  if (state_->signals < 0 || state_->wake < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
  }
  state_->start_patience = start_patience;
  state_->thread = start_thread("hf-signals", [state = state_.get()] { state->run(); });
}

StopSignals::~StopSignals() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  wake();
  state_->thread.join();
  close(state_->signals);
  close(state_->wake);
}

void StopSignals::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = write(state_->wake, &one, sizeof one);
}

void StopSignals::on_hangup(std::function<void()> action) {
  {
    const std::lock_guard lock(state_->hangup_mutex);
    state_->hangup = std::move(action);
  }
  wake();
}

void StopSignals::wait(const std::function<milliseconds()>& patience) {
  {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->came; });
  }
  const milliseconds longest = patience();
  {
    const std::lock_guard lock(state_->mutex);
    state_->deadline = steady_clock::now() + longest;
  }
  wake();
}

}  // namespace holdfast::app
