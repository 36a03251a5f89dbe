// Reads and checks the members of a user pool call's body.

#include "user_pool_input.hpp"

#include <holdfast/base/ascii.hpp>

namespace holdfast::api {

Json* InputReader::find(std::string_view name) {
  const auto it = input_.find(name);
  return it == input_.end() || it->is_null() ? nullptr : &*it;
}

std::string InputReader::required(std::string_view name) {
  if (find(name) == nullptr) missing(name);
  return optional(name).value_or(std::string());
}

std::optional<std::string> InputReader::optional(std::string_view name) {
  Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    mistyped(name, "string");
    return std::nullopt;
  }
  return std::move(value->get_ref<std::string&>());
}

std::map<std::string, std::string> InputReader::strings(std::string_view name) {
  std::map<std::string, std::string> out;
  Json* const value = find(name);
  if (value == nullptr) return out;
  if (!value->is_object()) {
    mistyped(name, "map of strings");
    return out;
  }
  for (auto& [key, member] : value->items()) {
    if (member.is_null()) continue;
    if (!member.is_string()) {
      mistyped(name, "map of strings");
      return {};
    }
    out.emplace(key, std::move(member.get_ref<std::string&>()));
  }
  return out;
}

std::map<std::string, std::string> InputReader::attributes(std::string_view name) {
  std::map<std::string, std::string> out;
  Json* const value = find(name);
  if (value == nullptr) return out;
  bool good = value->is_array();
  for (std::size_t i = 0; good && i < value->size(); ++i) {
    Json& entry = (*value)[i];
    InputReader reader(entry);
    good = entry.is_object();
    if (!good) break;
    std::string key = reader.required("Name");
    std::string text = reader.optional("Value").value_or(std::string());
    if (!reader.missing_.empty()) {
      missing(std::string(name) + "." + std::to_string(i + 1) + ".member.name");
    }
    good = !reader.mistyped_;
    out.insert_or_assign(std::move(key), std::move(text));
  }
  if (!good) mistyped(name, "list of attributes");
  return out;
}

std::vector<std::string> InputReader::names(std::string_view name) {
  std::vector<std::string> out;
  Json* const value = find(name);
  if (value == nullptr) return out;
  bool good = value->is_array();
  for (std::size_t i = 0; good && i < value->size(); ++i) {
    good = (*value)[i].is_string();
    if (good) out.push_back(std::move((*value)[i].get_ref<std::string&>()));
  }
  if (!good) mistyped(name, "list of strings");
  return out;
}

std::map<std::string, std::string> InputReader::required_attributes(std::string_view name) {
  if (find(name) == nullptr) missing(name);
  return attributes(name);
}

std::vector<std::string> InputReader::required_names(std::string_view name) {
  if (find(name) == nullptr) missing(name);
  return names(name);
}

bool InputReader::flag(std::string_view name) {
  const Json* const value = find(name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) mistyped(name, "boolean");
  return value->is_boolean() && value->get<bool>();
}

std::optional<std::size_t> InputReader::count(std::string_view name) {
  const Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  const bool is_count = value->is_number_unsigned() ||
                        (value->is_number_integer() && value->get<std::int64_t>() >= 0);
  if (!is_count) {
    mistyped(name, "number from 0 up");
    return std::nullopt;
  }
  return value->get<std::size_t>();
}

// Members are named with a small first letter in these messages.
void InputReader::missing(std::string_view name) {
  std::string member(name);
  member[0] = ascii::to_lower(member[0]);
  missing_.push_back("Value null at '" + member +
                     "' failed to satisfy constraint: Member must not be null");
}

void InputReader::mistyped(std::string_view name, std::string_view expected) {
  if (mistyped_) return;
  mistyped_ = InputFault{"SerializationException",
                         std::string(name) + " must be a " + std::string(expected)};
}

std::optional<InputFault> InputReader::fault() const {
  if (mistyped_) return mistyped_;
  if (missing_.empty()) return std::nullopt;
  std::string text = std::to_string(missing_.size()) +
                     (missing_.size() == 1 ? " validation error" : " validation errors") +
                     " detected: ";
  for (std::size_t i = 0; i < missing_.size(); ++i) {
    if (i > 0) text += "; ";
    text += missing_[i];
  }
  return InputFault{"InvalidParameterException", std::move(text)};
}

}  // namespace holdfast::api
