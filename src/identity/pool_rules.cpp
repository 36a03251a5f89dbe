// Rules for names, attributes and passwords.

#include "pool_rules.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>

#include "common_passwords.hpp"
#include "unicode.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kPoolIdLimit = 55;
constexpr std::size_t kClientIdLimit = 128;
constexpr std::size_t kUsernameLimit = 128;
constexpr std::size_t kPasswordLimit = 256;
constexpr std::size_t kAttributesLimitBytes = 4096;
constexpr std::size_t kAttributeNameLimit = 32;

bool is_word(char c) { return ascii::is_alphanumeric(c) || c == '_'; }
bool is_ascii_punctuation(char c) { return c > ' ' && c < 0x7f && !ascii::is_alphanumeric(c); }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Cuts a value for display, because an answer must not grow with the input.
std::string shown(const std::string& value) {
  std::size_t position = 0;
  for (std::size_t count = 0; count < kUsernameLimit && position < value.size(); ++count) {
    (void)next_code_point(value, position);
  }
  return value.substr(0, position);
}

std::unexpected<PoolError> constraint(const std::string& subject, const std::string& rule) {
  return refuse(PoolErrc::invalid_parameter,
                "1 validation error detected: " + subject +
                    " failed to satisfy constraint: " + "Member must " + rule);
}
std::string subject(const std::string& value, const char* member) {
  return "Value '" + shown(value) + "' at '" + member + "'";
}

// `[\w-]+_[0-9a-zA-Z]+`: the last underscore is the one that counts, for what follows has none.
bool is_pool_id(std::string_view id) {
  const std::size_t underscore = id.rfind('_');
  return underscore != std::string_view::npos && underscore > 0 && underscore + 1 < id.size() &&
         std::ranges::all_of(id.substr(0, underscore),
                             [](char c) { return is_word(c) || c == '-'; }) &&
         std::ranges::all_of(id.substr(underscore + 1), ascii::is_alphanumeric);
}

// Length before pattern, as Cognito reports them.
PoolResult<void> check_id(const std::string& id, const char* member, std::size_t limit,
                          bool matches, const char* pattern) {
  if (id.empty()) {
    return constraint(subject(id, member), "have length greater than or equal to 1");
  }
  if (id.size() > limit) {
    return constraint(subject(id, member),
                      "have length less than or equal to " + std::to_string(limit));
  }
  if (!matches) {
    return constraint(subject(id, member),
                      std::string("satisfy regular expression pattern: ") + pattern);
  }
  return {};
}

std::unexpected<PoolError> policy(const char* what) {
  return refuse(PoolErrc::invalid_password,
                std::string("Password did not conform with policy: ") + what);
}

// Without the digits and the punctuation at both ends.
std::string_view core_of(std::string_view folded) {
  const auto is_letter = [](char c) {
    return !is_blank(c) && !ascii::is_digit(c) && !is_ascii_punctuation(c);
  };
  const auto first = std::ranges::find_if(folded, is_letter);
  if (first == folded.end()) return {};
  folded.remove_prefix(static_cast<std::size_t>(first - folded.begin()));
  while (!is_letter(folded.back())) folded.remove_suffix(1);
  return folded;
}

// Returns the shortest text that `text` repeats; `text` itself if it repeats none.
std::string_view unit_of(std::string_view text) {
  for (std::size_t length = 1; length <= text.size() / 2; ++length) {
    if (text.size() % length == 0 && text.substr(length) == text.substr(0, text.size() - length)) {
      return text.substr(0, length);
    }
  }
  return text;
}

// Folds a password for comparison. Maps full-width forms to ASCII (of NFKC's compatible forms, only
// these come from keyboards).
std::string fold_password(std::string_view password) {
  constexpr char32_t kFirstFullWidth = 0xff01;
  constexpr char32_t kLastFullWidth = 0xff5e;
  std::string narrow;
  for (std::size_t position = 0; position < password.size();) {
    const std::size_t start = position;
    const auto code_point = next_code_point(password, position);
    if (code_point && *code_point >= kFirstFullWidth && *code_point <= kLastFullWidth) {
      append_utf8(narrow, *code_point - kFirstFullWidth + '!');
    } else {
      narrow += password.substr(start, position - start);
    }
  }
  return fold_username(narrow);
}

bool is_made_of(std::string_view folded_password, const std::string& word) {
  const std::string folded = fold_username(word);
  if (folded.empty()) return false;
  const std::string_view core = unit_of(core_of(folded));
  return folded_password == folded || (!core.empty() && unit_of(core_of(folded_password)) == core);
}

bool is_common(std::string_view folded) {
  return !folded.empty() && !folded.contains(' ') &&
         common_passwords().contains(" " + std::string(folded) + " ");
}

// ---- addresses

constexpr std::size_t kMailboxLimitBytes = 254;  // RFC 5321 section 4.5.3.1.3, without `<>`
constexpr std::size_t kLocalPartLimitBytes = 64;
constexpr std::size_t kLabelLimitBytes = 63;

bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool is_atom_text(char c) {
  return ascii::is_alphanumeric(c) || is_beyond_ascii(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c);
}

bool is_dot_string(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.back() == '.' || text.contains(".."))
    return false;
  return std::ranges::all_of(text, [](char c) { return c == '.' || is_atom_text(c); });
}

bool is_domain(std::string_view text) {
  if (text.starts_with('[')) {
    return text.size() > 2 && text.ends_with(']') &&
           std::ranges::all_of(text.substr(1, text.size() - 2), [](char c) {
             return ascii::is_alphanumeric(c) || c == '.' || c == ':' || c == '-';
           });
  }
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > kLabelLimitBytes || label.front() == '-' ||
        label.back() == '-' || !std::ranges::all_of(label, [](char c) {
          return ascii::is_alphanumeric(c) || c == '-' || is_beyond_ascii(c);
        })) {
      return false;
    }
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

// Returns whether a text is a mailbox address. Refuses control and invisible characters beyond
// ASCII too. Refuses quoted local parts, whose other spellings of one mailbox would evade its
// limits.
bool is_mailbox(std::string_view text) {
  if (text.size() > kMailboxLimitBytes) return false;
  for (std::size_t position = 0; position < text.size();) {
    const auto code_point = next_code_point(text, position);
    if (!code_point || !is_visible(*code_point)) return false;
  }
  const std::size_t at = text.rfind('@');
  if (at > kLocalPartLimitBytes) return false;  // or there is none
  return is_dot_string(text.substr(0, at)) && is_domain(text.substr(at + 1));
}

// ITU-T E.164: a plus, and up to fifteen digits of which the first is not 0.
bool is_phone_number(std::string_view text) {
  constexpr std::size_t kDigitsMax = 15;
  return text.size() >= 3 && text.size() <= kDigitsMax + 1 && text[0] == '+' && text[1] != '0' &&
         std::ranges::all_of(text.substr(1), ascii::is_digit);
}

PoolResult<void> check_address(const std::string& name, const std::string& value) {
  if (value.empty()) return {};
  if (name == "email" && !is_mailbox(value)) {
    return refuse(PoolErrc::invalid_parameter, "Invalid email address format.");
  }
  if (name == "phone_number" && !is_phone_number(value)) {
    return refuse(PoolErrc::invalid_parameter, "Invalid phone number format.");
  }
  return {};
}

constexpr std::array<std::string_view, 19> kStandardAttributes{"address",
                                                               "birthdate",
                                                               "email",
                                                               "email_verified",
                                                               "family_name",
                                                               "gender",
                                                               "given_name",
                                                               "locale",
                                                               "middle_name",
                                                               "name",
                                                               "nickname",
                                                               "phone_number",
                                                               "phone_number_verified",
                                                               "picture",
                                                               "preferred_username",
                                                               "profile",
                                                               "updated_at",
                                                               "website",
                                                               "zoneinfo"};

bool is_attribute_name(std::string_view name) {
  if (name.starts_with("custom:")) {
    return name.size() > 7 && name.size() <= kAttributeNameLimit &&
           std::ranges::all_of(name.substr(7), [](char c) { return is_word(c) || c == '-'; });
  }
  return std::ranges::find(kStandardAttributes, name) != kStandardAttributes.end();
}

}  // namespace

std::unexpected<PoolError> refuse(PoolErrc code, std::string message) {
  return std::unexpected(PoolError{.code = code, .message = std::move(message)});
}

std::unexpected<PoolError> refuse(const Error& error) {
  if (error.code == Errc::too_many_requests) {
    return refuse(PoolErrc::too_many_requests, "Rate exceeded");
  }
  return refuse(PoolErrc::unavailable, "Service unavailable");
}

PoolResult<void> check_pool(const std::string& pool_id, const UserPoolOptions& options) {
  auto good =
      check_id(pool_id, "userPoolId", kPoolIdLimit, is_pool_id(pool_id), R"([\w-]+_[0-9a-zA-Z]+)");
  if (good && pool_id != options.pool_id) {
    good = refuse(PoolErrc::resource_not_found, "User pool " + pool_id + " does not exist.");
  }
  return good;
}

PoolResult<void> check_client(const std::string& client_id, const UserPoolOptions& options) {
  const bool matches =
      std::ranges::all_of(client_id, [](char c) { return is_word(c) || c == '+'; });
  auto good = check_id(client_id, "clientId", kClientIdLimit, matches, R"([\w+]+)");
  if (good && client_id != options.client_id) {
    good =
        refuse(PoolErrc::resource_not_found, "User pool client " + client_id + " does not exist.");
  }
  return good;
}

bool is_username(std::string_view username) noexcept {
  std::size_t count = 0;
  for (std::size_t position = 0; position < username.size(); ++count) {
    const auto code_point = next_code_point(username, position);
    if (!code_point || !is_visible(*code_point) || count >= kUsernameLimit) return false;
  }
  return count > 0;
}

PoolResult<void> check_username(const std::string& username) {
  if (is_username(username)) return {};
  if (username.empty()) {
    return constraint(subject(username, "username"), "have length greater than or equal to 1");
  }
  if (count_code_points(username) > kUsernameLimit) {
    return constraint(subject(username, "username"),
                      "have length less than or equal to " + std::to_string(kUsernameLimit));
  }
  if (!is_utf8(username)) {
    return refuse(PoolErrc::invalid_parameter, "Value at 'username' is not UTF-8");
  }
  return constraint(subject(username, "username"),
                    R"(satisfy regular expression pattern: [\p{L}\p{M}\p{S}\p{N}\p{P}]+)");
}

PoolResult<void> check_password(std::string_view password, const UserPoolOptions& options) {
  const std::size_t length = count_code_points(password);
  if (length < std::max<std::size_t>(options.password_min_length, 1)) {
    return policy("Password not long enough");
  }
  if (length > kPasswordLimit) return policy("Password too long");
  if (is_blank(password.front()) || is_blank(password.back())) {
    return policy(R"(Password must satisfy regular expression pattern: ^\S.*\S$)");
  }
  const auto lacks = [&](bool wanted, bool (*is)(char)) {
    return wanted && std::ranges::none_of(password, is);
  };
  if (lacks(options.password_require_uppercase, ascii::is_upper)) {
    return policy("Password must have uppercase characters");
  }
  if (lacks(options.password_require_lowercase, ascii::is_lower)) {
    return policy("Password must have lowercase characters");
  }
  if (lacks(options.password_require_numbers, ascii::is_digit)) {
    return policy("Password must have numeric characters");
  }
  if (lacks(options.password_require_symbols, is_ascii_punctuation)) {
    return policy("Password must have symbol characters");
  }
  if (!options.password_refuse_common) return {};
  const std::string folded = fold_password(password);
  const std::string_view core = core_of(folded);
  // A list that is searched in a few microseconds, beside a hash that takes thousands of them. One
  // with digits around it, or twice, is hardly another one.
  if (count_code_points(unit_of(folded)) == 1 || is_common(folded) || is_common(core) ||
      is_common(unit_of(core))) {
    return policy("Password is one that many people use");
  }
  for (const std::string& word : {std::string("holdfast"), std::string("admin"),
                                  std::string("administrator"), options.name}) {
    if (is_made_of(folded, word)) return policy("Password is made of a name of the service");
  }
  return {};
}

PoolResult<void> check_password_of(const std::string& username, std::string_view password,
                                   const UserPoolOptions& options) {
  if (!options.password_refuse_common) return {};
  const std::string folded = fold_password(password);
  if (is_made_of(folded, username) || is_made_of(folded, username.substr(0, username.find('@')))) {
    return policy("Password is made of the username");
  }
  return {};
}

PoolResult<void> check_attributes(const Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    if (name == "sub") {
      return refuse(PoolErrc::invalid_parameter, "Cannot modify the non-mutable attribute sub");
    }
    if (!is_attribute_name(name)) {
      return refuse(PoolErrc::invalid_parameter,
                    "Attributes did not conform to the schema: " + shown(name) +
                        ": Attribute does not exist in the schema.");
    }
    if (!is_utf8(value)) {
      return refuse(PoolErrc::invalid_parameter, "Attributes did not conform to the schema: " +
                                                     name + ": Attribute is not UTF-8.");
    }
    if (auto good = check_address(name, value); !good) return good;
  }
  return check_attributes_size(attributes);
}

PoolResult<void> check_attributes_size(const Attributes& attributes) {
  std::string escaped;
  for (const auto& [name, value] : attributes) {
    escaped += name;
    append_json_escaped(escaped, value);
    if (escaped.size() > kAttributesLimitBytes) {
      return refuse(PoolErrc::invalid_parameter,
                    "Attributes did not conform to the schema: " + name +
                        ": Attributes must not be longer than 4096 bytes in all.");
    }
  }
  return {};
}

PoolResult<void> check_own_attributes(const Attributes& attributes) {
  for (const char* const name : {"email_verified", "phone_number_verified"}) {
    if (attributes.contains(name)) {
      return refuse(PoolErrc::not_authorized, "A client attempted to write unauthorized attribute");
    }
  }
  return check_attributes(attributes);
}

void merge_attributes(Attributes& into, const Attributes& changes) {
  for (const char* const name : {"email", "phone_number"}) {
    const std::string verified = std::string(name) + "_verified";
    const auto changed = changes.find(name);
    if (changed == changes.end() || changes.contains(verified)) continue;
    const auto present = into.find(name);
    if (present != into.end() && present->second == changed->second) continue;
    if (changed->second.empty()) {
      into.erase(verified);
    } else if (into.contains(verified)) {
      into[verified] = "false";
    }
  }
  for (const auto& [name, value] : changes) {
    if (value.empty()) {
      into.erase(name);
    } else {
      into[name] = value;
    }
  }
}

PoolResult<void> check_enum(const std::string& value, const char* member,
                            std::span<const std::string_view> allowed) {
  if (std::ranges::find(allowed, value) != allowed.end()) return {};
  std::string list;
  for (const std::string_view name : allowed) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return constraint(subject(value, member), "satisfy enum value set: [" + list + "]");
}

PoolResult<std::string> required(const Attributes& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end() || found->second.empty()) {
    return refuse(PoolErrc::invalid_parameter, std::string("Missing required parameter ") + name);
  }
  return found->second;
}

}  // namespace holdfast::identity
