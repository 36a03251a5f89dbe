#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include <holdfast/base/executor.hpp>

namespace holdfast::test {

/// An executor whose tasks the test's own thread runs, while it waits for something.
class PumpExecutor final : public Executor {
 public:
  void post(Task task) override {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
      ++posts_;
    }
    wake_.notify_one();
  }

  /// Runs tasks until `done` says so; throws when that takes too long.
  template <class Done>
  void run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      std::unique_lock lock(mutex_);
      if (!wake_.wait_until(lock, deadline, [this] { return !tasks_.empty(); })) {
        throw std::runtime_error("waited for 30 s in vain");
      }
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }
  /// Starts an operation with a completion and waits for its result.
  template <class T, class Start>
  T await(Start start) {
    std::optional<T> result;
    start([&result](T value) { result.emplace(std::move(value)); });
    run_until([&result] { return result.has_value(); });
    return std::move(*result);
  }
  /// Tasks posted so far.
  [[nodiscard]] std::size_t posts() const {
    const std::lock_guard lock(mutex_);
    return posts_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::size_t posts_ = 0;
};

}  // namespace holdfast::test
