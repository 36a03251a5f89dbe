#pragma once

#include <optional>
#include <string>

#include <holdfast/base/error.hpp>

namespace holdfast::cli {

/// Reads a line that the terminal does not show. Returns nullopt if Ctrl-C ended it. Always
/// restores the terminal.
[[nodiscard]] Result<std::optional<std::string>> read_hidden_line(int terminal);

}  // namespace holdfast::cli
