// Counts connections that end at one message.

#include "failed_attempts.hpp"

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

template <class Value>
Value& FailedAttemptTable::at(std::unordered_map<UserId, Value>& users, const UserId& user) {
  const auto found = users.find(user);
  if (found != users.end()) return found->second;
  if (users.size() >= capacity_) users.erase(users.begin());
  return users[user];
}

std::uint32_t FailedAttemptTable::count_end(const UserId& user, Sequence first) {
  Waiting& waiting = at(waiting_, user);
  if (waiting.first != first) waiting = {.first = first};
  return ++waiting.ends;
}

const FailedAttempts& FailedAttemptTable::add(const UserId& user, const EndedAt& end) {
  FailedAttempts& attempts = at(users_, user);
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
                .next_serial = end.next_serial,
                .given_up = attempts.given_up};
  }
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
  if (!waiting_.empty()) {
    const auto waiting = waiting_.find(user);
    if (waiting != waiting_.end() && sequence >= waiting->second.first) waiting_.erase(waiting);
  }
  const auto found = users_.find(user);
  if (found == users_.end()) return;
  found->second.given_up = 0;
  if (sequence >= found->second.last) users_.erase(found);
}

void FailedAttemptTable::give_up(const UserId& user) {
  const auto found = users_.find(user);
  if (found == users_.end()) return;
  found->second = {.given_up = found->second.given_up + 1};
}

}  // namespace holdfast::delivery
