#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>

namespace holdfast {

/// Work for a thread that may block or take long.
struct Work {
  /// Called once: on a worker with null, to run, or with why it is refused. Is destroyed where it
  /// was called. Returns what answers whoever waits: run after the queue knows of the end, so that
  /// it may come with more at once.
  using Job = std::move_only_function<Task(const Error* refusal)>;

  Job job;
  std::string name{};  ///< for the queue's own use
};

/// The work that waits for a worker. The pool calls it under its lock.
class WorkQueue {
 public:
  virtual ~WorkQueue() = default;
  /// Returns whether nothing can run now.
  [[nodiscard]] virtual bool empty() const = 0;
  /// Takes the next to run; there is one.
  [[nodiscard]] virtual Work take() = 0;
  /// Hears that the work that was taken under this name is done.
  virtual void finished(const std::string& /*name*/) {}
};

/// A queue with a capacity: first come, first served.
class FifoQueue final : public WorkQueue {
 public:
  explicit FifoQueue(std::size_t capacity) : capacity_(capacity) {}

  /// Returns false when it is full; the job stays where it is then.
  [[nodiscard]] bool push(Work::Job& job);
  [[nodiscard]] bool empty() const override { return waiting_.empty(); }
  [[nodiscard]] Work take() override;

 private:
  const std::size_t capacity_;
  std::deque<Work> waiting_;
};

/// Makes a job whose result reaches `done` on `executor`. Of a job that is refused, `work` is
/// destroyed without having run. `work` returns a `Result<T>`.
template <class T, class F>
[[nodiscard]] Work::Job make_job(F work, Executor& executor, Completion<Result<T>> done) {
  return [work = std::move(work), &executor,
          done = std::move(done)](const Error* refusal) mutable -> Task {
    Result<T> result = refusal == nullptr ? work() : Result<T>(std::unexpected(*refusal));
    return [&executor, done = std::move(done), result = std::move(result)]() mutable {
      executor.post([done = std::move(done), result = std::move(result)]() mutable {
        done(std::move(result));
      });
    };
  };
}

/// Threads that do the work of a queue: `NAME-0`, `NAME-1` and so on. Thread-safe.
class WorkerPool {
 public:
  struct Options {
    std::string name;         ///< of a thread; has a dozen characters at most
    std::size_t threads = 1;  ///< at least one is started
    /// The error for work that waits at a stop, or comes after it.
    Error stopping{Errc::unavailable, "stopping"};
  };

  /// The queue outlives the pool. Throws std::system_error when the system gives no more threads.
  WorkerPool(Options options, WorkQueue& queue);
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Has `push(job)` put the job into the queue, under the lock; it returns null, or the error that
  /// refuses the job. A refused job is called within this call.
  template <class Push>
  void submit(Work::Job job, Push push) {
    const Error* refusal = nullptr;
    {
      const std::lock_guard lock(mutex_);
      refusal = stopping_ ? &options_.stopping : push(job);
    }
    if (refusal == nullptr) {
      wake_.notify_one();
    } else {
      refuse(std::move(job), *refusal);
    }
  }
  /// Waits for what runs, and refuses what waits. Not from a worker. Again is no error.
  void stop();
  /// Returns whether `stop` was called: for work that waits for something else meanwhile.
  [[nodiscard]] bool stopping() const;

 private:
  static void refuse(Work::Job job, const Error& why);
  void run();

  const Options options_;
  WorkQueue& queue_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace holdfast
