// Finds pending messages that an index no longer reaches.

#include "missing_rows.hpp"

#include <functional>
#include <string_view>
#include <utility>

#include <holdfast/base/log.hpp>

namespace holdfast::sqlite {
namespace {

constexpr Seconds kBetweenLooks{60};
// Counting is cheap but not free: so many counted rows cost as much as reading one.
constexpr std::int64_t kCountedPerLook = 8;
constexpr std::int64_t kCountedMax = 100'000;
// Limits the remembered users. A database with more is not one to go on with.
constexpr std::size_t kUsersMax = 1'000;

}  // namespace

MissingRows::MissingRows(Database& database, PendingTable& pending, WorkBudget& budget)
    : database_(database),
      pending_(pending),
      budget_(budget),
      count_(database, "SELECT count(*) FROM messages WHERE user = ?1") {}

void MissingRows::look(const UserId& user, WallTime now) {
  if (database_.failed() || !is_due(user, now)) return;
  const delivery::PendingTotals totals = pending_.find(user);
  if (totals.messages > kCountedMax) return;
  count_.bind(1, std::string_view(user.str()));
  const std::int64_t rows = count_.step() ? count_.integer(0) : 0;
  count_.reset();
  budget_.spend(WorkBudget::of_look() * (1 + rows / kCountedPerLook));
  if (database_.failed()) return;
  const std::int64_t missing = totals.messages - rows;
  note(user, missing);
  if (missing <= 0) return;
  log::error("messages_missing",
             {{"user_id", user.str()}, {"messages", missing}, {"readable", rows}});
}

bool MissingRows::is_due(const UserId& user, WallTime now) {
  const std::size_t hash = std::hash<UserId>()(user);
  Look& last = looks_[hash % looks_.size()];
  if (last.user == hash && now >= last.at && now - last.at < kBetweenLooks) return false;
  last = {.user = hash, .at = now};
  return true;
}

void MissingRows::note(const UserId& user, std::int64_t missing) {
  const auto known = users_.find(user);
  if (known != users_.end()) {
    messages_ -= known->second;
    users_.erase(known);
  }
  if (missing <= 0 || users_.size() >= kUsersMax) return;
  messages_ += missing;
  users_.emplace(user, missing);
}

}  // namespace holdfast::sqlite
