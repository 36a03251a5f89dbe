// Checks a whole database that no daemon uses.

#include <array>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include <holdfast/base/clock.hpp>
#include <holdfast/sqlite/database_file.hpp>

#include "keys.hpp"
#include "migrations.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {
namespace {

constexpr int kInstructionsBetweenLooks = 10'000;
constexpr std::size_t kProblemsMax = 20;

// A rule between the tables. Its query returns a row for each violation, whose text is shown.
struct Rule {
  const char* what;
  const char* sql;
};
constexpr Rule kRules[] = {
    {"totals that differ from the user's pending messages",
     "SELECT m.user FROM (SELECT user, count(*) AS messages, sum(length(payload)) AS bytes,"
     " min(expires_at) AS expiry FROM messages GROUP BY user) AS m"
     " LEFT JOIN pending AS p ON p.user = m.user WHERE p.user IS NULL"
     " OR p.messages <> m.messages OR p.bytes <> m.bytes OR p.next_expiry > m.expiry"},
    {"totals of a user without pending messages",
     "SELECT user FROM pending AS p WHERE (messages <> 0 OR bytes <> 0)"
     " AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.user = p.user)"},
    {"totals that differ from the dead letters",
     "SELECT messages || ' messages, ' || bytes || ' bytes' FROM dead_letter_totals"
     " WHERE messages <> (SELECT count(*) FROM dead_letters)"
     " OR bytes <> (SELECT coalesce(sum(length(payload)), 0) FROM dead_letters)"},
    {"sequence above the ceiling",
     "SELECT user || ' ' || sequence FROM messages"
     " WHERE sequence > (SELECT value FROM meta WHERE name = 'ceiling')"},
    {"message id that is none",
     "SELECT user || ' ' || sequence FROM messages WHERE length(id) <> 16"},
    {"message that is pending twice",
     "SELECT min(user) || ' ' || min(sequence) FROM messages GROUP BY id HAVING count(*) > 1"},
    {"message that is pending and a dead letter",
     "SELECT m.user || ' ' || m.sequence FROM messages AS m JOIN dead_letters AS d ON d.id = m.id"},
    {"no ceiling of sequence numbers",
     "SELECT '' WHERE NOT EXISTS (SELECT 1 FROM meta WHERE name = 'ceiling')"},
};

constexpr Rule kSums[] = {
    {"message that is not as it was written",
     "SELECT user || ' ' || sequence FROM messages WHERE checksum IS NOT NULL AND checksum <>"
     " row_checksum(user, sequence, id, accepted_at, expires_at, payload)"},
    {"dead letter that is not as it was written",
     "SELECT user || ' ' || sequence FROM dead_letters WHERE checksum IS NOT NULL AND"
     " reason <> 'damaged' AND checksum <>"
     " row_checksum(user, sequence, id, accepted_at, expires_at, payload)"},
};

class Checker {
 public:
  Checker(Database& database, DatabaseCheck& out) : database_(database), out_(out) {}

  void run() {
    collect("PRAGMA integrity_check(20)", "", "ok");
    collect("SELECT \"table\" || ' row ' || rowid FROM pragma_foreign_key_check",
            "a row without its parent: ");
    // The tables of a damaged database prove nothing, except which users are affected.
    if (!out_.problems.empty()) return name_users();
    for (const Rule& rule : kRules) collect(rule.sql, std::string(rule.what) + ": ");
    const bool has_sums =
        database_.integer(
            "SELECT count(*) FROM pragma_table_info('messages') WHERE name = 'checksum'") != 0;
    if (!has_sums) return;  // a backup of an older version's
    for (const Rule& rule : kSums) collect(rule.sql, std::string(rule.what) + ": ");
    out_.rows_without_checksum = database_.integer(
        "SELECT (SELECT count(*) FROM messages WHERE checksum IS NULL) +"
        " (SELECT count(*) FROM dead_letters WHERE checksum IS NULL)");
  }
  // Checks that the file may be written. The start needs it, and no query looks at it
  // (https://www.sqlite.org/fileformat2.html section 1.3.3).
  void look_at_header(const std::string& path) {
    std::array<char, 20> bytes{};
    std::ifstream(path, std::ios::binary).read(bytes.data(), bytes.size());
    for (const std::size_t at : {std::size_t{18}, std::size_t{19}}) {
      const int version = static_cast<unsigned char>(bytes[at]);
      if (version == 1 || version == 2) continue;
      out_.problems.push_back("byte " + std::to_string(at) + " of the header is " +
                              std::to_string(version) + ", which is no version of the format");
    }
  }
  void count() {
    out_.bytes = database_.integer("PRAGMA page_count") * database_.integer("PRAGMA page_size");
    out_.users = database_.integer("SELECT count(*) FROM users");
    out_.pending_users = database_.integer("SELECT count(*) FROM pending WHERE messages > 0");
    out_.pending_messages = database_.integer("SELECT coalesce(sum(messages), 0) FROM pending");
    out_.dead_letters =
        database_.integer("SELECT coalesce(sum(messages), 0) FROM dead_letter_totals");
    out_.ceiling = database_.integer("SELECT value FROM meta WHERE name = 'ceiling'");
    Statement keys(database_, "SELECT id, wrapped, retired FROM data_keys ORDER BY id");
    while (keys.step()) {
      identity::KeyStore::Row row;
      row.kind = identity::KeyStore::Row::Kind::data;
      row.id = static_cast<std::uint32_t>(keys.integer(0));
      row.wrapped = keys.string(1);
      row.retired = keys.integer(2) != 0;
      out_.data_keys.push_back(std::move(row));
    }
  }

 private:
  // Names the users whose messages a gateway would not all find, by searching as a gateway does.
  void name_users() {
    Statement users(database_,
                    "SELECT user, messages FROM pending WHERE messages > 0 ORDER BY user");
    Statement count(database_, "SELECT count(*) FROM messages WHERE user = ?1");
    for (std::size_t named = 0; named < kProblemsMax && users.step();) {
      const std::string user = users.string(0);
      count.bind(1, std::string_view(user));
      const std::int64_t rows = count.step() ? count.integer(0) : 0;
      count.reset();
      const bool failed = forgive_damage();
      if (rows >= users.integer(1) && !failed) continue;
      out_.problems.push_back("user " + user + " has " + std::to_string(users.integer(1)) +
                              " pending messages, and " + std::to_string(rows) +
                              " of them can be read");
      ++named;
    }
    users.reset();
    forgive_damage();
  }
  // Clears an error of the check itself, which may fail at the damage that it looks for.
  bool forgive_damage() {
    const int code = database_.code() & 0xff;
    if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB) return false;
    if (out_.problems.empty()) out_.problems.push_back(database_.message());
    database_.clear_failure();
    return true;
  }
  void collect(const char* sql, const std::string& what, std::string_view good = {}) {
    Statement statement(database_, sql);
    while (out_.problems.size() < kProblemsMax && statement.step()) {
      std::string found = statement.string(0);
      if (!good.empty() && found == good) continue;
      out_.problems.push_back(what + found);
    }
    statement.reset();
    forgive_damage();
  }

  Database& database_;
  DatabaseCheck& out_;
};

// Opens a database without leaving a trace. The log's index is in memory, and closing does not move
// the log.
Result<std::unique_ptr<Database>> open_to_read(const std::string& path) {
  auto database = Database::open(path);
  if (!database) return database;
  sqlite3_db_config((*database)->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  (*database)->execute(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON; PRAGMA cache_size = -65536;");
  return database;
}

}  // namespace

Result<DatabaseCheck> check_database(const std::string& path, std::atomic<bool>* cancelled) {
  auto opened = open_to_read(path);
  if (!opened) return std::unexpected(opened.error());
  Database& database = **opened;
  if (cancelled != nullptr) {
    sqlite3_progress_handler(
        database.handle(), kInstructionsBetweenLooks,
        [](void* flag) { return static_cast<std::atomic<bool>*>(flag)->load() ? 1 : 0; },
        cancelled);
  }
  DatabaseCheck out;
  const std::int64_t owner = database.integer("PRAGMA application_id");
  out.schema = database.integer("PRAGMA user_version");
  out.known_schema = static_cast<std::int64_t>(embedded_migrations().size());
  if (database.failed()) return std::unexpected(database.error(path));
  if (owner != kApplicationId || out.schema < 1) {
    return fail(Errc::io, path + " is not a Holdfast database", path);
  }
  if (out.schema > out.known_schema) {
    return fail(Errc::conflict,
                path + " has schema " + std::to_string(out.schema) +
                    ", and this version of holdfast knows none newer than " +
                    std::to_string(out.known_schema),
                path);
  }
  Checker checker(database, out);
  checker.look_at_header(path);
  checker.run();
  if (out.problems.empty()) checker.count();
  if (cancelled != nullptr && *cancelled) {
    return fail(Errc::unavailable, "the check was cancelled", path);
  }
  if (database.failed()) return std::unexpected(database.error(path));
  return out;
}

std::optional<Sequence> settle_database(const std::string& path) {
  auto database = Database::open(path);
  if (!database) return std::nullopt;
  (*database)->execute("PRAGMA locking_mode = EXCLUSIVE");
  if ((*database)->integer("PRAGMA application_id") != kApplicationId) return std::nullopt;
  const Sequence ceiling = (*database)->integer("SELECT value FROM meta WHERE name = 'ceiling'");
  (*database)->execute("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE);");
  if ((*database)->failed()) return std::nullopt;
  return ceiling;
}

}  // namespace holdfast::sqlite
