#include "storage/message_table.hpp"

#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "storage/columns.hpp"

namespace holdfast::storage {
namespace {

constexpr std::size_t kExpiredPerCall = 1'000;
constexpr std::int64_t kExpiredBytesPerCall = 4 << 20;
// Users whose row in `pending` promises an expired message, and who are looked at, in one call.
constexpr std::size_t kDueUsersPerCall = 1'000;
constexpr std::string_view kExpiredReason = "expired";

}  // namespace

MessageTable::MessageTable(Database& database, PendingTable& pending, DeadLetterTable& dead_letters)
    : pending_(pending),
      dead_letters_(dead_letters),
      insert_(database,
              "INSERT INTO messages (user, sequence, id, accepted_at, expires_at, payload)"
              " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
      count_range_(database,
                   "SELECT count(*), coalesce(sum(length(payload)), 0) FROM messages"
                   " WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3"),
      erase_range_(database,
                   "DELETE FROM messages WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3"),
      erase_one_(database, "DELETE FROM messages WHERE user = ?1 AND sequence = ?2"),
      read_(database,
            "SELECT sequence, id, accepted_at, expires_at, payload FROM messages"
            " WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3 ORDER BY sequence"),
      list_expired_(database,
                    "SELECT sequence, length(payload) FROM messages"
                    " WHERE user = ?1 AND sequence > ?2 AND sequence <= ?3 AND expires_at <= ?4"
                    " ORDER BY sequence"),
      next_expiry_(database, "SELECT min(expires_at) FROM messages WHERE user = ?1"),
      find_(database, "SELECT sequence FROM messages WHERE user = ?1 AND id = ?2 LIMIT 1") {}

void MessageTable::insert(const delivery::Message& message) {
  const std::int64_t expires_at = unix_micros(message.expires_at);
  insert_.bind(1, std::string_view(message.user.str()))
      .bind(2, message.sequence)
      .bind_blob(3, id_bytes(message.id))
      .bind(4, unix_micros(message.accepted_at))
      .bind(5, expires_at)
      .bind_blob(6, message.payload)
      .run();
  pending_.add(message.user.str(), static_cast<std::int64_t>(message.payload.size()), expires_at);
}

delivery::PendingTotals MessageTable::erase(const UserId& user, Sequence above, Sequence up_to) {
  const auto run = [&](Statement& statement) -> Statement& {
    return statement.bind(1, std::string_view(user.str())).bind(2, above).bind(3, up_to);
  };
  run(count_range_).step();
  const delivery::PendingTotals removed{count_range_.integer(0), count_range_.integer(1)};
  count_range_.reset();
  if (removed.messages == 0) return removed;
  run(erase_range_).run();
  pending_.subtract(user.str(), removed);
  return removed;
}

delivery::Page MessageTable::read(const delivery::PageQuery& query) {
  delivery::Page page;
  std::vector<Expired> expired;
  const std::int64_t now = unix_micros(query.now);
  std::size_t bytes = 0;
  std::int64_t expired_bytes = 0;
  read_.bind(1, std::string_view(query.user.str())).bind(2, query.above).bind(3, query.up_to);
  while (read_.step()) {
    const Sequence sequence = read_.integer(0);
    const std::string_view payload = read_.bytes(4);
    if (query.expire_above && sequence > *query.expire_above && read_.integer(3) <= now) {
      if (expired.size() >= kExpiredPerCall || expired_bytes >= kExpiredBytesPerCall) {
        page.end = false;
        break;
      }
      expired.push_back({sequence, static_cast<std::int64_t>(payload.size())});
      expired_bytes += static_cast<std::int64_t>(payload.size());
      continue;
    }
    const bool is_full =
        page.messages.size() >= query.messages || bytes + payload.size() > query.bytes;
    if (is_full && !page.messages.empty()) {
      page.end = false;
      break;
    }
    bytes += payload.size();
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
  return page;
}

delivery::PendingTotals MessageTable::move(const UserId& user, const std::vector<Expired>& rows,
                                           std::string_view reason, WallTime now) {
  delivery::PendingTotals moved;
  for (const Expired& row : rows) {
    dead_letters_.add(user.str(), row.sequence, row.bytes, reason, unix_micros(now));
    erase_one_.bind(1, std::string_view(user.str())).bind(2, row.sequence).run();
    ++moved.messages;
    moved.bytes += row.bytes;
  }
  pending_.subtract(user.str(), moved);
  return moved;
}

std::vector<MessageTable::Expired> MessageTable::list_expired(const UserId& user, Sequence above,
                                                              Sequence up_to, std::int64_t at) {
  std::vector<Expired> rows;
  std::int64_t bytes = 0;
  list_expired_.bind(1, std::string_view(user.str())).bind(2, above).bind(3, up_to).bind(4, at);
  while (rows.size() < kExpiredPerCall && bytes < kExpiredBytesPerCall && list_expired_.step()) {
    rows.push_back({list_expired_.integer(0), list_expired_.integer(1)});
    bytes += rows.back().bytes;
  }
  list_expired_.reset();
  return rows;
}

delivery::PendingTotals MessageTable::expire(const UserId& user, Sequence above, Sequence up_to,
                                             WallTime now) {
  return move(user, list_expired(user, above, up_to, unix_micros(now)), kExpiredReason, now);
}

delivery::PendingTotals MessageTable::bury(const UserId& user, Sequence above, Sequence up_to,
                                           std::string_view reason, WallTime now) {
  constexpr std::int64_t end_of_time = std::numeric_limits<std::int64_t>::max();
  return move(user, list_expired(user, above, up_to, end_of_time), reason, now);
}

std::optional<Sequence> MessageTable::find(const UserId& user, const MessageId& id) {
  find_.bind(1, std::string_view(user.str())).bind_blob(2, id_bytes(id));
  std::optional<Sequence> out;
  if (find_.step()) out = find_.integer(0);
  find_.reset();
  return out;
}

std::vector<UserId> MessageTable::find_expired(WallTime now, const UserId& after,
                                               std::size_t limit) {
  std::vector<UserId> out;
  UserId last = after;
  std::size_t looked_at = 0;
  while (out.size() < limit && looked_at < kDueUsersPerCall) {
    const std::vector<UserId> due = pending_.list_due(unix_micros(now), last, 100);
    if (due.empty()) break;
    looked_at += due.size();
    for (const UserId& user : due) {
      if (out.size() == limit) break;
      next_expiry_.bind(1, std::string_view(user.str())).step();
      const std::int64_t next = next_expiry_.integer(0);
      next_expiry_.reset();
      if (next <= unix_micros(now)) {
        out.push_back(user);
      } else {
        pending_.set_next_expiry(user, next);
      }
    }
    last = due.back();
  }
  return out;
}

}  // namespace holdfast::storage
