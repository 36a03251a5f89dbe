#pragma once

#include <memory>

#include <holdfast/delivery/message_store.hpp>

#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

class ConnectionTable {
 public:
  explicit ConnectionTable(Database& database);

  void add(const delivery::ConnectionInfo& info);
  void remove(const ConnectionId& id);
  void clear();

 private:
  Statement add_;
  Statement remove_;
  Statement clear_;
};

[[nodiscard]] std::unique_ptr<delivery::ConnectionStore> make_connection_store(
    OperationQueue& queue);

}  // namespace holdfast::sqlite
