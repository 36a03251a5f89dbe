#pragma once

#include <cstdint>
#include <vector>

#include <holdfast/delivery/message.hpp>

#include "storage/sqlite.hpp"

namespace holdfast::storage {

/// What each 200 under a deduplicationId said.
class DeduplicationTable {
 public:
  explicit DeduplicationTable(Database& database);

  void put(const delivery::DeduplicationRecord& record);
  /// Removes some of the records from before `before`; true when there may be more.
  [[nodiscard]] bool forget_some(std::int64_t before);
  [[nodiscard]] std::vector<delivery::DeduplicationRecord> load();

 private:
  Database& database_;
  Statement put_;
  Statement forget_;
  Statement load_;
};

}  // namespace holdfast::storage
