// The table of access keys, and iam's port over it.

#include "access_keys.hpp"

#include <string>
#include <utility>

#include "submitter.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {
namespace {

constexpr std::int64_t kConfiguredRate = -1;
constexpr std::int64_t kNever = 0;

std::int64_t stored_rate(iam::KeyRate rate) {
  return rate ? static_cast<std::int64_t>(*rate) : kConfiguredRate;
}

}  // namespace

AccessKeyTable::AccessKeyTable(Database& database)
    : database_(database),
      load_(database,
            "SELECT id, name, sealed_secret, document, enabled, created_at, requests_per_second,"
            " expires_at FROM access_keys JOIN policies ON access_key = id ORDER BY id"),
      add_key_(database,
               "INSERT INTO access_keys"
               " (id, name, sealed_secret, enabled, created_at, requests_per_second, expires_at)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"),
      add_policy_(database, "INSERT INTO policies (access_key, document) VALUES (?1, ?2)"),
      change_key_(database,
                  "UPDATE access_keys SET enabled = iif(?2, ?3, enabled),"
                  " requests_per_second = iif(?4, ?5, requests_per_second) WHERE id = ?1"),
      change_policy_(database, "UPDATE policies SET document = ?2 WHERE access_key = ?1"),
      remove_key_(database, "DELETE FROM access_keys WHERE id = ?1"),
      remove_policy_(database, "DELETE FROM policies WHERE access_key = ?1") {}

std::vector<iam::AccessKeyRow> AccessKeyTable::load() {
  std::vector<iam::AccessKeyRow> out;
  while (load_.step()) {
    iam::AccessKeyRow row;
    row.id = load_.string(0);
    row.name = load_.string(1);
    row.sealed_secret = load_.string(2);
    row.policy = load_.string(3);
    row.enabled = load_.integer(4) != 0;
    row.created_at = wall_from_micros(load_.integer(5));
    const std::int64_t rate = load_.integer(6);
    if (rate != kConfiguredRate) row.rate = static_cast<std::uint32_t>(rate);
    const std::int64_t expires_us = load_.integer(7);
    if (expires_us != kNever) row.expires_at = wall_from_micros(expires_us);
    out.push_back(std::move(row));
  }
  return out;
}

Result<void> AccessKeyTable::add(const iam::AccessKeyRow& row) {
  add_key_.bind(1, std::string_view(row.id))
      .bind(2, std::string_view(row.name))
      .bind_blob(3, row.sealed_secret)
      .bind(4, static_cast<std::int64_t>(row.enabled))
      .bind(5, unix_micros(row.created_at))
      .bind(6, stored_rate(row.rate))
      .bind(7, row.expires_at ? unix_micros(*row.expires_at) : kNever)
      .run();
  if (database_.changes() == 0) {
    return holdfast::fail(Errc::already_exists, "there is an access key of this id");
  }
  add_policy_.bind(1, std::string_view(row.id)).bind(2, std::string_view(row.policy)).run();
  return {};
}

Result<void> AccessKeyTable::change(std::string_view id, const iam::AccessKeyChange& change) {
  if (change.policy) change_policy_.bind(1, id).bind(2, std::string_view(*change.policy)).run();
  const auto flag = [](bool value) { return static_cast<std::int64_t>(value); };
  change_key_.bind(1, id)
      .bind(2, flag(change.enabled.has_value()))
      .bind(3, flag(change.enabled.value_or(false)))
      .bind(4, flag(change.rate.has_value()))
      .bind(5, stored_rate(change.rate.value_or(std::nullopt)))
      .run();
  return found();
}

Result<void> AccessKeyTable::remove(std::string_view id) {
  remove_policy_.bind(1, id).run();
  remove_key_.bind(1, id).run();
  return found();
}

Result<void> AccessKeyTable::found() {
  if (database_.changes() == 0) {
    return holdfast::fail(Errc::not_found, "there is no access key of this id");
  }
  return {};
}

namespace {

class SqliteAccessKeyStore final : public iam::AccessKeyStore, private Submitter {
 public:
  SqliteAccessKeyStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void load(Completion<Result<std::vector<iam::AccessKeyRow>>> done) override {
    submit<std::vector<iam::AccessKeyRow>>(
        OnRollback::retry, [](Tables& tables) { return tables.access_keys.load(); },
        std::move(done));
  }
  void add(iam::AccessKeyRow row, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [row = std::move(row)](Tables& tables) { return tables.access_keys.add(row); },
        std::move(done));
  }
  void change(const std::string& id, iam::AccessKeyChange change,
              Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [id, change = std::move(change)](Tables& tables) {
          return tables.access_keys.change(id, change);
        },
        std::move(done));
  }
  void remove(const std::string& id, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail, [id](Tables& tables) { return tables.access_keys.remove(id); },
        std::move(done));
  }
};

}  // namespace

std::unique_ptr<iam::AccessKeyStore> make_access_key_store(OperationQueue& queue,
                                                           Channel& channel) {
  return std::make_unique<SqliteAccessKeyStore>(queue, channel);
}

}  // namespace holdfast::sqlite
