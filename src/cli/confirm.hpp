#pragma once

#include <functional>
#include <optional>
#include <string>

#include "command.hpp"

namespace holdfast::cli {

/// The flags of every command that destroys something.
struct DestructionFlags {
  bool yes = false;
  bool dry_run = false;
};
void add_destruction_flags(CLI::App& command, DestructionFlags& flags);

/// Returns what would be destroyed, and how much. Returns nullopt, and has printed why, if that
/// could not be found out.
using WhatIsLost = std::function<std::optional<std::string>()>;

/// Asks on a terminal, continues without one, and only prints with `--dry-run`. Returns nullopt if
/// the command may continue, else its exit code.
[[nodiscard]] std::optional<int> confirm(const Context& context, const DestructionFlags& flags,
                                         const WhatIsLost& what);

}  // namespace holdfast::cli
