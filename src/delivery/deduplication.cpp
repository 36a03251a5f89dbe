// The table of deduplication keys, in flight and answered.

#include "deduplication.hpp"

#include <algorithm>

namespace holdfast::delivery {
namespace {

Shares::Options bounds(std::size_t capacity) {
  return {.bound = Bound::deduplication,
          .capacity = capacity,
          .share = std::max<std::size_t>(1, capacity / 8)};
}

}  // namespace

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

DeduplicationTable::DeduplicationTable(std::size_t capacity, Seconds window,
                                       std::shared_ptr<BoundRefusals> refusals)
    : keys_(bounds(capacity), std::move(refusals)), attempts_(bounds(capacity)), window_(window) {}

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
    forget(hit);
  }
  const auto before = tried_.find(key);
  if (before != tried_.end() && before->second.payload_hash == payload_hash &&
      (frozen || now - before->second.at < window_)) {
    out.tried = before->second.id;
  }
  return out;
}

std::expected<void, BoundScope> DeduplicationTable::begin(const DeduplicationKey& key,
                                                          const Digest& payload_hash,
                                                          const MessageId& id,
                                                          std::string_view caller) {
  auto hold = keys_.take(caller);
  if (!hold) return std::unexpected(hold.error());
  in_flight_.try_emplace(key, payload_hash, id, &charge(caller, std::move(*hold)),
                         std::vector<Completion<SendOutcome>>());
  return {};
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
  const InFlight& first = node.mapped();
  if (outcome) {
    if (const auto before = tried_.find(key); before != tried_.end()) forget(before);
    add(key, {first.payload_hash, *outcome, at, first.account});
  } else {
    add_tried(key, {first.payload_hash, first.id, at, first.account});
    first.account->second.keys.remove(1);
    close_if_empty(*first.account);
  }
  return std::move(node.mapped().waiters);
}

void DeduplicationTable::restore(const DeduplicationRecord& record, BootTime committed_at) {
  add(deduplication_key(record.caller, record.user, record.key),
      {record.payload_hash, record.receipt, committed_at,
       &charge(record.caller, keys_.keep(record.caller))});
}

void DeduplicationTable::add(const DeduplicationKey& key, Live live) {
  order_.emplace_back(live.committed_at, key);
  if (const auto before = live_.find(key); before != live_.end()) forget(before);
  live_.emplace(key, live);
}

void DeduplicationTable::add_tried(const DeduplicationKey& key, const Tried& tried) {
  if (const auto before = tried_.find(key); before != tried_.end()) {
    before->second = tried;
  } else {
    auto hold = attempts_.take(tried.account->first);
    if (!hold) return;
    tried.account->second.attempts.merge(std::move(*hold));
    tried_.emplace(key, tried);
  }
  order_.emplace_back(tried.at, key);
}

void DeduplicationTable::forget(Map<Live>::iterator hit) {
  Account& account = *hit->second.account;
  live_.erase(hit);
  account.second.keys.remove(1);
  close_if_empty(account);
}

void DeduplicationTable::forget(Map<Tried>::iterator hit) {
  Account& account = *hit->second.account;
  tried_.erase(hit);
  account.second.attempts.remove(1);
  close_if_empty(account);
}

void DeduplicationTable::forget_before(BootTime time, std::size_t at_most) {
  for (; !order_.empty() && order_.front().first < time && at_most > 0; order_.pop_front()) {
    --at_most;
    const auto hit = live_.find(order_.front().second);
    // A key that was used again has a newer entry of its own further behind.
    if (hit != live_.end() && hit->second.committed_at < time) forget(hit);
    const auto tried = tried_.find(order_.front().second);
    if (tried != tried_.end() && tried->second.at < time) forget(tried);
  }
}

DeduplicationTable::Account& DeduplicationTable::charge(std::string_view caller,
                                                        Shares::Hold hold) {
  Account& account = *accounts_.try_emplace(std::string(caller)).first;
  account.second.keys.merge(std::move(hold));
  return account;
}

void DeduplicationTable::close_if_empty(const Account& account) {
  const Share& share = account.second;
  if (share.keys.amount() > 0 || share.attempts.amount() > 0) return;
  accounts_.erase(accounts_.find(account.first));
}

}  // namespace holdfast::delivery
