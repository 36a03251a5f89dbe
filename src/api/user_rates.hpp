#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>

namespace holdfast::api {

/// Limits the rate of each user over all shards. Thread-safe. Remembers a limited number of users
/// and forgets the longest idle ones first, whose limit is unused anyway.
class UserRates {
 public:
  static constexpr std::size_t kStripes = 16;

  /// `per_second` 0 means unlimited.
  UserRates(std::uint32_t per_second, std::uint32_t burst, std::size_t users_max = 65'536)
      : per_second_(per_second), burst_(burst), stripe_users_max_(users_max / kStripes) {}

  /// Takes one request from the user's rate limit. Returns whether the limit allows it.
  [[nodiscard]] bool take(const UserId& user, SteadyTime now);
  [[nodiscard]] std::size_t users() const;

 private:
  struct Stripe {
    mutable std::mutex mutex;
    std::map<std::string, std::int64_t, std::less<>> due_us;
  };
  void make_room(Stripe& stripe, std::int64_t now_us) const;

  const std::uint32_t per_second_;
  const std::uint32_t burst_;
  const std::size_t stripe_users_max_;
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace holdfast::api
