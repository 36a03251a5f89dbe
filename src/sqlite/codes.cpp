// The table of confirmation codes, and its port.

#include "codes.hpp"

#include <utility>

#include "submitter.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {

CodeTable::CodeTable(Database& database, WorkBudget& budget)
    : put_(database,
           "INSERT OR REPLACE INTO confirmation_codes (user, purpose, sealed, expires_at, attempts)"
           " VALUES (?1, ?2, ?3, ?4, ?5)"),
      attempt_(database,
               "UPDATE confirmation_codes SET attempts = attempts + 1 WHERE user = ?1 AND"
               " purpose = ?2 RETURNING sealed, expires_at, attempts"),
      count_without_user_(
          database,
          "INSERT INTO confirmation_codes (user, purpose, sealed, expires_at, attempts)"
          " VALUES ('', ?1, x'', 0, 1)"
          " ON CONFLICT DO UPDATE SET attempts = attempts + 1"),
      is_current_(database,
                  "SELECT 1 FROM confirmation_codes WHERE user = ?1 AND purpose = ?2"
                  " AND sealed = ?3"),
      drop_(database, "DELETE FROM confirmation_codes WHERE user = ?1"),
      drop_one_(database, "DELETE FROM confirmation_codes WHERE user = ?1 AND purpose = ?2"),
      sweep_(database, budget,
             "DELETE FROM confirmation_codes WHERE (user, purpose) IN (SELECT user, purpose FROM "
             "confirmation_codes"
             " WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
             WorkBudget::of_erase(0)) {}

void CodeTable::put(const Row& row) {
  put_.bind(1, std::string_view(row.sub.str()))
      .bind(2, static_cast<std::int64_t>(row.purpose))
      .bind_blob(3, row.sealed)
      .bind(4, unix_micros(row.expires_at))
      .bind(5, row.attempts)
      .run();
}

std::optional<CodeTable::Row> CodeTable::attempt(const UserId& sub, Purpose purpose) {
  attempt_.bind(1, std::string_view(sub.str())).bind(2, static_cast<std::int64_t>(purpose));
  if (!attempt_.step()) {
    attempt_.reset();
    count_without_user_.bind(1, static_cast<std::int64_t>(purpose)).run();
    return std::nullopt;
  }
  Row row;
  row.sub = sub;
  row.purpose = purpose;
  row.sealed = attempt_.string(0);
  row.expires_at = wall_from_micros(attempt_.integer(1));
  row.attempts = attempt_.integer(2);
  attempt_.run();
  return row;
}

bool CodeTable::is_current(const Row& row) {
  is_current_.bind(1, std::string_view(row.sub.str()))
      .bind(2, static_cast<std::int64_t>(row.purpose))
      .bind_blob(3, row.sealed);
  const bool out = is_current_.step();
  is_current_.reset();
  return out;
}

void CodeTable::spend(const Row& row) {
  if (row.purpose == Purpose::sign_up || row.purpose == Purpose::forgot_password) {
    drop(row.sub);
    return;
  }
  drop_one_.bind(1, std::string_view(row.sub.str()))
      .bind(2, static_cast<std::int64_t>(row.purpose))
      .run();
}

void CodeTable::drop(const UserId& sub) { drop_.bind(1, std::string_view(sub.str())).run(); }

namespace {

class SqliteCodeStore final : public identity::CodeStore, private Submitter {
 public:
  SqliteCodeStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void put(Row row, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail, [row = std::move(row)](Tables& tables) { tables.codes.put(row); },
        std::move(done));
  }
  void attempt(const UserId& sub, Purpose purpose,
               Completion<Result<std::optional<Row>>> done) override {
    submit<std::optional<Row>>(
        OnRollback::fail,
        [sub, purpose](Tables& tables) { return tables.codes.attempt(sub, purpose); },
        std::move(done));
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    submit_sweep([before](Tables& tables) { return tables.codes.sweep(before); }, std::move(done));
  }
};

}  // namespace

std::unique_ptr<identity::CodeStore> make_code_store(OperationQueue& queue, Channel& channel) {
  return std::make_unique<SqliteCodeStore>(queue, channel);
}

}  // namespace holdfast::sqlite
