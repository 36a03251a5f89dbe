#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/app/config.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::app {

enum class SettingType : std::uint8_t { boolean, integer, text, choice, texts, objects };

/// A row of the table of keys: all that is known of one key in one place. Its default is what a
/// default-constructed `Config` holds.
struct Setting {
  std::string_view key;
  SettingType type{};
  bool live = false;    ///< a reload brings it to the running gateway
  bool secret = false;  ///< its value is not shown
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::vector<std::string_view> choices;  ///< of a choice, or of each of the texts
  /// The members of each of the objects: their `key` is the bare name.
  std::vector<Setting> fields;
  /// What is wrong with one of the objects, once its members are right by themselves.
  std::optional<std::string> (*refuse_object)(const Json&) = nullptr;
  bool required = false;  ///< of a member: it may not be left out
  std::string_view doc;
  Json (*read)(const Config&) = nullptr;
  /// The value has been checked against type, range and choices.
  void (*write)(Config&, const Json&) = nullptr;
  /// What is wrong with a string, beyond its type; nullptr when anything goes.
  std::optional<std::string> (*refuse)(std::string_view) = nullptr;
  /// A regular expression (ECMA-262) that takes no less than `refuse` lets through; empty: any.
  std::string_view pattern;

  [[nodiscard]] std::string_view section() const { return key.substr(0, key.find('.')); }
  [[nodiscard]] std::string_view name() const { return key.substr(key.find('.') + 1); }
};

[[nodiscard]] const std::vector<Setting>& setting_table();
/// nullptr when there is none.
[[nodiscard]] const Setting* find_setting(std::string_view key);

/// What is wrong with `value` for this key; nullopt when it is allowed.
[[nodiscard]] std::optional<std::string> refuse_value(const Setting& setting, const Json& value);

}  // namespace holdfast::app
