#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <holdfast/base/ids.hpp>

namespace holdfast::delivery {

/// The length of the longest frame that a user's connections have acknowledged. In memory, and no
/// larger for many users: they share places, two each, so that what it answers may be too much and
/// is never too little. No I/O, no clock.
class LongestTaken {
 public:
  explicit LongestTaken(std::size_t places) : first_(places), second_(places) {}

  [[nodiscard]] std::uint32_t of(const UserId& user) const noexcept {
    const std::size_t hash = std::hash<UserId>{}(user);
    return std::min(first_[hash % first_.size()], second_[other(hash) % second_.size()]);
  }
  void raise(const UserId& user, std::uint32_t bytes) noexcept {
    const std::size_t hash = std::hash<UserId>{}(user);
    for (std::uint32_t* const place :
         {&first_[hash % first_.size()], &second_[other(hash) % second_.size()]}) {
      *place = std::max(*place, bytes);
    }
  }

 private:
  [[nodiscard]] static std::size_t other(std::size_t hash) noexcept {
    return (hash ^ 0x9e3779b97f4a7c15U) * 0xff51afd7ed558ccdU >> 17;
  }

  std::vector<std::uint32_t> first_;
  std::vector<std::uint32_t> second_;
};

}  // namespace holdfast::delivery
