#include <cstdlib>
#include <exception>
#include <iostream>

#include <holdfast/cli/run.hpp>

#include "cli/command.hpp"
#include "cli/table.hpp"

namespace holdfast::cli {
namespace {

constexpr const char* kExamples = R"text(
Examples:
  holdfast serve --data-dir ./data          run the gateway
  source ./data/credentials                 what the commands below need
  holdfast sample-app                       run the sample application, in another terminal
  holdfast create-user -p 'a good password' make the user testUser
  eval "$(holdfast auth -p 'a good password')"
  holdfast connect-websocket                receive, until Ctrl-C
  holdfast send-message -w 2 Hello there    send through the sample application
  holdfast publish USER_ID Hello            send directly, signed
  holdfast pending list                     what waits for its users

Exit codes: 0 success, 1 failure, 2 usage, 130 when Ctrl-C ended it.)text";

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace

int run_command(int argc, const char* const* argv, Context& context) {
  CLI::App app(
      "Holdfast accepts messages for users, delivers them over WebSockets, and holds what "
      "it cannot deliver until the user connects again.",
      "holdfast");
  Selection selection;
  app.set_version_flag("--version", "holdfast " HOLDFAST_VERSION);
  app.require_subcommand(1);
  app.footer(kExamples);
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
  add_console(app, selection);
  add_dev_certs(app, selection);
  add_demo(app, selection);
  add_completion(app, selection);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // A command that there is not: that one is required tells nobody which word was wrong.
    const std::vector<std::string> words = app.remaining(true);
    if (!words.empty()) {
      return misused(context, "\"" + printable(words.front()) +
                                  "\" is not understood; `--help` tells what is");
    }
    app.exit(error, context.out, context.err);
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error, context.out, context.err) == 0 ? kSuccess : kUsage;
  }
  return selection.run(context);
}

int run(int argc, char** argv) {
  Context context{std::cout, std::cerr, variable, system_clock(), argc > 0 ? argv[0] : "holdfast"};
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
