#pragma once

#include <optional>
#include <string>

#include "context.hpp"

namespace holdfast::cli {

/// A password, or the exit code of a command that got none.
struct GivenPassword {
  std::string text;
  std::optional<int> exit{};
};
/// Asks for a new password on the terminal, twice. `otherwise` is the advice without a terminal.
[[nodiscard]] GivenPassword ask_for_password(const Context& context, const std::string& otherwise);

}  // namespace holdfast::cli
