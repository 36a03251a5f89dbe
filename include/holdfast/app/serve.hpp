#pragma once

#include <string>

#include <holdfast/app/config_sources.hpp>

namespace holdfast::app {

struct ServeOptions {
  std::string data_dir = "./data";
  ConfigSources sources;  ///< the command fills in file, environment and flags
  /// Allows debuggers and core dumps, which have all secrets.
  bool core_dumps = false;
};

/// Runs the command `serve`, and returns the exit status of the process. Reads the configuration,
/// starts logging (to stdout), opens a gateway, and prints the next steps on stderr. Serves until
/// SIGTERM or SIGINT; a second one exits at once. Takes the master key out of the environment. Call
/// it from the main thread before any other thread starts. Returns 0 after a shutdown, 1 with one
/// line on stderr that says why.
[[nodiscard]] int run_serve(const ServeOptions& options);

}  // namespace holdfast::app
