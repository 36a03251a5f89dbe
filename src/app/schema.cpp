#include <limits>
#include <string>

#include <holdfast/app/config.hpp>
#include <holdfast/base/json.hpp>

#include "settings.hpp"

namespace holdfast::app {
namespace {

Json names_of(const std::vector<std::string_view>& choices) {
  Json out = Json::array();
  for (const std::string_view choice : choices) out.push_back(choice);
  return out;
}

// Of a string, or of each of several.
Json text_schema(const Setting& setting) {
  Json out = {{"type", "string"}};
  if (!setting.choices.empty()) out["enum"] = names_of(setting.choices);
  if (!setting.pattern.empty()) out["pattern"] = setting.pattern;
  return out;
}

Json value_schema(const Setting& setting);

Json object_schema(const std::vector<Setting>& fields) {
  Json members = Json::object();
  Json required = Json::array();
  for (const Setting& field : fields) {
    members[std::string(field.key)] = value_schema(field);
    if (field.required) required.push_back(field.key);
  }
  return {{"type", "object"},
          {"additionalProperties", false},
          {"required", std::move(required)},
          {"properties", std::move(members)}};
}

Json value_schema(const Setting& setting) {
  switch (setting.type) {
    case SettingType::boolean:
      return {{"type", "boolean"}};
    case SettingType::integer: {
      Json out = {{"type", "integer"}, {"minimum", setting.min}};
      if (setting.max != std::numeric_limits<std::int64_t>::max()) out["maximum"] = setting.max;
      return out;
    }
    case SettingType::text:
    case SettingType::choice:
      return text_schema(setting);
    case SettingType::texts:
      return {{"type", "array"}, {"items", text_schema(setting)}};
    case SettingType::objects:
      return {{"type", "array"}, {"items", object_schema(setting.fields)}};
  }
  return Json::object();
}

}  // namespace

std::string config_schema_text() {
  const Config defaults;
  Json sections = Json::object();
  sections["$schema"] = {{"type", "string"}, {"description", "Where this schema is, for editors."}};
  for (const Setting& setting : setting_table()) {
    const std::string section(setting.section());
    if (!sections.contains(section)) {
      sections[section] = {
          {"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
    }
    Json schema = {{"description",
                    std::string(setting.doc) + (setting.live ? " Taken over by a reload." : "")}};
    schema.update(value_schema(setting));
    schema["default"] = setting.read(defaults);
    sections[section]["properties"][std::string(setting.name())] = std::move(schema);
  }
  const Json root = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                     {"title", "Holdfast's configuration"},
                     {"type", "object"},
                     {"additionalProperties", false},
                     {"properties", std::move(sections)}};
  return root.dump(2) + "\n";
}

}  // namespace holdfast::app
