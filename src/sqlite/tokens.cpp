// The table of temporary tokens, and its port.

#include "tokens.hpp"

#include <cstdint>
#include <string_view>
#include <utility>

#include <holdfast/identity/store_errors.hpp>

#include "submitter.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {

TokenTable::TokenTable(Database& database, WorkBudget& budget)
    : count_(database, "SELECT count(*) FROM temp_keys WHERE user = ?1 AND ttl > ?2"),
      put_(database,
           "INSERT INTO temp_keys (token_hash, user, ttl, login)"
           " VALUES (?1, ?2, ?3, ?4)"),
      consume_(database, "DELETE FROM temp_keys WHERE token_hash = ?1 RETURNING ttl"),
      drop_(database, "DELETE FROM temp_keys WHERE user = ?1"),
      drop_all_but_(database, "DELETE FROM temp_keys WHERE user = ?1 AND login <> ?2"),
      drop_login_(database, "DELETE FROM temp_keys WHERE user = ?1 AND login = ?2"),
      sweep_(database, budget,
             "DELETE FROM temp_keys WHERE token_hash IN (SELECT token_hash FROM temp_keys"
             " WHERE ttl < ?1 ORDER BY ttl LIMIT ?2)",
             WorkBudget::of_eviction(0)) {}

Result<void> TokenTable::put(const identity::TokenStore::Row& row, std::size_t max_outstanding,
                             WallTime now) {
  count_.bind(1, std::string_view(row.sub.str())).bind(2, unix_micros(now)).step();
  const std::int64_t outstanding = count_.integer(0);
  count_.reset();
  if (outstanding >= static_cast<std::int64_t>(max_outstanding)) {
    return identity::too_many_tokens();
  }
  put_.bind_blob(1, view(row.token_hash))
      .bind(2, std::string_view(row.sub.str()))
      .bind(3, unix_micros(row.expires_at))
      .bind(4, std::string_view(row.login))
      .run();
  return {};
}

bool TokenTable::consume(const Digest& token_hash, WallTime now, Seconds drift) {
  consume_.bind_blob(1, view(token_hash));
  if (!consume_.step()) return false;
  const WallTime expires_at = wall_from_micros(consume_.integer(0));
  consume_.run();
  return now <= expires_at + drift;
}

void TokenTable::drop(const UserId& sub) { drop_.bind(1, std::string_view(sub.str())).run(); }

void TokenTable::drop_all_but(const UserId& sub, std::string_view kept_login) {
  if (kept_login.empty()) return drop(sub);
  drop_all_but_.bind(1, std::string_view(sub.str())).bind(2, kept_login).run();
}

void TokenTable::drop_login(const UserId& sub, std::string_view login) {
  drop_login_.bind(1, std::string_view(sub.str())).bind(2, login).run();
}

namespace {

class SqliteTokenStore final : public identity::TokenStore, private Submitter {
 public:
  SqliteTokenStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void put(Row row, std::size_t max_outstanding, WallTime now,
           Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [row = std::move(row), max_outstanding, now](Tables& tables) {
          return tables.tokens.put(row, max_outstanding, now);
        },
        std::move(done));
  }
  void consume(const Digest& token_hash, WallTime now, Seconds drift,
               Completion<Result<bool>> done) override {
    submit<bool>(
        OnRollback::fail,
        [token_hash, now, drift](Tables& tables) {
          return tables.tokens.consume(token_hash, now, drift);
        },
        std::move(done));
  }
  void drop(const UserId& sub, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail, [sub](Tables& tables) { tables.tokens.drop(sub); }, std::move(done));
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    submit_sweep([before](Tables& tables) { return tables.tokens.sweep(before); }, std::move(done));
  }
};

}  // namespace

std::unique_ptr<identity::TokenStore> make_token_store(OperationQueue& queue, Channel& channel) {
  return std::make_unique<SqliteTokenStore>(queue, channel);
}

}  // namespace holdfast::sqlite
