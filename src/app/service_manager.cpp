// Reports to systemd.

#include "service_manager.hpp"

#include <cstdint>
#include <ctime>
#include <utility>

#ifdef HOLDFAST_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include <holdfast/base/log.hpp>
#include <holdfast/base/process.hpp>

namespace holdfast::app {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

#ifdef HOLDFAST_SYSTEMD
void tell(const std::string& state) {
  if (const int code = sd_notify(0, state.c_str()); code < 0) {
    log::warn("service_manager_not_told", {{"code", code}});
  }
}
microseconds watchdog_period() {
  std::uint64_t usec = 0;
  if (sd_watchdog_enabled(0, &usec) <= 0) return microseconds(0);
  return microseconds(usec);
}
#else
void tell(const std::string& /*state*/) {}
microseconds watchdog_period() { return microseconds(0); }
#endif

std::int64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace

void ServiceManager::ready(const std::string& status) { tell("READY=1\nSTATUS=" + status); }

// Type=notify-reload needs the time; other types ignore it.
void ServiceManager::reloading() {
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_us()) +
       "\nSTATUS=Reading the configuration again");
}

void ServiceManager::stopping(milliseconds longest, const std::string& status) {
  tell("STOPPING=1\nSTATUS=" + status +
       "\nEXTEND_TIMEOUT_USEC=" + std::to_string(microseconds(longest).count()));
}

void ServiceManager::watch(Alive alive) {
  const microseconds period = watchdog_period();
  if (period.count() <= 0) return;
  watcher_ = start_thread("hf-watchdog",
                          [this, alive = std::move(alive), period] { watch_on(alive, period); });
}

// An answer that takes longer than a quarter of the period counts as none. So the next question
// still comes in time.
void ServiceManager::watch_on(const Alive& alive, microseconds period) {
  const auto patience = std::chrono::duration_cast<milliseconds>(period / 4);
  std::unique_lock lock(mutex_);
  bool was_alive = true;
  while (!ended_) {
    const auto next = std::chrono::steady_clock::now() + period / 2;
    lock.unlock();
    const bool is_alive = alive(patience);
    if (is_alive) tell("WATCHDOG=1");
    if (!is_alive && was_alive) log::error("watchdog_no_answer", {{"waited_ms", patience.count()}});
    was_alive = is_alive;
    lock.lock();
    changed_.wait_until(lock, next, [this] { return ended_; });
  }
}

void ServiceManager::stop_watching() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

}  // namespace holdfast::app
