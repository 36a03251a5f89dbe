// The table of pending messages.

#include "message_table.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/log.hpp>

#include "checksum.hpp"
#include "columns.hpp"

namespace holdfast::sqlite {
namespace {

constexpr std::string_view kExpiredReason = "expired";
constexpr std::string_view kDamagedReason = "damaged";

}  // namespace

MessageTable::MessageTable(Database& database, PendingTable& pending, DeadLetterTable& dead_letters,
                           WorkBudget& budget)
    : database_(database),
      pending_(pending),
      dead_letters_(dead_letters),
      budget_(budget),
      missing_(database, pending, budget),
      insert_(
          database,
          "INSERT INTO messages (user, sequence, id, accepted_at, expires_at, payload, checksum)"
          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      list_range_(database,
                  "SELECT sequence, length(payload), expires_at FROM messages"
                  " WHERE user = ?1 AND sequence > ?2 ORDER BY sequence"),
      erase_range_(database,
                   "DELETE FROM messages WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3"),
      erase_one_(database, "DELETE FROM messages WHERE user = ?1 AND sequence = ?2"),
      read_(database,
            "SELECT sequence, id, accepted_at, expires_at, payload, checksum FROM messages"
            " WHERE user = ?1 AND sequence > ?2 ORDER BY sequence"),
      move_lifetimes_(database,
                      "UPDATE messages SET accepted_at = accepted_at + ?4,"
                      " expires_at = expires_at + ?4,"
                      // A damaged row stays damaged.
                      " checksum = CASE WHEN checksum ="
                      " row_checksum(user, sequence, id, accepted_at, expires_at, payload)"
                      " THEN row_checksum(user, sequence, id, accepted_at + ?4, expires_at + ?4,"
                      " payload) ELSE checksum END"
                      " WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3"),
      find_(database, "SELECT sequence FROM messages WHERE user = ?1 AND id = ?2 LIMIT 1"),
      is_there_(database, "SELECT 1 FROM messages WHERE user = ?1 AND sequence = ?2"),
      // A damaged key puts a row in the wrong place, so it is met among the user's rows.
      erase_as_stored_(database,
                       "DELETE FROM messages WHERE user = ?1 AND +sequence = ?2 AND id = ?3"
                       " AND checksum IS ?4"),
      next_user_(database, "SELECT user FROM messages WHERE user > ?1 ORDER BY user LIMIT 1") {}

void MessageTable::insert(const delivery::Message& message) {
  HOLDFAST_ASSERT(message.sequence > 0, "insert.has_a_sequence");
  const std::int64_t expires_at = unix_micros(message.expires_at);
  insert_.bind(1, std::string_view(message.user.str()))
      .bind(2, message.sequence)
      .bind_blob(3, id_bytes(message.id))
      .bind(4, unix_micros(message.accepted_at))
      .bind(5, expires_at)
      .bind_blob(6, message.payload)
      .bind(7, checksum_of({.user = message.user.str(),
                            .sequence = message.sequence,
                            .id = id_bytes(message.id),
                            .accepted_at = unix_micros(message.accepted_at),
                            .expires_at = expires_at,
                            .payload = message.payload}))
      .run();
  pending_.add(message.user.str(), static_cast<std::int64_t>(message.payload.size()), expires_at);
}

void MessageTable::erase(const UserId& user, Sequence above, Sequence up_to, RowWalk& walk) {
  HOLDFAST_ASSERT(!walk.end, "erase.goes_on_before_its_end");
  const Sequence from = std::max(above, walk.at);
  list_range_.bind(1, std::string_view(user.str())).bind(2, from);
  delivery::PendingTotals removed;
  while (budget_.left()) {
    walk.end = !list_range_.step() || list_range_.integer(0) > up_to;
    if (walk.end) break;
    walk.at = std::max(walk.at, list_range_.integer(0));
    ++removed.messages;
    removed.bytes += list_range_.integer(1);
    budget_.spend(WorkBudget::of_erase(list_range_.integer(1)));
  }
  list_range_.reset();
  budget_.spend(WorkBudget::of_call());
  if (removed.messages == 0) return;
  erase_range_.bind(1, std::string_view(user.str())).bind(2, from).bind(3, walk.at).run();
  // A damaged key may make these other rows than those that were listed.
  const std::int64_t erased = database_.changes();
  removed = {erased, removed.bytes * erased / removed.messages};
  pending_.subtract(user.str(), removed);
  walk.taken += removed;
}

delivery::Page MessageTable::read(const delivery::PageQuery& query, bool moves, Sequence& passed) {
  delivery::Page page;
  std::vector<Row> expired;
  std::vector<DeadLetterTable::Unsound> unsound;
  const std::int64_t now = unix_micros(query.now);
  std::size_t bytes = 0;
  passed = query.above;
  read_.bind(1, std::string_view(query.user.str())).bind(2, query.above);
  while (true) {
    if (!budget_.left()) {
      page.end = false;
      break;
    }
    if (!read_.step()) break;
    const Sequence sequence = read_.integer(0);
    // A damaged key may lie beyond the range, with rows behind it that are in the range.
    if (sequence > query.up_to && is_in_place(query.user, sequence)) break;
    const std::string_view payload = read_.bytes(4);
    const auto size = static_cast<std::int64_t>(payload.size());
    if (is_damaged(query.user.str())) {
      if (moves) {
        unsound.push_back(read_unsound());
      } else if (sequence <= query.up_to) {
        page.pass_over(sequence);
        passed = sequence;
      }
      budget_.spend(moves ? WorkBudget::of_move(size) : WorkBudget::of_read(size));
      continue;
    }
    if (sequence > query.up_to) break;
    if (query.expire_above && sequence > *query.expire_above && read_.integer(3) <= now) {
      // Too many dead letters must make room first.
      if (moves && dead_letters_.over() && !dead_letters_.stuck()) {
        page.end = false;
        break;
      }
      const bool is_moved = moves && !dead_letters_.over();
      if (is_moved) {
        expired.push_back({sequence, to_message_id(read_.bytes(1)), size});
      } else {
        page.pass_over(sequence);
      }
      passed = sequence;
      budget_.spend(is_moved ? WorkBudget::of_move(size) : WorkBudget::of_read(size));
      continue;
    }
    const bool is_full =
        page.messages.size() >= query.messages || bytes + payload.size() > query.bytes;
    if (is_full && !page.messages.empty()) {
      page.end = false;
      break;
    }
    bytes += payload.size();
    budget_.spend(WorkBudget::of_read(size));
    auto message = std::make_shared<delivery::Message>();
    message->user = query.user;
    message->sequence = sequence;
    message->id = to_message_id(read_.bytes(1));
    message->accepted_at = wall_from_micros(read_.integer(2));
    message->expires_at = wall_from_micros(read_.integer(3));
    message->payload.assign(payload);
    page.messages.push_back(std::move(message));
  }
  read_.reset();
  page.damaged = move_unsound(query.user, unsound, query.now);
  page.expired = move(query.user, expired, kExpiredReason, query.now);
  if (page.end && moves) missing_.look(query.user, query.now);
  return page;
}

DeadLetterTable::Unsound MessageTable::read_unsound() const {
  DeadLetterTable::Unsound row;
  row.sequence = read_.integer(0);
  row.id = read_.string(1);
  row.accepted_at = read_.integer(2);
  row.expires_at = read_.integer(3);
  row.payload = read_.string(4);
  if (!read_.is_null(5)) row.checksum = read_.integer(5);
  return row;
}

delivery::Moved MessageTable::move_unsound(const UserId& user,
                                           const std::vector<DeadLetterTable::Unsound>& rows,
                                           WallTime now) {
  delivery::Moved moved;
  for (const DeadLetterTable::Unsound& row : rows) {
    dead_letters_.add(user.str(), row, kDamagedReason, unix_micros(now));
    erase_as_stored_.bind(1, std::string_view(user.str())).bind(2, row.sequence);
    erase_as_stored_.bind_blob(3, row.id);
    row.checksum ? erase_as_stored_.bind(4, *row.checksum) : erase_as_stored_.bind_null(4);
    erase_as_stored_.run();
    if (database_.changes() == 0) continue;
    moved.add({.id = to_message_id(row.id), .sequence = row.sequence, .is_damaged = true},
              static_cast<std::int64_t>(row.payload.size()));
  }
  pending_.subtract(user.str(), moved);
  if (moved.messages > 0) found_damaged_.push_back({user, rows.front().sequence, moved.messages});
  return moved;
}

delivery::Moved MessageTable::find_and_move_unsound(const UserId& user, WallTime now) {
  std::vector<DeadLetterTable::Unsound> unsound;
  read_.bind(1, std::string_view(user.str())).bind(2, std::numeric_limits<std::int64_t>::min());
  while (read_.step()) {
    const auto bytes = static_cast<std::int64_t>(read_.bytes(4).size());
    budget_.spend(WorkBudget::of_read(bytes));
    if (!is_unsound(user)) continue;
    budget_.spend(WorkBudget::of_move(bytes));
    unsound.push_back(read_unsound());
  }
  read_.reset();
  return move_unsound(user, unsound, now);
}

// Without a checksum, a key that cannot be found counts as damage.
bool MessageTable::is_unsound(const UserId& user) {
  return read_.is_null(5) ? !is_in_place(user, read_.integer(0)) : is_damaged(user.str());
}

bool MessageTable::is_in_place(const UserId& user, Sequence sequence) {
  is_there_.bind(1, std::string_view(user.str())).bind(2, sequence);
  const bool is_there = is_there_.step();
  is_there_.reset();
  return is_there;
}

void MessageTable::committed() {
  for (const FoundDamaged& row : found_damaged_) {
    log::error("message_damaged",
               {{"user_id", row.user.str()}, {"sequence", row.first}, {"messages", row.messages}});
    damaged_ += row.messages;
  }
  found_damaged_.clear();
}

// Checks the row that `read_` is at. A row from before there were checksums has none.
bool MessageTable::is_damaged(std::string_view user) const {
  if (read_.is_null(5)) return false;
  return read_.integer(5) != checksum_of({.user = user,
                                          .sequence = read_.integer(0),
                                          .id = read_.bytes(1),
                                          .accepted_at = read_.integer(2),
                                          .expires_at = read_.integer(3),
                                          .payload = read_.bytes(4)});
}

delivery::Moved MessageTable::move(const UserId& user, const std::vector<Row>& rows,
                                   std::string_view reason, WallTime now, std::string_view detail) {
  delivery::Moved moved;
  bool is_misplaced = false;
  for (const Row& row : rows) {
    dead_letters_.add(user.str(), row.sequence, row.bytes, reason, unix_micros(now), detail);
    erase_one_.bind(1, std::string_view(user.str())).bind(2, row.sequence).run();
    if (database_.changes() == 0) {
      is_misplaced = true;
      continue;
    }
    moved.add({.id = row.id, .sequence = row.sequence}, row.bytes);
  }
  HOLDFAST_ASSERT(moved.messages <= static_cast<std::int64_t>(rows.size()),
                  "letters.take_what_was_listed");
  pending_.subtract(user.str(), moved);
  if (is_misplaced) moved += find_and_move_unsound(user, now);
  return moved;
}

void MessageTable::expire(const UserId& user, Sequence above, Sequence up_to, WallTime now,
                          RowWalk& walk) {
  HOLDFAST_ASSERT(!walk.end, "expire.goes_on_before_its_end");
  std::vector<Row> expired;
  std::vector<DeadLetterTable::Unsound> unsound;
  read_.bind(1, std::string_view(user.str())).bind(2, walk.at);
  while (budget_.left()) {
    walk.end = !read_.step();
    if (walk.end) break;
    walk.at = read_.integer(0);
    const std::int64_t expires_at = read_.integer(3);
    if (walk.at > above && walk.at <= up_to && expires_at <= unix_micros(now)) {
      take(user, expired, unsound);
    } else {
      walk.next_expiry = std::min(walk.next_expiry, expires_at);
      budget_.spend(WorkBudget::of_look());
    }
  }
  read_.reset();
  budget_.spend(WorkBudget::of_call());
  walk.taken += move_unsound(user, unsound, now);
  walk.taken += move(user, expired, kExpiredReason, now);
  // Rows that were inserted since the walk began lie behind it, and were passed too.
  if (walk.end) pending_.set_next_expiry(user, walk.next_expiry);
}

delivery::Moved MessageTable::move_to_dead_letters(const UserId& user, Sequence above,
                                                   Sequence up_to,
                                                   const delivery::DeathCause& cause,
                                                   WallTime now) {
  std::vector<Row> rows;
  std::vector<DeadLetterTable::Unsound> unsound;
  read_.bind(1, std::string_view(user.str())).bind(2, above);
  while (budget_.left() && read_.step()) {
    // A damaged key may lie beyond the range, with rows behind it that are in the range.
    if (read_.integer(0) > up_to && (is_in_place(user, read_.integer(0)) || !is_unsound(user))) {
      break;
    }
    take(user, rows, unsound);
  }
  read_.reset();
  budget_.spend(WorkBudget::of_call());
  delivery::Moved moved = move_unsound(user, unsound, now);
  moved += move(user, rows, cause.reason, now, cause.detail);
  return moved;
}

// Removes a row by its key, unless the key is damaged.
void MessageTable::take(const UserId& user, std::vector<Row>& rows,
                        std::vector<DeadLetterTable::Unsound>& unsound) {
  const auto bytes = static_cast<std::int64_t>(read_.bytes(4).size());
  budget_.spend(WorkBudget::of_move(bytes));
  if (is_damaged(user.str())) {
    unsound.push_back(read_unsound());
  } else {
    rows.push_back({read_.integer(0), to_message_id(read_.bytes(1)), bytes});
  }
}

void MessageTable::move_lifetimes(const UserId& user, const delivery::LifetimeMove& move,
                                  RowWalk& walk) {
  HOLDFAST_ASSERT(!walk.end, "lifetimes.move_on_before_their_end");
  const Sequence from = std::max(move.above, walk.at);
  list_range_.bind(1, std::string_view(user.str())).bind(2, from);
  std::int64_t next_expiry = PendingTable::kNever;
  walk.at = from;
  while (budget_.left()) {
    walk.end = !list_range_.step() || list_range_.integer(0) > move.up_to;
    if (walk.end) break;
    walk.at = list_range_.integer(0);
    next_expiry = std::min(next_expiry, list_range_.integer(2) + move.by.count());
    budget_.spend(WorkBudget::of_move(list_range_.integer(1)));
  }
  list_range_.reset();
  budget_.spend(WorkBudget::of_call());
  if (next_expiry == PendingTable::kNever) return;
  move_lifetimes_.bind(1, std::string_view(user.str()))
      .bind(2, from)
      .bind(3, walk.at)
      .bind(4, move.by.count())
      .run();
  pending_.lower_next_expiry(user, next_expiry);
}

std::optional<Sequence> MessageTable::find(const UserId& user, const MessageId& id) {
  find_.bind(1, std::string_view(user.str())).bind_blob(2, id_bytes(id));
  std::optional<Sequence> out;
  if (find_.step()) out = find_.integer(0);
  find_.reset();
  return out;
}

std::vector<UserId> MessageTable::users_after(const UserId& after, std::size_t limit) {
  std::vector<UserId> out;
  while (out.size() < limit) {
    const UserId& last = out.empty() ? after : out.back();
    next_user_.bind(1, std::string_view(last.str()));
    if (!next_user_.step()) break;
    UserId next(next_user_.string(0));
    next_user_.reset();
    out.push_back(std::move(next));
  }
  return out;
}

}  // namespace holdfast::sqlite
