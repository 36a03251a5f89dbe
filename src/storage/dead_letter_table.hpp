#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

#include "storage/sqlite.hpp"

namespace holdfast::storage {

struct DeadLetterBounds {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
};

/// Messages that were not delivered. Bounded: the longest dead make room.
class DeadLetterTable {
 public:
  DeadLetterTable(Database& database, DeadLetterBounds bounds);

  /// Copies a row of `messages`; `bytes` is its payload's size.
  void add(std::string_view user, Sequence sequence, std::int64_t bytes, std::string_view reason,
           std::int64_t now, std::string_view detail = {});
  /// False when there is none of that id.
  bool remove(const MessageId& id);
  [[nodiscard]] std::optional<delivery::DeadLetter> find(const MessageId& id);
  [[nodiscard]] delivery::DeadLetterPage list(const delivery::DeadLetterQuery& query);

  /// Sees whether a bound is passed. At the begin of each transaction.
  void begin() { over_ = beyond_bounds(totals()); }
  /// Writes the totals, and makes room where a bound is passed: for what was added, and some of
  /// what was too much before. Before each commit.
  void flush();
  void discard() { change_ = {}; }
  /// What there is, but for what `flush` has not written yet.
  [[nodiscard]] delivery::PendingTotals totals();
  /// There are still more than may be kept: nothing is added until further commits have made room.
  [[nodiscard]] bool over() const noexcept { return over_; }
  /// Whether `totals` may be others than when this was asked last.
  [[nodiscard]] bool changed_since_asked() noexcept { return std::exchange(changed_, false); }

 private:
  /// All but the size of the text.
  [[nodiscard]] static delivery::DeadLetterInfo read(const Statement& row);
  /// Answers what is left of `totals`.
  [[nodiscard]] delivery::PendingTotals evict(delivery::PendingTotals totals);
  [[nodiscard]] bool beyond_bounds(const delivery::PendingTotals& totals) const {
    return totals.messages > bounds_.messages || totals.bytes > bounds_.bytes;
  }

  Database& database_;
  DeadLetterBounds bounds_;
  delivery::PendingTotals change_;
  bool changed_ = true;
  bool over_ = false;
  Statement add_;
  Statement remove_;
  Statement find_;
  Statement list_all_;
  Statement list_user_;
  Statement change_totals_;
  Statement read_totals_;
  Statement oldest_;
};

}  // namespace holdfast::storage
