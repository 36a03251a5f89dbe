// Accepts messages on a shard, and keeps its connections.

#include "shard_mailboxes.hpp"

#include <algorithm>
#include <limits>

#include <holdfast/base/assert.hpp>

namespace holdfast::delivery {
namespace {

std::unexpected<Error> shutting_down() {
  return fail(Errc::unavailable, "The service is shutting down");
}

/// The entries of one batch that still have no outcome.
struct Batch {
  explicit Batch(std::size_t size) : open(size) {
    outcomes.reserve(size);
    for (std::size_t i = 0; i < size; ++i) outcomes.emplace_back(shutting_down());
  }

  void set(std::size_t index, SendOutcome outcome) {
    HOLDFAST_ASSERT(open > 0, "batch.answers_each_once");
    outcomes[index] = std::move(outcome);
    if (--open == 0) done(std::move(outcomes));
  }

  std::size_t open;
  std::vector<SendOutcome> outcomes;
  Completion<std::vector<SendOutcome>> done;
};

constexpr std::string_view kExpired = "expired";

std::unexpected<Error> refuse_key(BoundScope scope) {
  constexpr const char* kWhere = "deduplicationId";
  if (scope == BoundScope::share) {
    return fail(Errc::limit_exceeded,
                "Too many deduplication ids of this access key are remembered", kWhere);
  }
  return fail(Errc::unavailable, "Too many deduplication ids are remembered", kWhere);
}

void give_back(SenderQuota& caller, std::size_t payload_bytes) noexcept {
  caller.in_flight.fetch_sub(1, std::memory_order_relaxed);
  caller.in_flight_bytes.fetch_sub(payload_bytes, std::memory_order_relaxed);
}

bool is_transient(const Error& error) noexcept {
  return error.code == Errc::unavailable || error.code == Errc::limit_exceeded;
}

}  // namespace

std::unique_ptr<Mailboxes> make_mailboxes(MailboxesOptions options, const Clock& clock,
                                          Executor& executor, MessageStore& messages,
                                          ConnectionStore& connections) {
  return std::make_unique<ShardMailboxes>(std::move(options), clock, executor, messages,
                                          connections);
}

ShardMailboxes::ShardMailboxes(MailboxesOptions options, const Clock& clock, Executor& executor,
                               MessageStore& messages, ConnectionStore& connections)
    : shard_(options, clock, executor, messages),
      executor_(executor),
      connection_store_(connections),
      shard_index_(options.shard),
      shards_(options.shards),
      message_id_secret_(std::move(options.message_id_secret)),
      swept_at_(shard_.steady_now()),
      age_bounded_at_(shard_.boot_now()),
      expire_at_(shard_.steady_now()),
      forget_at_(shard_.steady_now()),
      remember_at_(shard_.steady_now()) {
  for (auto& [user, totals] : options.pending) {
    PendingTotals counted;
    shard_.add_rows(counted, totals.messages, totals.bytes);
    totals_.emplace(std::move(user), counted);
  }
  for (const DeduplicationRecord& record : options.deduplication) {
    // One from the future was committed under another time: its window begins now.
    const auto age = std::max(Microseconds(0), shard_.wall_now() - record.committed_at);
    if (age < shard_.limits.deduplication_window) {
      shard_.deduplication.restore(record, shard_.boot_now() - age);
    }
  }
  for (PendingPurge& purge : options.pending_purges) {
    begin_purge(purge.user, purge.up_to, std::move(purge.reason));
  }
  shard_.destroy_if_idle = [this](Mailbox* mailbox) { destroy_if_idle(*mailbox); };
  shard_.on_connection_gone = [this](Cursor* cursor) { on_connection_gone(*cursor); };
}

ShardMailboxes::~ShardMailboxes() = default;

// ---- accepting

Mailbox& ShardMailboxes::mailbox_of(const UserId& user) {
  const auto [place, created] = mailboxes_.try_emplace(user);
  if (created) {
    PendingTotals totals;
    if (const auto known = totals_.extract(user)) totals = known.mapped();
    place->second = std::make_unique<Mailbox>(shard_, place->first, totals);
    shard_.metrics.mailboxes.add(1);
  }
  return *place->second;
}

void ShardMailboxes::destroy_if_idle(Mailbox& mailbox) {
  if (!mailbox.idle()) return;
  const auto place = mailboxes_.find(mailbox.user());
  const PendingTotals rows = mailbox.rows();
  auto node = mailboxes_.extract(place);
  node.mapped().reset();
  shard_.metrics.mailboxes.add(-1);
  if (rows.messages > 0) totals_.emplace(std::move(node.key()), rows);
}

void ShardMailboxes::send(SendRequest request, Completion<SendOutcome> done) {
  const ShardContext::Turn turn(shard_);
  const Result<Mailbox*> accepted = accept(std::move(request), std::move(done));
  if (accepted && *accepted != nullptr) (*accepted)->dispatch();
}

void ShardMailboxes::send_all(std::vector<SendRequest> requests,
                              Completion<std::vector<SendOutcome>> done) {
  const ShardContext::Turn turn(shard_);
  if (requests.empty()) {
    done({});
    return;
  }
  const auto batch = std::make_shared<Batch>(requests.size());
  batch->done = std::move(done);
  Mailbox* mailbox = nullptr;
  std::optional<Error> failure;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Completion<SendOutcome> entry_done = [batch, i](SendOutcome outcome) {
      batch->set(i, std::move(outcome));
    };
    // A later entry that succeeded would overtake the retry of this one.
    if (failure) {
      shard_.answer(std::move(entry_done), std::unexpected(*failure));
      continue;
    }
    const Result<Mailbox*> accepted = accept(std::move(requests[i]), std::move(entry_done));
    if (accepted && *accepted != nullptr) mailbox = *accepted;
    if (!accepted && is_transient(accepted.error())) failure = accepted.error();
  }
  if (mailbox != nullptr) mailbox->dispatch();
}

Result<Mailbox*> ShardMailboxes::accept(SendRequest request, Completion<SendOutcome> done) {
  Acceptance acceptance;
  acceptance.request = std::move(request);
  acceptance.done = std::move(done);
  Result<Mailbox*> accepted = accept(acceptance);
  if (!accepted) shard_.answer(std::move(acceptance.done), std::unexpected(accepted.error()));
  return accepted;
}

Result<Mailbox*> ShardMailboxes::accept(Acceptance& acceptance) {
  if (shard_.phase != Phase::open) return shutting_down();
  SendRequest& request = acceptance.request;
  const std::string_view caller = request.caller ? std::string_view(request.caller->id) : "";
  if (request.deduplication_id) {
    acceptance.remembered = std::make_unique<Remembered>();
    Remembered& remembered = *acceptance.remembered;
    remembered.key = std::move(*request.deduplication_id);
    remembered.table_key = deduplication_key(caller, request.user, remembered.key);
    remembered.payload_hash = sha256(request.payload);
    const auto repeat = answer_repeat(remembered, acceptance.done);
    if (!repeat) return std::unexpected(repeat.error());
    if (*repeat) return nullptr;
  }
  Mailbox& mailbox = mailbox_of(request.user);
  shard_.may_be_idle(mailbox);
  const std::size_t bytes = request.payload.size();
  if (auto room = mailbox.has_room(bytes); !room) return std::unexpected(room.error());
  auto reservation = reserve(bytes, request.caller);
  if (!reservation) return std::unexpected(reservation.error());

  const Remembered* const remembered = acceptance.remembered.get();
  acceptance.id = remembered ? remembered->id : MessageId::generate(shard_.wall_now());
  acceptance.lifetime = request.ttl.value_or(shard_.limits.message_ttl);
  acceptance.reservation = std::move(*reservation);
  // The table must know the key before the outcome, which may be there when `accept` is done.
  if (remembered != nullptr) {
    const auto begun = shard_.deduplication.begin(remembered->table_key, remembered->payload_hash,
                                                  remembered->id, caller);
    if (!begun) return refuse_key(begun.error());
  }
  if (const auto accepted = mailbox.accept(acceptance); !accepted) {
    if (remembered != nullptr) {
      (void)shard_.deduplication.end(remembered->table_key, std::unexpected(accepted.error()),
                                     shard_.boot_now());
    }
    return std::unexpected(accepted.error());
  }
  return &mailbox;
}

Result<bool> ShardMailboxes::answer_repeat(Remembered& remembered, Completion<SendOutcome>& done) {
  using Found = DeduplicationTable::Found;
  const auto known =
      shard_.deduplication.find(remembered.table_key, remembered.payload_hash, shard_.boot_now(),
                                shard_.clock_agreement().stepped());
  switch (known.found) {
    case Found::nothing:
      remembered.id = known.tried ? *known.tried : new_message_id(remembered, known.receipt.id);
      return false;
    case Found::other:
      return fail(Errc::conflict, "The deduplicationId was used for another message",
                  "deduplicationId");
    case Found::answered:
      shard_.metrics.deduplicated.add();
      shard_.answer(std::move(done), known.receipt);
      return true;
    case Found::in_flight:
      if (!shard_.deduplication.wait(remembered.table_key, done)) {
        return fail(Errc::limit_exceeded, "Too many repeats of a message in flight",
                    "deduplicationId");
      }
      shard_.metrics.deduplicated.add();
      return true;
  }
  return false;
}

// A clock that was set back must not give a key's next message the id of the one before.
MessageId ShardMailboxes::new_message_id(const Remembered& remembered,
                                         const MessageId& before) const {
  MessageId id = before;
  for (std::int64_t skip = 0; id == before; ++skip) {
    id = derive_message_id(message_id_secret_, remembered.table_key, remembered.payload_hash,
                           shard_.wall_now(), shard_.limits.deduplication_window, skip);
  }
  return id;
}

Result<void> ShardMailboxes::charge(SenderQuota& caller, std::size_t payload_bytes) const {
  const std::size_t slots = std::max<std::size_t>(1, shard_.store.capacity() / 8);
  if (caller.in_flight.fetch_add(1, std::memory_order_relaxed) >= slots) {
    caller.in_flight.fetch_sub(1, std::memory_order_relaxed);
    shard_.count_refusal(Bound::store_slots);
    return fail(Errc::limit_exceeded, "Too many messages of this access key are in flight");
  }
  const std::uint64_t bytes =
      caller.in_flight_bytes.fetch_add(payload_bytes, std::memory_order_relaxed);
  // One message is always let through, however long.
  if (bytes > 0 && bytes + payload_bytes > shard_.store.capacity_bytes() / 8) {
    give_back(caller, payload_bytes);
    shard_.count_refusal(Bound::store_bytes);
    return fail(Errc::limit_exceeded, "Too many bytes of this access key are in flight");
  }
  return {};
}

Result<Reservation> ShardMailboxes::reserve(std::size_t payload_bytes,
                                            const SenderQuotaPtr& caller) {
  if (caller) {
    if (auto charged = charge(*caller, payload_bytes); !charged) {
      return std::unexpected(charged.error());
    }
  }
  auto slot = shard_.store.reserve(payload_bytes);
  if (!slot) {
    if (caller) give_back(*caller, payload_bytes);
    return fail(Errc::unavailable, "The store is busy or full");
  }
  if (!caller) return std::move(*slot);
  return Reservation([inner = std::move(*slot), caller, payload_bytes]() mutable {
    inner.reset();
    give_back(*caller, payload_bytes);
  });
}

void ShardMailboxes::redrive(const UserId& user, const MessageId& id, std::optional<Seconds> ttl,
                             Completion<SendOutcome> done) {
  const ShardContext::Turn turn(shard_);
  if (shard_.phase != Phase::open) {
    shard_.answer(std::move(done), shutting_down());
    return;
  }
  if (!busy_letters_.insert(id).second) {
    shard_.answer(std::move(done),
                  fail(Errc::conflict, "This dead letter is being redriven or deleted"));
    return;
  }
  Completion<SendOutcome> answered = [this, id,
                                      done = std::move(done)](SendOutcome outcome) mutable {
    busy_letters_.erase(id);
    done(std::move(outcome));
  };
  // The operator has seen the letter some time ago; it may be gone since.
  shard_.store.find_dead_letter(id, [this, user, ttl, done = std::move(answered)](
                                        Result<std::optional<DeadLetter>> found) mutable {
    const ShardContext::Turn found_turn(shard_);
    if (!found) {
      shard_.answer(std::move(done), std::unexpected(found.error()));
    } else if (!*found || (**found).message->user != user) {
      shard_.answer(std::move(done), fail(Errc::not_found, "No such dead letter"));
    } else if ((**found).damaged) {
      shard_.answer(std::move(done),
                    fail(Errc::io, "This dead letter is damaged: it is not what was sent"));
    } else {
      redrive_found(**found, ttl, std::move(done));
    }
  });
}

void ShardMailboxes::delete_dead_letters(std::vector<MessageId> ids,
                                         Completion<Result<std::vector<MessageId>>> done) {
  const ShardContext::Turn turn(shard_);
  if (shard_.phase != Phase::open) return done(shutting_down());
  std::erase_if(ids, [this](const MessageId& id) { return !busy_letters_.insert(id).second; });
  shard_.store.delete_dead_letters(
      ids, [this, ids, done = std::move(done)](Result<std::vector<MessageId>> deleted) mutable {
        for (const MessageId& id : ids) busy_letters_.erase(id);
        done(std::move(deleted));
      });
}

// ---- deleting what is pending

void ShardMailboxes::delete_pending(const UserId& user, std::optional<MessageId> id,
                                    std::string reason, Completion<Result<Deletion>> done) {
  const ShardContext::Turn turn(shard_);
  if (shard_.phase != Phase::open) return done(shutting_down());
  if (!mailboxes_.contains(user) && !totals_.contains(user)) {
    if (id) return done(fail(Errc::not_found, "No such message is pending"));
    return done(Deletion());
  }
  if (!id) {
    Mailbox& mailbox = mailbox_of(user);
    mailbox.delete_pending(0, mailbox.newest(), std::move(reason), std::move(done));
    shard_.may_be_idle(mailbox);
    return;
  }
  if (const Mailbox* const mailbox = find(user); mailbox != nullptr && mailbox->is_sending(*id)) {
    return done(fail(Errc::conflict, "The message is under delivery"));
  }
  shard_.store.find_pending(
      user, *id,
      [this, user, reason = std::move(reason),
       done = std::move(done)](Result<std::optional<Sequence>> found) mutable {
        const ShardContext::Turn found_turn(shard_);
        if (!found) return done(std::unexpected(found.error()));
        if (!*found) return done(fail(Errc::not_found, "No such message is pending"));
        if (shard_.phase != Phase::open) return done(shutting_down());
        Mailbox& mailbox = mailbox_of(user);
        mailbox.delete_pending(**found - 1, **found, std::move(reason), std::move(done));
        shard_.may_be_idle(mailbox);
      });
}

void ShardMailboxes::redrive_found(const DeadLetter& letter, std::optional<Seconds> ttl,
                                   Completion<SendOutcome> done) {
  const Message& message = *letter.message;
  if (shard_.phase != Phase::open) {
    shard_.answer(std::move(done), shutting_down());
    return;
  }
  Mailbox& mailbox = mailbox_of(message.user);
  shard_.may_be_idle(mailbox);
  Acceptance acceptance;
  acceptance.id = message.id;
  acceptance.request.user = message.user;
  acceptance.request.payload = message.payload;
  // A message that has expired would soon expire again.
  acceptance.lifetime = letter.reason == kExpired ? Microseconds(shard_.limits.message_ttl)
                                                  : message.expires_at - message.accepted_at;
  if (ttl) acceptance.lifetime = *ttl;
  acceptance.redrive = true;
  acceptance.done = std::move(done);
  auto accepted = mailbox.has_room(message.payload.size());
  if (accepted) {
    auto reservation = reserve(message.payload.size(), nullptr);
    if (!reservation) {
      accepted = std::unexpected(reservation.error());
    } else {
      acceptance.reservation = std::move(*reservation);
      accepted = mailbox.accept(acceptance);
    }
  }
  if (!accepted) {
    shard_.answer(std::move(acceptance.done), std::unexpected(accepted.error()));
    return;
  }
  mailbox.dispatch();
}

// ---- connections

void ShardMailboxes::attach(ConnectionInfo info, ProtocolPtr protocol,
                            std::shared_ptr<Connection> connection) {
  const ShardContext::Turn turn(shard_);
  Mailbox& mailbox = mailbox_of(info.user);
  auto owned =
      std::make_unique<Cursor>(shard_, mailbox, info, std::move(protocol), std::move(connection));
  Cursor& cursor = *owned;
  cursor.index = static_cast<std::uint32_t>(cursors_.size());
  cursors_.push_back(std::move(owned));
  shard_.metrics.connections.add(1);
  by_id_.insert(&cursor);
  info.shard = shard_index_;
  connection_store_.opened(info);
  mailbox.attach(cursor);
  if (shard_.phase != Phase::open) close_for_shutdown(cursor);
}

void ShardMailboxes::start_delivery(const ConnectionId& id) {
  const ShardContext::Turn turn(shard_);
  Cursor* const cursor = find_cursor(id);
  if (cursor == nullptr) return;
  const UserId& user = cursor->mailbox().user();
  if (!queued_purges_.empty() && queued_purges_.erase(user) > 0) {
    end_purge(user, std::numeric_limits<Sequence>::max());
  }
  cursor->mailbox().start_delivery(*cursor);
}

std::optional<ConnectionInfo> ShardMailboxes::find_connection(const ConnectionId& id) const {
  const Cursor* const cursor = find_cursor(id);
  if (cursor == nullptr || cursor->state != Cursor::State::open) return std::nullopt;
  ConnectionInfo out = cursor->info();
  out.shard = shard_index_;
  return out;
}

Result<void> ShardMailboxes::post_text(const ConnectionId& id, std::string_view text) {
  const ShardContext::Turn turn(shard_);
  if (shard_.phase != Phase::open) return shutting_down();
  Cursor* const cursor = find_cursor(id);
  if (cursor == nullptr || cursor->state != Cursor::State::open) {
    return fail(Errc::not_found, "No such connection");
  }
  if (!cursor->post(text)) return fail(Errc::limit_exceeded, "The client takes no more");
  return {};
}

bool ShardMailboxes::close(const ConnectionId& id, CloseReason reason, std::string_view text) {
  const ShardContext::Turn turn(shard_);
  Cursor* const cursor = find_cursor(id);
  if (cursor == nullptr) return false;
  cursor->mailbox().close_after_fence(*cursor, reason, text);
  return true;
}

void ShardMailboxes::close_logins(const UserId& user, const Logins& logins, CloseReason reason,
                                  std::string_view text) {
  const ShardContext::Turn turn(shard_);
  const auto found = mailboxes_.find(user);
  if (found == mailboxes_.end()) return;
  const std::vector<Cursor*> cursors = found->second->cursors();
  for (Cursor* const cursor : cursors) {
    if (logins.contains(cursor->login())) found->second->close_after_fence(*cursor, reason, text);
  }
}

void ShardMailboxes::move_to_dead_letters(const UserId& user, std::string reason) {
  const ShardContext::Turn turn(shard_);
  if (shard_.phase != Phase::open) return;
  Mailbox& mailbox = mailbox_of(user);
  begin_purge(user, mailbox.newest(), std::move(reason));
  shard_.may_be_idle(mailbox);
}

Cursor* ShardMailboxes::find_cursor(const ConnectionId& id) const {
  const auto found = by_id_.find(std::string_view(id.str()));
  if (found == by_id_.end() || (*found)->state == Cursor::State::ended) return nullptr;
  return *found;
}

void ShardMailboxes::on_connection_gone(Cursor& cursor) {
  connection_store_.closed(ConnectionId(std::string(cursor.id())));
  by_id_.erase(&cursor);
  std::unique_ptr<Cursor>& place = cursors_[cursor.index];
  ended_cursors_.push_back(std::move(place));
  if (place.get() != cursors_.back().get()) {
    place = std::move(cursors_.back());
    place->index = cursor.index;
  }
  cursors_.pop_back();
  shard_.metrics.connections.add(-1);
}

// The Close of a shutdown, which waits for no fence: those were awaited together.
void ShardMailboxes::close_for_shutdown(Cursor& cursor) {
  using State = Cursor::State;
  if (cursor.state == State::closing || cursor.state == State::ended) return;
  shard_.cancel_close(cursor);
  if (cursor.state == State::attached) cursor.connection().start(cursor);
  cursor.state = State::closing;
  cursor.connection().close(CloseReason::shutting_down, "going away");
}

// ---- reports

std::vector<ConnectionInfo> ShardMailboxes::connections(const ConnectionQuery& query) const {
  using Place = std::pair<WallTime, std::string_view>;
  const auto place_of = [](const Cursor* cursor) {
    return Place(cursor->connected_at(), cursor->id());
  };
  std::vector<const Cursor*> chosen;
  const auto choose = [&](const Cursor* cursor) {
    if (!cursor->stays()) return;
    if (query.after && place_of(cursor) <= Place(query.after->first, query.after->second.str())) {
      return;
    }
    chosen.push_back(cursor);
  };
  if (query.user) {
    if (const Mailbox* const mailbox = find(*query.user)) {
      for (const Cursor* const cursor : mailbox->cursors()) choose(cursor);
    }
  } else {
    for (const auto& cursor : cursors_) choose(cursor.get());
  }
  // Pointers are sorted, and only those that are told are copied: there may be very many.
  const std::size_t count = std::min(query.limit, chosen.size());
  std::ranges::partial_sort(chosen, chosen.begin() + static_cast<std::ptrdiff_t>(count), {},
                            place_of);
  std::vector<ConnectionInfo> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(chosen[i]->info());
    out.back().shard = shard_index_;
  }
  return out;
}

std::vector<Execution> ShardMailboxes::executions(const ExecutionFilter& filter,
                                                  std::size_t limit) const {
  return shard_.executions.list(filter, limit);
}

PendingTotals ShardMailboxes::pending(const UserId& user) const {
  if (const Mailbox* const mailbox = find(user)) return mailbox->pending();
  const auto found = totals_.find(user);
  return found == totals_.end() ? PendingTotals{} : found->second;
}

const Mailbox* ShardMailboxes::find(const UserId& user) const {
  const auto found = mailboxes_.find(user);
  return found == mailboxes_.end() ? nullptr : found->second.get();
}

}  // namespace holdfast::delivery
