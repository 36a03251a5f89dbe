// The table of users' totals.

#include "pending_table.hpp"

#include <holdfast/delivery/router.hpp>

namespace holdfast::sqlite {
namespace {

// Limits the rows that one call reads, since it skips the users of other homes.
constexpr std::int64_t kLookedAtPerCall = 2'000;

}  // namespace

// `add_later_` leaves the indexed column out of its SET. SQLite would rewrite the index entry even
// for an equal value, and only a user's first message changes it.
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
      find_(database, "SELECT messages, bytes FROM pending WHERE user = ?1"),
      list_(database,
            "SELECT user, messages, bytes FROM pending WHERE user > ?1 ORDER BY user LIMIT ?2"),
      list_due_(database,
                "SELECT next_expiry, user FROM pending INDEXED BY pending_by_expiry"
                " WHERE next_expiry <= ?1 AND (next_expiry, user) > (?2, ?3)"
                " ORDER BY next_expiry, user LIMIT ?4"),
      list_by_user_(database,
                    "SELECT user, next_expiry FROM pending NOT INDEXED"
                    " WHERE user > ?1 ORDER BY user LIMIT ?2"),
      set_next_expiry_(database,
                       "UPDATE pending SET next_expiry = ?2 WHERE user = ?1 AND next_expiry <> ?2"),
      lower_next_expiry_(
          database, "UPDATE pending SET next_expiry = ?2 WHERE user = ?1 AND next_expiry > ?2") {}

void PendingTable::subtract(std::string_view user, const delivery::PendingTotals& removed) {
  HOLDFAST_ASSERT(removed.messages >= 0 && removed.bytes >= 0,
                  "pending.subtracts_no_less_than_nothing");
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
  // Without a net gain there may be no row. None may be made, because all came and went in this
  // batch.
  run(change.messages > 0 ? add_any_ : change_);
}

void PendingTable::flush() {
  for (const auto& [user, change] : changes_) {
    write(user, change);
    if (!database_.failed()) continue;
    failed_.emplace(std::string(user));
    return;
  }
  changes_.clear();
}

delivery::PendingTotals PendingTable::find(const UserId& user) {
  delivery::PendingTotals out;
  find_.bind(1, std::string_view(user.str()));
  if (find_.step()) out = {find_.integer(0), find_.integer(1)};
  find_.reset();
  if (const auto change = changes_.find(user.str()); change != changes_.end()) {
    out.messages += change->second.messages;
    out.bytes += change->second.bytes;
  }
  return out;
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

// Lists in the order of the index, so that each page begins where the last one ended.
delivery::ExpiryPage PendingTable::list_due(const delivery::ExpiryQuery& query) {
  const UserId before_all;
  const UserId& after = query.after ? query.after->user : before_all;
  list_due_.bind(1, unix_micros(query.now))
      .bind(2, query.after ? unix_micros(query.after->next_expiry) : INT64_MIN)
      .bind(3, std::string_view(after.str()))
      .bind(4, kLookedAtPerCall);
  delivery::ExpiryPage page;
  delivery::ExpiryPlace last;
  std::int64_t looked_at = 0;
  while (page.users.size() < query.limit && list_due_.step()) {
    ++looked_at;
    last = {wall_from_micros(list_due_.integer(0)), UserId(list_due_.string(1))};
    if (delivery::home_shard(last.user, query.shards) == query.shard) {
      page.users.push_back(last.user);
    }
  }
  list_due_.reset();
  const bool is_full = page.users.size() >= query.limit || looked_at >= kLookedAtPerCall;
  if (is_full && looked_at > 0) page.next = std::move(last);
  return page;
}

delivery::ExpiryPage PendingTable::list_due_by_user(const delivery::ExpiryQuery& query) {
  delivery::ExpiryPage page;
  delivery::ExpiryPlace last;
  last.by_user = true;
  if (query.after) last.user = query.after->user;
  const UserId after = last.user;
  list_by_user_.bind(1, std::string_view(after.str())).bind(2, kLookedAtPerCall);
  std::int64_t looked_at = 0;
  while (page.users.size() < query.limit && list_by_user_.step()) {
    ++looked_at;
    last.user = UserId(list_by_user_.string(0));
    const bool is_due = list_by_user_.integer(1) <= unix_micros(query.now);
    if (is_due && delivery::home_shard(last.user, query.shards) == query.shard) {
      page.users.push_back(last.user);
    }
  }
  list_by_user_.reset();
  const bool is_full = page.users.size() >= query.limit || looked_at >= kLookedAtPerCall;
  if (is_full && looked_at > 0) page.next = std::move(last);
  return page;
}

void PendingTable::set_next_expiry(const UserId& user, std::int64_t next_expiry) {
  set_next_expiry_.bind(1, std::string_view(user.str())).bind(2, next_expiry).run();
}

void PendingTable::lower_next_expiry(const UserId& user, std::int64_t next_expiry) {
  lower_next_expiry_.bind(1, std::string_view(user.str())).bind(2, next_expiry).run();
}

}  // namespace holdfast::sqlite
