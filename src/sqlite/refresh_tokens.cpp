// The table of refresh tokens, which stand for logins.

#include "refresh_tokens.hpp"

#include <algorithm>
#include <utility>

#include <holdfast/identity/store_errors.hpp>

#include "submitter.hpp"
#include "tables.hpp"

#define HOLDFAST_REFRESH_TOKEN_COLUMNS                                                    \
  "user, origin, token_hash, issued_at, expires_at, revoked, previous_hash, rotated_at, " \
  "sealed_token"

namespace holdfast::sqlite {

RefreshTokenTable::RefreshTokenTable(Database& database, WorkBudget& budget)
    : database_(database),
      add_(database,
           "INSERT INTO refresh_tokens (user, origin, token_hash, issued_at, expires_at, revoked)"
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
      trim_(database,
            "DELETE FROM refresh_tokens WHERE user = ?1 AND origin IN (SELECT origin FROM"
            " refresh_tokens WHERE user = ?1 ORDER BY revoked, issued_at DESC"
            " LIMIT -1 OFFSET ?2) RETURNING origin, revoked"),
      find_(database,
            "SELECT " HOLDFAST_REFRESH_TOKEN_COLUMNS " FROM refresh_tokens WHERE token_hash = ?1"),
      find_family_(database, "SELECT " HOLDFAST_REFRESH_TOKEN_COLUMNS
                             " FROM refresh_tokens WHERE family_hash = ?1"),
      goes_on_(database,
               "SELECT 1 FROM refresh_tokens WHERE user = ?1 AND origin = ?2 AND revoked = 0"),
      rotate_(database,
              "UPDATE refresh_tokens SET token_hash = ?4, family_hash = ?5, previous_hash = ?3,"
              " rotated_at = ?6, sealed_token = ?7"
              " WHERE user = ?1 AND origin = ?2 AND token_hash = ?3 AND revoked = 0"),
      revoke_(database, "UPDATE refresh_tokens SET revoked = 1 WHERE user = ?1 AND origin = ?2"),
      revoke_all_but_(database,
                      "UPDATE refresh_tokens SET revoked = 1 WHERE user = ?1 AND origin <> ?2"),
      drop_(database, "DELETE FROM refresh_tokens WHERE user = ?1"),
      sweep_(database, budget,
             "DELETE FROM refresh_tokens WHERE (user, origin) IN (SELECT user, origin FROM "
             "refresh_tokens"
             " WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
             WorkBudget::of_eviction(0)) {}

std::vector<std::string> RefreshTokenTable::add(const Row& row, std::size_t max_per_user) {
  // Comes before the insert, so that the new one stays if two have the same time.
  const auto kept = static_cast<std::int64_t>(std::max<std::size_t>(max_per_user, 1) - 1);
  std::vector<std::string> ended;
  trim_.bind(1, std::string_view(row.sub.str())).bind(2, kept);
  while (trim_.step()) {
    if (trim_.integer(1) == 0) ended.push_back(trim_.string(0));
  }
  trim_.reset();
  add_.bind(1, std::string_view(row.sub.str()))
      .bind(2, std::string_view(row.origin))
      .bind_blob(3, view(row.token_hash))
      .bind(4, unix_micros(row.issued_at))
      .bind(5, unix_micros(row.expires_at))
      .bind(6, static_cast<std::int64_t>(row.revoked))
      .run();
  return ended;
}

namespace {

Digest digest_of(std::string_view bytes) {
  Digest out{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), out.size()), out.begin());
  return out;
}

}  // namespace

std::optional<RefreshTokenTable::Row> RefreshTokenTable::take(Statement& statement) {
  if (!statement.step()) return std::nullopt;
  Row row;
  row.sub = UserId(statement.string(0));
  row.origin = statement.string(1);
  row.token_hash = digest_of(statement.bytes(2));
  row.issued_at = wall_from_micros(statement.integer(3));
  row.expires_at = wall_from_micros(statement.integer(4));
  row.revoked = statement.integer(5) != 0;
  if (const std::string_view previous = statement.bytes(6); !previous.empty()) {
    row.previous_hash = digest_of(previous);
  }
  row.rotated_at = wall_from_micros(statement.integer(7));
  row.sealed_token = statement.string(8);
  statement.reset();
  return row;
}

std::optional<RefreshTokenTable::Row> RefreshTokenTable::find(const TokenHashes& hashes) {
  std::optional<Row> found = take(find_.bind_blob(1, view(hashes.token)));
  return found ? found : take(find_family_.bind_blob(1, view(hashes.family)));
}

bool RefreshTokenTable::goes_on(const UserId& sub, std::string_view origin) {
  goes_on_.bind(1, std::string_view(sub.str())).bind(2, origin);
  const bool out = goes_on_.step();
  goes_on_.reset();
  return out;
}

bool RefreshTokenTable::rotate(const identity::RefreshTokenStore::Rotation& rotation) {
  rotate_.bind(1, std::string_view(rotation.sub.str()))
      .bind(2, std::string_view(rotation.origin))
      .bind_blob(3, view(rotation.from))
      .bind_blob(4, view(rotation.to.token))
      .bind_blob(5, view(rotation.to.family))
      .bind(6, unix_micros(rotation.at))
      .bind_blob(7, rotation.sealed_token)
      .run();
  return database_.changes() > 0;
}

void RefreshTokenTable::revoke(const UserId& sub, std::string_view origin) {
  revoke_.bind(1, std::string_view(sub.str())).bind(2, origin).run();
}

void RefreshTokenTable::revoke_all_but(const UserId& sub, std::string_view kept_origin) {
  revoke_all_but_.bind(1, std::string_view(sub.str())).bind(2, kept_origin).run();
}

void RefreshTokenTable::drop(const UserId& sub) {
  drop_.bind(1, std::string_view(sub.str())).run();
}

namespace {

class SqliteRefreshTokenStore final : public identity::RefreshTokenStore, private Submitter {
 public:
  SqliteRefreshTokenStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void add(Row row, std::int64_t expected_revision, std::size_t max_per_user,
           Completion<Result<std::vector<std::string>>> done) override {
    submit<std::vector<std::string>>(
        OnRollback::fail,
        [row = std::move(row), expected_revision,
         max_per_user](Tables& tables) -> Result<std::vector<std::string>> {
          Result<void> good =
              identity::check_revision(tables.users.revision(row.sub), expected_revision);
          if (!good) return std::unexpected(std::move(good.error()));
          std::vector<std::string> ended = tables.refresh_tokens.add(row, max_per_user);
          for (const std::string& login : ended) tables.tokens.drop_login(row.sub, login);
          return ended;
        },
        std::move(done));
  }
  void find_with_user(const TokenHashes& hashes,
                      Completion<Result<std::optional<RowAndUser>>> done) override {
    submit<std::optional<RowAndUser>>(
        OnRollback::retry,
        [hashes](Tables& tables) -> std::optional<RowAndUser> {
          std::optional<Row> row = tables.refresh_tokens.find(hashes);
          if (!row) return std::nullopt;
          std::optional<identity::User> user = tables.users.find_by_sub(row->sub);
          if (!user) return std::nullopt;
          return RowAndUser{.row = std::move(*row), .user = std::move(*user)};
        },
        std::move(done));
  }
  void rotate(Rotation rotation, Completion<Result<bool>> done) override {
    submit<bool>(
        OnRollback::fail,
        [rotation = std::move(rotation)](Tables& tables) {
          return tables.refresh_tokens.rotate(rotation);
        },
        std::move(done));
  }
  void end_login(const UserId& sub, std::string origin, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [sub, origin = std::move(origin)](Tables& tables) {
          tables.refresh_tokens.revoke(sub, origin);
          tables.tokens.drop_login(sub, origin);
        },
        std::move(done));
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    submit_sweep([before](Tables& tables) { return tables.refresh_tokens.sweep(before); },
                 std::move(done));
  }
};

}  // namespace

std::unique_ptr<identity::RefreshTokenStore> make_refresh_token_store(OperationQueue& queue,
                                                                      Channel& channel) {
  return std::make_unique<SqliteRefreshTokenStore>(queue, channel);
}

}  // namespace holdfast::sqlite
