#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <holdfast/base/assert.hpp>
#include <holdfast/delivery/message.hpp>

#include "ring.hpp"

namespace holdfast::delivery {

/// Limits what a tail may keep of what the store has, too.
struct TailLimits {
  std::size_t messages = 0;
  std::size_t bytes = 0;
};

/// One user's log of pending messages in order of sequence: its newest part, the tail, which is in
/// memory, and how far the rest has come. Pure: it knows no store, no clock and no connection, and
/// says what is to be handed over and deleted.
class MessageLog {
 public:
  /// Begins a log: at or below `begin` all is the store's alone.
  explicit MessageLog(Sequence begin) noexcept : floor_(begin), handed_(begin), stored_(begin) {}

  // ---- the tail
  void append(MessagePtr message);
  /// Takes out a message whose commit failed.
  void remove(Sequence sequence);
  /// The first behind this position; nullptr when there is none in the tail.
  [[nodiscard]] const Message* next_after(Sequence position) const noexcept;
  /// Returns whether the oldest of the tail may leave it.
  [[nodiscard]] bool may_drop() const noexcept {
    return !tail_.empty() && is_safe(tail_.front().sequence);
  }
  /// Drops from the old end what may leave and is at or below `needed_above` or beyond the limits.
  void trim(Sequence needed_above, const TailLimits& limits);
  /// Drops what may leave, up to here: then only the store has it.
  void drop_up_to(Sequence up_to);
  [[nodiscard]] bool is_tail_empty() const noexcept { return tail_.empty(); }
  [[nodiscard]] std::size_t tail_size() const noexcept { return tail_.size(); }
  [[nodiscard]] std::size_t tail_bytes() const noexcept { return tail_bytes_; }
  /// The highest that was appended, as far as that is known.
  [[nodiscard]] Sequence newest() const noexcept {
    return tail_.empty() ? floor_ : std::max(floor_, tail_.back().sequence);
  }
  /// The highest that has left the tail: at or below it, only the store has the message.
  [[nodiscard]] Sequence floor() const noexcept { return floor_; }

  // ---- towards the store
  /// Hands everything up to here over, which is not yet; answers what that is.
  SequenceRange hand_over(Sequence up_to);
  void committed(Sequence up_to);
  [[nodiscard]] Sequence handed() const noexcept { return handed_; }
  /// It is committed or acknowledged: the tail is not the only one to have it.
  [[nodiscard]] bool is_safe(Sequence sequence) const noexcept {
    return sequence <= std::max(stored_, settled_);
  }

  // ---- acknowledgements, and the deletes that follow
  /// A connection has acknowledged everything up to here.
  void settle(Sequence up_to);
  /// The highest that any connection has acknowledged.
  [[nodiscard]] Sequence settled() const noexcept { return settled_; }
  /// Returns what is settled, and the store may have and was not told to delete.
  [[nodiscard]] std::optional<SequenceRange> to_erase() const noexcept;
  /// The store is told to delete this, which `to_erase` answered.
  void begin_erase(const SequenceRange& range);
  [[nodiscard]] bool is_erasing() const noexcept { return erasing_ != 0; }
  void erased(Sequence up_to);
  /// None before `retry_erase`.
  void erase_failed(Sequence up_to);
  void retry_erase() noexcept { erase_waits_ = false; }
  [[nodiscard]] bool erase_waits() const noexcept { return erase_waits_; }
  /// The store has nothing of the user: there is nothing to delete.
  void skip_erase() noexcept { deleted_ = settled_; }

 private:
  struct Entry {
    Sequence sequence = 0;
    MessagePtr message;
  };

  void drop_oldest();

  Ring<Entry> tail_;
  std::uint32_t tail_bytes_ = 0;  ///< of payloads
  bool erase_waits_ = false;
  Sequence floor_;
  Sequence handed_;  ///< the highest that was handed to the store
  Sequence stored_;  ///< the highest that is committed
  Sequence settled_ = 0;
  Sequence deleted_ = 0;  ///< up to here the store is known to have nothing
  Sequence erasing_ = 0;  ///< up to here a delete is under way; 0: none is
};

}  // namespace holdfast::delivery
