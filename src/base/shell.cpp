// Writes variables as lines that a shell can evaluate.

#include <algorithm>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/shell.hpp>

namespace holdfast {
namespace {

constexpr std::string_view kUpperAndDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kKeyIdBytesMin = 16;
constexpr std::size_t kKeyIdBytesMax = 128;
constexpr std::size_t kSecretBytesMin = 16;
constexpr std::size_t kSecretBytesMax = 8192;
constexpr std::size_t kJwtBytesMax = 65'536;

bool consists_of(std::string_view text, std::string_view first, std::string_view second = {}) {
  return std::ranges::all_of(text, [first, second](char c) {
    return kUpperAndDigits.contains(c) || first.contains(c) || second.contains(c);
  });
}

bool is_jwt(std::string_view text) {
  if (text.size() > kJwtBytesMax || std::ranges::count(text, '.') != 2) return false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('.'), text.size());
    if (end == 0 || !base64url_decode(text.substr(0, end))) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

bool has_form(std::string_view value, ShellForm form) {
  switch (form) {
    case ShellForm::text:
      return !value.contains('\0');
    case ShellForm::jwt:
      return is_jwt(value);
    case ShellForm::key_id:
      return value.size() >= kKeyIdBytesMin && value.size() <= kKeyIdBytesMax &&
             consists_of(value, {});
    case ShellForm::secret:
      return value.size() >= kSecretBytesMin && value.size() <= kSecretBytesMax &&
             consists_of(value, kLower, "+/=-_");
  }
  return false;
}

bool plain_in_a_shell(std::string_view text) { return consists_of(text, kLower, "-_./:+=@%,"); }

}  // namespace

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

Result<std::string> export_lines(const std::vector<ShellVariable>& variables) {
  std::string out;
  for (const auto& [name, value, form] : variables) {
    if (!has_form(value, form)) {
      return fail(Errc::invalid_argument,
                  "the value for " + name + " does not look like one: it is not printed", name);
    }
    out += "export " + name + "=";
    out += plain_in_a_shell(value) ? value : shell_quoted(value);
    out += "\n";
  }
  return out;
}

}  // namespace holdfast
