// Limits the rate of token requests of each user.

#include "user_rates.hpp"

#include <algorithm>

#include <holdfast/base/pace.hpp>

namespace holdfast::api {

bool UserRates::take(const UserId& user, SteadyTime now) {
  if (per_second_ == 0) return true;
  const std::int64_t now_us = Microseconds(now.time_since_epoch()).count();
  const std::string& id = user.str();
  Stripe& stripe = stripes_.at(std::hash<std::string>()(id) % kStripes);
  const std::lock_guard lock(stripe.mutex);
  auto entry = stripe.due_us.find(id);
  const auto next =
      paced(entry == stripe.due_us.end() ? 0 : entry->second, per_second_, burst_, now_us);
  if (!next) return false;
  if (entry != stripe.due_us.end()) {
    entry->second = *next;
    return true;
  }
  if (stripe.due_us.size() >= stripe_users_max_) make_room(stripe, now_us);
  stripe.due_us.emplace(id, *next);
  return true;
}

void UserRates::make_room(Stripe& stripe, std::int64_t now_us) const {
  std::erase_if(stripe.due_us, [now_us](const auto& entry) { return entry.second <= now_us; });
  if (stripe.due_us.size() < stripe_users_max_ || stripe.due_us.empty()) return;
  stripe.due_us.erase(
      std::ranges::min_element(stripe.due_us, {}, [](const auto& entry) { return entry.second; }));
}

std::size_t UserRates::users() const {
  std::size_t count = 0;
  for (const Stripe& stripe : stripes_) {
    const std::lock_guard lock(stripe.mutex);
    count += stripe.due_us.size();
  }
  return count;
}

}  // namespace holdfast::api
