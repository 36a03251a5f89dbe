#include "storage/dead_letter_table.hpp"

#include <memory>
#include <utility>

#include "storage/columns.hpp"

#define HOLDFAST_DEAD_LETTER_COLUMNS "user, id, sequence, accepted_at, expires_at, reason, died_at"

namespace holdfast::storage {
namespace {

// What one commit evicts at most: what is left over goes with the next.
constexpr std::size_t kEvictionsPerCommit = 1'000;
// What one listing looks at at most, so that others' commits need not wait for a rare reason.
constexpr std::int64_t kLookedAtPerList = 2'000;

}  // namespace

DeadLetterTable::DeadLetterTable(Database& database, DeadLetterBounds bounds)
    : database_(database),
      bounds_(bounds),
      add_(database,
           "INSERT INTO dead_letters"
           " (id, user, sequence, accepted_at, expires_at, died_at, reason, payload)"
           " SELECT id, user, sequence, accepted_at, expires_at, ?3, ?4, payload"
           " FROM messages WHERE user = ?1 AND sequence = ?2"
           " ON CONFLICT (id) DO NOTHING"),
      remove_(database, "DELETE FROM dead_letters WHERE id = ?1 RETURNING length(payload)"),
      find_(database,
            "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS ", payload FROM dead_letters WHERE id = ?1"),
      list_all_(database, "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS
                          ", length(payload) FROM dead_letters"
                          " WHERE id > ?1 ORDER BY id LIMIT ?2"),
      list_user_(database, "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS
                           ", length(payload) FROM dead_letters"
                           " WHERE id > ?1 AND user = ?3 ORDER BY id LIMIT ?2"),
      change_totals_(database,
                     "UPDATE dead_letter_totals SET messages = messages + ?1, bytes = bytes + ?2"),
      read_totals_(database, "SELECT messages, bytes FROM dead_letter_totals"),
      oldest_(database, "SELECT id FROM dead_letters ORDER BY died_at, id LIMIT ?1") {}

void DeadLetterTable::add(std::string_view user, Sequence sequence, std::int64_t bytes,
                          std::string_view reason, std::int64_t now) {
  add_.bind(1, user).bind(2, sequence).bind(3, now).bind(4, reason).run();
  if (database_.changes() == 0) return;
  ++change_.messages;
  change_.bytes += bytes;
}

bool DeadLetterTable::remove(const MessageId& id) {
  remove_.bind_blob(1, id_bytes(id));
  if (!remove_.step()) return false;
  --change_.messages;
  change_.bytes -= remove_.integer(0);
  remove_.run();
  return true;
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
  message.payload = find_.string(7);
  find_.reset();
  return delivery::DeadLetter{
      .message = std::make_shared<const delivery::Message>(std::move(message)),
      .reason = std::move(info.reason),
      .died_at = info.died_at};
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
    info.bytes = statement.integer(7);
    last = info.id;
    if (!query.reason || info.reason == *query.reason) page.letters.push_back(std::move(info));
  }
  statement.reset();
  if (page.letters.size() >= query.limit || looked_at >= kLookedAtPerList) page.next = last;
  return page;
}

void DeadLetterTable::flush() {
  if (change_.messages == 0 && change_.bytes == 0) return;
  changed_ = true;
  delivery::PendingTotals now = totals();
  now.messages += change_.messages;
  now.bytes += change_.bytes;
  if (beyond_bounds(now)) evict(now);
  change_totals_.bind(1, change_.messages).bind(2, change_.bytes).run();
  change_ = {};
}

delivery::PendingTotals DeadLetterTable::totals() {
  read_totals_.step();
  const delivery::PendingTotals out{read_totals_.integer(0), read_totals_.integer(1)};
  read_totals_.reset();
  return out;
}

void DeadLetterTable::evict(delivery::PendingTotals totals) {
  std::vector<MessageId> oldest;
  oldest_.bind(1, static_cast<std::int64_t>(kEvictionsPerCommit));
  while (oldest_.step()) oldest.push_back(to_message_id(oldest_.bytes(0)));
  for (const MessageId& id : oldest) {
    if (!beyond_bounds(totals)) return;
    const delivery::PendingTotals before = change_;
    if (!remove(id)) return;
    totals.messages += change_.messages - before.messages;
    totals.bytes += change_.bytes - before.bytes;
  }
}

}  // namespace holdfast::storage
