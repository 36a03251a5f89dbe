// A shard's turns, flushes, retries and scheduled closes.

#include "shard_context.hpp"

#include <algorithm>

#include <holdfast/base/log.hpp>

#include "cursor.hpp"
#include "mailbox.hpp"

namespace holdfast::delivery {
namespace {

/// Between attempts at what the store could not do: a full disk is not asked in a tight loop.
constexpr Milliseconds kRetryDelay{250};
/// Where users' longest frames are remembered, for each one whose attempts are counted.
constexpr std::size_t kPlacesPerUser = 4;

}  // namespace

ShardContext::ShardContext(MailboxesOptions& options, const Clock& clock, Executor& executor,
                           MessageStore& messages)
    : limits(options.limits),
      store(messages),
      refusals(options.refusals),
      counter(options.counter_start, options.ceiling, options.limits.ceiling_ahead),
      deduplication(options.limits.deduplication_keys, options.limits.deduplication_window,
                    options.refusals),
      executions(options.limits.executions),
      failed_attempts(options.limits.poison_users),
      longest_taken(std::max<std::size_t>(1, kPlacesPerUser * options.limits.poison_users)),
      events(std::move(options.listeners), executions, metrics, wall_now_),
      clock_(clock),
      executor_(executor),
      wall_now_(clock.wall_now()),
      steady_now_(clock.steady_now()),
      boot_now_(clock.boot_now()),
      clock_agreement_(wall_now_, boot_now_, steady_now_, options.known_time),
      // A start by the time that is known goes on from what was accepted before. By another one,
      // only what is accepted from now on is.
      acceptance_times_(clock_agreement_.proven() ? 0 : options.counter_start,
                        ClockOffset(wall_now_, boot_now_)) {}

void ShardContext::begin_turn() {
  if (depth_++ > 0) return;
  wall_now_ = clock_.wall_now();
  steady_now_ = clock_.steady_now();
  boot_now_ = clock_.boot_now();
  const bool agreed = clock_agreement_.agree();
  const ClockOffset offset(wall_now_, boot_now_);
  acceptance_times_.observe(offset, counter.last());
  clock_agreement_.observe(wall_now_, boot_now_, steady_now_);
  if (agreed || !clock_agreement_.agree()) return;
  for (const AcceptedWrong& wrong : acceptance_times_.settle(offset, counter.last())) {
    accepted_wrong.push_back(wrong);
  }
}

void ShardContext::end_turn() {
  HOLDFAST_ASSERT(depth_ > 0, "turn.ends_once");
  if (depth_ > 1) {
    --depth_;
    return;
  }
  // Still inside the turn: whoever is answered may call again, and is then part of it.
  while (!answers_.empty() || !touched_.empty()) {
    for (std::size_t i = 0; i < touched_.size(); ++i) {
      Mailbox& mailbox = *touched_[i];
      if (mailbox.in_turn != InTurn::changed) continue;
      mailbox.in_turn = InTurn::perhaps_idle;
      mailbox.after_change();
    }
    answering_.swap(answers_);
    for (auto& [done, outcome] : answering_) done(std::move(outcome));
    answering_.clear();
    leaving_turn_.swap(touched_);
    for (Mailbox* const mailbox : leaving_turn_) {
      // A caller that was answered may have changed it again.
      const InTurn left = std::exchange(mailbox->in_turn, InTurn::untouched);
      left == InTurn::changed ? changed(*mailbox) : destroy_if_idle(mailbox);
    }
    leaving_turn_.clear();
  }
  depth_ = 0;
  if (dirty_.empty() || flush_posted_) return;
  flush_posted_ = true;
  executor_.post([this] {
    const Turn turn(*this);
    flush_posted_ = false;
    flush_now();
  });
}

void ShardContext::flush_later(Cursor& cursor) {
  if (std::exchange(cursor.dirty, true)) return;
  dirty_.push_back(&cursor);
}

void ShardContext::flush_now() {
  // A flush writes, and never calls back.
  for (Cursor* const cursor : dirty_) {
    cursor->dirty = false;
    cursor->flush();
  }
  dirty_.clear();
  encoder.reset();
}

void ShardContext::forget_flush(Cursor& cursor) {
  if (std::exchange(cursor.dirty, false)) std::erase(dirty_, &cursor);
}

void ShardContext::changed(Mailbox& mailbox) {
  may_be_idle(mailbox);
  mailbox.in_turn = InTurn::changed;
}

void ShardContext::may_be_idle(Mailbox& mailbox) {
  if (mailbox.in_turn != InTurn::untouched) return;
  mailbox.in_turn = InTurn::perhaps_idle;
  touched_.push_back(&mailbox);
}

void ShardContext::retry_later(Mailbox& mailbox) {
  if (std::exchange(mailbox.in_retry_list, true)) return;
  retries_.push_back({steady_now_ + kRetryDelay, &mailbox});
}

std::vector<Mailbox*> ShardContext::due_retries() {
  std::vector<Mailbox*> due;
  for (; !retries_.empty() && retries_.front().due <= steady_now_; retries_.pop_front()) {
    retries_.front().mailbox->in_retry_list = false;
    due.push_back(retries_.front().mailbox);
  }
  return due;
}

void ShardContext::close_after_fence(Cursor& cursor, CloseReason reason, std::string_view text) {
  if (cursor.state == Cursor::State::attached) {
    // Only a connection that was started tells when it is gone.
    cursor.connection().start(cursor);
    cursor.state = Cursor::State::closing;
    cursor.connection().close(reason, text);
    return;
  }
  if (cursor.state != Cursor::State::open) return;
  cursor.state = Cursor::State::close_pending;
  pending_closes_.push_back({&cursor, reason, std::string(text), steady_now_ + limits.close_wait});
  if (cursor.quiet()) send_close(cursor);
}

void ShardContext::send_close(Cursor& cursor) {
  const auto found = std::ranges::find(pending_closes_, &cursor, &PendingClose::cursor);
  if (found == pending_closes_.end()) return;
  const PendingClose pending = std::move(*found);
  pending_closes_.erase(found);
  cursor.state = Cursor::State::closing;
  cursor.connection().close(pending.reason, pending.text);
}

void ShardContext::cancel_close(Cursor& cursor) {
  std::erase_if(pending_closes_,
                [&](const PendingClose& close) { return close.cursor == &cursor; });
}

std::vector<Cursor*> ShardContext::due_closes() const {
  std::vector<Cursor*> due;
  for (const PendingClose& close : pending_closes_) {
    if (close.deadline <= steady_now_) due.push_back(close.cursor);
  }
  return due;
}

void ShardContext::extend_ceiling() {
  const auto ceiling = counter.extension(wall_now_);
  if (!ceiling) return;
  store.extend_ceiling(*ceiling, [this, ceiling = *ceiling](const Result<void>& committed) {
    counter.extended(committed.has_value(), ceiling);
    if (!committed) log::warn("sequence_ceiling_not_extended");
  });
}

void ShardContext::add_rows(PendingTotals& totals, std::int64_t messages,
                            std::int64_t bytes) noexcept {
  totals.messages += messages;
  totals.bytes += bytes;
  metrics.pending_messages.add(messages);
  metrics.pending_bytes.add(bytes);
}

}  // namespace holdfast::delivery
