#pragma once

#include <functional>
#include <optional>
#include <string>

#include "command.hpp"

namespace holdfast::cli {

/// What every command takes that destroys something.
struct DestructionFlags {
  bool yes = false;
  bool dry_run = false;
};
void add_destruction_flags(CLI::App& command, DestructionFlags& flags);

/// Tells what would be destroyed, and how much; nullopt when that could not be found out, which
/// people were told.
using WhatIsLost = std::function<std::optional<std::string>()>;

/// Whether a command is to go on: nullopt, or else its exit code. On a terminal it asks, without
/// one it goes on, and with `--dry-run` it only tells.
[[nodiscard]] std::optional<int> confirm(const Context& context, const DestructionFlags& flags,
                                         const WhatIsLost& what);

}  // namespace holdfast::cli
