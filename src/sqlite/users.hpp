#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <holdfast/identity/stores.hpp>

#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

class UserTable {
 public:
  explicit UserTable(Database& database);

  [[nodiscard]] Result<void> create(const identity::User& user, std::string_view folded);
  [[nodiscard]] std::optional<identity::User> find_by_username(std::string_view folded);
  [[nodiscard]] std::optional<identity::User> find_by_sub(const UserId& sub);
  [[nodiscard]] Result<void> update(const identity::User& user, std::int64_t expected_revision);
  void remove(const UserId& sub);
  /// Removes at most `most` users who signed up before then and never confirmed it. Returns them,
  /// the earliest first.
  [[nodiscard]] std::vector<UserId> sweep_unconfirmed(WallTime before, std::int64_t most);
  [[nodiscard]] std::vector<identity::User> list(std::string_view after, std::size_t limit);
  /// Returns the revision; nullopt if there is no such user.
  [[nodiscard]] std::optional<std::int64_t> revision(const UserId& sub);
  /// Returns false if there is no such user.
  [[nodiscard]] bool is_enabled(const UserId& sub);

 private:
  [[nodiscard]] static identity::User read(const Statement& statement);
  [[nodiscard]] std::optional<identity::User> find(Statement& statement, std::string_view key);

  Database& database_;
  Statement create_;
  Statement find_by_username_;
  Statement find_by_sub_;
  Statement revision_;
  Statement is_enabled_;
  Statement update_;
  Statement remove_;
  Statement sweep_unconfirmed_;
  Statement list_;
};

[[nodiscard]] std::unique_ptr<identity::UserStore> make_user_store(OperationQueue& queue,
                                                                   Channel& channel);

}  // namespace holdfast::sqlite
