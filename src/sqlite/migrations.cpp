// Brings a database's schema up to date.

#include "migrations.hpp"

#include <string>

namespace holdfast::sqlite {
namespace {

// Applies one migration. `is_full`: it failed because the disk is full.
Result<void> apply(Database& database, const Migration& migration, std::size_t version,
                   const std::string& path, bool& is_full) {
  const std::string sql = std::string("BEGIN IMMEDIATE;\n") + migration.sql +
                          "\n;PRAGMA user_version = " + std::to_string(version) + ";\nCOMMIT;";
  if (database.execute(sql.c_str())) return {};
  Error error = database.error(path);
  error.message = std::string("migration ") + migration.name + " failed: " + error.message;
  is_full = database.is_full();
  database.clear_failure();
  if (database.in_transaction()) database.execute("ROLLBACK");
  return std::unexpected(std::move(error));
}

}  // namespace

Result<void> mark_new_database(Database& database, const std::string& path) {
  const std::string sql = "PRAGMA application_id = " + std::to_string(kApplicationId);
  if (!database.execute(sql.c_str())) return std::unexpected(database.error(path));
  return {};
}

Result<void> migrate(Database& database, std::span<const Migration> migrations,
                     const std::string& path, const std::function<bool()>& make_room) {
  const std::int64_t owner = database.integer("PRAGMA application_id");
  const std::int64_t version = database.integer("PRAGMA user_version");
  if (database.failed()) return std::unexpected(database.error(path));
  if (owner != kApplicationId) {
    return fail(Errc::io, "this SQLite database is not a Holdfast database", path);
  }
  if (version < 0 || version > static_cast<std::int64_t>(migrations.size())) {
    return fail(Errc::conflict,
                "the database has schema " + std::to_string(version) +
                    ", and this version of holdfast knows none newer than " +
                    std::to_string(migrations.size()),
                path);
  }
  for (auto next = static_cast<std::size_t>(version); next < migrations.size(); ++next) {
    bool is_full = false;
    auto done = apply(database, migrations[next], next + 1, path, is_full);
    if (!done && is_full && make_room && make_room()) {
      done = apply(database, migrations[next], next + 1, path, is_full);
    }
    if (!done) return done;
  }
  return {};
}

}  // namespace holdfast::sqlite
