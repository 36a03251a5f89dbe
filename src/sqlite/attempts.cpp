// The tables of counted attempts and of known addresses, and their port.

#include "attempts.hpp"

#include <utility>

#include "submitter.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {

AttemptTable::AttemptTable(Database& database)
    : remove_old_(database, "DELETE FROM attempts WHERE forgotten_at <= ?1"),
      load_(database, "SELECT list, name, state, forgotten_at FROM attempts"),
      put_(database,
           "INSERT OR REPLACE INTO attempts (list, name, state, forgotten_at)"
           " VALUES (?1, ?2, ?3, ?4)"),
      remove_(database, "DELETE FROM attempts WHERE list = ?1 AND name = ?2") {}

std::vector<AttemptTable::Row> AttemptTable::load(WallTime now) {
  remove_old_.bind(1, unix_micros(now)).run();
  std::vector<Row> out;
  while (load_.step()) {
    out.push_back({.list = static_cast<std::size_t>(load_.integer(0)),
                   .name = load_.string(1),
                   .state = load_.string(2),
                   .forgotten_at = wall_from_micros(load_.integer(3))});
  }
  load_.reset();
  return out;
}

void AttemptTable::write(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const auto list = static_cast<std::int64_t>(row.list);
    if (row.state.empty()) {
      remove_.bind(1, list).bind_blob(2, row.name).run();
    } else {
      put_.bind(1, list)
          .bind_blob(2, row.name)
          .bind(3, std::string_view(row.state))
          .bind(4, unix_micros(row.forgotten_at))
          .run();
    }
  }
}

KnownAddressTable::KnownAddressTable(Database& database, WorkBudget& budget)
    : find_(database, "SELECT seen_at FROM known_addresses WHERE user = ?1 AND address = ?2"),
      put_(database,
           "INSERT OR REPLACE INTO known_addresses (user, address, seen_at) VALUES (?1, ?2, ?3)"),
      trim_(database,
            "DELETE FROM known_addresses WHERE user = ?1 AND address NOT IN (SELECT address FROM"
            " known_addresses WHERE user = ?1 ORDER BY seen_at DESC, address = ?3 DESC LIMIT ?2)"),
      drop_(database, "DELETE FROM known_addresses WHERE user = ?1"),
      sweep_(database, budget,
             "DELETE FROM known_addresses WHERE (user, address) IN (SELECT user, address FROM "
             "known_addresses"
             " WHERE seen_at < ?1 ORDER BY seen_at LIMIT ?2)",
             WorkBudget::of_erase(0)) {}

std::optional<WallTime> KnownAddressTable::find(const UserId& sub, const Digest& address) {
  find_.bind(1, std::string_view(sub.str())).bind_blob(2, view(address));
  std::optional<WallTime> out;
  if (find_.step()) out = wall_from_micros(find_.integer(0));
  find_.reset();
  return out;
}

void KnownAddressTable::add(const UserId& sub, const Digest& address, WallTime seen_at,
                            std::size_t max_per_user) {
  put_.bind(1, std::string_view(sub.str()))
      .bind_blob(2, view(address))
      .bind(3, unix_micros(seen_at))
      .run();
  trim_.bind(1, std::string_view(sub.str()))
      .bind(2, static_cast<std::int64_t>(max_per_user))
      .bind_blob(3, view(address))
      .run();
}

void KnownAddressTable::drop(const UserId& sub) {
  drop_.bind(1, std::string_view(sub.str())).run();
}

namespace {

class SqliteAttemptStore final : public identity::AttemptStore, private Submitter {
 public:
  SqliteAttemptStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void load(WallTime now, Completion<Result<std::vector<Row>>> done) override {
    submit<std::vector<Row>>(
        OnRollback::retry, [now](Tables& tables) { return tables.attempts.load(now); },
        std::move(done));
  }
  void write(std::vector<Row> rows, Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail, [rows = std::move(rows)](Tables& tables) { tables.attempts.write(rows); },
        std::move(done));
  }
};

class SqliteKnownAddressStore final : public identity::KnownAddressStore, private Submitter {
 public:
  SqliteKnownAddressStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void find(const UserId& sub, const Digest& address,
            Completion<Result<std::optional<WallTime>>> done) override {
    submit<std::optional<WallTime>>(
        OnRollback::retry,
        [sub, address](Tables& tables) { return tables.known_addresses.find(sub, address); },
        std::move(done));
  }
  void add(const UserId& sub, const Digest& address, WallTime seen_at, std::size_t max_per_user,
           Completion<Result<void>> done) override {
    submit<void>(
        OnRollback::fail,
        [sub, address, seen_at, max_per_user](Tables& tables) {
          tables.known_addresses.add(sub, address, seen_at, max_per_user);
        },
        std::move(done));
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    submit_sweep([before](Tables& tables) { return tables.known_addresses.sweep(before); },
                 std::move(done));
  }
};

}  // namespace

std::unique_ptr<identity::AttemptStore> make_attempt_store(OperationQueue& queue,
                                                           Channel& channel) {
  return std::make_unique<SqliteAttemptStore>(queue, channel);
}

std::unique_ptr<identity::KnownAddressStore> make_known_address_store(OperationQueue& queue,
                                                                      Channel& channel) {
  return std::make_unique<SqliteKnownAddressStore>(queue, channel);
}

}  // namespace holdfast::sqlite
