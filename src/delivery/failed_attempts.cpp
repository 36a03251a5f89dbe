#include "delivery/failed_attempts.hpp"

#include <algorithm>

#include <holdfast/delivery/connection.hpp>

namespace holdfast::delivery {

std::string FailedAttempts::ends() const {
  const std::size_t kept = std::min<std::size_t>(count, kCodesKept);
  std::string out;
  for (std::size_t i = count - kept; i < count; ++i) {
    if (!out.empty()) out += ", ";
    const std::uint16_t code = codes[i % kCodesKept];
    out += code == ConnectionEnd::kSilent ? "silent" : std::to_string(code);
  }
  return out;
}

const FailedAttempts* FailedAttemptTable::find(const UserId& user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

FailedAttempts& FailedAttemptTable::at(const UserId& user) {
  const auto found = users_.find(user);
  if (found != users_.end()) return found->second;
  if (users_.size() >= capacity_) users_.erase(users_.begin());
  return users_[user];
}

const FailedAttempts& FailedAttemptTable::add(const UserId& user, const EndedAt& end) {
  FailedAttempts& attempts = at(user);
  const bool again = attempts.count > 0 && end.first == attempts.first;
  const bool behind = attempts.count > 0 && !attempts.moved_on && attempts.first < end.first &&
                      end.first <= attempts.last;
  if (again || behind) {
    attempts.moved_on = attempts.moved_on || behind;
    attempts.first = end.first;
    attempts.last = std::min(attempts.last, end.last);
  } else {
    attempts = {.first = end.first,
                .last = end.last,
                .longest_taken = attempts.longest_taken,
                .given_up = attempts.given_up};
  }
  attempts.longest_taken = std::max(attempts.longest_taken, end.longest_taken);
  attempts.codes[attempts.count % FailedAttempts::kCodesKept] = end.code;
  ++attempts.count;
  return attempts;
}

void FailedAttemptTable::take_back(const UserId& user) {
  const auto found = users_.find(user);
  if (found == users_.end() || found->second.count == 0) return;
  if (--found->second.count == 0 && found->second.given_up == 0) users_.erase(found);
}

void FailedAttemptTable::settle(const UserId& user, Sequence sequence) {
  const auto found = users_.find(user);
  if (found == users_.end()) return;
  found->second.given_up = 0;
  if (sequence >= found->second.last) users_.erase(found);
}

void FailedAttemptTable::give_up(const UserId& user) {
  const auto found = users_.find(user);
  if (found == users_.end()) return;
  found->second = {.longest_taken = found->second.longest_taken,
                   .given_up = found->second.given_up + 1};
}

}  // namespace holdfast::delivery
