#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace holdfast::app {

/// Reports this process to the service manager that started it, if there is one
/// (https://www.freedesktop.org/software/systemd/man/sd_notify.html). Without one, and in a build
/// without libsystemd, it does nothing. Any thread.
class ServiceManager {
 public:
  ServiceManager() = default;
  ~ServiceManager() { stop_watching(); }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// Reports that the process serves, also after `reloading`. `status` is for people.
  void ready(const std::string& status);
  void reloading();
  /// Reports the begin of a shutdown, and how long it may take.
  void stopping(std::chrono::milliseconds longest, const std::string& status);

  /// Returns whether the process works, within the given time.
  using Alive = std::function<bool(std::chrono::milliseconds)>;
  /// Asks `alive` on a thread of its own, twice in each period of the manager's watchdog, and
  /// reports every yes. Without one the manager ends the process. Without a watchdog nothing is
  /// asked.
  void watch(Alive alive);
  /// Stops asking. `alive` does not run any more when this returns.
  void stop_watching();

 private:
  void watch_on(const Alive& alive, std::chrono::microseconds period);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread watcher_;
};

}  // namespace holdfast::app
