// The table of dead letters.

#include "dead_letter_table.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "checksum.hpp"
#include "columns.hpp"
#include "work_budget.hpp"

#define HOLDFAST_DEAD_LETTER_COLUMNS \
  "user, id, sequence, accepted_at, expires_at, reason, died_at, detail"

namespace holdfast::sqlite {
namespace {

// Evicts this many before it compares with the limits again.
constexpr std::int64_t kEvictedAtOnce = 64;
// Limits the neighbours that are skipped beside a letter that cannot be removed.
constexpr std::int64_t kSkippedAtMost = 1'023;
// Limits the rows that one listing reads, so that a rare reason does not delay others' commits.
constexpr std::int64_t kLookedAtPerList = 2'000;

}  // namespace

DeadLetterTable::DeadLetterTable(Database& database, DeadLetterBounds bounds)
    : database_(database),
      bounds_(bounds),
      add_(database,
           "INSERT INTO dead_letters"
           " (id, user, sequence, accepted_at, expires_at, died_at, reason, payload, detail,"
           " checksum)"
           " SELECT id, user, sequence, accepted_at, expires_at, ?3, ?4, payload, ?5,"
           " coalesce(checksum,"
           " row_checksum(user, sequence, id, accepted_at, expires_at, payload))"
           " FROM messages WHERE user = ?1 AND sequence = ?2"
           " ON CONFLICT (id) DO NOTHING"),
      add_unsound_(database,
                   "INSERT INTO dead_letters"
                   " (id, user, sequence, accepted_at, expires_at, died_at, reason, payload,"
                   " detail, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, '', ?9)"
                   " ON CONFLICT (id) DO NOTHING"),
      remove_(database, "DELETE FROM dead_letters WHERE id = ?1 RETURNING length(payload)"),
      find_(database, "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS
                      ", payload, checksum FROM dead_letters WHERE id = ?1"),
      list_all_(database, "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS
                          ", length(payload) FROM dead_letters"
                          " WHERE id > ?1 ORDER BY id LIMIT ?2"),
      list_user_(database, "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS
                           ", length(payload) FROM dead_letters"
                           " WHERE id > ?1 AND user = ?3 ORDER BY id LIMIT ?2"),
      change_totals_(database,
                     "UPDATE dead_letter_totals SET messages = messages + ?1, bytes = bytes + ?2"),
      read_totals_(database, "SELECT messages, bytes FROM dead_letter_totals"),
      oldest_(database,
              "SELECT died_at, id FROM dead_letters INDEXED BY dead_letters_by_death"
              " WHERE (died_at, id) > (?1, ?2) ORDER BY died_at, id LIMIT ?3 OFFSET ?4") {
  begin();  // the limit may be smaller than before
}

void DeadLetterTable::add(std::string_view user, Sequence sequence, std::int64_t bytes,
                          std::string_view reason, std::int64_t now, std::string_view detail) {
  HOLDFAST_ASSERT(bytes >= 0, "letters.have_a_size");
  add_.bind(1, user).bind(2, sequence).bind(3, now).bind(4, reason).bind(5, detail).run();
  if (database_.changes() == 0) return;
  ++change_.messages;
  change_.bytes += bytes;
}

void DeadLetterTable::add(std::string_view user, const Unsound& row, std::string_view reason,
                          std::int64_t now) {
  add_unsound_.bind_blob(1, row.id)
      .bind(2, user)
      .bind(3, row.sequence)
      .bind(4, row.accepted_at)
      .bind(5, row.expires_at)
      .bind(6, now)
      .bind(7, reason)
      .bind_blob(8, row.payload);
  row.checksum ? add_unsound_.bind(9, *row.checksum) : add_unsound_.bind_null(9);
  add_unsound_.run();
  if (database_.changes() == 0) return;
  ++change_.messages;
  change_.bytes += static_cast<std::int64_t>(row.payload.size());
}

std::optional<std::int64_t> DeadLetterTable::remove(const MessageId& id) {
  remove_.bind_blob(1, id_bytes(id));
  if (!remove_.step()) return std::nullopt;
  const std::int64_t bytes = remove_.integer(0);
  --change_.messages;
  change_.bytes -= bytes;
  remove_.run();
  return bytes;
}

delivery::DeadLetterInfo DeadLetterTable::read(const Statement& row) {
  delivery::DeadLetterInfo info;
  info.user = UserId(row.string(0));
  info.id = to_message_id(row.bytes(1));
  info.sequence = row.integer(2);
  info.accepted_at = wall_from_micros(row.integer(3));
  info.expires_at = wall_from_micros(row.integer(4));
  info.reason = row.string(5);
  info.died_at = wall_from_micros(row.integer(6));
  info.detail = row.string(7);
  return info;
}

std::optional<delivery::DeadLetter> DeadLetterTable::find(const MessageId& id) {
  find_.bind_blob(1, id_bytes(id));
  if (!find_.step()) return std::nullopt;
  delivery::DeadLetterInfo info = read(find_);
  delivery::Message message;
  message.user = std::move(info.user);
  message.id = info.id;
  message.sequence = info.sequence;
  message.accepted_at = info.accepted_at;
  message.expires_at = info.expires_at;
  message.payload = find_.string(8);
  // A row from before there were checksums has none.
  const bool damaged =
      !find_.is_null(9) && find_.integer(9) != checksum_of({.user = message.user.str(),
                                                            .sequence = message.sequence,
                                                            .id = find_.bytes(1),
                                                            .accepted_at = find_.integer(3),
                                                            .expires_at = find_.integer(4),
                                                            .payload = message.payload});
  find_.reset();
  return delivery::DeadLetter{
      .message = std::make_shared<const delivery::Message>(std::move(message)),
      .reason = std::move(info.reason),
      .died_at = info.died_at,
      .detail = std::move(info.detail),
      .damaged = damaged};
}

delivery::DeadLetterPage DeadLetterTable::list(const delivery::DeadLetterQuery& query) {
  Statement& statement = query.user ? list_user_ : list_all_;
  // Every id is longer than the empty blob, and so above it.
  statement.bind_blob(1, query.after ? id_bytes(*query.after) : std::string_view());
  statement.bind(2, kLookedAtPerList);
  if (query.user) statement.bind(3, std::string_view(query.user->str()));
  delivery::DeadLetterPage page;
  std::optional<MessageId> last;
  std::int64_t looked_at = 0;
  while (page.letters.size() < query.limit && statement.step()) {
    ++looked_at;
    delivery::DeadLetterInfo info = read(statement);
    info.bytes = statement.integer(8);
    last = info.id;
    if (!query.reason || info.reason == *query.reason) page.letters.push_back(std::move(info));
  }
  statement.reset();
  if (page.letters.size() >= query.limit || looked_at >= kLookedAtPerList) page.next = last;
  return page;
}

void DeadLetterTable::flush() {
  const bool is_changed = change_.messages != 0 || change_.bytes != 0;
  if (!is_changed && (!over_ || stuck_)) return;
  changed_ = true;
  delivery::PendingTotals now = totals();
  now.messages += change_.messages;
  now.bytes += change_.bytes;
  if (beyond_bounds(now) && !stuck_) now = evict(now);
  over_ = beyond_bounds(now);
  change_totals_.bind(1, change_.messages).bind(2, change_.bytes).run();
  change_ = {};
}

delivery::PendingTotals DeadLetterTable::totals() {
  read_totals_.step();
  const delivery::PendingTotals out{read_totals_.integer(0), read_totals_.integer(1)};
  read_totals_.reset();
  return out;
}

// Skips letters that cannot be removed. The number doubles each time, so that the neighbours on a
// damaged page are soon behind.
// damaged page, which are neighbours here too, are soon behind.
void DeadLetterTable::discard() {
  change_ = {};
  if (!evicting_) return;
  evicting_ = false;
  stuck_ = true;
  if (!database_.met_damage()) return;
  from_ = trying_;
  skip_ = std::min(2 * skip_ + 1, kSkippedAtMost);
}

std::vector<DeadLetterTable::Place> DeadLetterTable::list_oldest(std::int64_t limit) {
  std::vector<Place> out;
  oldest_.bind(1, from_.died_at).bind_blob(2, from_.id).bind(3, limit).bind(4, skip_);
  while (oldest_.step()) out.push_back({oldest_.integer(0), oldest_.string(1)});
  return out;
}

delivery::PendingTotals DeadLetterTable::evict(delivery::PendingTotals totals) {
  HOLDFAST_ASSERT(!evicting_ && !stuck_, "letters.are_evicted_once_at_a_time");
  WorkBudget budget;
  evicting_ = true;
  while (beyond_bounds(totals) && budget.left()) {
    trying_ = from_;
    const std::vector<Place> oldest = list_oldest(
        std::clamp<std::int64_t>(totals.messages - bounds_.messages, 1, kEvictedAtOnce));
    if (database_.failed()) return totals;
    if (oldest.empty()) {
      evicting_ = false;
      if (from_ == Place() && skip_ == 0) {  // the totals were wrong: the table is empty
        change_.messages -= totals.messages;
        change_.bytes -= totals.bytes;
        return {};
      }
      from_ = {};
      skip_ = 0;
      stuck_ = true;
      return totals;
    }
    for (const Place& place : oldest) {
      const delivery::PendingTotals before = change_;
      trying_ = place;
      // The index may have an entry without a row.
      const bool is_there = remove(to_message_id(place.id)).has_value();
      if (database_.failed()) return totals;
      if (!is_there || from_ != Place() || skip_ > 0) from_ = place;
      skip_ = 0;
      budget.spend(WorkBudget::of_eviction(before.bytes - change_.bytes));
      totals.messages += change_.messages - before.messages;
      totals.bytes += change_.bytes - before.bytes;
      if (!beyond_bounds(totals)) break;
    }
  }
  evicting_ = false;
  return totals;
}

}  // namespace holdfast::sqlite
