#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>

#include "pending_table.hpp"
#include "sqlite.hpp"
#include "work_budget.hpp"

namespace holdfast::sqlite {

/// Counts pending messages that cannot be read. A record with a damaged head may break the order by
/// which a user's rows are found. Rows behind it are then skipped without an error, and only the
/// user's totals know of them.
class MissingRows {
 public:
  MissingRows(Database& database, PendingTable& pending, WorkBudget& budget);

  /// Compares a user's rows with the totals, both as this transaction has them, and reports a
  /// difference. Runs at most once a minute for a user, and not for users with very many messages.
  void look(const UserId& user, WallTime now);

  /// Returns how many were missing when each user was last checked.
  [[nodiscard]] std::int64_t messages() const noexcept { return messages_; }

 private:
  struct Look {
    std::size_t user = 0;  ///< hashed
    WallTime at;
  };
  [[nodiscard]] bool is_due(const UserId& user, WallTime now);
  void note(const UserId& user, std::int64_t missing);

  Database& database_;
  PendingTable& pending_;
  WorkBudget& budget_;
  std::array<Look, 1'024> looks_{};  ///< the last checks; two users may share a place
  std::unordered_map<UserId, std::int64_t> users_;
  std::int64_t messages_ = 0;
  Statement count_;
};

}  // namespace holdfast::sqlite
