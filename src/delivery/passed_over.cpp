// The rows that page reads passed over, as ranges of sequences.

#include "passed_over.hpp"

#include <algorithm>

#include <holdfast/base/assert.hpp>

namespace holdfast::delivery {

void PassedOver::add(SequenceRange range) {
  HOLDFAST_ASSERT(range.above < range.up_to, "passed.has_a_row");
  const auto begin = std::ranges::lower_bound(ranges_, range.above, {}, &SequenceRange::up_to);
  auto end = begin;
  for (; end != ranges_.end() && end->above <= range.up_to; ++end) {
    range.above = std::min(range.above, end->above);
    range.up_to = std::max(range.up_to, end->up_to);
  }
  ranges_.insert(ranges_.erase(begin, end), range);
}

void PassedOver::remove(const SequenceRange& range) { std::erase(ranges_, range); }

void PassedOver::join_up_to(Sequence erased) {
  const auto end = std::ranges::upper_bound(ranges_, erased, {}, &SequenceRange::up_to);
  if (end - ranges_.begin() < 2) return;
  const SequenceRange joined{.above = ranges_.front().above, .up_to = (end - 1)->up_to};
  ranges_.insert(ranges_.erase(ranges_.begin(), end), joined);
}

const SequenceRange& PassedOver::first() const {
  HOLDFAST_ASSERT(!is_empty(), "passed.has_a_first");
  return ranges_.front();
}

bool PassedOver::contains(Sequence sequence) const noexcept {
  const auto found = std::ranges::lower_bound(ranges_, sequence, {}, &SequenceRange::up_to);
  return found != ranges_.end() && found->above < sequence;
}

std::vector<SequenceRange> PassedOver::rest_of(const SequenceRange& range) const {
  std::vector<SequenceRange> out;
  Sequence from = range.above;
  for (const SequenceRange& passed : ranges_) {
    if (passed.above >= range.up_to) break;
    if (passed.above > from) out.push_back({.above = from, .up_to = passed.above});
    from = std::max(from, passed.up_to);
  }
  if (from < range.up_to) out.push_back({.above = from, .up_to = range.up_to});
  return out;
}

}  // namespace holdfast::delivery
