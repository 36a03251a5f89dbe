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

/// What a command has of its surroundings, so that tests can give it others.
struct Context {
  std::ostream& out;  ///< results
  std::ostream& err;  ///< talk
  /// A variable of the environment; an empty one counts as none.
  std::function<std::optional<std::string>(const std::string&)> env;
  const Clock& clock;
  std::string program;  ///< as it was called, for the commands that are told to people
  std::istream& in = std::cin;
  bool out_is_terminal = false;  ///< `out`: someone's terminal shows it
  bool err_is_terminal = false;
  bool interactive = false;  ///< someone reads `err` and answers on `in`
};

/// Tells people why a command failed or was not understood; answers the exit code.
inline int failed(const Context& context, const std::string& message) {
  context.err << "holdfast: " << message << "\n";
  return kFailure;
}
inline int misused(const Context& context, const std::string& message) {
  context.err << "holdfast: " << message << "\n";
  return kUsage;
}

}  // namespace holdfast::cli
