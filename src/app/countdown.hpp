#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace holdfast::app {

/// Counts down from many threads to one that waits with a deadline. It is shared, because the
/// waiter may be gone before the last count.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}

  void done() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) changed_.notify_all();
  }
  bool wait_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t left_;
};

}  // namespace holdfast::app
