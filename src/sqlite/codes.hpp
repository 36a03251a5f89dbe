#pragma once

#include <memory>
#include <optional>

#include <holdfast/identity/stores.hpp>

#include "bounded_delete.hpp"
#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

/// Confirmation codes.
class CodeTable {
 public:
  using Row = identity::CodeStore::Row;
  using Purpose = identity::CodeStore::Purpose;
  CodeTable(Database& database, WorkBudget& budget);

  void put(const Row& row);
  [[nodiscard]] std::optional<Row> attempt(const UserId& sub, Purpose purpose);
  /// Returns whether this code is still the valid one.
  [[nodiscard]] bool is_current(const Row& row);
  /// Removes a used code. A code that proves an address goes alone; any other takes all of its
  /// user's with it.
  void spend(const Row& row);
  /// Drops all codes of a user.
  void drop(const UserId& sub);
  /// Sweeps rows that expired before `before`; as `BoundedDelete::run`.
  [[nodiscard]] bool sweep(WallTime before) { return sweep_.run(before); }

 private:
  Statement put_;
  Statement attempt_;
  Statement count_without_user_;
  Statement is_current_;
  Statement drop_;
  Statement drop_one_;
  BoundedDelete sweep_;
};

[[nodiscard]] std::unique_ptr<identity::CodeStore> make_code_store(OperationQueue& queue,
                                                                   Channel& channel);

}  // namespace holdfast::sqlite
