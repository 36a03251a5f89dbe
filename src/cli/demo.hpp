#pragma once

#include <string>

#include "context.hpp"

namespace holdfast::cli {

struct DemoOptions {
  bool once = false;      ///< end when the story has ended
  bool terminal = false;  ///< someone is looking, and can press Ctrl-C
  /// Of a gateway that runs already, to play with instead of one of the story's own; may be empty.
  std::string data_dir;
};

/// Plays the whole story with processes of this very program and shows the command of each step.
/// Where a gateway runs already, which others may be using, it is another, of the story's own, that
/// is killed. Answers the exit code.
[[nodiscard]] int run_demo(Context& context, const DemoOptions& options);

}  // namespace holdfast::cli
