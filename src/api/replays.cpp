// Remembers signatures, so that a signed request changes something only once.

#include "replays.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace holdfast::api {
namespace {

constexpr std::int64_t kSweepSeconds = 10;
constexpr std::size_t kFirstSlots = 4;
constexpr std::int64_t kStatuses = 1'000;

// A signature's bytes are as good as random already; 0 marks what is empty.
std::uint64_t fingerprint_of(const iam::Signature& signature) noexcept {
  std::uint64_t out = 0;
  std::memcpy(&out, signature.bytes.data(), sizeof out);
  return out == 0 ? 1 : out;
}

std::int64_t seconds_of(WallTime time) noexcept {
  return std::chrono::floor<Seconds>(time).time_since_epoch().count();
}

}  // namespace

// ---- the table of one second

Replays::Slot* Replays::SlotTable::find(std::uint64_t fingerprint) noexcept {
  if (slots_.empty()) return nullptr;
  for (std::size_t at = home(fingerprint);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].fingerprint == fingerprint) return &slots_[at];
    if (slots_[at].fingerprint == 0) return nullptr;
  }
}

void Replays::SlotTable::place(const Slot& slot) noexcept {
  std::size_t at = home(slot.fingerprint);
  while (slots_[at].fingerprint != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = slot;
}

void Replays::SlotTable::insert(std::uint64_t fingerprint) {
  if ((count_ + 1) * 4 > slots_.size() * 3) {
    const auto before =
        std::exchange(slots_, std::vector<Slot>(std::max(kFirstSlots, slots_.size() * 2)));
    for (const Slot& slot : before) {
      if (slot.fingerprint != 0) place(slot);
    }
  }
  place({.fingerprint = fingerprint, .kind = Kind::in_flight, .receipt = {}});
  ++count_;
}

void Replays::SlotTable::erase(Slot& slot) {
  std::size_t hole = static_cast<std::size_t>(&slot - slots_.data());
  slots_[hole] = Slot();
  --count_;
  // Moves later entries into the hole, so that they are found without the removed one.
  for (std::size_t at = (hole + 1) & (slots_.size() - 1); slots_[at].fingerprint != 0;
       at = (at + 1) & (slots_.size() - 1)) {
    const Slot moved = std::exchange(slots_[at], Slot());
    place(moved);
  }
}

// ---- the memory

Replays::Replays(Options options, std::shared_ptr<BoundRefusals> refusals)
    : options_(options),
      stripe_capacity_(std::max<std::size_t>(1, options.capacity / kStripes)),
      stripe_share_(std::max<std::size_t>(1, options.capacity / kStripes / 8)),
      refusals_(std::move(refusals)) {}

Replays::Stripe& Replays::stripe_of(const iam::Signature& signature) noexcept {
  // Not of the bytes that the fingerprint is made of.
  return stripes_[signature.bytes.back() % kStripes];
}

Replays::Slot* Replays::find(Stripe& stripe, const iam::Signature& signature,
                             const SenderQuotaPtr& caller) {
  const auto key = stripe.keys.find(caller);
  if (key == stripe.keys.end()) return nullptr;
  const auto second = key->second.by_date.find(seconds_of(signature.date));
  if (second == key->second.by_date.end()) return nullptr;
  return second->second.find(fingerprint_of(signature));
}

Replays::Answer Replays::answer_of(const Stripe& stripe, const Slot& slot) {
  switch (slot.kind) {
    case Kind::receipt:
      return slot.receipt;
    case Kind::body: {
      const auto body = stripe.bodies.find(slot.fingerprint);
      return body == stripe.bodies.end() ? Body() : body->second;
    }
    case Kind::in_flight:
    case Kind::done:
      break;
  }
  return Done{.status = static_cast<int>(slot.receipt.sequence % kStatuses),
              .mark = slot.receipt.sequence / kStatuses};
}

std::variant<Replays::First, Replays::Refused> Replays::begin(const iam::Signature& signature,
                                                              const SenderQuotaPtr& caller,
                                                              WallTime now) {
  const Second date = seconds_of(signature.date);
  const Second now_second = seconds_of(now);
  Stripe& stripe = stripe_of(signature);
  const std::lock_guard lock(stripe.mutex);
  sweep(stripe, now_second);
  OfKey& key = stripe.keys[caller];
  SlotTable& table = key.by_date[date];
  const std::uint64_t fingerprint = fingerprint_of(signature);
  if (const Slot* const known = table.find(fingerprint)) {
    if (known->kind != Kind::in_flight) return Refused{Reason::answered, answer_of(stripe, *known)};
    const auto waiters = stripe.waiters.find(fingerprint);
    const bool many = waiters != stripe.waiters.end() && waiters->second.size() >= kWaiters;
    return Refused{many ? Reason::full : Reason::in_flight};
  }
  // A date that no signature can have yet was remembered before the clock was set back.
  if (key.forgotten > now_second + options_.lifetime.count()) {
    key.forgotten = std::numeric_limits<Second>::min();
  }
  std::optional<Refused> refused;
  if (date <= key.forgotten) {
    refused = Refused{Reason::too_old};
    if (refusals_) refusals_->add(Bound::replays, BoundScope::share);
  } else if (!make_room(stripe, key, date)) {
    refused = Refused{Reason::full};
  }
  if (refused) {
    if (table.size() == 0) key.by_date.erase(date);
    return *refused;
  }
  table.insert(fingerprint);
  ++key.count;
  ++stripe.count;
  return First(shared_from_this(), signature, caller);
}

bool Replays::make_room(Stripe& stripe, OfKey& key, Second date) {
  if (key.count >= stripe_share_) {
    if (key.by_date.begin()->first >= date) {
      if (refusals_) refusals_->add(Bound::replays, BoundScope::share);
      return false;
    }
    forget_first(stripe, key);
  }
  if (stripe.count < stripe_capacity_) return true;
  const auto largest = std::ranges::max_element(
      stripe.keys, {}, [](const auto& entry) { return entry.second.count; });
  OfKey& crowd = largest->second;
  if (crowd.by_date.empty() || (&crowd == &key && crowd.by_date.begin()->first >= date)) {
    if (refusals_) refusals_->add(Bound::replays, BoundScope::all);
    return false;
  }
  forget_first(stripe, crowd);
  return true;
}

void Replays::forget_first(Stripe& stripe, OfKey& key) {
  const auto first = key.by_date.begin();
  key.forgotten = std::max(key.forgotten, first->first);
  key.count -= first->second.size();
  stripe.count -= first->second.size();
  key.by_date.erase(first);
}

bool Replays::wait(const iam::Signature& signature, const SenderQuotaPtr& caller, Task again) {
  Stripe& stripe = stripe_of(signature);
  const std::lock_guard lock(stripe.mutex);
  const Slot* const slot = find(stripe, signature, caller);
  if (slot == nullptr || slot->kind != Kind::in_flight) return false;
  stripe.waiters[slot->fingerprint].push_back(std::move(again));
  return true;
}

void Replays::end(const iam::Signature& signature, const SenderQuotaPtr& caller,
                  const Answer* answer) {
  const std::uint64_t fingerprint = fingerprint_of(signature);
  Stripe& stripe = stripe_of(signature);
  std::vector<Task> waiters;
  {
    const std::lock_guard lock(stripe.mutex);
    if (auto node = stripe.waiters.extract(fingerprint)) waiters = std::move(node.mapped());
    Slot* const slot = find(stripe, signature, caller);
    if (slot != nullptr && answer == nullptr) {
      OfKey& key = stripe.keys.find(caller)->second;
      const auto second = key.by_date.find(seconds_of(signature.date));
      second->second.erase(*slot);
      if (second->second.size() == 0) key.by_date.erase(second);
      --key.count;
      --stripe.count;
    } else if (slot != nullptr) {
      if (const auto* const receipt = std::get_if<delivery::Receipt>(answer)) {
        slot->kind = Kind::receipt;
        slot->receipt = *receipt;
      } else if (const auto* const body = std::get_if<Body>(answer)) {
        slot->kind = Kind::body;
        keep_body(stripe, fingerprint, *body);
      } else {
        slot->kind = Kind::done;
        const Done& done = std::get<Done>(*answer);
        slot->receipt.sequence = done.mark * kStatuses + done.status;
      }
    }
  }
  for (Task& again : waiters) again();
}

void Replays::keep_body(Stripe& stripe, std::uint64_t fingerprint, Body body) const {
  const std::size_t bytes_max = options_.body_bytes / kStripes;
  if (!body || body->size() > bytes_max || stripe.bodies.contains(fingerprint)) return;
  stripe.body_bytes += body->size();
  stripe.bodies_in_order.push_back(fingerprint);
  stripe.bodies.insert_or_assign(fingerprint, std::move(body));
  while (stripe.body_bytes > bytes_max) {
    const auto oldest = stripe.bodies.find(stripe.bodies_in_order.front());
    stripe.bodies_in_order.pop_front();
    stripe.body_bytes -= oldest->second->size();
    stripe.bodies.erase(oldest);
  }
}

// Removes expired signatures. Runs rarely: their date refuses them anyway, and they only take room.
void Replays::sweep(Stripe& stripe, Second now) const {
  if (std::abs(now - stripe.swept_at) < kSweepSeconds) return;
  stripe.swept_at = now;
  const Second good_after = now - options_.lifetime.count() - 1;
  for (auto entry = stripe.keys.begin(); entry != stripe.keys.end();) {
    OfKey& key = entry->second;
    // Dates that none can have yet were signed before the clock was set back.
    std::erase_if(key.by_date, [&](const auto& second) {
      if (second.first >= good_after && second.first <= now + options_.lifetime.count())
        return false;
      key.count -= second.second.size();
      stripe.count -= second.second.size();
      return true;
    });
    const bool needed = !key.by_date.empty() || key.forgotten >= good_after;
    entry = needed ? std::next(entry) : stripe.keys.erase(entry);
  }
}

std::size_t Replays::size() const {
  std::size_t out = 0;
  for (const Stripe& stripe : stripes_) {
    const std::lock_guard lock(stripe.mutex);
    out += stripe.count;
  }
  return out;
}

}  // namespace holdfast::api
