#pragma once

#include <memory>
#include <vector>

#include <holdfast/base/audit.hpp>

#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

/// The audit records.
class AuditTable {
 public:
  explicit AuditTable(Database& database);

  void append(const std::vector<AuditStore::NewRecord>& records, std::int64_t records_max);
  [[nodiscard]] AuditPage list(const AuditQuery& query);
  [[nodiscard]] bool sweep(WallTime before);

 private:
  [[nodiscard]] std::int64_t edge(Statement& statement);

  Statement insert_;
  Statement newest_;
  Statement oldest_;
  Statement scan_;
  Statement from_oldest_;
  Statement remove_;
};

[[nodiscard]] std::unique_ptr<AuditStore> make_audit_store(OperationQueue& queue, Channel& channel);

}  // namespace holdfast::sqlite
