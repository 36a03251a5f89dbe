// The table of open connections, and its port.

#include "connections.hpp"

#include <cstdint>
#include <string_view>
#include <utility>

#include "tables.hpp"

namespace holdfast::sqlite {

ConnectionTable::ConnectionTable(Database& database)
    : add_(database,
           "INSERT OR REPLACE INTO connections"
           " (user, id, username, remote_address, user_agent, connected_at, shard)"
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      remove_(database, "DELETE FROM connections WHERE id = ?1"),
      clear_(database, "DELETE FROM connections") {}

void ConnectionTable::add(const delivery::ConnectionInfo& info) {
  add_.bind(1, std::string_view(info.user.str()))
      .bind(2, std::string_view(info.id.str()))
      .bind(3, std::string_view(info.username))
      .bind(4, std::string_view(info.remote_address))
      .bind(5, std::string_view(info.user_agent))
      .bind(6, unix_micros(info.connected_at))
      .bind(7, static_cast<std::int64_t>(info.shard))
      .run();
}

void ConnectionTable::remove(const ConnectionId& id) {
  remove_.bind(1, std::string_view(id.str())).run();
}

void ConnectionTable::clear() { clear_.run(); }

namespace {

class SqliteConnectionStore final : public delivery::ConnectionStore {
 public:
  explicit SqliteConnectionStore(OperationQueue& queue) : queue_(queue) {}

  void opened(const delivery::ConnectionInfo& info) override {
    // Without a retry: it could run after its `closed`, and the row would stay.
    submit(OnRollback::fail, [info](Tables& tables) { tables.connections.add(info); });
  }
  void closed(const ConnectionId& id) override {
    submit(OnRollback::retry, [id](Tables& tables) { tables.connections.remove(id); });
  }

 private:
  template <class Work>
  void submit(OnRollback on_rollback, Work work) {
    queue_.submit(Lane::other, nullptr,
                  make_operation<void>(on_rollback, std::move(work), nullptr));
  }

  OperationQueue& queue_;
};

}  // namespace

std::unique_ptr<delivery::ConnectionStore> make_connection_store(OperationQueue& queue) {
  return std::make_unique<SqliteConnectionStore>(queue);
}

}  // namespace holdfast::sqlite
