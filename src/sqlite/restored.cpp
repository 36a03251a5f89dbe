// Prepares a restored database. Keeps revoked what was revoked since the backup.
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/sqlite/database_file.hpp>

#include "audit_table.hpp"
#include "data_file.hpp"
#include "migrations.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {
namespace {

// The first schemas with sign-outs, rates, replaced refresh tokens, and failures.
constexpr std::int64_t kSchemaWithSignOuts = 2;
constexpr std::int64_t kSchemaWithRates = 3;
constexpr std::int64_t kSchemaWithRotation = 4;
constexpr std::int64_t kSchemaWithAttempts = 5;

// Gathers all revocations before anything is changed, because the previous database may be damaged.
constexpr const char* kGather =
    "CREATE TEMP TABLE lost_keys AS SELECT id FROM main.access_keys WHERE enabled = 1 AND id NOT IN"
    " (SELECT id FROM previous.access_keys WHERE enabled = 1);"
    "CREATE TEMP TABLE lost_users AS SELECT sub FROM main.users WHERE enabled = 1 AND sub NOT IN"
    " (SELECT sub FROM previous.users WHERE enabled = 1);"
    "CREATE TEMP TABLE sign_outs AS SELECT sub, signed_out_at FROM previous.users"
    " WHERE signed_out_at > 0;"
    // The copy may lack the data key that seals a verifier.
    "CREATE TEMP TABLE passwords AS SELECT p.sub, p.password_hash, p.password_set_at, p.status,"
    " CASE WHEN EXISTS (SELECT 1 FROM previous.data_keys AS k WHERE NOT EXISTS"
    " (SELECT 1 FROM main.data_keys AS m WHERE m.id = k.id AND m.wrapped = k.wrapped))"
    " THEN x'' ELSE p.srp_verifier END AS srp_verifier"
    " FROM previous.users AS p JOIN main.users AS m ON m.sub = p.sub"
    " WHERE p.password_set_at > m.password_set_at;"
    "CREATE TEMP TABLE current_policies AS SELECT access_key, document FROM previous.policies;"
    "CREATE TEMP TABLE logins AS SELECT user, origin FROM previous.refresh_tokens"
    " WHERE revoked = 0;";
constexpr const char* kGatherRates =
    "CREATE TEMP TABLE rates AS SELECT id, requests_per_second FROM previous.access_keys;";
constexpr const char* kGatherAttempts =
    "CREATE TEMP TABLE failures AS SELECT list, name, state, forgotten_at FROM previous.attempts;";
constexpr const char* kGatherRotated =
    "CREATE TEMP TABLE rotated AS SELECT user, origin, token_hash, family_hash, previous_hash,"
    " rotated_at, sealed_token FROM previous.refresh_tokens WHERE rotated_at > 0;";

constexpr const char* kTakeOver =
    "UPDATE access_keys SET enabled = 0 WHERE id IN (SELECT id FROM lost_keys);"
    "UPDATE policies SET document = p.document FROM current_policies AS p"
    " WHERE p.access_key = policies.access_key;"
    "UPDATE users SET enabled = 0, revision = revision + 1"
    " WHERE sub IN (SELECT sub FROM lost_users);"
    "UPDATE users SET signed_out_at = max(users.signed_out_at, s.signed_out_at)"
    " FROM sign_outs AS s WHERE s.sub = users.sub;"
    "UPDATE users SET password_hash = p.password_hash, password_set_at = p.password_set_at,"
    " status = p.status, srp_verifier = p.srp_verifier, revision = revision + 1"
    " FROM passwords AS p WHERE p.sub = users.sub;"
    "UPDATE refresh_tokens SET revoked = 1 WHERE NOT EXISTS (SELECT 1 FROM logins AS l"
    " WHERE l.user = refresh_tokens.user AND l.origin = refresh_tokens.origin);";
constexpr const char* kTakeOverRates =
    "UPDATE access_keys SET requests_per_second = r.requests_per_second FROM rates AS r"
    " WHERE r.id = access_keys.id;";
// Keeps the count that locks for longer: the later one, or one that locks for good.
constexpr const char* kTakeOverAttempts =
    "INSERT INTO attempts (list, name, state, forgotten_at)"
    " SELECT list, name, state, forgotten_at FROM failures WHERE true"
    " ON CONFLICT DO UPDATE SET state = excluded.state, forgotten_at = excluded.forgotten_at"
    " WHERE excluded.forgotten_at >= attempts.forgotten_at;";
constexpr const char* kTakeOverRotated =
    "UPDATE refresh_tokens SET token_hash = r.token_hash, family_hash = r.family_hash,"
    " previous_hash = r.previous_hash, rotated_at = r.rotated_at, sealed_token = r.sealed_token"
    " FROM rotated AS r WHERE r.user = refresh_tokens.user AND r.origin = refresh_tokens.origin;";

class Preparation {
 public:
  Preparation(Database& database, const RestoreRules& rules) : database_(database), rules_(rules) {}

  RestoredAccess run() {
    if (!rules_.previous.empty()) gather();
    database_.execute(
        "BEGIN IMMEDIATE; DELETE FROM connections; DELETE FROM temp_keys;"
        "DELETE FROM confirmation_codes;");
    raise("ceiling", rules_.ceiling);
    // No other restore had this epoch, not even one of the same backup.
    raise("epoch", unix_micros(rules_.now));
    if (out_.took_over) {
      database_.execute(kTakeOver);
      if (previous_schema_ >= kSchemaWithRates) database_.execute(kTakeOverRates);
      if (previous_schema_ >= kSchemaWithRotation) database_.execute(kTakeOverRotated);
      if (previous_schema_ >= kSchemaWithAttempts) database_.execute(kTakeOverAttempts);
      out_.disabled_users = database_.integer("SELECT count(*) FROM lost_users");
      out_.disabled_keys = keys(
          "SELECT id, name FROM access_keys WHERE id IN (SELECT id FROM lost_keys) ORDER BY id");
    }
    if (rules_.disable_access_keys) {
      out_.disabled_keys =
          keys(out_.took_over ? "SELECT id, name FROM access_keys WHERE enabled = 1 OR id IN"
                                " (SELECT id FROM lost_keys) ORDER BY id"
                              : "SELECT id, name FROM access_keys WHERE enabled = 1 ORDER BY id");
      database_.execute("UPDATE access_keys SET enabled = 0");
    }
    if (rules_.end_logins) end_logins();
    tell_audit();
    out_.enabled_keys = keys("SELECT id, name FROM access_keys WHERE enabled = 1 ORDER BY id");
    database_.execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);");
    return std::move(out_);
  }

 private:
  void gather() {
    Statement attach(database_, "ATTACH ?1 AS previous");
    attach.bind(1, std::string_view(rules_.previous)).run();
    previous_schema_ = database_.integer("PRAGMA previous.user_version");
    const bool same_gateway =
        database_.integer(
            "SELECT (SELECT value FROM main.instance WHERE name = 'user_pool_id') ="
            " (SELECT value FROM previous.instance WHERE name = 'user_pool_id')") != 0;
    // Another gateway's database says nothing about this one's users.
    if (same_gateway && previous_schema_ >= kSchemaWithSignOuts) {
      database_.execute(kGather);
      if (previous_schema_ >= kSchemaWithRates) database_.execute(kGatherRates);
      if (previous_schema_ >= kSchemaWithRotation) database_.execute(kGatherRotated);
      if (previous_schema_ >= kSchemaWithAttempts) database_.execute(kGatherAttempts);
      out_.took_over = !database_.failed();
    }
    database_.clear_failure();
    database_.execute("DETACH previous");
    database_.clear_failure();
  }

  void raise(std::string_view name, std::int64_t at_least) {
    Statement raise(database_, "UPDATE meta SET value = max(value + 1, ?2) WHERE name = ?1");
    raise.bind(1, name).bind(2, at_least).run();
  }

  // No running audit log could record it.
  void tell_audit() {
    const AuditStore::NewRecord record{.at = rules_.now,
                                       .event = {.actor = rules_.actor, .action = "restore"}};
    AuditTable(database_).append({record}, std::numeric_limits<std::int64_t>::max());
  }

  // Gives each a second of its own, because tokens have whole seconds.
  void end_logins() {
    database_.execute("DELETE FROM refresh_tokens");
    Statement sign_out(database_,
                       "UPDATE users SET signed_out_at = max(signed_out_at + 1000000, ?1)");
    sign_out.bind(1, unix_micros(rules_.now)).run();
  }

  std::vector<RestoredAccess::Key> keys(const char* sql) {
    std::vector<RestoredAccess::Key> out;
    Statement statement(database_, sql);
    while (statement.step()) out.push_back({statement.string(0), statement.string(1)});
    return out;
  }

  Database& database_;
  const RestoreRules& rules_;
  std::int64_t previous_schema_ = 0;
  RestoredAccess out_;
};

}  // namespace

Result<RestoredAccess> prepare_restored(const std::string& path, const RestoreRules& rules) {
  auto opened = open_data_file(path, embedded_migrations());
  if (!opened) return std::unexpected(opened.error());
  Database& database = **opened;
  RestoredAccess out = Preparation(database, rules).run();
  if (database.failed()) return std::unexpected(database.error(path));
  return out;
}

}  // namespace holdfast::sqlite
