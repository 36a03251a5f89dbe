#include "queue.hpp"

#include <utility>

namespace holdfast::sqlite {

std::optional<delivery::Reservation> Slots::reserve(const std::shared_ptr<Slots>& slots,
                                                    std::size_t payload_bytes) {
  const QueueLimits& limits = slots->limits_;
  if (slots->closed_.load(kRelaxed)) return std::nullopt;
  const std::size_t bytes = slots->bytes_.fetch_add(payload_bytes, kRelaxed) + payload_bytes;
  const std::int64_t database_max = slots->database_bytes_max_.load(kRelaxed);
  const auto rows = static_cast<std::int64_t>(slots->taken_.load(kRelaxed) + 1);
  const bool fits =
      bytes <= limits.payload_bytes &&
      kCopies * static_cast<std::int64_t>(bytes) + kRowBytes * rows <=
          slots->room_.load(kRelaxed) &&
      (database_max == 0 ||
       slots->database_bytes_.load(kRelaxed) + static_cast<std::int64_t>(bytes) <= database_max);
  if (!fits || slots->taken_.fetch_add(1, kRelaxed) >= limits.slots) {
    if (fits) slots->taken_.fetch_sub(1, kRelaxed);
    slots->bytes_.fetch_sub(payload_bytes, kRelaxed);
    return std::nullopt;
  }
  return delivery::Reservation([slots, payload_bytes] {
    slots->taken_.fetch_sub(1, kRelaxed);
    slots->bytes_.fetch_sub(payload_bytes, kRelaxed);
  });
}

void OperationQueue::submit(Lane lane, Channel* channel, OperationPtr operation) {
  operation->channel = channel;
  if (enqueue(lane, operation) || channel == nullptr) return;
  operation->fail();
  channel->executor.post([refused = std::move(operation)] { refused->complete(); });
}

bool OperationQueue::enqueue(Lane lane, OperationPtr& operation) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    const bool is_full = lane == Lane::other && others_ >= slots_->limits().others;
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
  const std::lock_guard lock(mutex_);
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
