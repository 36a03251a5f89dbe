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

/// Messages that were not delivered. Bounded: the longest dead make room.
class DeadLetterTable {
 public:
  DeadLetterTable(Database& database, DeadLetterBounds bounds);

  /// Copies a row of `messages`; `bytes` is its payload's size.
  void add(std::string_view user, Sequence sequence, std::int64_t bytes, std::string_view reason,
           std::int64_t now, std::string_view detail = {});
  /// A row of `messages` that is not as it was written, by what was read of it.
  struct Unsound {
    Sequence sequence = 0;
    std::string id;
    std::int64_t accepted_at = 0;
    std::int64_t expires_at = 0;
    std::string payload;
    std::optional<std::int64_t> checksum;
  };
  void add(std::string_view user, const Unsound& row, std::string_view reason, std::int64_t now);
  /// Answers its payload's bytes; nullopt when there is none of that id.
  std::optional<std::int64_t> remove(const MessageId& id);
  [[nodiscard]] std::optional<delivery::DeadLetter> find(const MessageId& id);
  [[nodiscard]] delivery::DeadLetterPage list(const delivery::DeadLetterQuery& query);

  /// Sees whether a bound is passed. At the begin of each transaction.
  void begin() {
    HOLDFAST_ASSERT(change_.messages == 0 && change_.bytes == 0, "letters.begin_with_all_written");
    over_ = beyond_bounds(totals());
  }
  /// Writes the totals, and makes room where a bound is passed: for what was added, and some of
  /// what was too much before. Before each commit.
  void flush();
  /// When the transaction failed because none could be made, none is made until `try_again`.
  void discard();
  /// What there is, but for what `flush` has not written yet.
  [[nodiscard]] delivery::PendingTotals totals();
  /// There are still more than may be kept: nothing is added until further commits have made room.
  [[nodiscard]] bool over() const noexcept { return over_; }
  /// The transaction fails, and by making room alone.
  [[nodiscard]] bool evicting() const noexcept { return evicting_; }
  /// No room could be made, and no more is tried.
  [[nodiscard]] bool stuck() const noexcept { return stuck_; }
  /// Makes room again from here on, behind what could not be removed.
  void try_again() noexcept {
    HOLDFAST_ASSERT(stuck_, "letters.are_tried_again_when_stuck");
    stuck_ = false;
  }
  /// Whether `totals` may be others than when this was asked last.
  [[nodiscard]] bool changed_since_asked() noexcept { return std::exchange(changed_, false); }

 private:
  /// All but the size of the text.
  [[nodiscard]] static delivery::DeadLetterInfo read(const Statement& row);
  /// Answers what is left of `totals`.
  [[nodiscard]] delivery::PendingTotals evict(delivery::PendingTotals totals);
  /// Where in the order of deaths.
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
  Place from_;             ///< what has to stay is at or before it
  Place trying_;           ///< what is being removed
  std::int64_t skip_ = 0;  ///< letters behind `from_` that are stepped over unseen
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
