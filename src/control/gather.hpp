#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <holdfast/delivery/router.hpp>

namespace holdfast::control {

/// Runs `ask` on every shard with its mailboxes and, when all have answered, `done` on the shard
/// `from` with the answers by shard index. A shard that has stopped never answers: then `done` is
/// dropped, which ends the request's connection.
template <class T, class Ask>
void gather(const delivery::Router& router, std::size_t from, const Ask& ask,
            Completion<std::vector<T>> done) {
  struct Join {
    std::vector<T> answers;
    std::size_t missing;
    Completion<std::vector<T>> done;
  };
  const std::size_t count = router.shard_count();
  // Touched on `from` alone, so that no lock is needed.
  auto join = std::make_shared<Join>(Join{std::vector<T>(count), count, std::move(done)});
  for (std::size_t i = 0; i < count; ++i) {
    const delivery::Router::Shard& shard = router.shard(i);
    Executor* const home = router.shard(from).executor;
    shard.executor->post([mailboxes = shard.mailboxes, home, ask, join, i]() mutable {
      home->post([join = std::move(join), answer = ask(*mailboxes), i]() mutable {
        join->answers[i] = std::move(answer);
        if (--join->missing == 0) join->done(std::move(join->answers));
      });
    });
  }
}

}  // namespace holdfast::control
