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

/// migrations/*.sql, compiled in, in order of their names.
[[nodiscard]] std::span<const Migration> embedded_migrations();

/// Marks a SQLite file as Holdfast's (PRAGMA application_id): "HFST".
inline constexpr std::int64_t kApplicationId = 0x48465354;

/// Marks a file that has just been made.
[[nodiscard]] Result<void> mark_new_database(Database& database, const std::string& path);

/// Brings the schema up to the newest of `migrations`, each in a transaction of its own with the
/// version that it makes. Errors: `conflict` for a newer schema, `io` with the step that failed, or
/// for a database that is somebody else's. `make_room` is called when the disk is full; a step is
/// taken once more when it could make some.
[[nodiscard]] Result<void> migrate(Database& database, std::span<const Migration> migrations,
                                   const std::string& path,
                                   const std::function<bool()>& make_room = {});

}  // namespace holdfast::sqlite
