#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace holdfast::app {

/// Waits for SIGTERM and SIGINT, and for SIGHUP, on a thread of its own. They are blocked in the
/// calling thread and in those that it starts later.
class StopSignals {
 public:
  /// How long a signal that comes before `wait` leaves the process: then it ends with status 1.
  /// Throws std::system_error when the system gives no descriptor or thread for it.
  explicit StopSignals(
      std::chrono::milliseconds start_patience = std::chrono::milliseconds(30'000));
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Returns when the first one has come. From then on a second one ends the process at once, with
  /// the status that a shell gives a program ended by it, and so does the passing of `patience`
  /// (asked when the first one has come),
  /// with status 1.
  void wait(const std::function<std::chrono::milliseconds()>& patience);
  void wait(std::chrono::milliseconds patience) {
    wait([patience] { return patience; });
  }
  /// What a SIGHUP does from now on, on the signals' own thread, and did not do before: one that
  /// came while this was empty is acted on now. The last action is not running any more when this
  /// returns.
  void on_hangup(std::function<void()> action);

 private:
  struct State;
  void wake();

  std::unique_ptr<State> state_;
};

}  // namespace holdfast::app
