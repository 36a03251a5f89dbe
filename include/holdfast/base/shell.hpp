#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/error.hpp>

namespace holdfast {

/// The form that a variable's value must have before it is written for a shell.
enum class ShellForm : std::uint8_t {
  text,    ///< of our own: any text, quoted where a shell would read more into it
  jwt,     ///< three parts of base64url: an ID token
  key_id,  ///< `[A-Z0-9]{16,128}`: an access key's id
  secret,  ///< base64 or base64url: an access key's secret, a session token
};

/// A variable that a shell is to set.
struct ShellVariable {
  std::string name;
  std::string value;
  ShellForm form = ShellForm::text;
};

/// Lines that a shell sources or evaluates: `export NAME=value`. This is the only function that
/// makes them, so that no value can become a command. A value from outside has a form:
/// `invalid_argument` names the variable whose value does not have it, and there are no lines.
[[nodiscard]] Result<std::string> export_lines(const std::vector<ShellVariable>& variables);

/// `text` as one word of a shell, in single quotes.
[[nodiscard]] std::string shell_quoted(std::string_view text);

}  // namespace holdfast
