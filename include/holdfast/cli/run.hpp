#pragma once

namespace holdfast::cli {

/// The program `holdfast`: reads the command line and the environment, runs one command and
/// answers the process's exit code: 0 success, 1 failure, 2 usage, 130 when Ctrl-C ended it.
[[nodiscard]] int run(int argc, char** argv);

}  // namespace holdfast::cli
