// The table of keys, and the check of a value.

#include "settings.hpp"

#include <algorithm>

#include "setting_rows.hpp"

namespace holdfast::app {
namespace {

std::string quoted_choices(const Setting& setting) {
  std::string out;
  for (const std::string_view choice : setting.choices) {
    if (!out.empty()) out += ", ";
    out += '"' + std::string(choice) + '"';
  }
  return out;
}

std::optional<std::string> refuse_choice(const Setting& setting, const Json& value) {
  if (value.is_string() &&
      std::ranges::find(setting.choices, value.get_ref<const std::string&>()) !=
          setting.choices.end()) {
    return std::nullopt;
  }
  return "must be one of " + quoted_choices(setting);
}

std::optional<std::string> refuse_texts(const Setting& setting, const Json& value) {
  if (!value.is_array()) return "must be an array of strings";
  for (const Json& item : value) {
    if (!item.is_string()) return "must be an array of strings";
    if (!setting.choices.empty()) {
      if (refuse_choice(setting, item)) return "must hold only " + quoted_choices(setting);
    } else if (auto wrong = setting.refuse(item.get_ref<const std::string&>())) {
      return wrong;
    }
  }
  return std::nullopt;
}

// What is wrong with one of the objects, its members named.
std::optional<std::string> refuse_members(const std::vector<Setting>& fields, const Json& object) {
  if (!object.is_object()) return "must be an object";
  for (const auto& [name, value] : object.items()) {
    const auto field = std::ranges::find(fields, name, &Setting::key);
    if (field == fields.end()) return "has no member " + name;
    if (const auto wrong = refuse_value(*field, value)) return name + " " + *wrong;
  }
  for (const Setting& field : fields) {
    if (field.required && !object.contains(field.key)) return "needs " + std::string(field.key);
  }
  return std::nullopt;
}

std::optional<std::string> refuse_objects(const Setting& setting, const Json& value) {
  if (!value.is_array()) return "must be an array of objects";
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto wrong = refuse_members(setting.fields, value[i]);
    if (!wrong) wrong = setting.refuse_object(value[i]);
    if (wrong) {
      return "element " + std::to_string(i + 1) + " " + *wrong;
    }
  }
  return std::nullopt;
}

std::optional<std::string> refuse_integer(const Setting& setting, const Json& value) {
  if (!value.is_number_integer()) return "must be an integer";
  const bool huge = value.is_number_unsigned() &&
                    value.get<std::uint64_t>() >
                        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto number = huge ? std::numeric_limits<std::int64_t>::max() : value.get<std::int64_t>();
  if (huge || number < setting.min || number > setting.max) {
    return "must be between " + std::to_string(setting.min) + " and " + std::to_string(setting.max);
  }
  return std::nullopt;
}

}  // namespace

Setting member(std::string_view name, SettingType type) {
  Setting s;
  s.key = name;
  s.type = type;
  s.refuse = accept_any;
  return s;
}

const std::vector<Setting>& setting_table() {
  static const std::vector<Setting> table = [] {
    std::vector<Setting> t;
    add_server(t);
    add_tls(t);
    add_limits(t);
    add_delivery_waits(t);
    add_delivery_bounds(t);
    add_clients(t);
    add_issuers(t);
    add_users(t);
    add_passwords(t);
    add_instance(t);
    add_console(t);
    add_surroundings(t);
    return t;
  }();
  return table;
}

const Setting* find_setting(std::string_view key) {
  const auto& table = setting_table();
  const auto found = std::ranges::find(table, key, &Setting::key);
  return found == table.end() ? nullptr : &*found;
}

std::optional<std::string> refuse_value(const Setting& setting, const Json& value) {
  switch (setting.type) {
    case SettingType::boolean:
      if (!value.is_boolean()) return "must be true or false";
      return std::nullopt;
    case SettingType::integer:
      return refuse_integer(setting, value);
    case SettingType::text:
      if (!value.is_string()) return "must be a string";
      return setting.refuse(value.get_ref<const std::string&>());
    case SettingType::choice:
      return refuse_choice(setting, value);
    case SettingType::texts:
      return refuse_texts(setting, value);
    case SettingType::objects:
      return refuse_objects(setting, value);
  }
  return "has an unknown type";
}

}  // namespace holdfast::app
