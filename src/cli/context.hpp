#pragma once

#include <functional>
#include <iostream>
#include <optional>
#include <ostream>
#include <string>

#include <holdfast/base/clock.hpp>

namespace holdfast::cli {

inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsage = 2;
inline constexpr int kInterrupted = 130;

/// Everything that a command uses of its surroundings. Tests pass their own.
struct Context {
  std::ostream& out;  ///< results
  std::ostream& err;  ///< messages for people
  /// Returns an environment variable; an empty one counts as not set.
  std::function<std::optional<std::string>(const std::string&)> env;
  const Clock& clock;
  std::string program;  ///< the name it was started with, for the commands that it prints
  std::istream& in = std::cin;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool interactive = false;  ///< a person reads `err` and answers on `in`
};

/// Prints why a command failed. Returns the exit code.
inline int failed(const Context& context, const std::string& message) {
  context.err << "holdfast: " << message << "\n";
  return kFailure;
}
/// Prints why a command line is wrong. Returns the exit code.
inline int misused(const Context& context, const std::string& message) {
  context.err << "holdfast: " << message << "\n";
  return kUsage;
}

}  // namespace holdfast::cli
