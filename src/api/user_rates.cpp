// Limits the rate of token requests of each user.

#include "user_rates.hpp"

#include <algorithm>
#include <functional>
#include <string>

namespace holdfast::api {

UserRates::UserRates(std::uint32_t per_second, std::uint32_t burst, std::size_t users_max)
    : limited_(per_second != 0) {
  if (!limited_) return;
  // As long as a burst lasts at that rate.
  const std::uint32_t share = std::max(burst, 1U);
  const std::int64_t period_us = std::int64_t{share} * 1'000'000 / per_second;
  for (std::size_t i = 0; i < kStripes; ++i) {
    stripes_.emplace_back(RateShares::Options{
        .period_us = period_us, .share = share, .clients_max = users_max / kStripes});
  }
}

bool UserRates::take(const UserId& user, SteadyTime now) {
  if (!limited_) return true;
  const std::int64_t now_us = Microseconds(now.time_since_epoch()).count();
  const std::size_t stripe = std::hash<std::string>()(user.str()) % kStripes;
  return stripes_[stripe].take(user.str(), now_us).has_value();
}

std::size_t UserRates::users() const {
  std::size_t count = 0;
  for (const RateShares& stripe : stripes_) count += stripe.clients();
  return count;
}

}  // namespace holdfast::api
