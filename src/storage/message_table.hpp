#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

#include "storage/dead_letter_table.hpp"
#include "storage/pending_table.hpp"
#include "storage/sqlite.hpp"

namespace holdfast::storage {

/// The rows of pending messages; keeps the totals in step.
class MessageTable {
 public:
  MessageTable(Database& database, PendingTable& pending, DeadLetterTable& dead_letters);

  void insert(const delivery::Message& message);
  [[nodiscard]] delivery::PendingTotals erase(const UserId& user, Sequence above, Sequence up_to);
  [[nodiscard]] delivery::Page read(const delivery::PageQuery& query);
  /// Moves expired rows, oldest first, to the dead letters: at most so much that others' commits
  /// need not wait long.
  [[nodiscard]] delivery::PendingTotals expire(const UserId& user, Sequence above, Sequence up_to,
                                               WallTime now);
  /// The same whatever their lifetime, with this reason.
  [[nodiscard]] delivery::PendingTotals bury(const UserId& user, Sequence above, Sequence up_to,
                                             std::string_view reason, WallTime now);
  [[nodiscard]] std::optional<Sequence> find(const UserId& user, const MessageId& id);
  [[nodiscard]] std::vector<UserId> find_expired(WallTime now, const UserId& after,
                                                 std::size_t limit);

 private:
  struct Expired {
    Sequence sequence;
    std::int64_t bytes;
  };
  [[nodiscard]] std::vector<Expired> list_expired(const UserId& user, Sequence above,
                                                  Sequence up_to, std::int64_t at);
  delivery::PendingTotals move(const UserId& user, const std::vector<Expired>& rows,
                               std::string_view reason, WallTime now);

  PendingTable& pending_;
  DeadLetterTable& dead_letters_;
  Statement insert_;
  Statement count_range_;
  Statement erase_range_;
  Statement erase_one_;
  Statement read_;
  Statement list_expired_;
  Statement next_expiry_;
  Statement find_;
};

}  // namespace holdfast::storage
