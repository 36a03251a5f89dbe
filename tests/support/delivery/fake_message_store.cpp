// A store of messages in memory, with faults on request.

#include "support/delivery/fake_message_store.hpp"

#include <set>
#include <utility>

#include <holdfast/delivery/router.hpp>

namespace holdfast::test {

using delivery::DeadLetter;
using delivery::DeduplicationRecord;
using delivery::Insert;
using delivery::MessagePtr;
using delivery::Moved;
using delivery::Page;
using delivery::PageQuery;
using delivery::PendingTotals;
using delivery::Reservation;

namespace {

std::unexpected<Error> rolled_back() {
  return fail(Errc::unavailable, "the transaction was rolled back");
}

void add(PendingTotals& totals, const MessagePtr& message) {
  ++totals.messages;
  totals.bytes += static_cast<std::int64_t>(message->payload.size());
}

void add(Moved& moved, const MessagePtr& message) {
  moved.add({.id = message->id, .sequence = message->sequence},
            static_cast<std::int64_t>(message->payload.size()));
}

void remember(FakeDatabase::Tables& tables, const DeduplicationRecord& record) {
  tables.deduplication[{record.caller, record.user, record.key}] = record;
}

}  // namespace

std::optional<Reservation> FakeMessageStore::reserve(std::size_t payload_bytes) {
  if (refuse_reservations_) return std::nullopt;
  const bool fits = reserved_bytes_->fetch_add(payload_bytes) + payload_bytes <= bytes_;
  if (reserved_->fetch_add(1) >= slots_ || !fits) {
    --*reserved_;
    *reserved_bytes_ -= payload_bytes;
    return std::nullopt;
  }
  return Reservation([reserved = reserved_, bytes = reserved_bytes_, payload_bytes] {
    --*reserved;
    *bytes -= payload_bytes;
  });
}

void FakeMessageStore::insert(std::vector<Insert> inserts, Completion<Result<void>> done) {
  if (on_insert) {
    for (const Insert& insert : inserts) on_insert(*insert.message);
  }
  enqueue(
      Kind::insert,
      [this, inserts = std::move(inserts), done = std::move(done)](Tables* tables) mutable -> Task {
        const bool ok = tables != nullptr;
        for (const Insert& insert : inserts) {
          if (!ok) break;
          tables->messages[insert.message->user][insert.message->sequence] = insert.message;
          if (insert.record) remember(*tables, *insert.record);
          if (insert.redrive) tables->dead_letters.erase(insert.message->id);
        }
        return [this, ok, inserts = std::move(inserts), done = std::move(done)]() mutable {
          for (Insert& insert : inserts) {
            insert.reservation.reset();
            if (on_insert_result) on_insert_result(*insert.message, ok);
          }
          done(ok ? Result<void>() : rolled_back());
        };
      });
}

void FakeMessageStore::record(std::optional<DeduplicationRecord> record,
                              std::optional<MessageId> dead_letter, Reservation reservation,
                              Completion<Result<void>> done) {
  enqueue(Kind::record,
          [record = std::move(record), dead_letter, reservation = std::move(reservation),
           done = std::move(done)](Tables* tables) mutable -> Task {
            const bool ok = tables != nullptr;
            if (ok && record) remember(*tables, *record);
            if (ok && dead_letter) tables->dead_letters.erase(*dead_letter);
            return [ok, reservation = std::move(reservation), done = std::move(done)]() mutable {
              reservation.reset();
              done(ok ? Result<void>() : rolled_back());
            };
          });
}

void FakeMessageStore::erase(const UserId& user, Sequence above, Sequence up_to,
                             Completion<Result<PendingTotals>> done) {
  enqueue(Kind::erase,
          [user, above, up_to, done = std::move(done)](Tables* tables) mutable -> Task {
            Result<PendingTotals> result;
            if (tables == nullptr) {
              result = rolled_back();
            } else {
              auto& rows = tables->messages[user];
              const auto begin = rows.upper_bound(above);
              const auto end = rows.upper_bound(up_to);
              for (auto row = begin; row != end; ++row) add(*result, row->second);
              if (above < up_to) rows.erase(begin, end);
            }
            return [result, done = std::move(done)]() mutable { done(std::move(result)); };
          });
}

void FakeMessageStore::read_page(PageQuery query, Completion<Result<Page>> done) {
  ++open_reads_;
  last_read_ = query;
  enqueue(Kind::read,
          [this, query = std::move(query), done = std::move(done)](Tables* tables) mutable -> Task {
            if (tables == nullptr) {
              return [this, done = std::move(done)]() mutable {
                --open_reads_;
                done(rolled_back());
              };
            }
            Page page;
            if (query.expire_above && !refuse_dead_letters_) {
              page.expired =
                  expire_rows(*tables, query.user, std::max(query.above, *query.expire_above),
                              query.up_to, query.now);
            }
            auto& rows = tables->messages[query.user];
            std::size_t bytes = 0;
            for (auto row = rows.upper_bound(query.above);
                 row != rows.end() && row->first <= query.up_to; ++row) {
              if (query.expire_above && row->first > *query.expire_above &&
                  row->second->expires_at <= query.now) {
                page.pass_over(row->first);
                continue;
              }
              bytes += row->second->payload.size();
              if (!page.messages.empty() &&
                  (page.messages.size() >= query.messages || bytes > query.bytes)) {
                page.end = false;
                break;
              }
              page.messages.push_back(row->second);
            }
            return [this, page = std::move(page), done = std::move(done)]() mutable {
              --open_reads_;
              done(std::move(page));
            };
          });
}

void FakeMessageStore::expire(const UserId& user, Sequence above, Sequence up_to, WallTime now,
                              Completion<Result<Moved>> done) {
  enqueue(Kind::expire,
          [this, user, above, up_to, now, done = std::move(done)](Tables* tables) mutable -> Task {
            Result<Moved> result;
            if (tables == nullptr || refuse_dead_letters_) {
              result = rolled_back();
            } else {
              result = expire_rows(*tables, user, above, up_to, now);
            }
            return [result, done = std::move(done)]() mutable { done(std::move(result)); };
          });
}

void FakeMessageStore::move_to_dead_letters(const UserId& user, Sequence above, Sequence up_to,
                                            delivery::DeathCause cause, WallTime now,
                                            Completion<Result<Moved>> done) {
  enqueue(Kind::expire,
          [this, user, above, up_to, cause = std::move(cause), now,
           done = std::move(done)](Tables* tables) mutable -> Task {
            Result<Moved> result;
            if (tables == nullptr || refuse_dead_letters_) {
              result = rolled_back();
            } else {
              auto& rows = tables->messages[user];
              // As little as may be, so that whoever asks must ask again.
              const auto row = rows.upper_bound(above);
              if (row != rows.end() && row->first <= up_to) {
                add(*result, row->second);
                tables->dead_letters[row->second->id] = {row->second, cause.reason, now,
                                                         cause.detail};
                if (on_moved) on_moved(*row->second);
                rows.erase(row);
              }
            }
            return [result, done = std::move(done)]() mutable { done(std::move(result)); };
          });
}

void FakeMessageStore::find_expired(delivery::ExpiryQuery query,
                                    Completion<Result<delivery::ExpiryPage>> done) {
  enqueue(Kind::find_expired,
          [query = std::move(query), done = std::move(done)](Tables* tables) mutable -> Task {
            Result<delivery::ExpiryPage> result;
            if (tables == nullptr) {
              result = rolled_back();
            } else {
              std::set<std::pair<WallTime, UserId>> due;
              for (const auto& [user, rows] : tables->messages) {
                if (delivery::home_shard(user, query.shards) != query.shard) continue;
                WallTime first = WallTime::max();
                for (const auto& [sequence, message] : rows) {
                  first = std::min(first, message->expires_at);
                }
                if (first <= query.now) due.emplace(first, user);
              }
              auto next = query.after
                              ? due.upper_bound({query.after->next_expiry, query.after->user})
                              : due.begin();
              for (; next != due.end() && result->users.size() < query.limit; ++next) {
                result->users.push_back(next->second);
                result->next = {next->first, next->second};
              }
              if (next == due.end()) result->next.reset();
            }
            return [result = std::move(result), done = std::move(done)]() mutable {
              done(std::move(result));
            };
          });
}

void FakeMessageStore::end_purge(const UserId& user, Sequence up_to,
                                 Completion<Result<void>> done) {
  enqueue(Kind::other, [user, up_to, done = std::move(done)](Tables* tables) mutable -> Task {
    const bool ok = tables != nullptr;
    if (ok) {
      std::erase_if(tables->pending_purges, [&](const auto& entry) {
        return entry.first == user && entry.second.up_to <= up_to;
      });
    }
    return [ok, done = std::move(done)]() mutable { done(ok ? Result<void>() : rolled_back()); };
  });
}

void FakeMessageStore::move_lifetimes(delivery::LifetimeMove move, Completion<Result<void>> done) {
  enqueue(Kind::other, [move, done = std::move(done)](Tables* tables) mutable -> Task {
    const bool ok = tables != nullptr;
    if (ok) {
      for (auto& [user, rows] : tables->messages) {
        if (delivery::home_shard(user, move.shards) != move.shard) continue;
        for (auto& [sequence, message] : rows) {
          if (sequence <= move.above || sequence > move.up_to) continue;
          delivery::Message moved = *message;
          moved.accepted_at += move.by;
          moved.expires_at += move.by;
          message = std::make_shared<const delivery::Message>(std::move(moved));
        }
      }
    }
    return [ok, done = std::move(done)]() mutable { done(ok ? Result<void>() : rolled_back()); };
  });
}

void FakeMessageStore::remember_time(WallTime now, Completion<Result<void>> done) {
  enqueue(Kind::other, [now, done = std::move(done)](Tables* tables) mutable -> Task {
    const bool ok = tables != nullptr;
    if (ok) tables->known_time = now;
    return [ok, done = std::move(done)]() mutable { done(ok ? Result<void>() : rolled_back()); };
  });
}

void FakeMessageStore::extend_ceiling(Sequence ceiling, Completion<Result<void>> done) {
  enqueue(Kind::ceiling, [ceiling, done = std::move(done)](Tables* tables) mutable -> Task {
    const bool ok = tables != nullptr;
    if (ok) tables->ceiling = std::max(tables->ceiling, ceiling);
    return [ok, done = std::move(done)]() mutable { done(ok ? Result<void>() : rolled_back()); };
  });
}

void FakeMessageStore::forget_deduplication(WallTime before, Completion<Result<void>> done) {
  enqueue(Kind::forget, [before, done = std::move(done)](Tables* tables) mutable -> Task {
    const bool ok = tables != nullptr;
    if (ok) {
      std::erase_if(tables->deduplication,
                    [&](const auto& entry) { return entry.second.committed_at < before; });
    }
    return [ok, done = std::move(done)]() mutable { done(ok ? Result<void>() : rolled_back()); };
  });
}

void FakeMessageStore::list_pending(
    const UserId& after, std::size_t limit,
    Completion<Result<std::vector<std::pair<UserId, PendingTotals>>>> done) {
  enqueue(Kind::other, [after, limit, done = std::move(done)](Tables* tables) mutable -> Task {
    Result<std::vector<std::pair<UserId, PendingTotals>>> result;
    if (tables == nullptr) {
      result = rolled_back();
    } else {
      for (auto user = tables->messages.upper_bound(after);
           user != tables->messages.end() && result->size() < limit; ++user) {
        PendingTotals totals;
        for (const auto& [sequence, message] : user->second) add(totals, message);
        if (totals.messages > 0) result->emplace_back(user->first, totals);
      }
    }
    return
        [result = std::move(result), done = std::move(done)]() mutable { done(std::move(result)); };
  });
}

void FakeMessageStore::find_pending(const UserId& user, const MessageId& id,
                                    Completion<Result<std::optional<Sequence>>> done) {
  enqueue(Kind::other, [user, id, done = std::move(done)](Tables* tables) mutable -> Task {
    Result<std::optional<Sequence>> result;
    if (tables == nullptr) {
      result = rolled_back();
    } else {
      for (const auto& [sequence, message] : tables->messages[user]) {
        if (message->id == id) result = sequence;
      }
    }
    return [result, done = std::move(done)]() mutable { done(std::move(result)); };
  });
}

void FakeMessageStore::list_dead_letters(delivery::DeadLetterQuery query,
                                         Completion<Result<delivery::DeadLetterPage>> done) {
  enqueue(
      Kind::other,
      [query = std::move(query), done = std::move(done)](Tables* tables) mutable -> Task {
        Result<delivery::DeadLetterPage> result;
        if (tables == nullptr) {
          result = rolled_back();
        } else {
          for (const auto& [id, letter] : tables->dead_letters) {
            if (result->letters.size() == query.limit) break;
            if (query.after && id <= *query.after) continue;
            if (query.user && letter.message->user != *query.user) continue;
            if (query.reason && letter.reason != *query.reason) continue;
            const delivery::Message& message = *letter.message;
            result->letters.push_back({.id = id,
                                       .user = message.user,
                                       .sequence = message.sequence,
                                       .bytes = static_cast<std::int64_t>(message.payload.size()),
                                       .accepted_at = message.accepted_at,
                                       .expires_at = message.expires_at,
                                       .reason = letter.reason,
                                       .died_at = letter.died_at,
                                       .detail = letter.detail});
          }
          const bool full = result->letters.size() == query.limit && query.limit > 0;
          if (full) result->next = result->letters.back().id;
        }
        return [result = std::move(result), done = std::move(done)]() mutable {
          done(std::move(result));
        };
      });
}

void FakeMessageStore::find_dead_letter(const MessageId& id,
                                        Completion<Result<std::optional<DeadLetter>>> done) {
  enqueue(Kind::other, [id, done = std::move(done)](Tables* tables) mutable -> Task {
    Result<std::optional<DeadLetter>> result;
    if (tables == nullptr) {
      result = rolled_back();
    } else if (const auto found = tables->dead_letters.find(id);
               found != tables->dead_letters.end()) {
      result = found->second;
    }
    return
        [result = std::move(result), done = std::move(done)]() mutable { done(std::move(result)); };
  });
}

void FakeMessageStore::delete_dead_letters(std::vector<MessageId> ids,
                                           Completion<Result<std::vector<MessageId>>> done) {
  enqueue(Kind::other,
          [ids = std::move(ids), done = std::move(done)](Tables* tables) mutable -> Task {
            Result<std::vector<MessageId>> result;
            if (tables == nullptr) {
              result = rolled_back();
            } else {
              for (const MessageId& id : ids) {
                if (tables->dead_letters.erase(id) > 0) result->push_back(id);
              }
            }
            return [result = std::move(result), done = std::move(done)]() mutable {
              done(std::move(result));
            };
          });
}

void FakeMessageStore::set_mode(Mode mode) {
  mode_ = mode;
  if (mode == Mode::manual) return;
  commit();
  retry();
  if (take()) commit();
}

bool FakeMessageStore::take(bool late_reads) {
  if (!batch_.empty()) return false;
  std::deque<Operation> late;
  for (Operation& operation : std::exchange(queue_, {})) {
    auto& target = late_reads && operation.kind == Kind::read ? late : batch_;
    target.push_back(std::move(operation));
  }
  queue_ = std::move(late);
  return !batch_.empty();
}

bool FakeMessageStore::take_reads() {
  if (!batch_.empty()) return false;
  std::deque<Operation> writes;
  for (Operation& operation : std::exchange(queue_, {})) {
    const bool is_read = operation.kind == Kind::read || operation.kind == Kind::find_expired;
    (is_read ? batch_ : writes).push_back(std::move(operation));
  }
  queue_ = std::move(writes);
  return !batch_.empty();
}

bool FakeMessageStore::commit() {
  if (batch_.empty()) return false;
  std::vector<Task> completions;
  {
    const std::lock_guard lock(database_->mutex);
    for (const Operation& operation : batch_) {
      if (operation.kind == Kind::insert || operation.kind == Kind::record) {
        database_->remember();
        break;
      }
    }
    for (Operation& operation : batch_) {
      completions.push_back(operation.finish(&database_->tables));
    }
  }
  batch_.clear();
  for (Task& completion : completions) executor_.post(std::move(completion));
  return true;
}

bool FakeMessageStore::fail(bool give_up_erases, bool give_up_reads) {
  if (batch_.empty()) return false;
  for (Operation& operation : std::exchange(batch_, {})) {
    const bool again = (operation.kind == Kind::read && !give_up_reads) ||
                       (operation.kind == Kind::erase && !give_up_erases);
    if (again) {
      again_.push_back(std::move(operation));
    } else {
      executor_.post(operation.finish(nullptr));
    }
  }
  return true;
}

bool FakeMessageStore::retry(bool behind) {
  if (again_.empty()) return false;
  auto& first = behind ? queue_ : again_;
  auto& second = behind ? again_ : queue_;
  for (Operation& operation : second) first.push_back(std::move(operation));
  auto merged = std::move(first);
  again_.clear();
  queue_ = std::move(merged);
  return true;
}

bool FakeMessageStore::commit_unanswered(bool durable) {
  if (batch_.empty()) return false;
  const std::lock_guard lock(database_->mutex);
  for (Operation& operation : std::exchange(batch_, {})) {
    // The completions go nowhere: whoever awaits them ends with the process.
    if (durable) (void)operation.finish(&database_->tables);
  }
  return true;
}

void FakeMessageStore::enqueue(Kind kind, std::move_only_function<Task(Tables*)> finish) {
  ++calls_[kind];
  queue_.push_back({kind, std::move(finish)});
  if (mode_ == Mode::manual) return;
  take();
  if (kind == Kind::erase && fail_erases_) {
    fail(true);
  } else if (fail_transactions_) {
    fail();
  } else {
    commit();
  }
}

Moved FakeMessageStore::expire_rows(Tables& tables, const UserId& user, Sequence above,
                                    Sequence up_to, WallTime now) {
  Moved moved;
  auto& rows = tables.messages[user];
  for (auto row = rows.upper_bound(above); row != rows.end() && row->first <= up_to;) {
    if (row->second->expires_at > now) {
      ++row;
      continue;
    }
    if (on_expired) on_expired(*row->second);
    add(moved, row->second);
    tables.dead_letters[row->second->id] = {row->second, "expired", now};
    row = rows.erase(row);
  }
  return moved;
}

}  // namespace holdfast::test
