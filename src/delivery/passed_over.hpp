#pragma once

#include <cstddef>
#include <vector>

#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

/// Remembers which of a user's rows page reads passed over: they must not be sent, and could not
/// become dead letters yet. No other row that may still be sent lies in such a range. Pure.
class PassedOver {
 public:
  /// Ranges that do not touch; no page is read beyond this many, until some have joined.
  static constexpr std::size_t kRangesMax = 64;

  /// Adds a range, and joins it with those that it touches.
  void add(SequenceRange range);
  /// Forgets a range: the store has nothing in it any more.
  void remove(const SequenceRange& range);
  /// Joins the ranges up to here: nothing else is left between them.
  void join_up_to(Sequence erased);

  [[nodiscard]] bool is_empty() const noexcept { return ranges_.empty(); }
  [[nodiscard]] bool is_full() const noexcept { return ranges_.size() >= kRangesMax; }
  /// Returns the oldest range; there must be one.
  [[nodiscard]] const SequenceRange& first() const;
  [[nodiscard]] bool contains(Sequence sequence) const noexcept;
  /// Returns the parts of `range` that were not passed over, in order.
  [[nodiscard]] std::vector<SequenceRange> rest_of(const SequenceRange& range) const;

 private:
  std::vector<SequenceRange> ranges_;  ///< rising, and apart from each other
};

}  // namespace holdfast::delivery
