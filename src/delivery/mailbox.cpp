#include "mailbox.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include <holdfast/base/assert.hpp>

namespace holdfast::delivery {

using Event = SendMessage::Event;
using State = SendMessage::State;

namespace {

/// Messages of one user that are given up one after the other, with nothing acknowledged between
/// them: beyond it, it is the client that takes nothing, whatever it is sent.
constexpr std::uint32_t kGivenUpInARow = 8;
/// Connections that end at one message in a row, whatever ends them, until that is reported; and
/// then whenever they have doubled.
constexpr std::uint32_t kEndsReported = 10;

std::unexpected<Error> refused() {
  return fail(Errc::unavailable, "The message could not be stored");
}

}  // namespace

Mailbox::Mailbox(ShardContext& shard, const UserId& user, PendingTotals rows)
    : shard_(shard), user_(user), log_(shard.counter.last()), rows_(rows) {}

Mailbox::~Mailbox() = default;

// ---- accepting

Result<void> Mailbox::admits(std::size_t payload_bytes) const {
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
  message->payload = std::move(acceptance.payload);
  log_.append(message);

  auto run = std::make_unique<Run>(*this, acceptance.remembered || acceptance.redrive);
  run->message = std::move(message);
  run->caller = std::move(acceptance.caller);
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
    if (!cursor->holds(sequence)) continue;
    if (!cursor->slow()) return Event::sent;
    sent = true;
  }
  return sent ? Event::sent_slowly : Event::not_sent;
}

// ---- runs

void Mailbox::drive(Run& run, Event event) {
  const State before = run.machine.state();
  const SendMessage::Action action = run.machine.on(event);
  const State after = run.machine.state();
  if (before != after) {
    if (before == State::awaiting_ack) shard_.ack_waits.remove(run);
    if (before == State::failed) {
      shard_.last_ack_waits.remove(run);
      runs_.end_failed();
    }
    shard_.events.moved_on(run, before);
  }
  act(run, action);
}

void Mailbox::act(Run& run, SendMessage::Action action) {
  using Action = SendMessage::Action;
  switch (action) {
    case Action::none:
      return;
    case Action::send:
      has_unsent_ = true;
      break;
    case Action::look_up:
      drive(run, can_send_at_once() ? Event::connection_ready : Event::no_connection);
      break;
    case Action::await_ack:
      run.deadline = shard_.steady_now() + shard_.limits.ack_wait;
      shard_.ack_waits.push_back(run);
      break;
    case Action::store:
      runs_.store(run.sequence());
      break;
    case Action::record:
      record(run);
      break;
    case Action::await_last_ack:
      runs_.begin_failed();
      run.deadline = shard_.steady_now() + shard_.limits.ack_timeout;
      shard_.last_ack_waits.push_back(run);
      log_.remove(run.sequence());
      break;
    case Action::reject:
      // A client that was sent it may still acknowledge it: of that nobody hears any more.
      for (Cursor* const cursor : cursors_) cursor->mark_rejected(run.sequence());
      finish(run);
      break;
    case Action::answer_delivered:
    case Action::answer_stored:
      finish(run);
      break;
  }
}

// The store sees sequences in order: handing over one hands over all before it.
void Mailbox::store_now() {
  if (runs_.store_to() <= log_.handed()) return;
  const SequenceRange range = log_.hand_over(runs_.store_to());
  std::vector<Insert> inserts;
  PendingTotals handed;
  runs_.each_above(range.above, [&](Run& run) {
    if (run.sequence() > range.up_to) return;
    if (run.machine.state() == State::awaiting_ack) drive(run, Event::overtaken);
    if (run.machine.state() != State::storing || run.handed) return;
    run.handed = true;
    handed += Runs::size_of(run);
    inserts.push_back(make_insert(run));
  });
  runs_.begin_insert(handed);
  shard_.store.insert(std::move(inserts),
                      [pass = enter(), range, handed](const Result<void>& result) mutable {
                        pass.leave().on_inserted(range, handed, result.has_value());
                      });
}

Insert Mailbox::make_insert(Run& run) {
  Insert insert;
  insert.message = run.message;
  if (run.remembered) insert.record = make_record(run, DeliveryStatus::stored);
  insert.redrive = run.redrive;
  insert.reservation = std::move(run.reservation);
  return insert;
}

DeduplicationRecord Mailbox::make_record(Run& run, DeliveryStatus status) {
  Remembered& remembered = *run.remembered;
  remembered.committed_at = shard_.boot_now();
  DeduplicationRecord record;
  if (run.caller) record.caller = run.caller->id;
  record.user = user_;
  record.key = remembered.key;
  record.payload_hash = remembered.payload_hash;
  record.receipt = {run.message->id, run.sequence(), status};
  record.committed_at = shard_.wall_now();
  return record;
}

void Mailbox::on_inserted(const SequenceRange& range, PendingTotals handed, bool ok) {
  const ShardContext::Turn turn(shard_);
  runs_.end_insert(handed);
  if (ok) {
    shard_.add_rows(rows_, handed.messages, handed.bytes);
    log_.committed(range.up_to);
  }
  runs_.each_up_to(range.up_to, [&](Run& run) {
    if (run.sequence() > range.above) drive(run, ok ? Event::committed : Event::commit_failed);
  });
  shard_.changed(*this);
}

void Mailbox::record(Run& run) {
  std::optional<DeduplicationRecord> record;
  std::optional<MessageId> dead_letter;
  if (run.remembered) record = make_record(run, DeliveryStatus::delivered);
  if (run.redrive) dead_letter = run.message->id;
  shard_.store.record(std::move(record), dead_letter, std::move(run.reservation),
                      [pass = enter(), &run](const Result<void>& result) mutable {
                        pass.leave().on_recorded(run, result.has_value());
                      });
}

void Mailbox::on_recorded(Run& run, bool ok) {
  const ShardContext::Turn turn(shard_);
  if (ok) {
    drive(run, Event::recorded);
  } else {
    run.record_again = true;
    retry_later();
  }
}

void Mailbox::finish(Run& run) {
  const std::unique_ptr<Run> owned = runs_.take(run);
  SendOutcome outcome = outcome_of(run);
  if (run.remembered) {
    const BootTime at = outcome ? run.remembered->committed_at : shard_.boot_now();
    auto waiters = shard_.deduplication.end(run.remembered->table_key, outcome, at);
    for (auto& waiter : waiters) shard_.answer(std::move(waiter), outcome);
  }
  shard_.events.answered(run);
  HOLDFAST_ASSERT(shard_.runs > 0, "shard.counts_runs");
  --shard_.runs;
  shard_.answer(std::move(run.done), std::move(outcome));
  shard_.may_be_idle(*this);
}

SendOutcome Mailbox::outcome_of(const Run& run) {
  switch (run.machine.state()) {
    case State::delivered:
      return Receipt{run.message->id, run.sequence(), DeliveryStatus::delivered};
    case State::stored:
      return Receipt{run.message->id, run.sequence(), DeliveryStatus::stored};
    default:
      return refused();
  }
}

// What no open connection has any more is handed over, with all before it.
void Mailbox::store_unacked_by_none() {
  Run* const newest = runs_.newest_above(log_.handed(), [&](const Run& run) {
    return run.machine.state() == State::awaiting_ack && !held(run.sequence());
  });
  if (newest != nullptr) drive(*newest, Event::connection_lost);
  store_now();
}

// While an open connection has been sent it, a message whose commit failed may yet be acknowledged.
void Mailbox::reject_unacked_by_none() {
  if (!runs_.has_failed()) return;
  runs_.each([&](Run& run) {
    const bool waits = shard_.phase < Phase::storing && held(run.sequence());
    if (run.machine.state() == State::failed && !waits) drive(run, Event::connection_lost);
  });
}

void Mailbox::on_ack_wait_over() {
  Run* const newest = runs_.newest_above(log_.handed(), [&](const Run& run) {
    return run.machine.state() == State::awaiting_ack && run.deadline <= shard_.steady_now();
  });
  if (newest != nullptr) drive(*newest, Event::timed_out);
  store_now();
}

void Mailbox::on_last_ack_wait_over(Run& run) { drive(run, Event::timed_out); }

void Mailbox::store_everything() {
  runs_.each([&](Run& run) { drive(run, Event::timed_out); });
  store_now();
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
  Cursor* oldest_leaving = nullptr;
  for (Cursor* const other : cursors_) {
    const bool stays =
        other->state == Cursor::State::attached || other->state == Cursor::State::open;
    staying += stays ? 1 : 0;
    if (stays && oldest == nullptr) oldest = other;
    if (!stays && oldest_leaving == nullptr) oldest_leaving = other;
  }
  // Those on their way out are bounded too: whoever connects in a loop does not get to wait.
  if (oldest_leaving != nullptr &&
      cursors_.size() - staying >= shard_.limits.connections_per_user) {
    oldest_leaving->connection().abort();
    remove(*oldest_leaving, {.by = ConnectionEnd::By::gateway});
  }
  if (staying <= shard_.limits.connections_per_user) return;
  shard_.events.displaced(*oldest, cursor, shard_.limits.connections_per_user);
  leave(*oldest, CloseReason::too_many_connections, "too many connections");
}

void Mailbox::leave(Cursor& cursor, CloseReason reason, std::string_view text) {
  const bool was_newest = newest_open() == &cursor;
  shard_.leave(cursor, reason, text);
  if (was_newest) hand_on();
  shard_.changed(*this);
}

// Policy latest: the next newest goes on where the user is, and never back.
void Mailbox::hand_on() {
  if (shard_.limits.policy != Policy::latest) return;
  if (Cursor* const next = newest_open()) next->move_to(log_.settled());
}

void Mailbox::admit(Cursor& cursor) {
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
  hand_on();
  shard_.changed(*this);
}

void Mailbox::remove(Cursor& cursor, const ConnectionEnd& end) {
  const bool was_newest = newest_open() == &cursor;
  shard_.longest_taken.raise(user_, cursor.longest_taken());
  count_attempt(cursor, end);
  advance(cursor, SendUnsentMessages::Event::closed);
  shard_.forget_flush(cursor);
  shard_.forget_leaving(cursor);
  std::erase(cursors_, &cursor);
  shard_.events.detached(cursor, end);
  cursor.end();
  judge_last_chance();
  has_lost_cursor_ = true;
  if (was_newest) hand_on();
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

// What no connection has acknowledged before. One whose commit failed is no part of the log, so
// that what is settled says nothing of it.
void Mailbox::tell_acknowledged(const Cursor& cursor, Sequence sequence) {
  const Run* run = runs_.first();
  cursor.for_each_unacked(sequence, [&](const MessageId& id, Sequence sent) {
    while (run != nullptr && run->sequence() < sent) run = RunList::next(*run);
    const Run* const its_own = run != nullptr && run->sequence() == sent ? run : nullptr;
    const bool has_failed = its_own != nullptr && its_own->machine.state() == State::failed;
    if (sent > log_.settled() || has_failed) shard_.events.acknowledged(cursor, id, sent, its_own);
  });
}

// A message whose commit failed left the log: only a connection that was sent it vouches for it.
void Mailbox::acknowledge_failed(const Cursor& cursor, Sequence sequence) {
  runs_.each_up_to(sequence, [&](Run& run) {
    if (run.machine.state() == State::failed && cursor.holds(run.sequence())) {
      drive(run, Event::acknowledged);
    }
  });
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

bool Mailbox::held(Sequence sequence) const noexcept {
  return std::ranges::any_of(cursors_, [&](const Cursor* c) { return c->holds(sequence); });
}

bool Mailbox::can_send_at_once() const noexcept {
  return std::ranges::any_of(cursors_, [&](const Cursor* c) {
    return receives(*c) && c->position() >= log_.floor() && c->has_credit();
  });
}

// ---- the log

void Mailbox::pump() {
  if (!shard_.sends()) return;
  // Whoever read a page last comes last, so that nobody's catching up starves another's.
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
    cursor.send(*next, false);
  }
}

void Mailbox::catch_up(Cursor& cursor) {
  using Unsent = SendUnsentMessages;
  switch (cursor.unsent.state()) {
    case Unsent::State::caught_up:
      if (cursor.has_credit()) advance(cursor, Unsent::Event::fell_behind);
      break;
    case Unsent::State::reading_page:
      request_page(cursor);
      break;
    case Unsent::State::sending_page:
      advance(cursor,
              cursor.has_credit() ? Unsent::Event::page_sent : Unsent::Event::credit_used_up);
      break;
    case Unsent::State::awaiting_page_ack:
      if (cursor.has_credit()) advance(cursor, Unsent::Event::acknowledged);
      break;
    case Unsent::State::deleting:
    case Unsent::State::connection_closed:
      break;
  }
}

void Mailbox::advance(Cursor& cursor, SendUnsentMessages::Event event, const ArrivedPage* page) {
  using Action = SendUnsentMessages::Action;
  const Action action = cursor.unsent.on(event);
  if (action == Action::begin_and_read) shard_.events.begins_to_catch_up(cursor);
  shard_.events.moved_on(cursor);
  switch (action) {
    case Action::none:
      return;
    case Action::begin_and_read:
    case Action::read:
      request_page(cursor);
      break;
    case Action::read_later:
      read_later();
      break;
    case Action::send_page:
      send_page(cursor, *page);
      break;
    case Action::erase:
      erase_settled();
      advance(cursor, SendUnsentMessages::Event::deletes_handed);
      break;
    case Action::finish:
      shard_.events.caught_up(cursor);
      break;
  }
}

void Mailbox::read_later() {
  row_access_.wait_to_read();
  retry_later();
}

void Mailbox::request_page(Cursor& cursor) {
  // One page read at a time; and a sweep that may run late must not expire what a page brought.
  if (!row_access_.can_read()) return;
  PageQuery query;
  query.user = user_;
  query.above = cursor.position();
  query.up_to = log_.floor();
  query.messages = cursor.credit_messages();
  query.bytes = cursor.page_bytes();
  query.now = shard_.wall_now();
  if (shard_.may_expire()) {
    query.expire_above = furthest_position();
  }
  const bool judges = query.expire_above.has_value();
  if (judges) ++shard_.judging;
  row_access_.begin_read(
      static_cast<std::size_t>(std::ranges::find(cursors_, &cursor) - cursors_.begin()));
  shard_.store.read_page(std::move(query), [pass = enter(), judges, serial = cursor.serial(),
                                            mark = log_.floor()](Result<Page> result) mutable {
    Mailbox& mailbox = pass.leave();
    if (judges) mailbox.shard_.end_judging();
    mailbox.on_page(serial, mark, std::move(result));
  });
}

void Mailbox::on_page(std::uint64_t serial, Sequence mark, Result<Page> result) {
  const ShardContext::Turn turn(shard_);
  row_access_.end_read();
  const auto found =
      std::ranges::find_if(cursors_, [&](const Cursor* c) { return c->serial() == serial; });
  Cursor* const cursor = found == cursors_.end() ? nullptr : *found;
  if (!result) {
    if (cursor != nullptr) {
      advance(*cursor, SendUnsentMessages::Event::read_failed);
    } else {
      read_later();
    }
    shard_.changed(*this);
    return;
  }
  shard_.add_rows(rows_, -result->expired.messages, -result->expired.bytes);
  shard_.add_rows(rows_, -result->damaged.messages, -result->damaged.bytes);
  shard_.events.expired(user_, result->expired);
  shard_.events.damaged(user_, result->damaged);
  if (cursor != nullptr && shard_.sends() && receives(*cursor)) {
    const ArrivedPage arrived{.mark = mark, .page = *result};
    advance(*cursor, SendUnsentMessages::Event::page_arrived, &arrived);
  }
  shard_.changed(*this);
}

void Mailbox::send_page(Cursor& cursor, const ArrivedPage& arrived) {
  for (const MessagePtr& message : arrived.page.messages) {
    if (message->sequence <= std::max(cursor.position(), log_.settled())) {
      cursor.move_to(message->sequence);  // passed meanwhile
      continue;
    }
    if (!cursor.has_credit()) return;  // frames are longer than payloads: the rest is read again
    cursor.send(*message, true);
    shard_.events.sent_from_page(cursor, message->sequence);
  }
  if (arrived.page.end) cursor.move_to(arrived.mark);
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

void Mailbox::erase_settled() {
  const bool is_closing = shard_.phase == Phase::closing;
  if ((log_.is_erasing() && !is_closing) || log_.erase_waits()) return;
  if (rows_.messages == 0 && !runs_.is_inserting()) return log_.skip_erase();
  const auto range = log_.to_erase();
  if (!range) return;
  const bool is_another = log_.is_erasing();
  log_.begin_erase(*range);
  if (is_another) {
    // The end of a process waits for no delete that is under way: there may be no time for another.
    // Nobody counts rows any more.
    shard_.store.erase(user_, range->above, range->up_to, [](const Result<PendingTotals>&) {});
    return;
  }
  shard_.store.erase(
      user_, range->above, range->up_to,
      [pass = enter(), up_to = range->up_to](const Result<PendingTotals>& removed) mutable {
        pass.leave().on_erased(up_to, removed);
      });
}

void Mailbox::on_erased(Sequence up_to, const Result<PendingTotals>& removed) {
  const ShardContext::Turn turn(shard_);
  if (removed) {
    log_.erased(up_to);
    shard_.add_rows(rows_, -removed->messages, -removed->bytes);
  } else {
    log_.erase_failed(up_to);
    retry_later();
  }
  shard_.changed(*this);
}

// ---- purges

void Mailbox::purge(const SequenceRange& range, const DeathCause& cause, OnPurged done) {
  row_access_.begin_purge();
  shard_.store.bury(user_, range.above, range.up_to, cause, shard_.wall_now(),
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
  // What is above is on its way to the store.
  if (log_.floor() < up_to) return false;
  purge({.above = log_.settled(), .up_to = up_to}, reason,
        [this, reason, done = std::move(done)](const Result<Moved>& moved) mutable {
          if (moved) shard_.events.access_ended(user_, *moved, reason);
          done(moved && moved->messages == 0);
        });
  return true;
}

// ---- what cannot be taken

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
  if (ends == kEndsReported) ++shard_.stats.stuck;
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
  // Whoever lost the network with it took an attempt back.
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

// ---- deleting what is pending

bool Mailbox::is_sending(const MessageId& id) const noexcept {
  for (const Run* run = runs_.first(); run != nullptr; run = RunList::next(*run)) {
    if (run->message->id == id) return true;
  }
  return false;
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

PendingTotals Mailbox::pending() const noexcept {
  PendingTotals totals = rows_;
  totals += runs_.reserved();
  return totals;
}

bool Mailbox::deletes_handed() const noexcept {
  return (rows_.messages == 0 && !runs_.is_inserting()) || !log_.to_erase();
}

void Mailbox::hand_deletes() {
  log_.retry_erase();
  erase_settled();
}

bool Mailbox::idle() {
  trim();
  return cursors_.empty() && runs_.is_empty() && log_.is_tail_empty() && gate_.is_empty() &&
         !deletion_under_way() && !in_retry_list && deletes_handed();
}

}  // namespace holdfast::delivery
