// Adds checksums to rows from before there were any.
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/sqlite/database_file.hpp>

#include "migrations.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {
namespace {

// Limits the work of one transaction.
constexpr std::size_t kRowsAtOnce = 1'000;
constexpr std::int64_t kBytesAtOnce = std::int64_t{4} << 20;

constexpr const char* kSum =
    " SET checksum = row_checksum(user, sequence, id, accepted_at, expires_at, payload) WHERE ";

/// A row of either table, by its key.
struct Place {
  std::string text{};  ///< a user, or the id of a dead letter
  std::int64_t sequence = 0;
};

void bind_message(Statement& statement, const Place& place) {
  statement.bind(1, std::string_view(place.text)).bind(2, place.sequence);
}
void bind_letter(Statement& statement, const Place& place) { statement.bind_blob(1, place.text); }

// Walks along the key, from the end of the previous transaction.
std::int64_t sum_rows(Database& database, const char* list_sql, const std::string& sum_sql,
                      void (*bind)(Statement&, const Place&)) {
  Statement list(database, list_sql);
  Statement sum(database, sum_sql.c_str());
  std::int64_t summed = 0;
  Place last;
  std::vector<Place> rows;
  do {
    rows.clear();
    std::int64_t bytes = 0;
    bind(list, last);
    while (rows.size() < kRowsAtOnce && bytes < kBytesAtOnce && list.step()) {
      rows.push_back({.text = list.string(0), .sequence = list.integer(1)});
      bytes += list.integer(2);
    }
    list.reset();
    if (rows.empty()) break;
    database.execute("BEGIN IMMEDIATE");
    for (const Place& row : rows) {
      bind(sum, row);
      sum.run();
    }
    database.execute("COMMIT");
    if (!database.failed()) summed += static_cast<std::int64_t>(rows.size());
    last = std::move(rows.back());
  } while (!database.failed());
  return summed;
}

}  // namespace

Result<AddedChecksums> add_checksums(const std::string& path) {
  auto opened = Database::open(path);
  if (!opened) return std::unexpected(opened.error());
  Database& database = **opened;
  database.execute(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA secure_delete = FAST;");
  if (database.integer("PRAGMA application_id") != kApplicationId && !database.failed()) {
    return fail(Errc::io, path + " is not a Holdfast database", path);
  }
  const bool has_sums =
      database.integer(
          "SELECT count(*) FROM pragma_table_info('messages') WHERE name = 'checksum'") != 0;
  if (!has_sums && !database.failed()) {
    return fail(Errc::conflict,
                path + " is of an older version, which has no checksums: start the gateway once",
                path);
  }
  AddedChecksums out;
  out.messages =
      sum_rows(database,
               "SELECT user, sequence, length(payload) FROM messages"
               " WHERE checksum IS NULL AND (user, sequence) > (?1, ?2)"
               " ORDER BY user, sequence",
               std::string("UPDATE messages") + kSum + "user = ?1 AND sequence = ?2", bind_message);
  out.dead_letters = sum_rows(database,
                              "SELECT id, 0, length(payload) FROM dead_letters"
                              " WHERE checksum IS NULL AND id > ?1 ORDER BY id",
                              std::string("UPDATE dead_letters") + kSum + "id = ?1", bind_letter);
  database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  if (database.failed()) return std::unexpected(database.error(path));
  return out;
}

}  // namespace holdfast::sqlite
