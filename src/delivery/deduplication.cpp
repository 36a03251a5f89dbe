#include "delivery/deduplication.hpp"

#include <algorithm>

namespace holdfast::delivery {

DeduplicationKey deduplication_key(std::string_view caller, const UserId& user,
                                   std::string_view key) {
  std::string scope;
  scope.reserve(caller.size() + user.str().size() + key.size() + 2 * sizeof(std::uint32_t));
  // Lengths first, so that no two scopes make the same text.
  for (const std::string_view part : {caller, std::string_view(user.str())}) {
    const auto size = static_cast<std::uint32_t>(part.size());
    scope.append(reinterpret_cast<const char*>(&size), sizeof size);
    scope.append(part);
  }
  scope.append(key);
  const Digest digest = sha256(scope);
  DeduplicationKey out;
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

DeduplicationTable::Lookup DeduplicationTable::find(const DeduplicationKey& key,
                                                    const Digest& payload_hash, BootTime now,
                                                    bool frozen) {
  if (const auto first = in_flight_.find(key); first != in_flight_.end()) {
    return {first->second.payload_hash == payload_hash ? Found::in_flight : Found::other, {}};
  }
  if (const auto hit = live_.find(key); hit != live_.end()) {
    if (frozen || now - hit->second.committed_at < window_) {
      if (hit->second.payload_hash != payload_hash) return {Found::other, {}};
      return {Found::answered, hit->second.receipt};
    }
    live_.erase(hit);
  }
  return {size() >= capacity_ ? Found::full : Found::nothing, {}};
}

void DeduplicationTable::begin(const DeduplicationKey& key, const Digest& payload_hash) {
  in_flight_.try_emplace(key, payload_hash, std::vector<Completion<SendOutcome>>());
}

bool DeduplicationTable::wait(const DeduplicationKey& key, Completion<SendOutcome>& done) {
  auto& waiters = in_flight_.at(key).waiters;
  if (waiters.size() >= kWaitersPerKey) return false;
  waiters.push_back(std::move(done));
  return true;
}

std::vector<Completion<SendOutcome>> DeduplicationTable::end(const DeduplicationKey& key,
                                                             const SendOutcome& outcome,
                                                             BootTime committed_at) {
  auto node = in_flight_.extract(key);
  if (outcome) add(key, {node.mapped().payload_hash, *outcome, committed_at});
  return std::move(node.mapped().waiters);
}

void DeduplicationTable::restore(const DeduplicationRecord& record, BootTime committed_at) {
  add(deduplication_key(record.caller, record.user, record.key),
      {record.payload_hash, record.receipt, committed_at});
}

void DeduplicationTable::add(const DeduplicationKey& key, Live live) {
  order_.emplace_back(live.committed_at, key);
  live_.insert_or_assign(key, live);
}

void DeduplicationTable::forget_before(BootTime time, std::size_t at_most) {
  for (; !order_.empty() && order_.front().first < time && at_most > 0; order_.pop_front()) {
    --at_most;
    const auto hit = live_.find(order_.front().second);
    // A key that was used again has a newer entry of its own further behind.
    if (hit != live_.end() && hit->second.committed_at < time) live_.erase(hit);
  }
}

}  // namespace holdfast::delivery
