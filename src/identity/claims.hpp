#pragma once

#include <optional>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::identity {

/// The text of a member; null when it is missing or no string.
[[nodiscard]] inline const std::string* text_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const Json::string_t*>();
}

/// A member that is a time in whole seconds, up to the year 9999. RFC 7519 allows fractions; our
/// own tokens have none, and a number that does not fit must not be made to.
[[nodiscard]] inline std::optional<WallTime> time_member(const Json& object, const char* name) {
  constexpr std::int64_t last_second = 253'402'300'799;
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > last_second) return std::nullopt;
  const auto seconds = found->get<std::int64_t>();
  if (seconds < 0 || seconds > last_second) return std::nullopt;
  return WallTime(Seconds(seconds));
}

}  // namespace holdfast::identity
