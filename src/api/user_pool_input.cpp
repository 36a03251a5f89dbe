#include "api/user_pool_input.hpp"

#include <algorithm>

#include "api/text.hpp"

namespace holdfast::api {
namespace {

constexpr std::size_t kAttributeNameChars = 32;
constexpr std::size_t kAttributeValueChars = 2048;

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '_';
}
bool is_alphanumeric(char c) { return is_word(c) && c != '_'; }

bool is_pool_id(std::string_view text) {
  const std::size_t last = text.rfind('_');
  if (last == std::string_view::npos || last == 0 || last + 1 == text.size()) return false;
  return std::ranges::all_of(text.substr(0, last), [](char c) { return is_word(c) || c == '-'; }) &&
         std::ranges::all_of(text.substr(last + 1), is_alphanumeric);
}

bool is_client_id(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return is_word(c) || c == '+'; });
}

bool is_password(std::string_view text) {
  return !text.empty() && text.find_first_of(" \t\n\v\f\r") == std::string_view::npos;
}

struct Range {
  char32_t first;
  char32_t last;
};
// What has no general category L, M, S, N or P and could be typed or smuggled: controls,
// separators, format characters, private use and noncharacters
// (https://www.unicode.org/Public/UCD/latest/ucd/extracted/DerivedGeneralCategory.txt).
constexpr Range kNotInUsernames[] = {
    {0x0000, 0x0020},   {0x007f, 0x00a0},   {0x00ad, 0x00ad},   {0x0600, 0x0605},
    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x0890, 0x0891},
    {0x08e2, 0x08e2},   {0x1680, 0x1680},   {0x180e, 0x180e},   {0x2000, 0x200f},
    {0x2028, 0x202f},   {0x205f, 0x206f},   {0x3000, 0x3000},   {0xe000, 0xf8ff},
    {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},
    {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff}};

// The next code point of well-formed UTF-8.
char32_t take_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t out = size == 1 ? lead : lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    out = (out << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  text.remove_prefix(size);
  return out;
}

bool is_username(std::string_view text) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const char32_t c = take_code_point(text);
    const bool refused = std::ranges::any_of(
        kNotInUsernames, [c](const Range& range) { return c >= range.first && c <= range.last; });
    if (refused) return false;
  }
  return true;
}

std::size_t count_chars(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Members are named with a small first letter in messages.
std::string member_name(std::string_view name) {
  std::string out(name);
  if (!out.empty()) out[0] = to_lower(out[0]);
  return out;
}

constexpr std::string_view kAuthFlows[] = {"USER_SRP_AUTH",
                                           "REFRESH_TOKEN_AUTH",
                                           "REFRESH_TOKEN",
                                           "CUSTOM_AUTH",
                                           "ADMIN_NO_SRP_AUTH",
                                           "USER_PASSWORD_AUTH",
                                           "ADMIN_USER_PASSWORD_AUTH",
                                           "USER_AUTH"};
constexpr std::string_view kChallengeNames[] = {"SMS_MFA",
                                                "EMAIL_OTP",
                                                "SOFTWARE_TOKEN_MFA",
                                                "SELECT_MFA_TYPE",
                                                "MFA_SETUP",
                                                "PASSWORD_VERIFIER",
                                                "CUSTOM_CHALLENGE",
                                                "SELECT_CHALLENGE",
                                                "DEVICE_SRP_AUTH",
                                                "DEVICE_PASSWORD_VERIFIER",
                                                "ADMIN_NO_SRP_AUTH",
                                                "NEW_PASSWORD_REQUIRED",
                                                "SMS_OTP",
                                                "PASSWORD",
                                                "WEB_AUTHN",
                                                "PASSWORD_SRP"};
constexpr std::string_view kMessageActions[] = {"RESEND", "SUPPRESS"};

}  // namespace

const StringRule kPoolIdRule{
    .min_chars = 1, .max_chars = 55, .pattern = R"([\w-]+_[0-9a-zA-Z]+)", .matches = is_pool_id};
const StringRule kClientIdRule{
    .min_chars = 1, .max_chars = 128, .pattern = R"([\w+]+)", .matches = is_client_id};
const StringRule kUsernameRule{.min_chars = 1,
                               .max_chars = 128,
                               .pattern = R"([\p{L}\p{M}\p{S}\p{N}\p{P}]+)",
                               .matches = is_username};
const StringRule kPasswordRule{
    .max_chars = 256, .pattern = R"([\S]+)", .matches = is_password, .sensitive = true};
const StringRule kSessionRule{.min_chars = 20, .max_chars = 2048, .sensitive = true};
const StringRule kAuthFlowRule{.values = kAuthFlows};
const StringRule kChallengeNameRule{.values = kChallengeNames};
const StringRule kMessageActionRule{.values = kMessageActions};

Json* InputReader::find(std::string_view name) {
  const auto it = input_.find(name);
  return it == input_.end() || it->is_null() ? nullptr : &*it;
}

std::string InputReader::required(std::string_view name, const StringRule& rule) {
  if (find(name) == nullptr) {
    errors_.push_back("Value null at '" + member_name(name) +
                      "' failed to satisfy constraint: Member must not be null");
    return {};
  }
  return optional(name, rule).value_or(std::string());
}

std::optional<std::string> InputReader::optional(std::string_view name, const StringRule& rule) {
  Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    mistyped(name, "string");
    return std::nullopt;
  }
  auto& text = value->get_ref<std::string&>();
  check(name, text, rule);
  return std::move(text);
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
  if (!value->is_array()) {
    mistyped(name, "list of attributes");
    return out;
  }
  for (Json& entry : *value) add_attribute(name, entry, out);
  return out;
}

void InputReader::add_attribute(std::string_view name, Json& entry,
                                std::map<std::string, std::string>& out) {
  if (!entry.is_object()) return mistyped(name, "list of attributes");
  InputReader reader(entry);
  const StringRule name_rule{.min_chars = 1,
                             .max_chars = kAttributeNameChars,
                             .pattern = kUsernameRule.pattern,
                             .matches = is_username};
  const StringRule value_rule{.max_chars = kAttributeValueChars, .sensitive = true};
  std::string key = reader.required("Name", name_rule);
  std::string text = reader.optional("Value", value_rule).value_or(std::string());
  if (reader.unreadable_) return mistyped(name, "list of attributes");
  errors_.insert(errors_.end(), reader.errors_.begin(), reader.errors_.end());
  out.insert_or_assign(std::move(key), std::move(text));
}

void InputReader::check(std::string_view name, const std::string& value, const StringRule& rule) {
  const std::string* const quoted = rule.sensitive ? nullptr : &value;
  if (rule.matches != nullptr && !rule.matches(value)) {
    add(name, quoted,
        "Member must satisfy regular expression pattern: " + std::string(rule.pattern));
  }
  const std::size_t chars = count_chars(value);
  if (chars < rule.min_chars) {
    add(name, quoted,
        "Member must have length greater than or equal to " + std::to_string(rule.min_chars));
  }
  if (rule.max_chars != 0 && chars > rule.max_chars) {
    add(name, quoted,
        "Member must have length less than or equal to " + std::to_string(rule.max_chars));
  }
  if (!rule.values.empty() && std::ranges::find(rule.values, value) == rule.values.end()) {
    std::string set;
    for (const std::string_view allowed : rule.values) {
      if (!set.empty()) set += ", ";
      set += allowed;
    }
    add(name, quoted, "Member must satisfy enum value set: [" + set + "]");
  }
}

void InputReader::add(std::string_view name, const std::string* value,
                      std::string_view constraint) {
  std::string text = "Value ";
  if (value != nullptr) text += "'" + *value + "' ";
  text += "at '" + member_name(name) + "' failed to satisfy constraint: ";
  text += constraint;
  errors_.push_back(std::move(text));
}

void InputReader::mistyped(std::string_view name, std::string_view expected) {
  if (unreadable_) return;
  unreadable_ = InputFault{"SerializationException",
                           std::string(name) + " must be a " + std::string(expected)};
}

std::optional<InputFault> InputReader::fault() const {
  if (unreadable_) return unreadable_;
  if (errors_.empty()) return std::nullopt;
  std::string text = std::to_string(errors_.size()) +
                     (errors_.size() == 1 ? " validation error" : " validation errors") +
                     " detected: ";
  for (std::size_t i = 0; i < errors_.size(); ++i) {
    if (i > 0) text += "; ";
    text += errors_[i];
  }
  return InputFault{"InvalidParameterException", std::move(text)};
}

}  // namespace holdfast::api
