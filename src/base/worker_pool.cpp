// Threads for work that may block.

#include <algorithm>

#include <holdfast/base/process.hpp>
#include <holdfast/base/worker_pool.hpp>

namespace holdfast {

bool FifoQueue::push(Work::Job& job) {
  if (waiting_.size() >= capacity_) return false;
  waiting_.push_back({.job = std::move(job)});
  return true;
}

Work FifoQueue::take() {
  Work out = std::move(waiting_.front());
  waiting_.pop_front();
  return out;
}

WorkerPool::WorkerPool(Options options, WorkQueue& queue)
    : options_(std::move(options)), queue_(queue) {
  try {
    for (std::size_t i = 0; i < std::max<std::size_t>(options_.threads, 1); ++i) {
      threads_.push_back(start_thread(options_.name + "-" + std::to_string(i), [this] { run(); }));
    }
  } catch (...) {
    // The destructor does not run after a failed constructor.
    stop();
    throw;
  }
}

void WorkerPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  std::deque<Work> left;
  {
    const std::lock_guard lock(mutex_);
    while (!queue_.empty()) {
      left.push_back(queue_.take());
      queue_.finished(left.back().name);
    }
  }
  for (Work& work : left) refuse(std::move(work.job), options_.stopping);
}

bool WorkerPool::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void WorkerPool::refuse(Work::Job job, const Error& why) {
  Task answer = job(&why);
  job = nullptr;
  if (answer) answer();
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Work work = queue_.take();
    lock.unlock();
    Task answer = work.job(nullptr);
    work.job = nullptr;  // its secrets go before the next wait
    lock.lock();
    queue_.finished(work.name);
    lock.unlock();
    if (answer) answer();
    answer = nullptr;
    lock.lock();
  }
}

}  // namespace holdfast
