#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/assert.hpp>
#include <holdfast/delivery/message_store.hpp>

#include "sqlite.hpp"

namespace holdfast::sqlite {

struct DeadLetterBounds {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
};

/// Undelivered messages, up to a limit. The longest dead make room.
class DeadLetterTable {
 public:
  DeadLetterTable(Database& database, DeadLetterBounds bounds);

  /// Copies a row of `messages`; `bytes` is its payload's size.
  void add(std::string_view user, Sequence sequence, std::int64_t bytes, std::string_view reason,
           std::int64_t now, std::string_view detail = {});
  /// A row of `messages` that differs from its checksum, as it was read.
  struct Unsound {
    Sequence sequence = 0;
    std::string id;
    std::int64_t accepted_at = 0;
    std::int64_t expires_at = 0;
    std::string payload;
    std::optional<std::int64_t> checksum;
  };
  void add(std::string_view user, const Unsound& row, std::string_view reason, std::int64_t now);
  /// Removes a letter. Returns its payload's bytes; nullopt if there is none with that id.
  std::optional<std::int64_t> remove(const MessageId& id);
  [[nodiscard]] std::optional<delivery::DeadLetter> find(const MessageId& id);
  [[nodiscard]] delivery::DeadLetterPage list(const delivery::DeadLetterQuery& query);

  /// Compares the totals with the limits. Call it at the beginning of each transaction.
  void begin() {
    HOLDFAST_ASSERT(change_.messages == 0 && change_.bytes == 0, "letters.begin_with_all_written");
    over_ = beyond_bounds(totals());
  }
  /// Writes the totals. Makes room beyond the limits: for what was added, and for some of the
  /// earlier excess. Call it before each commit.
  void flush();
  /// Forgets the transaction's changes. If it failed because no room could be made, none is made
  /// until `try_again`.
  void discard();
  /// Returns the totals, without the changes that `flush` has not written yet.
  [[nodiscard]] delivery::PendingTotals totals();
  /// Returns whether there are still too many. Nothing is added until further commits have made
  /// room.
  [[nodiscard]] bool over() const noexcept { return over_; }
  /// Returns whether the transaction fails because of making room, and nothing else.
  [[nodiscard]] bool evicting() const noexcept { return evicting_; }
  /// Returns whether no room could be made, and none is tried.
  [[nodiscard]] bool stuck() const noexcept { return stuck_; }
  /// Makes room again from here on, behind the letters that could not be removed.
  void try_again() noexcept {
    HOLDFAST_ASSERT(stuck_, "letters.are_tried_again_when_stuck");
    stuck_ = false;
  }
  /// Returns whether `totals` may have changed since the last call.
  [[nodiscard]] bool changed_since_asked() noexcept { return std::exchange(changed_, false); }

 private:
  /// Reads all but the size of the text.
  [[nodiscard]] static delivery::DeadLetterInfo read(const Statement& row);
  /// Removes the oldest. Returns the remaining totals.
  [[nodiscard]] delivery::PendingTotals evict(delivery::PendingTotals totals);
  /// A place in the order of deaths.
  struct Place {
    std::int64_t died_at = INT64_MIN;
    std::string id;
    friend bool operator==(const Place&, const Place&) = default;
  };
  [[nodiscard]] std::vector<Place> list_oldest(std::int64_t limit);
  [[nodiscard]] bool beyond_bounds(const delivery::PendingTotals& totals) const {
    return totals.messages > bounds_.messages || totals.bytes > bounds_.bytes;
  }

  Database& database_;
  DeadLetterBounds bounds_;
  delivery::PendingTotals change_;
  bool changed_ = true;
  bool over_ = false;
  bool evicting_ = false;
  bool stuck_ = false;
  Place from_;             ///< the letters that cannot be removed are at or before it
  Place trying_;           ///< the letter that is being removed
  std::int64_t skip_ = 0;  ///< letters behind `from_` that are skipped unseen
  Statement add_;
  Statement add_unsound_;
  Statement remove_;
  Statement find_;
  Statement list_all_;
  Statement list_user_;
  Statement change_totals_;
  Statement read_totals_;
  Statement oldest_;
};

}  // namespace holdfast::sqlite
