#pragma once

#include <deque>
#include <utility>

#include <holdfast/base/executor.hpp>

namespace holdfast::test {

/// An executor that runs when it is told to, on the calling thread.
class ManualExecutor final : public Executor {
 public:
  void post(Task task) override { tasks_.push_back(std::move(task)); }

  /// Runs the oldest task; false when there is none.
  bool run_one() {
    if (tasks_.empty()) return false;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  /// Runs until nothing is left, what the tasks post included.
  void run() {
    while (run_one()) {
    }
  }
  [[nodiscard]] bool idle() const noexcept { return tasks_.empty(); }

 private:
  std::deque<Task> tasks_;
};

}  // namespace holdfast::test
