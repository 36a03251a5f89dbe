#pragma once

#include <optional>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::identity {

/// The value of a member; null when it is missing, or null, as many serialisers write for a member
/// that is not there.
[[nodiscard]] inline const Json* present_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

/// The text of a member; null when it is missing or no string.
[[nodiscard]] inline const std::string* text_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const Json::string_t*>();
}

inline constexpr std::int64_t kLastSecond = 253'402'300'799;  ///< of the year 9999

/// A member that is a time in whole seconds, up to the year 9999: our own tokens have no fractions,
/// and a number that does not fit must not be made to.
[[nodiscard]] inline std::optional<WallTime> time_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > kLastSecond) return std::nullopt;
  const auto seconds = found->get<std::int64_t>();
  if (seconds < 0 || seconds > kLastSecond) return std::nullopt;
  return WallTime(Seconds(seconds));
}

/// Reads a date of another issuer, which may have a fraction (RFC 7519 section 2, NumericDate) and
/// any form of a JSON number.
[[nodiscard]] inline std::optional<WallTime> numeric_date_member(const Json& object,
                                                                 const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_float()) return time_member(object, name);
  const auto seconds = found->get<double>();
  if (!(seconds >= 0) || seconds > static_cast<double>(kLastSecond)) return std::nullopt;
  return wall_from_micros(static_cast<std::int64_t>(seconds * 1e6));
}

/// A member that is true, as a boolean or, as some issuers have it, as a text.
[[nodiscard]] inline bool is_true_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && (*found == true || *found == "true");
}

}  // namespace holdfast::identity
