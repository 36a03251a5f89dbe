// Messages at which connections end, and when one is given up.

#include <algorithm>
#include <bit>

#include "mailbox.hpp"

namespace holdfast::delivery {
namespace {

/// Messages of one user that are given up one after the other, with nothing acknowledged between
/// them: beyond it, it is the client that takes nothing, whatever it is sent.
constexpr std::uint32_t kGivenUpInARow = 8;
/// Connections that end at one message in a row, whatever ends them, until that is reported; and
/// then whenever they have doubled.
constexpr std::uint32_t kEndsReported = 10;

}  // namespace

// Two attempts show that nothing moves, and those that are left show which message it is.
bool Mailbox::needs_care(const FailedAttempts& attempts) const noexcept {
  return attempts.last_code() == ConnectionEnd::kTooBig ||
         attempts.count >= std::clamp<std::uint32_t>(shard_.limits.poison_attempts, 2, 3) - 1;
}

void Mailbox::count_attempt(const Cursor& cursor, const ConnectionEnd& end) {
  using By = ConnectionEnd::By;
  if (shard_.phase != Phase::open) return;
  if (cursor.state != Cursor::State::open || end.by == By::gateway) return;
  FailedAttemptTable& table = shard_.failed_attempts;
  if (const Sequence first = cursor.first_unacked(log_.settled()))
    report_waiting(cursor, first, end);
  if (shard_.limits.poison_attempts == 0) return;
  const FailedAttempts* const known = table.find(user_);
  const auto at = cursor.ended_at(end, log_.settled());
  // The first time, whatever ends at a message is suspicious. From then on the client is asked for
  // a sign of life in front of it: without one, the network was broken before. Whoever was there
  // already was not asked, and proves nothing.
  const bool again = known != nullptr && known->count > 0;
  if (!at || (again && !at->by_client && !at->heard)) {
    if (end.by == By::network && cursor.is_careful()) table.take_back(user_);
    return;
  }
  const FailedAttempts& attempts = table.add(user_, *at);
  if (!gives_up(cursor, attempts, *at)) return;
  const MessageId id = *cursor.id_of(at->first);
  if (cursors_.size() == 1) {
    give_up(at->first, id, attempts);
  } else if (last_chance() == nullptr) {
    give_last_chance(at->first, id);
  }
}

void Mailbox::report_waiting(const Cursor& cursor, Sequence first, const ConnectionEnd& end) {
  const std::uint32_t ends = shard_.failed_attempts.count_end(user_, first);
  if (ends % kEndsReported != 0 || !std::has_single_bit(ends / kEndsReported)) return;
  if (ends == kEndsReported) shard_.metrics.stuck.add();
  shard_.events.is_stuck(user_, *cursor.id_of(first), first, ends, end.code);
}

// It is this message and no other, and nobody who was there all the time may still take it.
bool Mailbox::gives_up(const Cursor& cursor, const FailedAttempts& attempts,
                       const EndedAt& end) const {
  if (deletion_under_way()) return false;
  const bool too_big = end.by_client && end.code == ConnectionEnd::kTooBig && end.longest &&
                       end.bytes > shard_.longest_taken.of(user_);
  if (too_big && cursors_.size() == 1) return true;
  if (attempts.count < shard_.limits.poison_attempts || !end.alone) return false;
  const auto others = [&](const Cursor* c) { return c != &cursor && may_take(*c, attempts); };
  if (std::ranges::any_of(cursors_, others)) return false;
  if (attempts.given_up < kGivenUpInARow) return true;
  if (attempts.count % shard_.limits.poison_attempts == 0) {
    shard_.events.client_takes_nothing(user_, attempts);
  }
  return false;
}

bool Mailbox::may_take(const Cursor& cursor, const FailedAttempts& attempts) const noexcept {
  return cursor.serial() < attempts.next_serial ||
         shard_.boot_now() - cursor.opened_at() >= shard_.limits.ack_timeout;
}

// Connections that fail one after the other, and overlap, would each be the other's excuse: those
// that come from now on wait until it is known what becomes of those that have the message.
void Mailbox::give_last_chance(Sequence sequence, const MessageId& id) {
  shard_.last_chances[this] = {.sequence = sequence,
                               .id = id,
                               .next_serial = shard_.next_serial,
                               .until = shard_.steady_now() + shard_.limits.ack_timeout};
  retry_later();
}

const LastChance* Mailbox::last_chance() const noexcept {
  if (shard_.last_chances.empty()) return nullptr;
  const auto found = shard_.last_chances.find(this);
  return found == shard_.last_chances.end() ? nullptr : &found->second;
}

bool Mailbox::has_it_last(const Cursor& cursor, const LastChance& chance) const noexcept {
  return cursor.serial() < chance.next_serial;
}

void Mailbox::judge_last_chance() {
  const LastChance* const chance = last_chance();
  if (chance == nullptr) return;
  const bool is_taken = log_.settled() >= chance->sequence;
  const bool goes_on =
      std::ranges::any_of(cursors_, [&](const Cursor* c) { return has_it_last(*c, *chance); });
  if (!is_taken && goes_on && shard_.steady_now() < chance->until) return retry_later();
  const LastChance over = *chance;
  shard_.last_chances.erase(this);
  if (is_taken || goes_on || deletion_under_way() || shard_.phase != Phase::open) return;
  const FailedAttempts* const attempts = shard_.failed_attempts.find(user_);
  // A connection that lost the network with it took an attempt back.
  if (attempts == nullptr || attempts->count < shard_.limits.poison_attempts) return;
  give_up(over.sequence, over.id, *attempts);
}

void Mailbox::give_up(Sequence sequence, const MessageId& id, const FailedAttempts& attempts) {
  PendingDeletion& begun = shard_.deletions[this];
  begun.above = sequence - 1;
  begun.up_to = sequence;
  begun.cause = {"undeliverable", "connections ended with " + attempts.ends()};
  begun.undeliverable = true;
  begun.done = [&shard = shard_, user = user_, id, sequence, count = attempts.count,
                ends = attempts.ends()](const Result<Deletion>& deleted) {
    if (!deleted || deleted->moved.messages == 0) return;  // somebody has taken it meanwhile
    shard.failed_attempts.give_up(user);
    shard.events.gave_up(user, id, sequence, deleted->moved.bytes, count, ends);
  };
}

}  // namespace holdfast::delivery
