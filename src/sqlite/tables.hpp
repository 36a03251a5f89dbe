#pragma once

#include <holdfast/delivery/message_store.hpp>

#include "access_keys.hpp"
#include "attempts.hpp"
#include "audit_table.hpp"
#include "codes.hpp"
#include "connections.hpp"
#include "dead_letter_table.hpp"
#include "deduplication_table.hpp"
#include "instance.hpp"
#include "keys.hpp"
#include "message_table.hpp"
#include "meta_table.hpp"
#include "pending_purge_table.hpp"
#include "pending_table.hpp"
#include "refresh_tokens.hpp"
#include "sqlite.hpp"
#include "tokens.hpp"
#include "users.hpp"
#include "work_budget.hpp"

namespace holdfast::sqlite {

/// The tables with their prepared statements, on which operations work.
class Tables {
 public:
  Tables(Database& database, DeadLetterBounds dead_letter_bounds)
      : meta(database),
        pending(database),
        dead_letters(database, dead_letter_bounds),
        messages(database, pending, dead_letters, budget),
        pending_purges(database),
        deduplication(database, budget),
        connections(database),
        users(database),
        tokens(database, budget),
        refresh_tokens(database, budget),
        codes(database, budget),
        attempts(database),
        known_addresses(database, budget),
        keys(database),
        access_keys(database),
        instance(database),
        audit(database),
        database_(database) {}

  /// Prepares a transaction, right behind BEGIN.
  void begin() {
    budget.refill();
    dead_letters.begin();
  }
  /// Writes the changes that gathered in memory, right before COMMIT.
  void flush() {
    pending.flush();
    dead_letters.flush();
  }
  void discard() {
    pending.discard();
    dead_letters.discard();
    messages.discard();
  }

  /// Notes that the transaction is committed.
  void committed() { messages.committed(); }
  /// Returns whether the transaction has met a damaged page, and must be rolled back.
  [[nodiscard]] bool met_damage() const noexcept { return database_.met_damage(); }

  WorkBudget budget;
  MetaTable meta;
  PendingTable pending;
  DeadLetterTable dead_letters;
  MessageTable messages;
  PendingPurgeTable pending_purges;
  DeduplicationTable deduplication;
  ConnectionTable connections;
  UserTable users;
  TokenTable tokens;
  RefreshTokenTable refresh_tokens;
  CodeTable codes;
  AttemptTable attempts;
  KnownAddressTable known_addresses;
  KeyTable keys;
  AccessKeyTable access_keys;
  InstanceTable instance;
  AuditTable audit;

 private:
  Database& database_;
};

}  // namespace holdfast::sqlite
