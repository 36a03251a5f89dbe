#pragma once

#include <optional>
#include <string>

#include <holdfast/base/error.hpp>

namespace holdfast::cli {

/// Reads a line that the terminal does not show. nullopt when Ctrl-C ended it. The terminal is
/// again as it was in any case.
[[nodiscard]] Result<std::optional<std::string>> read_hidden_line(int terminal);

}  // namespace holdfast::cli
