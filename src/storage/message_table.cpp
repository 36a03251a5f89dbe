#include "storage/message_table.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include <holdfast/base/log.hpp>

#include "storage/checksum.hpp"
#include "storage/columns.hpp"

namespace holdfast::storage {
namespace {

constexpr std::string_view kExpiredReason = "expired";
constexpr std::string_view kDamagedReason = "damaged";

}  // namespace

MessageTable::MessageTable(Database& database, PendingTable& pending, DeadLetterTable& dead_letters,
                           WorkBudget& budget)
    : pending_(pending),
      dead_letters_(dead_letters),
      budget_(budget),
      missing_(database, pending, budget),
      insert_(
          database,
          "INSERT INTO messages (user, sequence, id, accepted_at, expires_at, payload, checksum)"
          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      list_range_(database,
                  "SELECT sequence, length(payload), expires_at FROM messages"
                  " WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3 ORDER BY sequence"),
      erase_range_(database,
                   "DELETE FROM messages WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3"),
      erase_one_(database, "DELETE FROM messages WHERE user = ?1 AND sequence = ?2"),
      read_(database,
            "SELECT sequence, id, accepted_at, expires_at, payload, checksum FROM messages"
            " WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3 ORDER BY sequence"),
      move_lifetimes_(database,
                      "UPDATE messages SET accepted_at = accepted_at + ?4,"
                      " expires_at = expires_at + ?4,"
                      // A row that is damaged stays so.
                      " checksum = CASE WHEN checksum ="
                      " row_checksum(user, sequence, id, accepted_at, expires_at, payload)"
                      " THEN row_checksum(user, sequence, id, accepted_at + ?4, expires_at + ?4,"
                      " payload) ELSE checksum END"
                      " WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3"),
      find_(database, "SELECT sequence FROM messages WHERE user = ?1 AND id = ?2 LIMIT 1") {}

void MessageTable::insert(const delivery::Message& message) {
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
  const Sequence from = std::max(above, walk.at);
  list_range_.bind(1, std::string_view(user.str())).bind(2, from).bind(3, up_to);
  delivery::PendingTotals removed;
  while (budget_.left()) {
    walk.end = !list_range_.step();
    if (walk.end) break;
    walk.at = list_range_.integer(0);
    ++removed.messages;
    removed.bytes += list_range_.integer(1);
    budget_.spend(WorkBudget::of_erase(list_range_.integer(1)));
  }
  list_range_.reset();
  budget_.spend(WorkBudget::of_call());
  if (removed.messages == 0) return;
  erase_range_.bind(1, std::string_view(user.str())).bind(2, from).bind(3, walk.at).run();
  pending_.subtract(user.str(), removed);
  walk.taken.messages += removed.messages;
  walk.taken.bytes += removed.bytes;
}

delivery::Page MessageTable::read(const delivery::PageQuery& query) {
  delivery::Page page;
  std::vector<Row> expired;
  std::vector<Row> damaged;
  const std::int64_t now = unix_micros(query.now);
  std::size_t bytes = 0;
  read_.bind(1, std::string_view(query.user.str())).bind(2, query.above).bind(3, query.up_to);
  while (true) {
    if (!budget_.left()) {
      page.end = false;
      break;
    }
    if (!read_.step()) break;
    const Sequence sequence = read_.integer(0);
    const std::string_view payload = read_.bytes(4);
    const auto size = static_cast<std::int64_t>(payload.size());
    if (is_damaged(query.user.str())) {
      damaged.push_back({sequence, size});
      budget_.spend(WorkBudget::of_move(size));
      continue;
    }
    if (query.expire_above && sequence > *query.expire_above && read_.integer(3) <= now) {
      // While there are too many dead letters they make room first.
      if (dead_letters_.over()) {
        page.end = false;
        break;
      }
      expired.push_back({sequence, size});
      budget_.spend(WorkBudget::of_move(size));
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
  page.expired = move(query.user, expired, kExpiredReason, query.now);
  if (!damaged.empty()) {
    const delivery::PendingTotals moved = move(query.user, damaged, kDamagedReason, query.now);
    damaged_ += moved.messages;
    log::error("message_damaged", {{"user", query.user.str()},
                                   {"sequence", damaged.front().sequence},
                                   {"messages", moved.messages}});
  }
  if (page.end) missing_.look(query.user, query.now);
  return page;
}

// Of the row that `read_` is at. One from before there were sums has none.
bool MessageTable::is_damaged(std::string_view user) const {
  if (read_.is_null(5)) return false;
  return read_.integer(5) != checksum_of({.user = user,
                                          .sequence = read_.integer(0),
                                          .id = read_.bytes(1),
                                          .accepted_at = read_.integer(2),
                                          .expires_at = read_.integer(3),
                                          .payload = read_.bytes(4)});
}

delivery::PendingTotals MessageTable::move(const UserId& user, const std::vector<Row>& rows,
                                           std::string_view reason, WallTime now,
                                           std::string_view detail) {
  delivery::PendingTotals moved;
  for (const Row& row : rows) {
    dead_letters_.add(user.str(), row.sequence, row.bytes, reason, unix_micros(now), detail);
    erase_one_.bind(1, std::string_view(user.str())).bind(2, row.sequence).run();
    ++moved.messages;
    moved.bytes += row.bytes;
  }
  pending_.subtract(user.str(), moved);
  return moved;
}

void MessageTable::expire(const UserId& user, Sequence above, Sequence up_to, WallTime now,
                          RowWalk& walk) {
  std::vector<Row> expired;
  list_range_.bind(1, std::string_view(user.str())).bind(2, walk.at);
  list_range_.bind(3, std::numeric_limits<std::int64_t>::max());
  while (budget_.left()) {
    walk.end = !list_range_.step();
    if (walk.end) break;
    walk.at = list_range_.integer(0);
    const std::int64_t bytes = list_range_.integer(1);
    const std::int64_t expires_at = list_range_.integer(2);
    if (walk.at > above && walk.at <= up_to && expires_at <= unix_micros(now)) {
      expired.push_back({walk.at, bytes});
      budget_.spend(WorkBudget::of_move(bytes));
    } else {
      walk.next_expiry = std::min(walk.next_expiry, expires_at);
      budget_.spend(WorkBudget::of_look());
    }
  }
  list_range_.reset();
  budget_.spend(WorkBudget::of_call());
  const delivery::PendingTotals moved = move(user, expired, kExpiredReason, now);
  walk.taken.messages += moved.messages;
  walk.taken.bytes += moved.bytes;
  // What was inserted since the walk began lies behind where it was, and was passed too.
  if (walk.end) pending_.set_next_expiry(user, walk.next_expiry);
}

delivery::PendingTotals MessageTable::bury(const UserId& user, Sequence above, Sequence up_to,
                                           const delivery::DeathCause& cause, WallTime now) {
  std::vector<Row> rows;
  list_range_.bind(1, std::string_view(user.str())).bind(2, above).bind(3, up_to);
  while (budget_.left() && list_range_.step()) {
    rows.push_back({list_range_.integer(0), list_range_.integer(1)});
    budget_.spend(WorkBudget::of_move(rows.back().bytes));
  }
  list_range_.reset();
  budget_.spend(WorkBudget::of_call());
  return move(user, rows, cause.reason, now, cause.detail);
}

void MessageTable::move_lifetimes(const UserId& user, const delivery::LifetimeMove& move,
                                  RowWalk& walk) {
  const Sequence from = std::max(move.above, walk.at);
  list_range_.bind(1, std::string_view(user.str())).bind(2, from).bind(3, move.up_to);
  std::int64_t next_expiry = PendingTable::kNever;
  walk.at = from;
  while (budget_.left()) {
    walk.end = !list_range_.step();
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

}  // namespace holdfast::storage
