#pragma once

#include <string>
#include <vector>

namespace holdfast::app {

/// Where a configuration comes from; what is named later overrides.
struct ConfigSources {
  std::string file{};  ///< JSON with comments; empty: none
  /// The process's environment, `NAME=value` each: `HOLDFAST_SECTION__KEY` are keys, others are
  /// left alone.
  std::vector<std::string> environment{};
  /// A key and its text, and what to call it in an error: `--listen`.
  struct Override {
    std::string key;
    std::string value;
    std::string name;
  };
  std::vector<Override> overrides{};
};

/// The environment of this process, for `ConfigSources`.
[[nodiscard]] std::vector<std::string> process_environment();

}  // namespace holdfast::app
