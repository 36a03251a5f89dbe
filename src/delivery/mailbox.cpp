// Accepts one user's messages, walks over the cursors of the connections, and has the one order of
// what follows from a change.

#include "mailbox.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <holdfast/base/assert.hpp>

namespace holdfast::delivery {

using Event = SendMessage::Event;
using State = SendMessage::State;

Mailbox::Mailbox(ShardContext& shard, const UserId& user, PendingTotals rows)
    : shard_(shard), user_(user), log_(shard.counter.last()), rows_(rows) {}

Mailbox::~Mailbox() {
  // The next mailbox of this user begins before these rows, and reads them again.
  if (!shard_.passed_over.empty()) shard_.passed_over.erase(user_);
}

// ---- accepting

Result<void> Mailbox::has_room(std::size_t payload_bytes) const {
  const Limits& limits = shard_.limits;
  const auto in_flight = static_cast<std::size_t>(runs_.reserved().messages);
  if (in_flight >= std::max<std::size_t>(1, shard_.store.capacity() / 8)) {
    shard_.count_refusal(Bound::store_slots);
    return fail(Errc::limit_exceeded, "Too many messages of this user are in flight");
  }
  const auto bytes = static_cast<std::size_t>(runs_.reserved().bytes);
  if (bytes > 0 && bytes + payload_bytes > shard_.store.capacity_bytes() / 8) {
    shard_.count_refusal(Bound::store_bytes);
    return fail(Errc::limit_exceeded, "Too many bytes of this user are in flight");
  }
  const PendingTotals now = pending();
  if (now.messages >= limits.pending_messages ||
      now.bytes + static_cast<std::int64_t>(payload_bytes) > limits.pending_bytes) {
    shard_.count_refusal(Bound::pending_bytes);
    return fail(Errc::limit_exceeded, "Too many messages are pending for this user");
  }
  return {};
}

Result<void> Mailbox::accept(Acceptance& acceptance) {
  const auto sequence = shard_.counter.next(shard_.wall_now());
  shard_.extend_ceiling();
  if (!sequence) return fail(Errc::unavailable, "No sequence number may be given out yet");

  auto message = std::make_shared<Message>();
  message->user = user_;
  message->id = acceptance.id;
  message->sequence = *sequence;
  message->accepted_at = shard_.wall_now();
  message->expires_at = shard_.wall_now() + acceptance.lifetime;
  message->payload = std::move(acceptance.request.payload);
  log_.append(message);

  auto run = std::make_unique<Run>(*this, acceptance.remembered || acceptance.redrive);
  run->message = std::move(message);
  run->caller = std::move(acceptance.request.caller);
  run->reservation = std::move(acceptance.reservation);
  run->remembered = std::move(acceptance.remembered);
  run->redrive = acceptance.redrive;
  run->done = std::move(acceptance.done);
  shard_.events.accepted(*run);
  ++shard_.runs;
  drive(runs_.add(std::move(run)), Event::accepted);
  return {};
}

void Mailbox::dispatch() {
  // At once, since it must know what was sent.
  if (std::exchange(has_unsent_, false)) pump();
  for (Run* run = runs_.last(); run != nullptr;) {
    Run* const before = RunList::previous(*run);
    const State state = run->machine.state();
    // Those that were accepted together stand at the end.
    if (state != State::sending && (state != State::storing || run->handed)) break;
    if (state == State::sending) drive(*run, sent_how(run->sequence()));
    run = before;
  }
  store_now();
}

SendMessage::Event Mailbox::sent_how(Sequence sequence) const noexcept {
  bool sent = false;
  for (const Cursor* const cursor : cursors_) {
    if (!cursor->is_unacked(sequence)) continue;
    if (!cursor->slow()) return Event::sent;
    sent = true;
  }
  return sent ? Event::sent_slowly : Event::not_sent;
}

void Mailbox::retry_later() { shard_.retry_later(*this); }

void Mailbox::retry() {
  runs_.each([&](Run& run) {
    if (std::exchange(run.record_again, false)) drive(run, Event::record_failed);
  });
  row_access_.retry();
  log_.retry_erase();
  judge_last_chance();
  shard_.changed(*this);
}

// ---- at the end of a turn

// The order matters: what is handed to the store or refused may leave the tail, what has left it
// may be moved by a purge, and a purge under way stops page reads, which the walk asks for.
void Mailbox::after_change() {
  if (std::exchange(has_lost_cursor_, false)) store_unacked_by_none();
  reject_unacked_by_none();
  trim();
  erase_settled();
  continue_deletion();
  pump();
}

// ---- connections

void Mailbox::attach(Cursor& cursor) {
  cursors_.push_back(&cursor);
  shard_.events.attached(cursor);
  std::size_t staying = 0;
  Cursor* oldest = nullptr;
  Cursor* oldest_closing = nullptr;
  for (Cursor* const other : cursors_) {
    const bool stays = other->stays();
    staying += stays ? 1 : 0;
    if (stays && oldest == nullptr) oldest = other;
    if (!stays && oldest_closing == nullptr) oldest_closing = other;
  }
  // Those on their way out are bounded too: whoever connects in a loop does not get to wait.
  if (oldest_closing != nullptr &&
      cursors_.size() - staying >= shard_.limits.connections_per_user) {
    oldest_closing->connection().abort();
    detach(*oldest_closing, {.by = ConnectionEnd::By::gateway});
  }
  if (staying <= shard_.limits.connections_per_user) return;
  shard_.events.displaced(*oldest, cursor, shard_.limits.connections_per_user);
  close_after_fence(*oldest, CloseReason::too_many_connections, "too many connections");
}

void Mailbox::close_after_fence(Cursor& cursor, CloseReason reason, std::string_view text) {
  const bool was_newest = newest_open() == &cursor;
  shard_.close_after_fence(cursor, reason, text);
  if (was_newest) promote_newest();
  shard_.changed(*this);
}

// Policy latest: the next newest goes on where the user is, and never back.
void Mailbox::promote_newest() {
  if (shard_.limits.policy != Policy::latest) return;
  if (Cursor* const next = newest_open()) next->move_to(log_.settled());
}

void Mailbox::start_delivery(Cursor& cursor) {
  if (cursor.state != Cursor::State::attached) return;
  cursor.begin_at(log_.settled());
  cursor.connection().start(cursor);
  cursor.greet();
  if (!shard_.failed_attempts.empty()) {
    const FailedAttempts* const attempts = shard_.failed_attempts.find(user_);
    if (attempts != nullptr && attempts->count > 0) {
      cursor.take_care(needs_care(*attempts) ? attempts->last : 0);
    }
  }
  shard_.changed(*this);
}

// One that begins now has missed nothing that is not acknowledged: its position goes on from there,
// and "a connection has received everything since the `settled` that it began at" stays true.
void Mailbox::on_delivers(Cursor& cursor) {
  if (cursor.delivers()) cursor.move_to(log_.settled());
  promote_newest();
  shard_.changed(*this);
}

void Mailbox::detach(Cursor& cursor, const ConnectionEnd& end) {
  const bool was_newest = newest_open() == &cursor;
  shard_.longest_taken.raise(user_, cursor.longest_taken());
  count_attempt(cursor, end);
  advance(cursor, SendUnsentMessages::Event::closed);
  shard_.forget_flush(cursor);
  shard_.cancel_close(cursor);
  std::erase(cursors_, &cursor);
  shard_.events.detached(cursor, end);
  cursor.detach();
  judge_last_chance();
  has_lost_cursor_ = true;
  if (was_newest) promote_newest();
  shard_.changed(*this);
}

void Mailbox::acknowledge(Cursor& cursor, Sequence sequence) {
  if (shard_.events.is_heard()) tell_acknowledged(cursor, sequence);
  if (runs_.has_failed()) acknowledge_failed(cursor, sequence);
  const Sequence newest = cursor.settle(sequence, log_.settled());
  if (newest == 0) return;
  HOLDFAST_ASSERT(newest <= sequence, "cursor.settles_what_is_acknowledged");
  if (newest > log_.settled()) {
    shard_.events.settled(user_, log_.settled(), newest, cursor);
    log_.settle(newest);
    if (!shard_.failed_attempts.empty()) shard_.failed_attempts.settle(user_, newest);
    judge_last_chance();
  }
  runs_.each_up_to(log_.settled(), [&](Run& run) {
    if (run.machine.state() != State::failed) drive(run, Event::acknowledged);
  });
  shard_.changed(*this);
}

Cursor* Mailbox::newest_open() const noexcept {
  for (std::size_t i = cursors_.size(); i-- > 0;) {
    const Cursor& cursor = *cursors_[i];
    if (cursor.state == Cursor::State::open && cursor.delivers()) return cursors_[i];
  }
  return nullptr;
}

bool Mailbox::receives(const Cursor& cursor) const noexcept {
  if (cursor.state != Cursor::State::open || !cursor.delivers()) return false;
  if (const LastChance* const chance = last_chance()) {
    if (!has_it_last(cursor, *chance)) return false;
  }
  return shard_.limits.policy == Policy::all || newest_open() == &cursor;
}

bool Mailbox::is_unacked(Sequence sequence) const noexcept {
  return std::ranges::any_of(cursors_, [&](const Cursor* c) { return c->is_unacked(sequence); });
}

bool Mailbox::can_send_at_once() const noexcept {
  return std::ranges::any_of(cursors_, [&](const Cursor* c) {
    return receives(*c) && c->position() >= log_.floor() && c->has_credit();
  });
}

// ---- the log

void Mailbox::pump() {
  if (!shard_.sends()) return;
  // The one that read a page last comes last, so that nobody's catching up starves another's.
  const std::size_t first = row_access_.first_of(cursors_.size());
  for (std::size_t i = 0; i < cursors_.size(); ++i) {
    Cursor& cursor = *cursors_[(first + i) % cursors_.size()];
    if (receives(cursor)) walk(cursor);
  }
}

void Mailbox::walk(Cursor& cursor) {
  while (true) {
    cursor.move_to(std::min(log_.settled(), log_.floor()));
    if (cursor.position() < log_.floor()) {
      catch_up(cursor);
      return;
    }
    advance(cursor, SendUnsentMessages::Event::reached_tail);
    const Message* const next = log_.next_after(cursor.position());
    if (next == nullptr || !cursor.has_credit()) return;
    cursor.send(*next, Cursor::Source::tail);
  }
}

void Mailbox::trim() {
  if (!log_.may_drop()) return;
  Sequence needed_above = std::numeric_limits<Sequence>::max();
  for (const Cursor* const cursor : cursors_) {
    if (receives(*cursor)) needed_above = std::min(needed_above, cursor->position());
  }
  const Limits& limits = shard_.limits;
  log_.trim(needed_above, {.messages = limits.tail_messages, .bytes = limits.tail_bytes});
}

PendingTotals Mailbox::pending() const noexcept {
  PendingTotals totals = rows_;
  totals += runs_.reserved();
  return totals;
}

bool Mailbox::idle() {
  trim();
  return cursors_.empty() && runs_.is_empty() && log_.is_tail_empty() && gate_.is_empty() &&
         !deletion_under_way() && !in_retry_list && deletes_handed();
}

}  // namespace holdfast::delivery
