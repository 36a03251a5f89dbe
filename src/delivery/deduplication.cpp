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

MessageId derive_message_id(std::string_view secret, const DeduplicationKey& key,
                            const Digest& payload_hash, WallTime now, Seconds window,
                            std::int64_t skip) {
  const std::int64_t window_us = std::max<std::int64_t>(1, Microseconds(window).count());
  const std::int64_t start_us = (unix_micros(now) / window_us + skip) * window_us;
  std::string text(reinterpret_cast<const char*>(key.data()), key.size());
  text.append(view(payload_hash));
  text.append(std::to_string(start_us));
  const Digest digest = hmac_sha256(secret, text);
  std::array<std::uint8_t, 16> bytes;
  const auto millis = static_cast<std::uint64_t>(start_us / 1'000);
  for (std::size_t i = 0; i < 6; ++i) {
    bytes[i] = static_cast<std::uint8_t>(millis >> (8 * (5 - i)));
  }
  std::copy_n(digest.begin(), 10, bytes.begin() + 6);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x80);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  return MessageId(bytes);
}

DeduplicationTable::Lookup DeduplicationTable::find(const DeduplicationKey& key,
                                                    const Digest& payload_hash, BootTime now,
                                                    bool frozen) {
  if (const auto first = in_flight_.find(key); first != in_flight_.end()) {
    return {.found = first->second.payload_hash == payload_hash ? Found::in_flight : Found::other};
  }
  Lookup out;
  if (const auto hit = live_.find(key); hit != live_.end()) {
    if (frozen || now - hit->second.committed_at < window_) {
      if (hit->second.payload_hash != payload_hash) return {.found = Found::other};
      return {.found = Found::answered, .receipt = hit->second.receipt};
    }
    out.receipt = hit->second.receipt;
    live_.erase(hit);
  }
  if (size() >= capacity_) return {.found = Found::full};
  const auto before = tried_.find(key);
  if (before != tried_.end() && before->second.payload_hash == payload_hash &&
      (frozen || now - before->second.at < window_)) {
    out.tried = before->second.id;
  }
  return out;
}

void DeduplicationTable::begin(const DeduplicationKey& key, const Digest& payload_hash,
                               const MessageId& id) {
  in_flight_.try_emplace(key, payload_hash, id, std::vector<Completion<SendOutcome>>());
}

bool DeduplicationTable::wait(const DeduplicationKey& key, Completion<SendOutcome>& done) {
  auto& waiters = in_flight_.at(key).waiters;
  if (waiters.size() >= kWaitersPerKey) return false;
  waiters.push_back(std::move(done));
  return true;
}

std::vector<Completion<SendOutcome>> DeduplicationTable::end(const DeduplicationKey& key,
                                                             const SendOutcome& outcome,
                                                             BootTime at) {
  auto node = in_flight_.extract(key);
  const Digest& hash = node.mapped().payload_hash;
  if (outcome) {
    tried_.erase(key);
    add(key, {hash, *outcome, at});
  } else if (tried_.contains(key) || tried_.size() < capacity_) {
    order_.emplace_back(at, key);
    tried_.insert_or_assign(key, Tried{hash, node.mapped().id, at});
  }
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
    const auto tried = tried_.find(order_.front().second);
    if (tried != tried_.end() && tried->second.at < time) tried_.erase(tried);
  }
}

}  // namespace holdfast::delivery
