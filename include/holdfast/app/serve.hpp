#pragma once

#include <string>

#include <holdfast/app/config_sources.hpp>

namespace holdfast::app {

struct ServeOptions {
  std::string data_dir = "./data";
  ConfigSources sources;  ///< the command fills in file, environment and flags
  /// For debugging: the process can be looked into and leaves a core behind, with all its secrets.
  bool core_dumps = false;
};

/// The command `serve`: reads the configuration, starts logging (to stdout), opens a gateway, tells
/// people on stderr what to do next, and serves until SIGTERM or SIGINT; a second one exits at
/// once. Takes the master key out of the environment. Call from the main thread before any other
/// thread is started. The process's exit status: 0 after a shutdown, 1 with one line on stderr that
/// says why.
[[nodiscard]] int run_serve(const ServeOptions& options);

}  // namespace holdfast::app
