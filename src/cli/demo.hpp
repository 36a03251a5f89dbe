#pragma once

#include "cli/context.hpp"

namespace holdfast::cli {

struct DemoOptions {
  bool once = false;      ///< end when the story has ended
  bool terminal = false;  ///< someone is looking, and can press Ctrl-C
};

/// Plays the whole story with processes of this very program and shows the command of each step.
/// Answers the exit code.
[[nodiscard]] int run_demo(Context& context, const DemoOptions& options);

}  // namespace holdfast::cli
