#pragma once

#include <vector>

#include <holdfast/delivery/message.hpp>

#include "bounded_delete.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

/// The answers that were given under deduplication ids.
class DeduplicationTable {
 public:
  DeduplicationTable(Database& database, WorkBudget& budget);

  void put(const delivery::DeduplicationRecord& record);
  /// Forgets records from before `before`, as many as the transaction's budget allows. Returns true
  /// when there may be more.
  [[nodiscard]] bool sweep(WallTime before) { return sweep_.run(before); }
  [[nodiscard]] std::vector<delivery::DeduplicationRecord> load();

 private:
  Statement put_;
  BoundedDelete sweep_;
  Statement load_;
};

}  // namespace holdfast::sqlite
