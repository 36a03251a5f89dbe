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

/// Pending messages that cannot be read. A record whose head is damaged may break the order by
/// which a user's rows are found: those behind it are passed by, and nothing fails. Only the user's
/// totals know of them.
class MissingRows {
 public:
  MissingRows(Database& database, PendingTable& pending, WorkBudget& budget);

  /// Holds the rows of a user against the totals, both as this transaction has them, and tells a
  /// difference. At most once a minute for a user, and not for one of very many messages.
  void look(const UserId& user, WallTime now);

  /// How many were missing when each user was last looked at.
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
  std::array<Look, 1'024> looks_{};  ///< the last ones; two users may share a place
  std::unordered_map<UserId, std::int64_t> users_;
  std::int64_t messages_ = 0;
  Statement count_;
};

}  // namespace holdfast::sqlite
