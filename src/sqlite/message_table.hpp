#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

#include "dead_letter_table.hpp"
#include "missing_rows.hpp"
#include "pending_table.hpp"
#include "sqlite.hpp"
#include "work_budget.hpp"

namespace holdfast::sqlite {

/// How far a walk over one user's rows has come that takes several transactions.
struct RowWalk {
  Sequence at = INT64_MIN;  ///< so far
  bool end = false;         ///< there is nothing behind it
  delivery::Moved taken;    ///< each of them where they are moved
  /// Of the rows that were passed and stay.
  std::int64_t next_expiry = PendingTable::kNever;
};

/// The rows of pending messages; keeps the totals in step. What deletes, moves or reads many rows
/// stops when the transaction's budget is spent; it takes one row at least if there was any left.
class MessageTable {
 public:
  MessageTable(Database& database, PendingTable& pending, DeadLetterTable& dead_letters,
               WorkBudget& budget);

  void insert(const delivery::Message& message);
  /// Removes rows of (above, up_to], the oldest first, from where the walk is.
  void erase(const UserId& user, Sequence above, Sequence up_to, RowWalk& walk);
  /// `passed` is the last row that was looked at and is not brought: the next page may begin there.
  /// Without `moves` what would move is stepped over.
  [[nodiscard]] delivery::Page read(const delivery::PageQuery& query, bool moves, Sequence& passed);
  /// Looks at all rows of the user, the oldest first, from where the walk is, and moves those of
  /// (above, up_to] that are past their lifetime to the dead letters. At its end the user is due
  /// when the first of those that stay is.
  void expire(const UserId& user, Sequence above, Sequence up_to, WallTime now, RowWalk& walk);
  /// Moves rows of (above, up_to], whatever their lifetime, with this cause.
  [[nodiscard]] delivery::Moved move_to_dead_letters(const UserId& user, Sequence above,
                                                     Sequence up_to,
                                                     const delivery::DeathCause& cause,
                                                     WallTime now);
  /// Moves the times of the user's rows in (above, up_to], the oldest first, from where the walk
  /// is.
  void move_lifetimes(const UserId& user, const delivery::LifetimeMove& move, RowWalk& walk);
  [[nodiscard]] std::optional<Sequence> find(const UserId& user, const MessageId& id);
  /// The next users who have rows, in the order of users.
  [[nodiscard]] std::vector<UserId> users_after(const UserId& after, std::size_t limit);

  /// What the transaction found damaged is a dead letter now, or is not.
  void committed();
  void discard() { found_damaged_.clear(); }
  /// Rows that were not as they were written, and became dead letters.
  [[nodiscard]] std::int64_t damaged() const noexcept { return damaged_; }
  /// Rows that page reads did not find where the totals say that there are some.
  [[nodiscard]] std::int64_t missing() const noexcept { return missing_.messages(); }

 private:
  struct Row {
    Sequence sequence;
    MessageId id;
    std::int64_t bytes;
  };
  [[nodiscard]] bool is_damaged(std::string_view user) const;
  [[nodiscard]] bool is_unsound(const UserId& user);
  /// The row of this key is found by it: as a rule it is where its key says.
  [[nodiscard]] bool is_in_place(const UserId& user, Sequence sequence);
  [[nodiscard]] DeadLetterTable::Unsound read_unsound() const;
  /// Puts the row that `read_` is at to those that move.
  void take(const UserId& user, std::vector<Row>& rows,
            std::vector<DeadLetterTable::Unsound>& unsound);
  delivery::Moved move_unsound(const UserId& user,
                               const std::vector<DeadLetterTable::Unsound>& rows, WallTime now);
  /// Looks at all rows of the user for those that are not as they were written.
  delivery::Moved find_and_move_unsound(const UserId& user, WallTime now);
  delivery::Moved move(const UserId& user, const std::vector<Row>& rows, std::string_view reason,
                       WallTime now, std::string_view detail = {});

  Database& database_;
  PendingTable& pending_;
  DeadLetterTable& dead_letters_;
  WorkBudget& budget_;
  std::int64_t damaged_ = 0;
  MissingRows missing_;
  struct FoundDamaged {
    UserId user;
    Sequence first = 0;
    std::int64_t messages = 0;
  };
  std::vector<FoundDamaged> found_damaged_;  ///< by the transaction that runs
  Statement insert_;
  Statement list_range_;
  Statement erase_range_;
  Statement erase_one_;
  Statement read_;
  Statement move_lifetimes_;
  Statement find_;
  Statement is_there_;
  Statement erase_as_stored_;
  Statement next_user_;
};

}  // namespace holdfast::sqlite
