#include <holdfast/delivery/mailboxes.hpp>

namespace holdfast::delivery {

Stats& Stats::operator+=(const Stats& other) noexcept {
  accepted += other.accepted;
  delivered += other.delivered;
  stored += other.stored;
  elided += other.elided;
  rejected += other.rejected;
  deduplicated += other.deduplicated;
  expired += other.expired;
  deleted += other.deleted;
  buried += other.buried;
  undeliverable += other.undeliverable;
  stuck += other.stuck;
  flushed += other.flushed;
  timeouts += other.timeouts;
  foreign_texts += other.foreign_texts;
  mailboxes += other.mailboxes;
  connections += other.connections;
  pending_messages += other.pending_messages;
  pending_bytes += other.pending_bytes;
  acknowledgement += other.acknowledgement;
  held_acknowledgement += other.held_acknowledgement;
  fence_round_trip += other.fence_round_trip;
  return *this;
}

}  // namespace holdfast::delivery
