// The table of remembered deduplication ids.

#include "deduplication_table.hpp"

#include <string_view>
#include <utility>

#include "columns.hpp"

namespace holdfast::sqlite {

DeduplicationTable::DeduplicationTable(Database& database, WorkBudget& budget)
    : put_(database,
           "INSERT OR REPLACE INTO deduplication"
           " (user, caller, key, payload_hash, message_id, sequence, status, committed_at)"
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"),
      sweep_(database, budget,
             "DELETE FROM deduplication WHERE (user, caller, key) IN (SELECT user, caller, key"
             " FROM deduplication WHERE committed_at < ?1 ORDER BY committed_at LIMIT ?2)",
             WorkBudget::of_erase(0)),
      load_(database,
            "SELECT user, caller, key, payload_hash, message_id, sequence, status, committed_at"
            " FROM deduplication") {}

void DeduplicationTable::put(const delivery::DeduplicationRecord& record) {
  put_.bind(1, std::string_view(record.user.str()))
      .bind(2, std::string_view(record.caller))
      .bind(3, std::string_view(record.key))
      .bind_blob(4, view(record.payload_hash))
      .bind_blob(5, id_bytes(record.receipt.id))
      .bind(6, record.receipt.sequence)
      .bind(7, static_cast<std::int64_t>(record.receipt.status))
      .bind(8, unix_micros(record.committed_at))
      .run();
}

std::vector<delivery::DeduplicationRecord> DeduplicationTable::load() {
  std::vector<delivery::DeduplicationRecord> out;
  while (load_.step()) {
    delivery::DeduplicationRecord record;
    record.user = UserId(load_.string(0));
    record.caller = load_.string(1);
    record.key = load_.string(2);
    record.payload_hash = to_digest(load_.bytes(3));
    record.receipt.id = to_message_id(load_.bytes(4));
    record.receipt.sequence = load_.integer(5);
    record.receipt.status = static_cast<delivery::DeliveryStatus>(load_.integer(6));
    record.committed_at = wall_from_micros(load_.integer(7));
    out.push_back(std::move(record));
  }
  return out;
}

}  // namespace holdfast::sqlite
