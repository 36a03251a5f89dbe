#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/identity/stores.hpp>

#include "storage/queue.hpp"
#include "storage/sqlite.hpp"

namespace holdfast::storage {

class RefreshTokenTable {
 public:
  using Row = identity::RefreshTokenStore::Row;
  explicit RefreshTokenTable(Database& database);

  void add(const Row& row, std::size_t max_per_user);
  [[nodiscard]] std::optional<Row> find(const Digest& token_hash);
  [[nodiscard]] std::optional<Row> find_origin(const UserId& sub, std::string_view origin);
  void revoke(const UserId& sub, std::string_view origin);
  void revoke_all_but(const UserId& sub, std::string_view kept_origin);
  void drop(const UserId& sub);
  void sweep(WallTime before);

 private:
  [[nodiscard]] static std::optional<Row> take(Statement& statement);

  Statement add_;
  Statement trim_;
  Statement find_;
  Statement find_origin_;
  Statement revoke_;
  Statement revoke_all_but_;
  Statement drop_;
  Statement sweep_;
};

[[nodiscard]] std::unique_ptr<identity::RefreshTokenStore> make_refresh_token_store(
    OperationQueue& queue, Channel& channel);

}  // namespace holdfast::storage
