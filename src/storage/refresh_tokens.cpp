#include "storage/refresh_tokens.hpp"

#include <algorithm>
#include <utility>

#include "storage/session.hpp"
#include "storage/submitter.hpp"

#define HOLDFAST_REFRESH_TOKEN_COLUMNS "user, origin, token_hash, issued_at, expires_at, revoked"

namespace holdfast::storage {

RefreshTokenTable::RefreshTokenTable(Database& database)
    : add_(database, "INSERT INTO refresh_tokens (" HOLDFAST_REFRESH_TOKEN_COLUMNS
                     ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
      trim_(database,
            "DELETE FROM refresh_tokens WHERE user = ?1 AND origin IN (SELECT origin FROM"
            " refresh_tokens WHERE user = ?1 ORDER BY issued_at DESC"
            " LIMIT -1 OFFSET ?2)"),
      find_(database,
            "SELECT " HOLDFAST_REFRESH_TOKEN_COLUMNS " FROM refresh_tokens WHERE token_hash = ?1"),
      find_origin_(database, "SELECT " HOLDFAST_REFRESH_TOKEN_COLUMNS
                             " FROM refresh_tokens WHERE user = ?1 AND origin = ?2"),
      revoke_(database, "UPDATE refresh_tokens SET revoked = 1 WHERE user = ?1 AND origin = ?2"),
      revoke_all_but_(database,
                      "UPDATE refresh_tokens SET revoked = 1 WHERE user = ?1 AND origin <> ?2"),
      drop_(database, "DELETE FROM refresh_tokens WHERE user = ?1"),
      sweep_(database, "DELETE FROM refresh_tokens WHERE expires_at < ?1") {}

void RefreshTokenTable::add(const Row& row, std::size_t max_per_user) {
  // Before the insert: of two tokens of one moment the new one must stay.
  const auto kept = static_cast<std::int64_t>(std::max<std::size_t>(max_per_user, 1) - 1);
  trim_.bind(1, std::string_view(row.sub.str())).bind(2, kept).run();
  add_.bind(1, std::string_view(row.sub.str()))
      .bind(2, std::string_view(row.origin))
      .bind_blob(3, view(row.token_hash))
      .bind(4, unix_micros(row.issued_at))
      .bind(5, unix_micros(row.expires_at))
      .bind(6, static_cast<std::int64_t>(row.revoked))
      .run();
}

std::optional<RefreshTokenTable::Row> RefreshTokenTable::take(Statement& statement) {
  if (!statement.step()) return std::nullopt;
  Row row;
  row.sub = UserId(statement.string(0));
  row.origin = statement.string(1);
  const std::string_view hash = statement.bytes(2);
  std::copy_n(hash.begin(), std::min(hash.size(), row.token_hash.size()), row.token_hash.begin());
  row.issued_at = wall_from_micros(statement.integer(3));
  row.expires_at = wall_from_micros(statement.integer(4));
  row.revoked = statement.integer(5) != 0;
  statement.reset();
  return row;
}

std::optional<RefreshTokenTable::Row> RefreshTokenTable::find(const Digest& token_hash) {
  return take(find_.bind_blob(1, view(token_hash)));
}

std::optional<RefreshTokenTable::Row> RefreshTokenTable::find_origin(const UserId& sub,
                                                                     std::string_view origin) {
  return take(find_origin_.bind(1, std::string_view(sub.str())).bind(2, origin));
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

void RefreshTokenTable::sweep(WallTime before) { sweep_.bind(1, unix_micros(before)).run(); }

namespace {

class SqliteRefreshTokenStore final : public identity::RefreshTokenStore, private Submitter {
 public:
  SqliteRefreshTokenStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void add(Row row, std::int64_t expected_revision, std::size_t max_per_user,
           Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [row = std::move(row), expected_revision, max_per_user](Session& session) -> Result<void> {
          const std::optional<std::int64_t> revision = session.users.revision(row.sub);
          if (!revision) return holdfast::fail(Errc::not_found, "the user does not exist");
          if (*revision != expected_revision) {
            return holdfast::fail(Errc::conflict, "the user was changed meanwhile");
          }
          session.refresh_tokens.add(row, max_per_user);
          return {};
        },
        std::move(done));
  }
  void find(const Digest& token_hash, Completion<Result<std::optional<Row>>> done) override {
    submit<std::optional<Row>>(
        OnRollback::retry,
        [token_hash](Session& session) { return session.refresh_tokens.find(token_hash); },
        std::move(done));
  }
  void find_with_user(const Digest& token_hash,
                      Completion<Result<std::optional<RowAndUser>>> done) override {
    submit<std::optional<RowAndUser>>(
        OnRollback::retry,
        [token_hash](Session& session) -> std::optional<RowAndUser> {
          std::optional<Row> row = session.refresh_tokens.find(token_hash);
          if (!row) return std::nullopt;
          std::optional<identity::User> user = session.users.find_by_sub(row->sub);
          if (!user) return std::nullopt;
          return RowAndUser{.row = std::move(*row), .user = std::move(*user)};
        },
        std::move(done));
  }
  void find_origin(const UserId& sub, std::string origin,
                   Completion<Result<std::optional<Row>>> done) override {
    submit<std::optional<Row>>(
        OnRollback::retry,
        [sub, origin = std::move(origin)](Session& session) {
          return session.refresh_tokens.find_origin(sub, origin);
        },
        std::move(done));
  }
  void revoke(const UserId& sub, std::string origin, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [sub, origin = std::move(origin)](Session& session) {
          session.refresh_tokens.revoke(sub, origin);
        },
        std::move(done));
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail, [before](Session& session) { session.refresh_tokens.sweep(before); },
        std::move(done));
  }
};

}  // namespace

std::unique_ptr<identity::RefreshTokenStore> make_refresh_token_store(OperationQueue& queue,
                                                                      Channel& channel) {
  return std::make_unique<SqliteRefreshTokenStore>(queue, channel);
}

}  // namespace holdfast::storage
