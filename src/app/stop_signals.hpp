#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace holdfast::app {

/// Waits for SIGTERM, SIGINT and SIGHUP on a thread of its own. They are blocked in the calling
/// thread and in its later children.
class StopSignals {
 public:
  /// `start_patience` limits the process after a signal before `wait`; it ends with status 1.
  /// Throws std::system_error if the system gives no descriptor or thread.
  explicit StopSignals(
      std::chrono::milliseconds start_patience = std::chrono::milliseconds(30'000));
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Returns after the first signal. From then on a second one ends the process at once, with the
  /// status that a shell gives such a program. So does the passing of `patience`, which is asked
  /// after the first signal, with status 1.
  void wait(const std::function<std::chrono::milliseconds()>& patience);
  void wait(std::chrono::milliseconds patience) {
    wait([patience] { return patience; });
  }
  /// Sets the action of a SIGHUP, on the signals' own thread. Handles one that came before there
  /// was an action. The previous action does not run any more when this returns.
  void on_hangup(std::function<void()> action);

 private:
  struct State;
  void wake();

  std::unique_ptr<State> state_;
};

}  // namespace holdfast::app
