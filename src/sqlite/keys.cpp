// The tables of data keys and signing keys, and their port.

#include "keys.hpp"

#include <utility>

#include "submitter.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {
namespace {

using Row = identity::KeyStore::Row;

void load_from(Statement& statement, Row::Kind kind, std::vector<Row>& out) {
  while (statement.step()) {
    Row row;
    row.kind = kind;
    row.id = static_cast<std::uint32_t>(statement.integer(0));
    row.wrapped = statement.string(1);
    row.created_at = wall_from_micros(statement.integer(2));
    row.retired = statement.integer(3) != 0;
    out.push_back(std::move(row));
  }
}

}  // namespace

KeyTable::KeyTable(Database& database)
    : database_(database),
      load_data_(database, "SELECT id, wrapped, created_at, retired FROM data_keys ORDER BY id"),
      load_signing_(database,
                    "SELECT id, wrapped, created_at, retired FROM signing_keys ORDER BY id"),
      add_data_(database,
                "INSERT INTO data_keys (id, wrapped, uses, created_at, retired)"
                " VALUES (?1, ?2, 0, ?3, ?4) ON CONFLICT DO NOTHING"),
      add_signing_(database,
                   "INSERT INTO signing_keys (id, wrapped, uses, created_at, retired)"
                   " VALUES (?1, ?2, 0, ?3, ?4) ON CONFLICT DO NOTHING"),
      retire_signing_(database,
                      "UPDATE signing_keys SET retired = 1, wrapped = x'' WHERE id = ?1") {}

std::vector<Row> KeyTable::load() {
  std::vector<Row> out;
  load_from(load_data_, Row::Kind::data, out);
  load_from(load_signing_, Row::Kind::signing, out);
  return out;
}

Result<void> KeyTable::add(const Row& row) {
  Statement& statement = row.kind == Row::Kind::data ? add_data_ : add_signing_;
  statement.bind(1, static_cast<std::int64_t>(row.id))
      .bind_blob(2, row.wrapped)
      .bind(3, unix_micros(row.created_at))
      .bind(4, static_cast<std::int64_t>(row.retired))
      .run();
  if (database_.changes() == 0) {
    return holdfast::fail(Errc::already_exists, "there is a key of this id");
  }
  return {};
}

Result<void> KeyTable::retire_signing(std::uint32_t id) {
  retire_signing_.bind(1, static_cast<std::int64_t>(id)).run();
  if (database_.changes() == 0) {
    return holdfast::fail(Errc::not_found, "there is no such signing key");
  }
  return {};
}

namespace {

class SqliteKeyStore final : public identity::KeyStore, private Submitter {
 public:
  SqliteKeyStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void load(Completion<Result<std::vector<Row>>> done) override {
    submit<std::vector<Row>>(
        OnRollback::retry, [](Tables& tables) { return tables.keys.load(); }, std::move(done));
  }
  void add(Row row, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail, [row = std::move(row)](Tables& tables) { return tables.keys.add(row); },
        std::move(done));
  }
  void epoch(Completion<Result<std::int64_t>> done) override {
    submit<std::int64_t>(
        OnRollback::retry, [](Tables& tables) { return tables.meta.epoch(); }, std::move(done));
  }
  void retire_signing(std::uint32_t id, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail, [id](Tables& tables) { return tables.keys.retire_signing(id); },
        std::move(done));
  }
};

}  // namespace

std::unique_ptr<identity::KeyStore> make_key_store(OperationQueue& queue, Channel& channel) {
  return std::make_unique<SqliteKeyStore>(queue, channel);
}

}  // namespace holdfast::sqlite
