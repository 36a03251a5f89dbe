#pragma once

#include <string>

#include "context.hpp"

namespace holdfast::cli {

/// The flags of `holdfast demo`.
struct DemoOptions {
  bool once = false;      ///< exit at the end
  bool terminal = false;  ///< a person is watching, and can press Ctrl-C
  /// The data directory of a running gateway to use; empty: the demo starts its own.
  std::string data_dir;
};

/// Runs the demo with processes of this program and shows the command of each step. It kills only a
/// gateway of its own, because others may use a running one. Returns the exit code.
[[nodiscard]] int run_demo(Context& context, const DemoOptions& options);

}  // namespace holdfast::cli
