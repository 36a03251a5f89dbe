// Deletes rows that are settled, and moves others to the dead letters.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <holdfast/base/assert.hpp>

#include "mailbox.hpp"

namespace holdfast::delivery {
namespace {

/// Between attempts to make dead letters of what page reads passed over.
constexpr Milliseconds kMoveAgain{5'000};

}  // namespace

void Mailbox::erase_settled() {
  const bool is_closing = shard_.phase == Phase::closing;
  if ((log_.is_erasing() && !is_closing) || log_.erase_waits()) return;
  if (rows_.messages == 0 && !runs_.is_inserting()) return log_.skip_erase();
  const auto range = log_.to_erase();
  if (!range) return;
  const bool is_another = log_.is_erasing();
  log_.begin_erase(*range);
  if (passed_over() != nullptr) return erase_around_passed_over(*range, is_another);
  if (is_another) {
    // The end of a process waits for no delete that is under way: there may be no time for another.
    // Nobody counts rows any more.
    shard_.store.erase(user_, range->above, range->up_to, [](const Result<PendingTotals>&) {});
    return;
  }
  shard_.store.erase(
      user_, range->above, range->up_to,
      [pass = enter(), up_to = range->up_to](const Result<PendingTotals>& removed) mutable {
        pass.leave().on_erased(
            up_to, {.removed = removed.value_or(PendingTotals()), .is_whole = removed.has_value()});
      });
}

// Rows that were passed over were sent to nobody, and are no dead letters yet: they stay.
void Mailbox::erase_around_passed_over(const SequenceRange& range, bool is_another) {
  Completion<Erased> done = [](const Erased&) {};
  if (!is_another) {
    done = [pass = enter(), up_to = range.up_to](const Erased& erased) mutable {
      pass.leave().on_erased(up_to, erased);
    };
  }
  struct Parts {
    std::size_t open = 0;
    Erased erased;
    Completion<Erased> done;
  };
  const PassedOver& kept = passed_over()->ranges;
  const std::vector<SequenceRange> rest = kept.rest_of(range);
  if (rest.empty()) return done({});
  const auto parts = std::make_shared<Parts>();
  parts->open = rest.size();
  parts->done = std::move(done);
  for (const SequenceRange& part : rest) {
    HOLDFAST_ASSERT(!kept.contains(part.up_to), "erase.keeps_what_was_passed_over");
    shard_.store.erase(user_, part.above, part.up_to, [parts](const Result<PendingTotals>& one) {
      parts->erased.is_whole = parts->erased.is_whole && one.has_value();
      parts->erased.removed += one.value_or(PendingTotals());
      if (--parts->open == 0) parts->done(parts->erased);
    });
  }
}

void Mailbox::on_erased(Sequence up_to, const Erased& erased) {
  const ShardContext::Turn turn(shard_);
  shard_.add_rows(rows_, -erased.removed.messages, -erased.removed.bytes);
  if (erased.is_whole) {
    log_.erased(up_to);
    if (PassedOverRows* const rows = passed_over()) rows->ranges.join_up_to(up_to);
  } else {
    log_.erase_failed(up_to);
    retry_later();
  }
  shard_.changed(*this);
}

// ---- what page reads passed over

PassedOverRows* Mailbox::passed_over() noexcept {
  if (shard_.passed_over.empty()) return nullptr;
  const auto found = shard_.passed_over.find(user_);
  return found == shard_.passed_over.end() ? nullptr : &found->second;
}

bool Mailbox::was_passed_over(Sequence sequence) noexcept {
  const PassedOverRows* const rows = passed_over();
  return rows != nullptr && rows->ranges.contains(sequence);
}

void Mailbox::pass_over(const Page& page) {
  if (page.passed_over.empty()) return;
  const auto [place, is_new] = shard_.passed_over.try_emplace(user_);
  if (is_new) place->second.due = shard_.steady_now() + kMoveAgain;
  for (const SequenceRange& range : page.passed_over) place->second.ranges.add(range);
}

// No page read need wait for this: what it brings of these rows is not sent. So it may take as long
// as the store has no room for dead letters.
void Mailbox::move_passed_over() {
  PassedOverRows* const rows = passed_over();
  if (rows == nullptr || rows->is_moving || rows->due > shard_.steady_now()) return;
  const SequenceRange range = rows->ranges.first();
  rows->is_moving = true;
  shard_.store.move_to_dead_letters(user_, range.above, range.up_to, "expired", shard_.wall_now(),
                                    [pass = enter(), range](const Result<Moved>& moved) mutable {
                                      pass.leave().on_passed_over_moved(range, moved);
                                    });
}

void Mailbox::on_passed_over_moved(const SequenceRange& range, const Result<Moved>& moved) {
  const ShardContext::Turn turn(shard_);
  PassedOverRows* const rows = passed_over();
  HOLDFAST_ASSERT(rows != nullptr && rows->is_moving, "passed.is_moved_once");
  rows->is_moving = false;
  rows->due = shard_.steady_now() + (moved ? Milliseconds(0) : kMoveAgain);
  if (moved) {
    shard_.add_rows(rows_, -moved->messages, -moved->bytes);
    shard_.events.expired(user_, *moved);
    // It moves some at a time, until none is left.
    if (moved->messages == 0) rows->ranges.remove(range);
    if (rows->ranges.is_empty()) shard_.passed_over.erase(user_);
  }
  shard_.changed(*this);
}

// ---- purges

bool Mailbox::deletes_handed() const noexcept {
  return (rows_.messages == 0 && !runs_.is_inserting()) || !log_.to_erase();
}

void Mailbox::hand_deletes() {
  log_.retry_erase();
  erase_settled();
}

void Mailbox::purge(const SequenceRange& range, const DeathCause& cause, OnPurged done) {
  row_access_.begin_purge();
  shard_.store.move_to_dead_letters(user_, range.above, range.up_to, cause, shard_.wall_now(),
                                    on_purged(std::move(done)));
}

Completion<Result<Moved>> Mailbox::on_purged(OnPurged done) {
  return [pass = enter(), done = std::move(done)](const Result<Moved>& moved) mutable {
    Mailbox& mailbox = pass.leave();
    const ShardContext::Turn turn(mailbox.shard_);
    mailbox.row_access_.end_purge();
    if (moved) mailbox.shard_.add_rows(mailbox.rows_, -moved->messages, -moved->bytes);
    done(moved);
    mailbox.shard_.changed(mailbox);
  };
}

bool Mailbox::expire(Task done) {
  if (!cursors_.empty() || !row_access_.can_purge() || !shard_.may_expire()) return false;
  trim();
  if (log_.floor() <= log_.settled()) return false;
  row_access_.begin_purge();
  ++shard_.judging;
  shard_.store.expire(user_, log_.settled(), log_.floor(), shard_.wall_now(),
                      on_purged([this, done = std::move(done)](const Result<Moved>& moved) mutable {
                        shard_.end_judging();
                        if (moved) shard_.events.expired(user_, *moved);
                        done();
                      }));
  return true;
}

bool Mailbox::move_to_dead_letters(Sequence up_to, const std::string& reason,
                                   std::move_only_function<void(bool)> done) {
  if (!cursors_.empty() || !row_access_.can_purge()) return false;
  trim();
  // Messages above are on their way to the store.
  if (log_.floor() < up_to) return false;
  purge({.above = log_.settled(), .up_to = up_to}, reason,
        [this, reason, done = std::move(done)](const Result<Moved>& moved) mutable {
          if (moved) shard_.events.access_ended(user_, *moved, reason);
          done(moved && moved->messages == 0);
        });
  return true;
}

Sequence Mailbox::furthest_position() const noexcept {
  Sequence furthest = 0;
  for (const Cursor* const cursor : cursors_) furthest = std::max(furthest, cursor->position());
  return furthest;
}

bool Mailbox::deletion_under_way() const noexcept {
  return !shard_.deletions.empty() && shard_.deletions.contains(this);
}

PendingDeletion* Mailbox::deletion() noexcept {
  if (shard_.deletions.empty()) return nullptr;
  const auto found = shard_.deletions.find(this);
  return found == shard_.deletions.end() ? nullptr : &found->second;
}

void Mailbox::delete_pending(Sequence above, Sequence up_to, DeathCause cause,
                             Completion<Result<Deletion>> done) {
  if (deletion() != nullptr) {
    return done(fail(Errc::conflict, "Messages of this user are being deleted already"));
  }
  PendingDeletion& begun = shard_.deletions[this];
  begun.above = above;
  begun.up_to = up_to;
  begun.cause = std::move(cause);
  begun.done = std::move(done);
  shard_.changed(*this);
}

// Nobody was sent what is above every position, and nobody will be before the store has answered:
// it leaves the tail first, and no page is read meanwhile.
void Mailbox::continue_deletion() {
  const PendingDeletion* const current = deletion();
  if (current == nullptr || !row_access_.can_purge()) return;
  const Message* const next = log_.next_after(current->above);
  const bool comes = next != nullptr && !log_.is_safe(next->sequence);
  if (current->undeliverable && comes && furthest_position() < current->up_to) return;
  if (shard_.phase != Phase::open) {
    return end_deletion(fail(Errc::unavailable, "The service is shutting down"));
  }
  log_.drop_up_to(current->up_to);
  const Sequence above = std::max({current->above, log_.settled(), furthest_position()});
  const Sequence up_to = std::min(current->up_to, log_.floor());
  if (above >= up_to) return end_deletion({});
  purge({.above = above, .up_to = up_to}, current->cause,
        [this](const Result<Moved>& moved) { on_deleted(moved); });
}

void Mailbox::on_deleted(const Result<Moved>& moved) {
  if (!moved) {
    end_deletion(std::unexpected(moved.error()));
  } else if (moved->messages == 0) {
    end_deletion({});
  } else {
    deletion()->undeliverable ? shard_.events.undeliverable(user_, *moved)
                              : shard_.events.deleted(user_, *moved);
    PendingTotals& sum = deletion()->moved;
    sum.messages += moved->messages;
    sum.bytes += moved->bytes;
  }
}

void Mailbox::end_deletion(Result<void> result) {
  PendingDeletion ended = std::move(shard_.deletions.extract(this).mapped());
  if (!result) return ended.done(std::unexpected(std::move(result.error())));
  const bool one = ended.above + 1 == ended.up_to;
  if (!one || ended.moved.messages > 0) {
    return ended.done(Deletion{.moved = ended.moved, .left = pending()});
  }
  if (ended.up_to <= log_.settled()) {
    ended.done(fail(Errc::not_found, "The message was acknowledged meanwhile"));
  } else if (ended.up_to <= furthest_position() || ended.up_to > log_.floor()) {
    ended.done(fail(Errc::conflict, "The message is under delivery"));
  } else {
    ended.done(fail(Errc::not_found, "No such message is pending"));
  }
}

}  // namespace holdfast::delivery
