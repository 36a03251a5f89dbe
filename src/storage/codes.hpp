#pragma once

#include <memory>
#include <optional>

#include <holdfast/identity/stores.hpp>

#include "storage/queue.hpp"
#include "storage/sqlite.hpp"

namespace holdfast::storage {

/// Confirmation codes.
class CodeTable {
 public:
  using Row = identity::CodeStore::Row;
  using Purpose = identity::CodeStore::Purpose;
  explicit CodeTable(Database& database);

  void put(const Row& row);
  [[nodiscard]] std::optional<Row> attempt(const UserId& sub, Purpose purpose);
  /// Whether this code is still the one that counts.
  [[nodiscard]] bool is_current(const Row& row);
  /// All of a user's.
  void drop(const UserId& sub);
  void sweep(WallTime before);

 private:
  Statement put_;
  Statement attempt_;
  Statement count_nobodys_;
  Statement is_current_;
  Statement drop_;
  Statement sweep_;
};

[[nodiscard]] std::unique_ptr<identity::CodeStore> make_code_store(OperationQueue& queue,
                                                                   Channel& channel);

}  // namespace holdfast::storage
