#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/shares.hpp>

namespace holdfast::api {

/// Limits the rate of each user over all shards. Thread-safe. Remembers a limited number of users
/// and forgets the longest idle ones first, whose limit is unused anyway.
class UserRates {
 public:
  static constexpr std::size_t kStripes = 16;

  /// `per_second` 0 means unlimited.
  UserRates(std::uint32_t per_second, std::uint32_t burst, std::size_t users_max = 65'536);

  /// Takes one request from the user's rate limit. Returns whether the limit allows it.
  [[nodiscard]] bool take(const UserId& user, SteadyTime now);
  [[nodiscard]] std::size_t users() const;

 private:
  const bool limited_;
  /// So that shards seldom wait for each other.
  std::deque<RateShares> stripes_;
};

}  // namespace holdfast::api
