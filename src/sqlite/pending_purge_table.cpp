// The table of users whose pending messages must become dead letters.

#include "pending_purge_table.hpp"

namespace holdfast::sqlite {

PendingPurgeTable::PendingPurgeTable(Database& database)
    : add_(database,
           "INSERT OR REPLACE INTO burials (user, up_to, reason)"
           " SELECT user, sequence, ?2 FROM messages WHERE user = ?1"
           " ORDER BY sequence DESC LIMIT 1"),
      remove_(database, "DELETE FROM burials WHERE user = ?1 AND up_to <= ?2"),
      load_(database, "SELECT user, up_to, reason FROM burials") {}

void PendingPurgeTable::add(const UserId& user, std::string_view reason) {
  add_.bind(1, std::string_view(user.str())).bind(2, reason).run();
}

void PendingPurgeTable::remove(const UserId& user, Sequence up_to) {
  remove_.bind(1, std::string_view(user.str())).bind(2, up_to).run();
}

std::vector<delivery::PendingPurge> PendingPurgeTable::load() {
  std::vector<delivery::PendingPurge> out;
  while (load_.step()) {
    out.push_back({UserId(load_.string(0)), load_.integer(1), load_.string(2)});
  }
  return out;
}

}  // namespace holdfast::sqlite
