#pragma once

#include <holdfast/base/ids.hpp>

#include "storage/sqlite.hpp"

namespace holdfast::storage {

/// Single values.
class MetaTable {
 public:
  explicit MetaTable(Database& database)
      : raise_ceiling_(database, "UPDATE meta SET value = max(value, ?1) WHERE name = 'ceiling'"),
        ceiling_(database, "SELECT value FROM meta WHERE name = 'ceiling'"),
        epoch_(database, "SELECT value FROM meta WHERE name = 'epoch'") {}

  void raise_ceiling(Sequence ceiling) { raise_ceiling_.bind(1, ceiling).run(); }
  [[nodiscard]] Sequence ceiling() {
    const Sequence out = ceiling_.step() ? ceiling_.integer(0) : 0;
    ceiling_.reset();
    return out;
  }
  [[nodiscard]] std::int64_t epoch() {
    const std::int64_t out = epoch_.step() ? epoch_.integer(0) : 0;
    epoch_.reset();
    return out;
  }

 private:
  Statement raise_ceiling_;
  Statement ceiling_;
  Statement epoch_;
};

}  // namespace holdfast::storage
