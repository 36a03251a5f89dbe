// The watermarks of a log, and what holds between them.

#include "message_log.hpp"

#include <utility>

namespace holdfast::delivery {
namespace {

std::uint32_t bytes_of(const Message& message) noexcept {
  return static_cast<std::uint32_t>(message.payload.size());
}

}  // namespace

void MessageLog::append(MessagePtr message) {
  HOLDFAST_ASSERT(message->sequence > newest(), "log.rises");
  tail_bytes_ += bytes_of(*message);
  const Sequence sequence = message->sequence;
  tail_.push_back({sequence, std::move(message)});
  HOLDFAST_ASSERT(tail_.front().sequence > floor_, "log.tail_above_floor");
}

void MessageLog::remove(Sequence sequence) {
  const std::size_t above = first_above(tail_, sequence);
  if (above == 0 || tail_[above - 1].sequence != sequence) return;
  const std::uint32_t bytes = bytes_of(*tail_[above - 1].message);
  HOLDFAST_ASSERT(bytes <= tail_bytes_, "log.counts_bytes_that_it_removes");
  tail_bytes_ -= bytes;
  tail_.erase(above - 1);
}

const Message* MessageLog::next_after(Sequence position) const noexcept {
  const std::size_t next = first_above(tail_, position);
  return next == tail_.size() ? nullptr : tail_[next].message.get();
}

void MessageLog::trim(Sequence needed_above, const TailLimits& limits) {
  while (may_drop()) {
    const bool is_within = tail_.size() <= limits.messages && tail_bytes_ <= limits.bytes;
    if (is_within && tail_.front().sequence > needed_above) return;
    drop_oldest();
  }
}

void MessageLog::drop_up_to(Sequence up_to) {
  while (may_drop() && tail_.front().sequence <= up_to) drop_oldest();
}

void MessageLog::drop_oldest() {
  const Entry& oldest = tail_.front();
  HOLDFAST_ASSERT(oldest.sequence > floor_, "log.drops_in_order");
  floor_ = oldest.sequence;
  HOLDFAST_ASSERT(is_safe(floor_), "log.floor_within_stored_or_settled");
  const std::uint32_t bytes = bytes_of(*oldest.message);
  HOLDFAST_ASSERT(bytes <= tail_bytes_, "log.counts_tail_bytes");
  tail_bytes_ -= bytes;
  tail_.pop_front();
}

SequenceRange MessageLog::hand_over(Sequence up_to) {
  HOLDFAST_ASSERT(up_to > handed_, "log.hands_over_in_order");
  const SequenceRange range{.above = handed_, .up_to = up_to};
  handed_ = up_to;
  HOLDFAST_ASSERT(stored_ < handed_, "log.hands_over_what_is_not_stored");
  return range;
}

void MessageLog::committed(Sequence up_to) {
  HOLDFAST_ASSERT(up_to <= handed_, "log.stored_within_handed");
  stored_ = std::max(stored_, up_to);
}

void MessageLog::settle(Sequence up_to) {
  HOLDFAST_ASSERT(up_to > settled_, "log.settled_rises");
  settled_ = up_to;
  HOLDFAST_ASSERT(deleted_ < settled_, "log.deleted_within_settled");
}

std::optional<SequenceRange> MessageLog::to_erase() const noexcept {
  if (std::min(settled_, handed_) <= std::max(deleted_, erasing_)) return std::nullopt;
  return SequenceRange{.above = deleted_, .up_to = settled_};
}

void MessageLog::begin_erase(const SequenceRange& range) {
  HOLDFAST_ASSERT(range.above == deleted_ && range.up_to == settled_, "log.erases_what_is_settled");
  HOLDFAST_ASSERT(erasing_ < range.up_to, "log.erases_once");
  erasing_ = range.up_to;
}

void MessageLog::erased(Sequence up_to) {
  HOLDFAST_ASSERT(erasing_ >= up_to, "log.erase_is_answered_once");
  erasing_ = 0;
  deleted_ = std::max(deleted_, up_to);
  HOLDFAST_ASSERT(deleted_ <= settled_, "log.deletes_what_is_settled");
}

void MessageLog::erase_failed(Sequence up_to) {
  HOLDFAST_ASSERT(erasing_ >= up_to, "log.failed_erase_is_answered_once");
  erasing_ = 0;
  erase_waits_ = true;
}

}  // namespace holdfast::delivery
