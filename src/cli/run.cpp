// The program's entry: parses the command line and runs one command.

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <holdfast/cli/run.hpp>

#include "command.hpp"
#include "table.hpp"

namespace holdfast::cli {
namespace {

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

// Returns the arguments. Accepts `holdfast help user create` and `holdfast version` as well.
std::vector<std::string> arguments_of(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (words.empty()) return words;
  if (words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  } else if (words.size() == 1 && words.front() == "version") {
    words.front() = "--version";
  }
  return words;
}

int parse_and_run(int argc, const char* const* argv, Context& context) {
  CLI::App app(
      "Holdfast accepts messages for users and delivers them over WebSockets. It stores what it "
      "cannot deliver until the user reconnects.",
      "holdfast");
  Selection selection;
  app.set_version_flag("--version", "holdfast " HOLDFAST_VERSION);
  app.require_subcommand(1);

  add_log_flags(app, selection.log);
  add_serve(app, selection);
  add_check_config(app, selection);
  add_sample_app(app, selection);
  add_create_user(app, selection);
  add_auth(app, selection);
  add_connect_websocket(app, selection);
  add_send_message(app, selection);
  add_publish(app, selection);
  add_user(app, selection);
  add_administration(app, selection);
  add_dead_letters(app, selection);
  add_database(app, selection);
  add_access_key(app, selection);
  add_audit(app, selection);
  add_console(app, selection);
  add_dev_certs(app, selection);
  add_demo(app, selection);
  add_completion(app, selection);
  add_examples(app);
  try {
    std::vector<std::string> words = arguments_of(argc, argv);
    std::ranges::reverse(words);  // the order that the library takes
    app.parse(std::move(words));
  } catch (const CLI::RequiredError& error) {
    // Names the unknown command. The library would only say that a subcommand is required.
    const std::vector<std::string> words = app.remaining(true);
    if (!words.empty()) {
      return misused(context, "unknown command \"" + printable(words.front()) +
                                  "\"; `--help` lists the commands");
    }
    app.exit(error, context.out, context.err);
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error, context.out, context.err) == 0 ? kSuccess : kUsage;
  }
  return selection.run(context);
}

}  // namespace

int run_command(int argc, const char* const* argv, Context& context) {
  // Keeps text from outside from controlling the terminal.
  std::optional<TerminalStream> out;
  std::optional<TerminalStream> err;
  if (context.out_is_terminal) out.emplace(context.out);
  if (context.err_is_terminal) err.emplace(context.err);
  Context shown{.out = out ? *out : context.out,
                .err = err ? *err : context.err,
                .env = context.env,
                .clock = context.clock,
                .program = context.program,
                .in = context.in,
                .out_is_terminal = context.out_is_terminal,
                .err_is_terminal = context.err_is_terminal,
                .interactive = context.interactive};
  return parse_and_run(argc, argv, shown);
}

int run(int argc, char** argv) {
  const bool err_is_terminal = isatty(STDERR_FILENO) != 0;
  Context context{.out = std::cout,
                  .err = std::cerr,
                  .env = variable,
                  .clock = system_clock(),
                  .program = argc > 0 ? argv[0] : "holdfast",
                  .out_is_terminal = isatty(STDOUT_FILENO) != 0,
                  .err_is_terminal = err_is_terminal,
                  .interactive = err_is_terminal && isatty(STDIN_FILENO) != 0};
  try {
    const int code = run_command(argc, argv, context);
    std::cout.flush();
    if (!std::cout && code == kSuccess) return failed(context, "cannot write to standard output");
    return code;
  } catch (const std::exception& error) {
    return failed(context, error.what());
  }
}

}  // namespace holdfast::cli
