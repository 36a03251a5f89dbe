#pragma once

#include <optional>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>

#include "sqlite.hpp"

namespace holdfast::sqlite {

/// Single values, by name.
class MetaTable {
 public:
  explicit MetaTable(Database& database)
      : raise_ceiling_(database, "UPDATE meta SET value = max(value, ?1) WHERE name = 'ceiling'"),
        ceiling_(database, "SELECT value FROM meta WHERE name = 'ceiling'"),
        epoch_(database, "SELECT value FROM meta WHERE name = 'epoch'"),
        remember_time_(database, "UPDATE meta SET value = ?1 WHERE name = 'known_time'"),
        known_time_(database, "SELECT value FROM meta WHERE name = 'known_time'") {}

  void raise_ceiling(Sequence ceiling) {
    HOLDFAST_ASSERT(ceiling >= 0, "ceiling.is_a_sequence");
    raise_ceiling_.bind(1, ceiling).run();
  }
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
  void remember_time(WallTime now) { remember_time_.bind(1, unix_micros(now)).run(); }
  [[nodiscard]] std::optional<WallTime> known_time() {
    const std::int64_t known = known_time_.step() ? known_time_.integer(0) : 0;
    known_time_.reset();
    if (known == 0) return std::nullopt;
    return wall_from_micros(known);
  }

 private:
  Statement raise_ceiling_;
  Statement ceiling_;
  Statement epoch_;
  Statement remember_time_;
  Statement known_time_;
};

}  // namespace holdfast::sqlite
