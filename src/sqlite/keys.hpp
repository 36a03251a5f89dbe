#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <holdfast/identity/stores.hpp>

#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

/// Data keys and signing keys: two tables of one shape.
class KeyTable {
 public:
  explicit KeyTable(Database& database);

  [[nodiscard]] std::vector<identity::KeyStore::Row> load();
  [[nodiscard]] Result<void> add(const identity::KeyStore::Row& row);
  [[nodiscard]] Result<void> retire_signing(std::uint32_t id);

 private:
  Database& database_;
  Statement load_data_;
  Statement load_signing_;
  Statement add_data_;
  Statement add_signing_;
  Statement retire_signing_;
};

[[nodiscard]] std::unique_ptr<identity::KeyStore> make_key_store(OperationQueue& queue,
                                                                 Channel& channel);

}  // namespace holdfast::sqlite
