#pragma once

#include <utility>

#include "operation.hpp"
#include "queue.hpp"

namespace holdfast::sqlite {

/// Turns the calls on a handle into operations of its executor's channel.
class Submitter {
 protected:
  Submitter(OperationQueue& queue, Channel& channel) : queue_(queue), channel_(channel) {}

  template <class T, class Work>
  void submit(OnRollback on_rollback, Work work, Completion<Result<T>> done) {
    queue_.submit(Lane::other, &channel_,
                  make_operation<T>(on_rollback, std::move(work), std::move(done)));
  }
  /// Submits a `SweepOperation`.
  template <class Work>
  void submit_sweep(Work work, Completion<Result<void>> done) {
    queue_.submit(Lane::other, &channel_, make_sweep(std::move(work), std::move(done)));
  }

 private:
  OperationQueue& queue_;
  Channel& channel_;
};

}  // namespace holdfast::sqlite
