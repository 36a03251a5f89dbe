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

/// The progress of a walk over one user's rows, which takes several transactions.
struct RowWalk {
  Sequence at = INT64_MIN;  ///< so far
  bool end = false;         ///< nothing is behind it
  delivery::Moved taken;    ///< each reason's count, where rows are moved
  /// The earliest expiry of the rows that were passed and stay.
  std::int64_t next_expiry = PendingTable::kNever;
};

/// The rows of pending messages, in step with the totals. Long work stops when the transaction's
/// budget is spent. It takes at least one row if there was any budget left.
class MessageTable {
 public:
  MessageTable(Database& database, PendingTable& pending, DeadLetterTable& dead_letters,
               WorkBudget& budget);

  void insert(const delivery::Message& message);
  /// Removes rows of (above, up_to], the oldest first, from where the walk is.
  void erase(const UserId& user, Sequence above, Sequence up_to, RowWalk& walk);
  /// Reads a page. `passed` is the last row that was read and not returned; the next page may begin
  /// there. Without `moves`, rows that would become dead letters are skipped.
  [[nodiscard]] delivery::Page read(const delivery::PageQuery& query, bool moves, Sequence& passed);
  /// Walks over all rows of the user, the oldest first. Moves expired rows of (above, up_to] to the
  /// dead letters. At the end, sets when the first of the others expires.
  void expire(const UserId& user, Sequence above, Sequence up_to, WallTime now, RowWalk& walk);
  /// Moves rows of (above, up_to] to the dead letters with this reason, whatever their lifetime.
  [[nodiscard]] delivery::Moved move_to_dead_letters(const UserId& user, Sequence above,
                                                     Sequence up_to,
                                                     const delivery::DeathCause& cause,
                                                     WallTime now);
  /// Shifts the times of the user's rows in (above, up_to], the oldest first, from where the walk
  /// is.
  void move_lifetimes(const UserId& user, const delivery::LifetimeMove& move, RowWalk& walk);
  [[nodiscard]] std::optional<Sequence> find(const UserId& user, const MessageId& id);
  /// Returns the next users who have rows, in the order of users.
  [[nodiscard]] std::vector<UserId> users_after(const UserId& after, std::size_t limit);

  /// Counts the damaged rows of the committed transaction.
  void committed();
  void discard() { found_damaged_.clear(); }
  /// Returns how many damaged rows became dead letters.
  [[nodiscard]] std::int64_t damaged() const noexcept { return damaged_; }
  /// Returns how many rows the totals promise and page reads did not find.
  [[nodiscard]] std::int64_t missing() const noexcept { return missing_.messages(); }

 private:
  struct Row {
    Sequence sequence;
    MessageId id;
    std::int64_t bytes;
  };
  [[nodiscard]] bool is_damaged(std::string_view user) const;
  [[nodiscard]] bool is_unsound(const UserId& user);
  /// Returns whether the key finds its row, as it should.
  [[nodiscard]] bool is_in_place(const UserId& user, Sequence sequence);
  [[nodiscard]] DeadLetterTable::Unsound read_unsound() const;
  /// Adds the row that `read_` is at to those that move.
  void take(const UserId& user, std::vector<Row>& rows,
            std::vector<DeadLetterTable::Unsound>& unsound);
  delivery::Moved move_unsound(const UserId& user,
                               const std::vector<DeadLetterTable::Unsound>& rows, WallTime now);
  /// Moves all rows of the user that differ from their checksum.
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
  std::vector<FoundDamaged> found_damaged_;  ///< by the running transaction
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
