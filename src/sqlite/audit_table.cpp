// The table of audit records.

#include "audit_table.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "submitter.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {
namespace {

constexpr std::int64_t kRemovedAtOnce = 1'000;
constexpr std::int64_t kLookedAtPerPage = 10'000;

bool in_group(std::string_view action, std::string_view wanted) {
  return wanted.ends_with('.') ? action.starts_with(wanted) : action == wanted;
}

bool matches(const AuditEvent& event, const AuditQuery& query) {
  return (query.actor.empty() || event.actor == query.actor) &&
         (query.action.empty() || in_group(event.action, query.action)) &&
         (query.target.empty() || event.target == query.target) &&
         (!query.outcome || event.outcome == *query.outcome);
}

}  // namespace

AuditTable::AuditTable(Database& database)
    : insert_(database,
              "INSERT INTO audit (at, actor, action, target, outcome, reason, address)"
              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      newest_(database, "SELECT max(id) FROM audit"),
      oldest_(database, "SELECT min(id) FROM audit"),
      scan_(database,
            "SELECT id, at, actor, action, target, outcome, reason, address FROM audit"
            " WHERE id < ?1 ORDER BY id DESC LIMIT ?2"),
      from_oldest_(database, "SELECT id, at FROM audit ORDER BY id LIMIT ?1"),
      remove_(database, "DELETE FROM audit WHERE id <= ?1") {}

std::int64_t AuditTable::edge(Statement& statement) {
  const std::int64_t id = statement.step() ? statement.integer(0) : 0;
  statement.reset();
  return id;
}

void AuditTable::append(const std::vector<AuditStore::NewRecord>& records,
                        std::int64_t records_max) {
  for (const auto& [at, event] : records) {
    insert_.bind(1, unix_micros(at))
        .bind(2, std::string_view(event.actor))
        .bind(3, std::string_view(event.action))
        .bind(4, std::string_view(event.target))
        .bind(5, static_cast<std::int64_t>(event.outcome))
        .bind(6, std::string_view(event.reason))
        .bind(7, std::string_view(event.address))
        .run();
  }
  // Ids have no gaps, because records are only removed from the oldest end.
  const std::int64_t oldest = edge(oldest_);
  const std::int64_t beyond = edge(newest_) - records_max;
  if (beyond < oldest) return;
  const auto more = static_cast<std::int64_t>(records.size()) + kRemovedAtOnce;
  remove_.bind(1, std::min(beyond, oldest + more - 1)).run();
}

AuditPage AuditTable::list(const AuditQuery& query) {
  AuditPage page;
  std::int64_t looked_at = 0;
  std::int64_t last = 0;
  bool is_over = true;
  scan_.bind(1, query.before.value_or(std::numeric_limits<std::int64_t>::max()))
      .bind(2, kLookedAtPerPage);
  while (scan_.step()) {
    ++looked_at;
    last = scan_.integer(0);
    const WallTime at = wall_from_micros(scan_.integer(1));
    if (query.since && at < *query.since) {
      looked_at = 0;
      break;
    }
    AuditEvent event{.actor = scan_.string(2),
                     .action = scan_.string(3),
                     .target = scan_.string(4),
                     .outcome = static_cast<AuditOutcome>(scan_.integer(5)),
                     .reason = scan_.string(6),
                     .address = scan_.string(7)};
    if (matches(event, query)) page.records.push_back({last, at, std::move(event)});
    if (page.records.size() >= query.limit) {
      is_over = false;
      break;
    }
  }
  scan_.reset();
  if (!is_over || looked_at == kLookedAtPerPage) page.next = last;
  return page;
}

bool AuditTable::sweep(WallTime before) {
  std::int64_t up_to = 0;
  std::int64_t count = 0;
  from_oldest_.bind(1, kRemovedAtOnce);
  while (from_oldest_.step()) {
    if (from_oldest_.integer(1) >= unix_micros(before)) break;
    up_to = from_oldest_.integer(0);
    ++count;
  }
  from_oldest_.reset();
  if (count > 0) remove_.bind(1, up_to).run();
  return count == kRemovedAtOnce;
}

namespace {

class SqliteAuditStore final : public AuditStore, private Submitter {
 public:
  SqliteAuditStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void append(std::vector<NewRecord> records, std::int64_t records_max,
              Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::retry,
        [records = std::move(records), records_max](Tables& tables) {
          tables.audit.append(records, records_max);
        },
        std::move(done));
  }
  void list(AuditQuery query, Completion<Result<AuditPage>> done) override {
    submit<AuditPage>(
        OnRollback::fail,
        [query = std::move(query)](Tables& tables) { return tables.audit.list(query); },
        std::move(done));
  }
  void sweep(WallTime before, Completion<Result<bool>> done) override {
    submit<bool>(
        OnRollback::fail, [before](Tables& tables) { return tables.audit.sweep(before); },
        std::move(done));
  }
};

}  // namespace

std::unique_ptr<AuditStore> make_audit_store(OperationQueue& queue, Channel& channel) {
  return std::make_unique<SqliteAuditStore>(queue, channel);
}

}  // namespace holdfast::sqlite
