// Drives the runs of a mailbox: hands messages to the store, and answers producers.

#include <utility>

#include <holdfast/base/assert.hpp>

#include "mailbox.hpp"

namespace holdfast::delivery {

using Event = SendMessage::Event;
using State = SendMessage::State;

namespace {

std::unexpected<Error> refused() {
  return fail(Errc::unavailable, "The message could not be stored");
}

}  // namespace

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

// Hands over what no open connection has any more, with all before it.
void Mailbox::store_unacked_by_none() {
  Run* const newest = runs_.newest_above(log_.handed(), [&](const Run& run) {
    return run.machine.state() == State::awaiting_ack && !is_unacked(run.sequence());
  });
  if (newest != nullptr) drive(*newest, Event::connection_lost);
  store_now();
}

// While an open connection has been sent it, a message whose commit failed may yet be acknowledged.
void Mailbox::reject_unacked_by_none() {
  if (!runs_.has_failed()) return;
  runs_.each([&](Run& run) {
    const bool waits = shard_.phase < Phase::storing && is_unacked(run.sequence());
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

// Tells what is acknowledged for the first time. One whose commit failed is not in the log, so
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
    if (run.machine.state() == State::failed && cursor.is_unacked(run.sequence())) {
      drive(run, Event::acknowledged);
    }
  });
}

bool Mailbox::is_sending(const MessageId& id) const noexcept {
  for (const Run* run = runs_.first(); run != nullptr; run = RunList::next(*run)) {
    if (run->message->id == id) return true;
  }
  return false;
}

}  // namespace holdfast::delivery
