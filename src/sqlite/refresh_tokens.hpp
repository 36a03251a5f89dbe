#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/identity/stores.hpp>

#include "bounded_delete.hpp"
#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

class RefreshTokenTable {
 public:
  using Row = identity::RefreshTokenStore::Row;
  using TokenHashes = identity::RefreshTokenStore::TokenHashes;
  RefreshTokenTable(Database& database, WorkBudget& budget);

  /// Adds a login. Returns the logins that ended to make room.
  [[nodiscard]] std::vector<std::string> add(const Row& row, std::size_t max_per_user);
  [[nodiscard]] std::optional<Row> find(const TokenHashes& hashes);
  /// Returns whether the login is known and was not ended.
  [[nodiscard]] bool goes_on(const UserId& sub, std::string_view origin);
  [[nodiscard]] bool rotate(const identity::RefreshTokenStore::Rotation& rotation);
  void revoke(const UserId& sub, std::string_view origin);
  void revoke_all_but(const UserId& sub, std::string_view kept_origin);
  void drop(const UserId& sub);
  /// Sweeps rows that expired before `before`; as `BoundedDelete::run`.
  [[nodiscard]] bool sweep(WallTime before) { return sweep_.run(before); }

 private:
  [[nodiscard]] static std::optional<Row> take(Statement& statement);

  Database& database_;
  Statement add_;
  Statement trim_;
  Statement find_;
  Statement find_family_;
  Statement goes_on_;
  Statement rotate_;
  Statement revoke_;
  Statement revoke_all_but_;
  Statement drop_;
  BoundedDelete sweep_;
};

[[nodiscard]] std::unique_ptr<identity::RefreshTokenStore> make_refresh_token_store(
    OperationQueue& queue, Channel& channel);

}  // namespace holdfast::sqlite
