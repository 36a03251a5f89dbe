// A shard's work beside its messages: waits that are over, sweeps, and the shutdown.

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/log.hpp>

#include "shard_mailboxes.hpp"

namespace holdfast::delivery {
namespace {

/// Every connection is looked at this often, or eight times in `ack_timeout` if that is shorter.
constexpr Milliseconds kSweepPass{1'000};
constexpr Seconds kExpireEvery{5};
constexpr std::size_t kExpirePage = 512;
constexpr std::int64_t kExpiringRows = 512;
constexpr Seconds kForgetEvery{60};
constexpr std::size_t kForgottenPerTick = 4'000;
/// Half of what a start goes without a doubt.
constexpr Seconds kRememberEvery = ClockAgreement::kUnseen / 2;
constexpr std::size_t kPurgesPerTick = 64;
constexpr std::size_t kPassedOverPerTick = 16;
constexpr std::int64_t kPurgingRows = 512;
constexpr Milliseconds kPurgeAgain{50};

}  // namespace

void ShardMailboxes::tick() {
  const ShardContext::Turn turn(shard_);
  ended_cursors_.clear();
  run_timers();
  sweep_connections();
  watch_clocks();
  correct_lifetimes();
  if (shard_.phase == Phase::open) {
    remember_time();
    sweep_expired();
    sweep_passed_over();
    sweep_deduplication();
    sweep_purges();
  } else {
    advance_shutdown();
  }
}

void ShardMailboxes::run_timers() {
  const SteadyTime now = shard_.steady_now();
  while (!shard_.ack_waits.empty() && shard_.ack_waits.first()->deadline <= now) {
    shard_.ack_waits.first()->mailbox.on_ack_wait_over();
  }
  while (!shard_.last_ack_waits.empty() && shard_.last_ack_waits.first()->deadline <= now) {
    Run& run = *shard_.last_ack_waits.first();
    run.mailbox.on_last_ack_wait_over(run);
  }
  for (Cursor* const cursor : shard_.due_closes()) shard_.send_close(*cursor);
  for (Mailbox* const mailbox : shard_.due_retries()) mailbox->retry();
}

void ShardMailboxes::sweep_connections() {
  const SteadyTime now = shard_.steady_now();
  const Microseconds pass = std::min<Microseconds>(kSweepPass, shard_.limits.ack_timeout / 8);
  const auto elapsed = std::min<Microseconds>(now - std::exchange(swept_at_, now), pass);
  if (cursors_.empty() || elapsed.count() <= 0) return;
  const std::size_t share = cursors_.size() * static_cast<std::size_t>(elapsed.count()) /
                                static_cast<std::size_t>(std::max<std::int64_t>(1, pass.count())) +
                            1;
  for (std::size_t i = 0; i < std::min(share, cursors_.size()); ++i) {
    if (sweep_at_ >= cursors_.size()) sweep_at_ = 0;
    Cursor& cursor = *cursors_[sweep_at_++];
    if (is_old(cursor)) {
      cursor.mailbox().close_after_fence(cursor, CloseReason::too_old, "connected for long enough");
      continue;
    }
    if (!cursor.sweep()) continue;
    shard_.events.timed_out(cursor);
    cursor.connection().abort();
    cursor.mailbox().detach(cursor,
                            {.by = ConnectionEnd::By::network, .code = ConnectionEnd::kSilent});
  }
}

// Each at a moment of its own in the last tenth of the bound: connections that were opened
// together, as after a restart, do not come back together. By the clock that runs on while the
// machine is suspended. A bound that is new is at first counted from then on, as far as that tenth.
bool ShardMailboxes::is_old(const Cursor& cursor) const {
  const Seconds bound = shard_.limits.connection_age;
  if (bound.count() == 0 || cursor.state != Cursor::State::open) return false;
  constexpr std::uint64_t steps = 1024;
  const auto step = static_cast<std::int64_t>((cursor.serial() * 0x9e3779b97f4a7c15U) >> 54);
  const Microseconds tenth = Microseconds(bound) / 10;
  const Microseconds early = tenth * step / static_cast<std::int64_t>(steps);
  const BootTime now = shard_.boot_now();
  return now >= cursor.opened_at() + bound - early && now >= age_bounded_at_ + tenth - early;
}

void ShardMailboxes::watch_clocks() {
  const ClockAgreement& agreement = shard_.clock_agreement();
  const bool agree = agreement.agree();
  if (std::exchange(clocks_agreed_, agree) == agree) return;
  if (agree) remember_at_ = shard_.steady_now();
  const bool rebased = std::exchange(clocks_rebased_, agreement.rebased()) != agreement.rebased();
  if (shard_index_ != 0) return;  // one shard speaks for all
  if (!agree && !agreement.proven() && !agreement.stepped()) {
    log::info("clock_unproven",
              {{"effect", "nothing expires until the time has held for ten minutes"}});
  } else if (!agree) {
    log::warn("clocks_disagree",
              {{"effect", "nothing expires until the old time is back or the new one has held"}});
  } else if (rebased) {
    log::warn("clocks_rebased",
              {{"shift_seconds", std::chrono::floor<Seconds>(agreement.rebased_by()).count()},
               {"effect", "the new time has held, and is taken for the right one"}});
  } else {
    log::info("clocks_agree_again");
  }
}

void ShardMailboxes::remember_time() {
  if (shard_index_ != 0 || !shard_.clocks_agree() || shard_.steady_now() < remember_at_) return;
  remember_at_ = shard_.steady_now() + kRememberEvery;
  shard_.store.remember_time(shard_.wall_now(), [](const Result<void>& remembered) {
    if (!remembered) log::warn("time_not_remembered");
  });
}

// A message accepted by a wrong time that awaits an acknowledgement is not in the store yet, and
// goes there with that time: the correction comes behind it. And it comes behind what judges
// lifetimes by a time that was believed before.
void ShardMailboxes::correct_lifetimes() {
  if (shard_.accepted_wrong.empty() || correcting_) return;
  if (shard_.judging > 0) return;
  const AcceptedWrong& wrong = shard_.accepted_wrong.front();
  if (!shard_.ack_waits.empty() && shard_.ack_waits.first()->sequence() <= wrong.up_to) return;
  correcting_ = true;
  LifetimeMove move;
  move.shard = shard_index_;
  move.shards = shards_;
  move.above = wrong.above;
  move.up_to = wrong.up_to;
  move.by = wrong.by;
  shard_.store.move_lifetimes(move, [this](const Result<void>& moved) {
    const ShardContext::Turn turn(shard_);
    correcting_ = false;
    if (!moved) return;
    shard_.accepted_wrong.erase(shard_.accepted_wrong.begin());
  });
}

// A page of users at a time; those with a connection expire theirs by page reads.
void ShardMailboxes::sweep_expired() {
  if (!shard_.may_expire()) return;
  expire_due();
  if (finding_expired_ || !due_.empty() || shard_.steady_now() < expire_at_) return;
  finding_expired_ = true;
  ExpiryQuery query;
  query.now = shard_.wall_now();
  query.after = expired_after_;
  query.shard = shard_index_;
  query.shards = shards_;
  query.limit = kExpirePage;
  shard_.store.find_expired(std::move(query),
                            [this](Result<ExpiryPage> page) { on_expired_found(std::move(page)); });
}

void ShardMailboxes::on_expired_found(Result<ExpiryPage> page) {
  const ShardContext::Turn turn(shard_);
  finding_expired_ = false;
  expired_after_ = page ? std::move(page->next) : std::nullopt;
  if (!expired_after_) expire_at_ = shard_.steady_now() + kExpireEvery;
  if (page) due_ = {page->users.begin(), page->users.end()};
  if (shard_.phase == Phase::open) expire_due();
}

// A user who connects during the own sweep waits for its end: so few rows are swept at a time that
// this is soon.
void ShardMailboxes::expire_due() {
  while (!due_.empty() && shard_.may_expire()) {
    const UserId user = due_.front();
    // A user of another home has nothing by this shard's count.
    if (!mailboxes_.contains(user) && !totals_.contains(user)) {
      due_.pop_front();
      continue;
    }
    const std::int64_t rows = pending(user).messages;
    if (expiring_rows_ > 0 && expiring_rows_ + rows > kExpiringRows) return;
    due_.pop_front();
    Mailbox& mailbox = mailbox_of(user);
    const bool begun = mailbox.expire([this, rows] {
      expiring_rows_ -= rows;
      if (shard_.phase == Phase::open) expire_due();
    });
    if (begun) expiring_rows_ += rows;
    shard_.may_be_idle(mailbox);
  }
}

// Some users at each tick, each in turn.
void ShardMailboxes::sweep_passed_over() {
  const auto& all = shard_.passed_over;
  for (std::size_t i = std::min(all.size(), kPassedOverPerTick); i > 0; --i) {
    auto next = all.upper_bound(passed_over_at_);
    if (next == all.end()) next = all.begin();
    passed_over_at_ = next->first;
    mailboxes_.at(passed_over_at_)->move_passed_over();
  }
}

void ShardMailboxes::sweep_deduplication() {
  const Seconds window = shard_.limits.deduplication_window;
  if (!shard_.clock_agreement().stepped()) {
    shard_.deduplication.forget_before(shard_.boot_now() - window, kForgottenPerTick);
  }
  if (shard_.steady_now() < forget_at_ || !shard_.clocks_agree()) return;
  forget_at_ = shard_.steady_now() + kForgetEvery;
  if (shard_index_ != 0) return;  // one shard speaks for all
  shard_.store.forget_deduplication(shard_.wall_now() - window, [](const Result<void>& forgotten) {
    if (!forgotten) log::warn("deduplication_not_forgotten");
  });
}

void ShardMailboxes::begin_purge(const UserId& user, Sequence up_to, std::string reason) {
  const auto [place, is_new] = queued_purges_.try_emplace(user);
  place->second.up_to = up_to;
  place->second.reason = std::move(reason);
  place->second.due = shard_.steady_now();
  if (is_new) purge_next_.push_back(user);
}

void ShardMailboxes::end_purge(const UserId& user, Sequence up_to) {
  shard_.store.end_purge(user, up_to, [](const Result<void>& ended) {
    // The next start finds nothing to do, and tries again.
    if (!ended) log::warn("purge_not_ended");
  });
}

// Some users at each tick, and few rows at a time, as in `expire_due`.
void ShardMailboxes::sweep_purges() {
  const SteadyTime now = shard_.steady_now();
  for (std::size_t i = std::min(purge_next_.size(), kPurgesPerTick); i > 0; --i) {
    const UserId user = std::move(purge_next_.front());
    purge_next_.pop_front();
    const auto found = queued_purges_.find(user);
    if (found == queued_purges_.end()) continue;
    if (!mailboxes_.contains(user) && !totals_.contains(user)) {
      end_purge(user, found->second.up_to);
      queued_purges_.erase(found);
      continue;
    }
    const std::int64_t rows = pending(user).messages;
    const bool has_room = purging_rows_ == 0 || purging_rows_ + rows <= kPurgingRows;
    if (found->second.due > now || !has_room || !purge_some(user, found->second, rows)) {
      purge_next_.push_back(user);
    }
  }
}

bool ShardMailboxes::purge_some(const UserId& user, QueuedPurge& purge, std::int64_t rows) {
  Mailbox& mailbox = mailbox_of(user);
  const Sequence up_to = purge.up_to;
  // A step that was too early, or fails, is tried again, but not at once.
  purge.due = shard_.steady_now() + kPurgeAgain;
  const bool begun =
      mailbox.move_to_dead_letters(up_to, purge.reason, [this, user, up_to, rows](bool none_left) {
        purging_rows_ -= rows;
        const auto found = queued_purges_.find(user);
        if (found == queued_purges_.end()) return;  // given up on meanwhile
        // Else there is more, or it was asked for anew.
        if (none_left && found->second.up_to == up_to) {
          end_purge(user, up_to);
          queued_purges_.erase(found);
        } else {
          purge_next_.push_back(user);
        }
      });
  if (begun) purging_rows_ += rows;
  shard_.may_be_idle(mailbox);
  return begun;
}

void ShardMailboxes::change_limits(const Limits& limits) {
  const ShardContext::Turn turn(shard_);
  HOLDFAST_ASSERT(shard_.limits.policy == limits.policy &&
                      shard_.limits.acknowledge == limits.acknowledge &&
                      shard_.limits.deduplication_keys == limits.deduplication_keys &&
                      shard_.limits.executions == limits.executions &&
                      shard_.limits.poison_users == limits.poison_users,
                  "shard.keeps_fixed_limits");
  if (shard_.limits.connection_age != limits.connection_age) age_bounded_at_ = shard_.boot_now();
  shard_.limits = limits;
}

// ---- shutdown

// Each gets a part of the window, in an order of chance, and a moment of chance in it: no part of
// the window is crowded, and none is left empty.
void ShardMailboxes::close_gradually(Microseconds window, Task done) {
  const ShardContext::Turn turn(shard_);
  shard_.phase = Phase::leaving;
  shutdown_done_ = std::move(done);
  const SteadyTime now = shard_.steady_now();
  shutdown_deadline_ = now + window + shard_.limits.close_wait;
  std::minstd_rand random(static_cast<std::uint32_t>(random_u64()));
  scheduled_closes_.clear();
  scheduled_closes_.reserve(cursors_.size());
  for (const auto& cursor : cursors_)
    scheduled_closes_.push_back({now, ConnectionId(std::string(cursor->id()))});
  std::ranges::shuffle(scheduled_closes_, random);
  const auto count = static_cast<std::int64_t>(scheduled_closes_.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = window.count() * (count - 1 - i) / count;
    const std::int64_t width = window.count() / count + 1;
    scheduled_closes_[static_cast<std::size_t>(i)].due =
        now + Microseconds(begin +
                           static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(width)));
  }
  advance_shutdown();
}

void ShardMailboxes::advance_leaving() {
  const SteadyTime now = shard_.steady_now();
  for (; !scheduled_closes_.empty() && scheduled_closes_.back().due <= now;
       scheduled_closes_.pop_back()) {
    Cursor* const cursor = find_cursor(scheduled_closes_.back().connection);
    if (cursor != nullptr) {
      cursor->mailbox().close_after_fence(*cursor, CloseReason::shutting_down, "going away");
    }
  }
  if (!cursors_.empty() && now < shutdown_deadline_) return;
  if (auto done = std::exchange(shutdown_done_, nullptr)) executor_.post(std::move(done));
}

void ShardMailboxes::drain(Task done) {
  const ShardContext::Turn turn(shard_);
  shard_.flush_now();  // what is written gets its fence; from here on nothing is written
  shard_.phase = Phase::draining;
  shutdown_done_ = std::move(done);
  shutdown_deadline_ = shard_.steady_now() + shard_.limits.close_wait;
  advance_shutdown();
}

void ShardMailboxes::close_connections(Task done) {
  const ShardContext::Turn turn(shard_);
  shard_.flush_now();
  shard_.phase = Phase::closing;
  shutdown_done_ = std::move(done);
  // Twice: for the peers' Closes, and for what the store is still to be told.
  shutdown_deadline_ = shard_.steady_now() + 2 * shard_.limits.close_wait;
  for (const auto& cursor : cursors_) close_for_shutdown(*cursor);
  for (const auto& [user, mailbox] : mailboxes_) mailbox->hand_deletes();
  advance_shutdown();
}

void ShardMailboxes::advance_shutdown() {
  if (shard_.phase == Phase::leaving) {
    advance_leaving();
  } else if (shard_.phase == Phase::closing) {
    advance_closing();
  } else {
    advance_drain();
  }
}

void ShardMailboxes::advance_drain() {
  const bool awaiting = !shard_.ack_waits.empty() || !shard_.last_ack_waits.empty();
  const bool over = shard_.steady_now() >= shutdown_deadline_;
  if (shard_.phase == Phase::draining && (!awaiting || over)) {
    shard_.phase = Phase::storing;
    for (const auto& [user, mailbox] : mailboxes_) mailbox->store_everything();
  }
  if (shard_.phase != Phase::storing || shard_.runs > 0 || !busy_letters_.empty()) return;
  if (auto done = std::exchange(shutdown_done_, nullptr)) executor_.post(std::move(done));
}

void ShardMailboxes::advance_closing() {
  const bool over = shard_.steady_now() >= shutdown_deadline_;
  if (over && !std::exchange(aborted_, true)) {
    for (const auto& cursor : cursors_) cursor->connection().abort();
  }
  if (!cursors_.empty()) return;
  const bool handed = std::ranges::all_of(
      mailboxes_, [](const auto& entry) { return entry.second->deletes_handed(); });
  if (!handed) {
    if (!over) return;
    for (const auto& [user, mailbox] : mailboxes_) mailbox->hand_deletes();
  }
  if (auto done = std::exchange(shutdown_done_, nullptr)) executor_.post(std::move(done));
}

}  // namespace holdfast::delivery
