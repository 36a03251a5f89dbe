#pragma once

#include <functional>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "context.hpp"

namespace holdfast::cli {

/// The flags for a daemon's log. They may stand before or after the command.
struct LogFlags {
  std::optional<std::string> level;
  std::optional<std::string> format;
};
void add_log_flags(CLI::App& command, LogFlags& flags);

/// The selected command: filled while the command line is parsed, run afterwards.
struct Selection {
  LogFlags log;
  std::function<int(Context&)> run;
};

/// Adds commands to the program; one function for each file of commands.
void add_serve(CLI::App& app, Selection& selection);
void add_check_config(CLI::App& app, Selection& selection);
void add_sample_app(CLI::App& app, Selection& selection);
void add_create_user(CLI::App& app, Selection& selection);
void add_auth(CLI::App& app, Selection& selection);
void add_connect_websocket(CLI::App& app, Selection& selection);
void add_send_message(CLI::App& app, Selection& selection);
void add_publish(CLI::App& app, Selection& selection);
void add_administration(CLI::App& app, Selection& selection);
void add_user(CLI::App& app, Selection& selection);
void add_dead_letters(CLI::App& app, Selection& selection);
void add_database(CLI::App& app, Selection& selection);
void add_completion(CLI::App& app, Selection& selection);
void add_access_key(CLI::App& app, Selection& selection);
void add_audit(CLI::App& app, Selection& selection);
void add_console(CLI::App& app, Selection& selection);
void add_dev_certs(CLI::App& app, Selection& selection);
void add_demo(CLI::App& app, Selection& selection);

/// Adds the examples to the commands' help texts. All commands must have been added before.
void add_examples(CLI::App& app);

/// Runs one command line in the given surroundings. The public `run` uses the process's own.
[[nodiscard]] int run_command(int argc, const char* const* argv, Context& context);

}  // namespace holdfast::cli
