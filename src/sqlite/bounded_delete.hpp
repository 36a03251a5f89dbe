#pragma once

#include <cstdint>

#include <holdfast/base/clock.hpp>

#include "sqlite.hpp"
#include "work_budget.hpp"

namespace holdfast::sqlite {

/// Deletes old rows, as many at a time as the transaction's budget allows.
class BoundedDelete {
 public:
  /// `sql` deletes at most ?2 rows from before ?1; `weight` is the cost of one row.
  BoundedDelete(Database& database, WorkBudget& budget, const char* sql, std::int64_t weight)
      : database_(database), budget_(budget), delete_(database, sql), weight_(weight) {}

  /// Returns true when there may be more.
  [[nodiscard]] bool run(WallTime before) {
    const std::int64_t most = budget_.rows(weight_);
    delete_.bind(1, unix_micros(before)).bind(2, most).run();
    const std::int64_t deleted = database_.changes();
    budget_.spend(WorkBudget::of_call() + deleted * weight_);
    return deleted == most;
  }

 private:
  Database& database_;
  WorkBudget& budget_;
  Statement delete_;
  std::int64_t weight_;
};

}  // namespace holdfast::sqlite
