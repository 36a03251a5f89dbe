#include "storage/dead_letter_table.hpp"

#include <memory>
#include <utility>

#include "storage/columns.hpp"

#define HOLDFAST_DEAD_LETTER_COLUMNS \
  "user, id, sequence, accepted_at, expires_at, payload, reason, died_at"

namespace holdfast::storage {
namespace {

// What one commit evicts at most: what is left over goes with the next.
constexpr std::size_t kEvictionsPerCommit = 1'000;

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
      find_(database, "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS " FROM dead_letters WHERE id = ?1"),
      list_all_(database, "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS
                          " FROM dead_letters WHERE id > ?1 ORDER BY id LIMIT ?2"),
      list_user_(database, "SELECT " HOLDFAST_DEAD_LETTER_COLUMNS
                           " FROM dead_letters WHERE id > ?1 AND user = ?3 ORDER BY id LIMIT ?2"),
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

delivery::DeadLetter DeadLetterTable::read(const Statement& row) {
  delivery::Message message;
  message.user = UserId(row.string(0));
  message.id = to_message_id(row.bytes(1));
  message.sequence = row.integer(2);
  message.accepted_at = wall_from_micros(row.integer(3));
  message.expires_at = wall_from_micros(row.integer(4));
  message.payload = row.string(5);
  return {.message = std::make_shared<const delivery::Message>(std::move(message)),
          .reason = row.string(6),
          .died_at = wall_from_micros(row.integer(7))};
}

std::optional<delivery::DeadLetter> DeadLetterTable::find(const MessageId& id) {
  find_.bind_blob(1, id_bytes(id));
  if (!find_.step()) return std::nullopt;
  auto letter = read(find_);
  find_.reset();
  return letter;
}

std::vector<delivery::DeadLetter> DeadLetterTable::list(const std::optional<UserId>& user,
                                                        const std::optional<MessageId>& after,
                                                        std::size_t limit) {
  Statement& statement = user ? list_user_ : list_all_;
  // Every id is longer than the empty blob, and so above it.
  statement.bind_blob(1, after ? id_bytes(*after) : std::string_view());
  statement.bind(2, static_cast<std::int64_t>(limit));
  if (user) statement.bind(3, std::string_view(user->str()));
  std::vector<delivery::DeadLetter> out;
  while (statement.step()) out.push_back(read(statement));
  return out;
}

void DeadLetterTable::flush() {
  if (change_.messages == 0 && change_.bytes == 0) return;
  read_totals_.step();
  delivery::PendingTotals totals{read_totals_.integer(0) + change_.messages,
                                 read_totals_.integer(1) + change_.bytes};
  read_totals_.reset();
  if (beyond_bounds(totals)) evict(totals);
  change_totals_.bind(1, change_.messages).bind(2, change_.bytes).run();
  change_ = {};
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
