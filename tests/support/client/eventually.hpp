#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace holdfast::test {

/// Waits until `condition` holds, at most ten seconds; whether it did.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace holdfast::test
