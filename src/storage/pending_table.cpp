#include "storage/pending_table.hpp"

namespace holdfast::storage {

// `add_later_` leaves the indexed column out of its SET: SQLite would rewrite the index entry even
// where the value stays the same, and it stays the same for all but a user's first message.
PendingTable::PendingTable(Database& database)
    : database_(database),
      add_later_(database,
                 "UPDATE pending SET messages = messages + ?2, bytes = bytes + ?3"
                 " WHERE user = ?1 AND next_expiry <= ?4"),
      add_any_(database,
               "INSERT INTO pending (user, messages, bytes, next_expiry) VALUES (?1, ?2, ?3, ?4)"
               " ON CONFLICT (user) DO UPDATE SET messages = messages + ?2, bytes = bytes + ?3,"
               " next_expiry = min(next_expiry, ?4)"),
      change_(database,
              "UPDATE pending SET messages = messages + ?2, bytes = bytes + ?3,"
              " next_expiry = min(next_expiry, ?4) WHERE user = ?1"),
      remove_all_(database, "DELETE FROM pending WHERE user = ?1 AND messages = ?2"),
      list_(database,
            "SELECT user, messages, bytes FROM pending WHERE user > ?1 ORDER BY user LIMIT ?2"),
      list_due_(database,
                "SELECT user FROM pending INDEXED BY pending_by_expiry"
                " WHERE next_expiry <= ?1 AND user > ?2 ORDER BY user LIMIT ?3"),
      set_next_expiry_(database, "UPDATE pending SET next_expiry = ?2 WHERE user = ?1") {}

void PendingTable::subtract(std::string_view user, const delivery::PendingTotals& removed) {
  if (removed.messages == 0) return;
  Change& change = changes_[user];
  change.messages -= removed.messages;
  change.bytes -= removed.bytes;
}

void PendingTable::write(std::string_view user, const Change& change) {
  if (change.messages < 0) {
    remove_all_.bind(1, user).bind(2, -change.messages).run();
    if (database_.changes() != 0) return;
  }
  const auto run = [&](Statement& statement) {
    statement.bind(1, user)
        .bind(2, change.messages)
        .bind(3, change.bytes)
        .bind(4, change.next_expiry)
        .run();
  };
  run(add_later_);
  if (database_.changes() != 0) return;
  // Without a net gain there may be no row, and none may be made: all came and went in this batch.
  run(change.messages > 0 ? add_any_ : change_);
}

void PendingTable::flush() {
  for (const auto& [user, change] : changes_) write(user, change);
  changes_.clear();
}

PendingTable::Totals PendingTable::list(const UserId& after, std::size_t limit) {
  Totals out;
  list_.bind(1, std::string_view(after.str())).bind(2, static_cast<std::int64_t>(limit));
  while (list_.step()) {
    out.emplace_back(UserId(list_.string(0)),
                     delivery::PendingTotals{list_.integer(1), list_.integer(2)});
  }
  return out;
}

std::vector<UserId> PendingTable::list_due(std::int64_t now, const UserId& after,
                                           std::size_t limit) {
  std::vector<UserId> out;
  list_due_.bind(1, now).bind(2, std::string_view(after.str()));
  list_due_.bind(3, static_cast<std::int64_t>(limit));
  while (list_due_.step()) out.emplace_back(list_due_.string(0));
  return out;
}

void PendingTable::set_next_expiry(const UserId& user, std::int64_t next_expiry) {
  set_next_expiry_.bind(1, std::string_view(user.str())).bind(2, next_expiry).run();
}

}  // namespace holdfast::storage
