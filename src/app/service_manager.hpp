#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace holdfast::app {

/// Tells the service manager that started this process, if one did, how it is
/// (https://www.freedesktop.org/software/systemd/man/sd_notify.html). Without one, and in a build
/// without libsystemd, all of it does nothing. Any thread.
class ServiceManager {
 public:
  ServiceManager() = default;
  ~ServiceManager() { stop_watching(); }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// Serving; also what follows `reloading`. `status` is for people.
  void ready(const std::string& status);
  void reloading();
  /// A shutdown has begun that may take so long.
  void stopping(std::chrono::milliseconds longest, const std::string& status);

  /// Whether the process is as it should be, found out within the time given.
  using Alive = std::function<bool(std::chrono::milliseconds)>;
  /// Asks `alive` on a thread of its own, twice in each period of the manager's watchdog, and tells
  /// the manager of every yes. Where it says no, or nothing, the manager ends the process. Nothing
  /// is asked where there is no watchdog.
  void watch(Alive alive);
  /// `alive` is not running any more when this returns.
  void stop_watching();

 private:
  void watch_on(const Alive& alive, std::chrono::microseconds period);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread watcher_;
};

}  // namespace holdfast::app
