// The table of users, and its port.

#include "users.hpp"

#include <limits>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include <holdfast/base/assert.hpp>
#include <holdfast/identity/store_errors.hpp>

#include "submitter.hpp"
#include "tables.hpp"

#define HOLDFAST_USER_COLUMNS                                                         \
  "sub, username, status, enabled, password_hash, revision, attributes, created_at, " \
  "modified_at, password_set_at, signed_out_at, srp_verifier"

namespace holdfast::sqlite {
namespace {

std::string to_json(const std::map<std::string, std::string>& attributes) {
  return nlohmann::json(attributes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::map<std::string, std::string> from_json(std::string_view text) {
  const auto parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  std::map<std::string, std::string> out;
  if (!parsed.is_object()) return out;
  for (const auto& [name, value] : parsed.items()) {
    if (value.is_string()) out.emplace(name, value.get<std::string>());
  }
  return out;
}

// The number is part of the query, because the index has it in its condition: a parameter would not
// match.
std::string sweep_unconfirmed_sql() {
  const auto unconfirmed = static_cast<int>(identity::UserStatus::unconfirmed);
  return "DELETE FROM users WHERE sub IN (SELECT sub FROM users WHERE status = " +
         std::to_string(unconfirmed) +
         " AND created_at < ?1 ORDER BY created_at LIMIT ?2) RETURNING sub";
}

}  // namespace

UserTable::UserTable(Database& database)
    : database_(database),
      create_(database,
              "INSERT INTO users (sub, username, folded_username, status, enabled, password_hash,"
              " revision, attributes, created_at, modified_at, password_set_at, signed_out_at,"
              " srp_verifier)"
              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
              " ON CONFLICT DO NOTHING"),
      find_by_username_(database,
                        "SELECT " HOLDFAST_USER_COLUMNS " FROM users WHERE folded_username = ?1"),
      find_by_sub_(database, "SELECT " HOLDFAST_USER_COLUMNS " FROM users WHERE sub = ?1"),
      revision_(database, "SELECT revision FROM users WHERE sub = ?1"),
      is_enabled_(database, "SELECT enabled FROM users WHERE sub = ?1"),
      update_(database,
              "UPDATE users SET status = ?4, enabled = ?5,"
              " password_hash = ?6, revision = ?7, attributes = ?8, created_at = ?9,"
              " modified_at = ?10, password_set_at = ?11, signed_out_at = ?12, srp_verifier = ?13"
              " WHERE sub = ?1"),
      remove_(database, "DELETE FROM users WHERE sub = ?1"),
      sweep_unconfirmed_(database, sweep_unconfirmed_sql().c_str()),
      list_(database, "SELECT " HOLDFAST_USER_COLUMNS
                      " FROM users WHERE folded_username > ?1 ORDER BY folded_username LIMIT ?2") {}

namespace {

// Binds the parameters of INSERT and UPDATE, which have the same places.
void write(Statement& statement, const identity::User& user, std::int64_t revision) {
  const std::string attributes = to_json(user.attributes);
  statement.bind(1, std::string_view(user.sub.str()))
      .bind(4, static_cast<std::int64_t>(user.status))
      .bind(5, static_cast<std::int64_t>(user.enabled))
      .bind(6, std::string_view(user.password_hash))
      .bind(7, revision)
      .bind(8, std::string_view(attributes))
      .bind(9, unix_micros(user.created_at))
      .bind(10, unix_micros(user.modified_at))
      .bind(11, unix_micros(user.password_set_at))
      .bind(12, unix_micros(user.signed_out_at))
      .bind_blob(13, user.srp_verifier)
      .run();
}

}  // namespace

Result<void> UserTable::create(const identity::User& user, std::string_view folded) {
  HOLDFAST_ASSERT(!user.sub.empty() && !folded.empty(), "user.has_a_name");
  create_.bind(2, std::string_view(user.username)).bind(3, folded);
  write(create_, user, user.revision);
  if (database_.changes() == 0) return identity::username_taken();
  return {};
}

identity::User UserTable::read(const Statement& statement) {
  identity::User user;
  user.sub = UserId(statement.string(0));
  user.username = statement.string(1);
  user.status = static_cast<identity::UserStatus>(statement.integer(2));
  user.enabled = statement.integer(3) != 0;
  user.password_hash = statement.string(4);
  user.revision = statement.integer(5);
  user.attributes = from_json(statement.bytes(6));
  user.created_at = wall_from_micros(statement.integer(7));
  user.modified_at = wall_from_micros(statement.integer(8));
  user.password_set_at = wall_from_micros(statement.integer(9));
  user.signed_out_at = wall_from_micros(statement.integer(10));
  user.srp_verifier = statement.string(11);
  return user;
}

std::optional<identity::User> UserTable::find(Statement& statement, std::string_view key) {
  statement.bind(1, key);
  if (!statement.step()) return std::nullopt;
  identity::User user = read(statement);
  statement.reset();
  return user;
}

std::vector<identity::User> UserTable::list(std::string_view after, std::size_t limit) {
  std::vector<identity::User> out;
  list_.bind(1, after).bind(2, static_cast<std::int64_t>(limit));
  while (list_.step()) out.push_back(read(list_));
  list_.reset();
  return out;
}

std::optional<std::int64_t> UserTable::revision(const UserId& sub) {
  revision_.bind(1, std::string_view(sub.str()));
  if (!revision_.step()) return std::nullopt;
  const std::int64_t out = revision_.integer(0);
  revision_.reset();
  return out;
}

bool UserTable::is_enabled(const UserId& sub) {
  is_enabled_.bind(1, std::string_view(sub.str()));
  const bool out = is_enabled_.step() && is_enabled_.integer(0) != 0;
  is_enabled_.reset();
  return out;
}

std::optional<identity::User> UserTable::find_by_username(std::string_view folded) {
  return find(find_by_username_, folded);
}

std::optional<identity::User> UserTable::find_by_sub(const UserId& sub) {
  return find(find_by_sub_, sub.str());
}

Result<void> UserTable::update(const identity::User& user, std::int64_t expected_revision) {
  Result<void> good = identity::check_revision(revision(user.sub), expected_revision);
  if (good) write(update_, user, expected_revision + 1);
  return good;
}

std::vector<UserId> UserTable::sweep_unconfirmed(WallTime before, std::int64_t most) {
  std::vector<UserId> out;
  sweep_unconfirmed_.bind(1, unix_micros(before)).bind(2, most);
  while (sweep_unconfirmed_.step()) out.emplace_back(sweep_unconfirmed_.string(0));
  sweep_unconfirmed_.reset();
  return out;
}

void UserTable::remove(const UserId& sub) { remove_.bind(1, std::string_view(sub.str())).run(); }

namespace {

// Updates a user. When their access ends, pending messages become dead letters, unless it returns
// first.
Result<void> update(Tables& tables, const identity::User& user, std::int64_t expected_revision) {
  const bool was_enabled = tables.users.is_enabled(user.sub);
  Result<void> updated = tables.users.update(user, expected_revision);
  if (!updated || was_enabled == user.enabled) return updated;
  if (user.enabled) {
    tables.pending_purges.remove(user.sub, std::numeric_limits<Sequence>::max());
  } else {
    tables.pending_purges.add(user.sub, "user_disabled");
  }
  return updated;
}

void end_logins(Tables& tables, const UserId& sub, std::string_view kept_login) {
  tables.tokens.drop_all_but(sub, kept_login);
  tables.codes.drop(sub);
  tables.refresh_tokens.revoke_all_but(sub, kept_login);
}

class SqliteUserStore final : public identity::UserStore, private Submitter {
 public:
  SqliteUserStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void create(identity::User user, std::string folded, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [user = std::move(user), folded = std::move(folded)](Tables& tables) {
          return tables.users.create(user, folded);
        },
        std::move(done));
  }
  void find_by_username(std::string folded,
                        Completion<Result<std::optional<identity::User>>> done) override {
    submit<std::optional<identity::User>>(
        OnRollback::retry,
        [folded = std::move(folded)](Tables& tables) {
          return tables.users.find_by_username(folded);
        },
        std::move(done));
  }
  void find_by_sub(const UserId& sub,
                   Completion<Result<std::optional<identity::User>>> done) override {
    submit<std::optional<identity::User>>(
        OnRollback::retry, [sub](Tables& tables) { return tables.users.find_by_sub(sub); },
        std::move(done));
  }
  void update(identity::User user, std::int64_t expected_revision,
              Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [user = std::move(user), expected_revision](Tables& tables) {
          return sqlite::update(tables, user, expected_revision);
        },
        std::move(done));
  }
  void find_by_name_or_sub(std::string folded, UserId sub,
                           Completion<Result<std::optional<identity::User>>> done) override {
    submit<std::optional<identity::User>>(
        OnRollback::retry,
        [folded = std::move(folded), sub = std::move(sub)](Tables& tables) {
          std::optional<identity::User> found = tables.users.find_by_username(folded);
          return found ? found : tables.users.find_by_sub(sub);
        },
        std::move(done));
  }
  void find_with_login(const UserId& sub, std::string login,
                       Completion<Result<std::optional<UserAndLogin>>> done) override {
    submit<std::optional<UserAndLogin>>(
        OnRollback::retry,
        [sub, login = std::move(login)](Tables& tables) -> std::optional<UserAndLogin> {
          std::optional<identity::User> user = tables.users.find_by_sub(sub);
          if (!user) return std::nullopt;
          return UserAndLogin{.user = std::move(*user),
                              .login_goes_on = tables.refresh_tokens.goes_on(sub, login)};
        },
        std::move(done));
  }
  void update_and_end_logins(identity::User user, std::int64_t expected_revision,
                             std::string kept_login, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [user = std::move(user), expected_revision,
         kept_login = std::move(kept_login)](Tables& tables) {
          Result<void> updated = sqlite::update(tables, user, expected_revision);
          if (updated) end_logins(tables, user.sub, kept_login);
          return updated;
        },
        std::move(done));
  }
  void update_by_code(identity::User user, std::int64_t expected_revision,
                      identity::CodeStore::Row code, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [user = std::move(user), expected_revision,
         code = std::move(code)](Tables& tables) -> Result<void> {
          if (!tables.codes.is_current(code)) return identity::code_spent();
          Result<void> updated = sqlite::update(tables, user, expected_revision);
          if (!updated) return updated;
          tables.codes.spend(code);
          if (code.purpose == identity::CodeStore::Purpose::forgot_password) {
            end_logins(tables, user.sub, "");
          }
          return updated;
        },
        std::move(done));
  }
  void remove(const UserId& sub, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [sub](Tables& tables) {
          tables.users.remove(sub);
          tables.pending_purges.add(sub, "user_deleted");
          tables.tokens.drop(sub);
          tables.refresh_tokens.drop(sub);
          tables.codes.drop(sub);
          tables.known_addresses.drop(sub);
        },
        std::move(done));
  }
  void sweep_unconfirmed(WallTime before, Completion<Result<void>> done) override {
    submit_sweep(
        [before](Tables& tables) {
          constexpr std::int64_t kWeight = WorkBudget::of_eviction(0) + WorkBudget::of_erase(0);
          const std::int64_t most = tables.budget.rows(kWeight);
          const std::vector<UserId> gone = tables.users.sweep_unconfirmed(before, most);
          for (const UserId& sub : gone) tables.codes.drop(sub);
          const auto count = static_cast<std::int64_t>(gone.size());
          tables.budget.spend(WorkBudget::of_call() + count * kWeight);
          return count == most;
        },
        std::move(done));
  }
  void list(std::string after, std::size_t limit,
            Completion<Result<std::vector<identity::User>>> done) override {
    submit<std::vector<identity::User>>(
        OnRollback::retry,
        [after = std::move(after), limit](Tables& tables) {
          return tables.users.list(after, limit);
        },
        std::move(done));
  }
};

}  // namespace

std::unique_ptr<identity::UserStore> make_user_store(OperationQueue& queue, Channel& channel) {
  return std::make_unique<SqliteUserStore>(queue, channel);
}

}  // namespace holdfast::sqlite
