#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include <holdfast/identity/stores.hpp>

#include "bounded_delete.hpp"
#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

class TokenTable {
 public:
  TokenTable(Database& database, WorkBudget& budget);

  [[nodiscard]] Result<void> put(const identity::TokenStore::Row& row, std::size_t max_outstanding,
                                 WallTime now);
  [[nodiscard]] bool consume(const Digest& token_hash, WallTime now, Seconds drift);
  void drop(const UserId& sub);
  /// Drops a user's tokens of all other logins. Empty: all tokens.
  void drop_all_but(const UserId& sub, std::string_view kept_login);
  void drop_login(const UserId& sub, std::string_view login);
  /// Sweeps rows that expired before `before`; as `BoundedDelete::run`.
  [[nodiscard]] bool sweep(WallTime before) { return sweep_.run(before); }

 private:
  Statement count_;
  Statement put_;
  Statement consume_;
  Statement drop_;
  Statement drop_all_but_;
  Statement drop_login_;
  BoundedDelete sweep_;
};

[[nodiscard]] std::unique_ptr<identity::TokenStore> make_token_store(OperationQueue& queue,
                                                                     Channel& channel);

}  // namespace holdfast::sqlite
