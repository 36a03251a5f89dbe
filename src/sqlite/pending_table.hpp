#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <holdfast/base/assert.hpp>
#include <holdfast/delivery/message_store.hpp>

#include "sqlite.hpp"

namespace holdfast::sqlite {

/// Each user's totals. Changes gather in memory, and are written once per user before the commit.
class PendingTable {
 public:
  explicit PendingTable(Database& database);

  /// Adds a message. The user's text must live until `flush` or `discard`.
  void add(std::string_view user, std::int64_t bytes, std::int64_t expires_at) {
    HOLDFAST_ASSERT(bytes >= 0, "pending.adds_no_less_than_nothing");
    Change& change = changes_[user];
    ++change.messages;
    change.bytes += bytes;
    if (expires_at < change.next_expiry) change.next_expiry = expires_at;
  }
  void subtract(std::string_view user, const delivery::PendingTotals& removed);

  void flush();
  void discard() {
    changes_.clear();
    failed_.reset();
  }
  /// Returns the user whose totals `flush` could not write.
  [[nodiscard]] const std::optional<UserId>& failed() const noexcept { return failed_; }

  /// Returns the totals as this transaction has them.
  [[nodiscard]] delivery::PendingTotals find(const UserId& user);

  using Totals = std::vector<std::pair<UserId, delivery::PendingTotals>>;
  [[nodiscard]] Totals list(const UserId& after, std::size_t limit);
  /// Lists users who may have expired rows, by the index of expiries.
  [[nodiscard]] delivery::ExpiryPage list_due(const delivery::ExpiryQuery& query);
  /// Lists users who may have expired rows in the order of users, without the index.
  [[nodiscard]] delivery::ExpiryPage list_due_by_user(const delivery::ExpiryQuery& query);
  /// Sets the earliest expiry of the user's rows, including those of this transaction.
  void set_next_expiry(const UserId& user, std::int64_t next_expiry);
  /// Lowers the earliest expiry of the user's rows.
  void lower_next_expiry(const UserId& user, std::int64_t next_expiry);

  static constexpr std::int64_t kNever = INT64_MAX;

 private:
  struct Change {
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
    std::int64_t next_expiry = kNever;  ///< of what was added
  };
  void write(std::string_view user, const Change& change);

  Database& database_;
  std::unordered_map<std::string_view, Change> changes_;
  std::optional<UserId> failed_;
  Statement add_later_;
  Statement add_any_;
  Statement change_;
  Statement remove_all_;
  Statement find_;
  Statement list_;
  Statement list_due_;
  Statement list_by_user_;
  Statement set_next_expiry_;
  Statement lower_next_expiry_;
};

}  // namespace holdfast::sqlite
