// The queue of the store's thread.

#include "queue.hpp"

#include <utility>

#include <holdfast/base/assert.hpp>

namespace holdfast::sqlite {

void OperationQueue::submit(Lane lane, Channel* channel, OperationPtr operation) {
  HOLDFAST_ASSERT(operation->channel == nullptr, "queue.takes_an_operation_once");
  operation->channel = channel;
  if (enqueue(lane, operation) || channel == nullptr) return;
  operation->fail();
  channel->executor.post([refused = std::move(operation)] { refused->answer(); });
}

bool OperationQueue::enqueue(Lane lane, OperationPtr& operation) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    const bool is_full = lane == Lane::other && others_ >= others_max_;
    if (closed_ || is_full) return false;
    if (lane == Lane::other) ++others_;
    if (writes_.empty() && reads_.empty()) oldest_ = clock_.steady_now();
    (lane == Lane::read ? reads_ : writes_).push_back(std::move(operation));
    wake = wake_at_ != 0 && writes_.size() + reads_.size() >= wake_at_;
    if (wake) wake_at_ = 0;
  }
  if (wake) wake_.notify_one();
  return true;
}

void OperationQueue::take(Taken& out, SteadyTime deadline) {
  HOLDFAST_ASSERT(out.writes.empty() && out.reads.empty(), "queue.is_taken_into_empty_hands");
  std::unique_lock lock(mutex_);
  wait(lock, 1, deadline);
  others_ = 0;
  std::swap(out.writes, writes_);
  std::swap(out.reads, reads_);
  out.oldest = std::exchange(oldest_, kNothingWaits);
  out.stopping = stopping_;
}

void OperationQueue::linger(std::size_t operations, SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  wait(lock, operations, deadline);
}

void OperationQueue::wait(std::unique_lock<std::mutex>& lock, std::size_t operations,
                          SteadyTime deadline) {
  while (writes_.size() + reads_.size() < operations && !stopping_) {
    wake_at_ = operations;
    if (wake_.wait_until(lock, deadline) == std::cv_status::timeout) break;
  }
  wake_at_ = 0;
}

void OperationQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
}

void OperationQueue::close(Taken& out) {
  HOLDFAST_ASSERT(out.writes.empty() && out.reads.empty(), "queue.is_closed_into_empty_hands");
  const std::lock_guard lock(mutex_);
  HOLDFAST_ASSERT(!closed_, "queue.closes_once");
  closed_ = true;
  slots_->close();
  std::swap(out.writes, writes_);
  std::swap(out.reads, reads_);
}

std::size_t OperationQueue::size() const {
  const std::lock_guard lock(mutex_);
  return writes_.size() + reads_.size();
}

SteadyTime OperationQueue::oldest() const {
  const std::lock_guard lock(mutex_);
  return oldest_;
}

}  // namespace holdfast::sqlite
