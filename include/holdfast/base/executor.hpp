#pragma once

#include <functional>

namespace holdfast {

/// Work handed to another thread, run once.
using Task = std::move_only_function<void()>;

/// A thread's inbox. A shard is one; so is anything else that owns state on a single thread.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Runs `task` on the executor's thread, later, never inside this call. Tasks of one posting
  /// thread run in the order of their posting. Any thread. Dropped after the executor has stopped.
  virtual void post(Task task) = 0;
};

/// The callback of an asynchronous operation, which is called exactly once. A port calls it on the
/// executor that its handle was made for, never inside the call that started the operation.
template <class T>
using Completion = std::move_only_function<void(T)>;

}  // namespace holdfast
