#pragma once

#include <cstdint>
#include <vector>

#include <holdfast/delivery/message.hpp>

#include "storage/sqlite.hpp"
#include "storage/work_budget.hpp"

namespace holdfast::storage {

/// What each 200 under a deduplicationId said.
class DeduplicationTable {
 public:
  DeduplicationTable(Database& database, WorkBudget& budget);

  void put(const delivery::DeduplicationRecord& record);
  /// Removes records from before `before`, as many as the transaction's budget allows; true when
  /// there may be more.
  [[nodiscard]] bool forget_some(std::int64_t before);
  [[nodiscard]] std::vector<delivery::DeduplicationRecord> load();

 private:
  Database& database_;
  WorkBudget& budget_;
  Statement put_;
  Statement forget_;
  Statement load_;
};

}  // namespace holdfast::storage
