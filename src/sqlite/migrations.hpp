#pragma once

#include <functional>
#include <span>
#include <string_view>

#include <holdfast/base/error.hpp>

#include "sqlite.hpp"

namespace holdfast::sqlite {

/// One step of the schema: the nth makes version n.
struct Migration {
  const char* name;
  const char* sql;
};

/// Returns migrations/*.sql, which are compiled in, in the order of their names.
[[nodiscard]] std::span<const Migration> embedded_migrations();

/// Marks a SQLite file as Holdfast's (PRAGMA application_id): "HFST".
inline constexpr std::int64_t kApplicationId = 0x48465354;

/// Marks a newly created file.
[[nodiscard]] Result<void> mark_new_database(Database& database, const std::string& path);

/// Applies the missing `migrations`, each in a transaction of its own together with its version.
/// `make_room` is called when the disk is full; the step runs once more if it made some. Errors:
/// `conflict` for a newer schema, `io` with the failed step, or for another program's database.
[[nodiscard]] Result<void> migrate(Database& database, std::span<const Migration> migrations,
                                   const std::string& path,
                                   const std::function<bool()>& make_room = {});

}  // namespace holdfast::sqlite
