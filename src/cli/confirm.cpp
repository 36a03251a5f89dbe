// Asks before a command destroys something.

#include "confirm.hpp"

#include <istream>

#include "printable.hpp"

namespace holdfast::cli {

void add_destruction_flags(CLI::App& command, DestructionFlags& flags) {
  auto* yes = command.add_flag("--yes", flags.yes, "skip the question on a terminal");
  command.add_flag("--dry-run", flags.dry_run, "only print what the command would do")
      ->excludes(yes);
}

std::optional<int> confirm(const Context& context, const DestructionFlags& flags,
                           const WhatIsLost& what) {
  if (flags.yes || (!flags.dry_run && !context.interactive)) return std::nullopt;
  const auto lost = what();
  if (!lost) return kFailure;
  if (flags.dry_run) {
    context.out << "Would " << printable(*lost) << ".\n";
    return kSuccess;
  }
  context.err << "This will " << printable(*lost) << ". Continue? [y/N] " << std::flush;
  std::string answer;
  std::getline(context.in, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return std::nullopt;
  context.err << "Nothing was changed.\n";
  return kFailure;
}

}  // namespace holdfast::cli
