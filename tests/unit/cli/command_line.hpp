#pragma once

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "support/base/manual_clock.hpp"

namespace holdfast::cli {

/// A command line run inside the test, with an environment of the test's own.
struct CommandLine {
  std::map<std::string, std::string> environment;
  test::ManualClock clock;
  std::string out;
  std::string err;
  std::string in;         ///< standard input
  bool terminal = false;  ///< all three streams are one

  /// Answers the exit code.
  int operator()(const std::vector<std::string>& arguments) {
    std::ostringstream out_stream;
    std::ostringstream err_stream;
    const auto variable = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment.find(name);
      if (found == environment.end()) return std::nullopt;
      return found->second;
    };
    std::istringstream in_stream(in);
    Context context{.out = out_stream,
                    .err = err_stream,
                    .env = variable,
                    .clock = clock,
                    .program = "holdfast",
                    .in = in_stream,
                    .out_is_terminal = terminal,
                    .err_is_terminal = terminal,
                    .interactive = terminal};
    std::vector<const char*> argv{"holdfast"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    const int code = run_command(static_cast<int>(argv.size()), argv.data(), context);
    out = out_stream.str();
    err = err_stream.str();
    return code;
  }

  /// Sets the variables that `source ./data/credentials` sets.
  void source_credentials(const std::string& url) {
    environment = {{"HOLDFAST_URL", url},
                   {"HOLDFAST_SAMPLE_APP_URL", url},
                   {"AWS_ACCESS_KEY_ID", "AKIA"},
                   {"AWS_SECRET_ACCESS_KEY", "secret"},
                   {"AWS_REGION", "us-east-1"},
                   {"HOLDFAST_USER_POOL_ID", "us-east-1_abcdefghi"},
                   {"HOLDFAST_CLIENT_ID", "client1"}};
  }
};

}  // namespace holdfast::cli
