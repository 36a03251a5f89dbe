#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "settings.hpp"
#include "text_rules.hpp"

// What the tables of keys are made of: a row of each type, and each section's rows.
namespace holdfast::app {

inline constexpr std::int64_t kKiB = 1 << 10;
inline constexpr std::int64_t kMiB = 1 << 20;
inline constexpr std::int64_t kGiB = 1 << 30;
inline constexpr std::int64_t kHourMs = 3'600'000;
inline constexpr std::int64_t kDaySeconds = std::int64_t{24} * 3600;

/// Whether a reload brings a key to the running gateway.
enum class Live : std::uint8_t { no, yes };

/// The names of a choice's values.
template <class Enum>
struct Names;
template <>
struct Names<delivery::Policy> {
  static constexpr std::array values{std::pair{"all", delivery::Policy::all},
                                     std::pair{"latest", delivery::Policy::latest}};
};
template <>
struct Names<delivery::Acknowledge> {
  static constexpr std::array values{std::pair{"pong", delivery::Acknowledge::pong},
                                     std::pair{"client", delivery::Acknowledge::client}};
};
template <>
struct Names<delivery::FrameFormat> {
  static constexpr std::array values{std::pair{"payload", delivery::FrameFormat::payload},
                                     std::pair{"raw", delivery::FrameFormat::raw}};
};
template <>
struct Names<log::Level> {
  static constexpr std::array values{
      std::pair{"debug", log::Level::debug}, std::pair{"info", log::Level::info},
      std::pair{"warn", log::Level::warn}, std::pair{"error", log::Level::error}};
};

template <class T>
std::int64_t to_number(const T& value) {
  if constexpr (std::integral<T>) {
    return static_cast<std::int64_t>(value);
  } else {
    return value.count();
  }
}

/// Names a field of `Config` by a closure without captures, so that one row reads, writes and
/// documents it.
#define HOLDFAST_FIELD(path) ([](auto& config) -> auto& { return config.path; })

template <class Field>
Setting integer(std::string_view key, Field /*field*/, std::int64_t min, std::int64_t max,
                std::string_view doc, Live live = Live::no) {
  Setting s;
  s.key = key;
  s.type = SettingType::integer;
  s.live = live == Live::yes;
  s.min = min;
  s.max = max;
  s.doc = doc;
  s.read = [](const Config& config) { return Json(to_number(Field{}(config))); };
  s.write = [](Config& config, const Json& value) {
    auto& field = Field{}(config);
    field = std::remove_reference_t<decltype(field)>(value.get<std::int64_t>());
  };
  return s;
}

/// A time that is configured in days.
template <class Field>
Setting days(std::string_view key, Field /*field*/, std::int64_t min, std::int64_t max,
             std::string_view doc, Live live = Live::no) {
  Setting s = integer(key, Field{}, min, max, doc, live);
  s.read = [](const Config& config) { return Json(Field{}(config).count() / kDaySeconds); };
  s.write = [](Config& config, const Json& value) {
    Field{}(config) = Seconds(value.get<std::int64_t>() * kDaySeconds);
  };
  return s;
}

template <class Field>
Setting boolean(std::string_view key, Field /*field*/, std::string_view doc, Live live = Live::no) {
  Setting s;
  s.key = key;
  s.type = SettingType::boolean;
  s.live = live == Live::yes;
  s.doc = doc;
  s.read = [](const Config& config) { return Json(Field{}(config)); };
  s.write = [](Config& config, const Json& value) { Field{}(config) = value.get<bool>(); };
  return s;
}

template <class Field>
Setting text(std::string_view key, Field /*field*/, const TextRule& rule, std::string_view doc,
             Live live = Live::no) {
  Setting s;
  s.key = key;
  s.type = SettingType::text;
  s.refuse = rule.refuse;
  s.pattern = rule.pattern;
  s.live = live == Live::yes;
  s.doc = doc;
  s.read = [](const Config& config) { return Json(Field{}(config)); };
  s.write = [](Config& config, const Json& value) { Field{}(config) = value.get<std::string>(); };
  return s;
}

template <class Field>
Setting texts(std::string_view key, Field /*field*/, const TextRule& rule, std::string_view doc,
              Live live = Live::no) {
  Setting s;
  s.key = key;
  s.type = SettingType::texts;
  s.refuse = rule.refuse;
  s.pattern = rule.pattern;
  s.live = live == Live::yes;
  s.doc = doc;
  s.read = [](const Config& config) { return Json(Field{}(config)); };
  s.write = [](Config& config, const Json& value) {
    Field{}(config) = value.get<std::vector<std::string>>();
  };
  return s;
}

template <class Field>
Setting choice(std::string_view key, Field /*field*/, std::string_view doc, Live live = Live::no) {
  using Enum = std::remove_cvref_t<decltype(Field{}(std::declval<Config&>()))>;
  Setting s;
  s.key = key;
  s.type = SettingType::choice;
  s.live = live == Live::yes;
  s.doc = doc;
  for (const auto& [name, value] : Names<Enum>::values) s.choices.emplace_back(name);
  s.read = [](const Config& config) {
    const auto& names = Names<Enum>::values;
    return Json(std::ranges::find(names, Field{}(config), [](const auto& pair) {
                  return pair.second;
                })->first);
  };
  s.write = [](Config& config, const Json& value) {
    for (const auto& [name, candidate] : Names<Enum>::values) {
      if (value.get_ref<const std::string&>() == name) Field{}(config) = candidate;
    }
  };
  return s;
}

/// A member of an object in an array.
[[nodiscard]] Setting member(std::string_view name, SettingType type);

// Each adds its rows, in the order of the documentation.
void add_server(std::vector<Setting>& table);
void add_tls(std::vector<Setting>& table);
void add_limits(std::vector<Setting>& table);
void add_delivery_waits(std::vector<Setting>& table);
void add_delivery_bounds(std::vector<Setting>& table);
void add_clients(std::vector<Setting>& table);
void add_issuers(std::vector<Setting>& table);
void add_users(std::vector<Setting>& table);
void add_passwords(std::vector<Setting>& table);
void add_instance(std::vector<Setting>& table);
void add_console(std::vector<Setting>& table);
void add_surroundings(std::vector<Setting>& table);

}  // namespace holdfast::app
