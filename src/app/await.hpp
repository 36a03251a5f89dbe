#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>

namespace holdfast::app {

/// Runs `start` on `executor` and waits for the answer. Only a start may block like this, and not
/// on `executor`. `unavailable` if no answer comes. `keep` lives until there is one, however late.
template <class T>
[[nodiscard]] Result<T> await(Executor& executor,
                              std::move_only_function<void(Completion<Result<T>>)> start,
                              std::shared_ptr<const void> keep = nullptr) {
  constexpr std::chrono::seconds kPatience{60};
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto answer = promise->get_future();
  executor.post([start = std::move(start), promise = std::move(promise), keep]() mutable {
    start([promise, keep](Result<T> result) { promise->set_value(std::move(result)); });
  });
  if (answer.wait_for(kPatience) != std::future_status::ready) {
    return fail(Errc::unavailable, "the store does not answer");
  }
  try {
    return answer.get();
  } catch (const std::future_error&) {
    return fail(Errc::unavailable, "the store has stopped");
  }
}

}  // namespace holdfast::app
