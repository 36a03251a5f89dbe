#pragma once

#include <functional>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "context.hpp"

namespace holdfast::cli {

/// How the daemons log: before the command or behind it.
struct LogFlags {
  std::optional<std::string> level;
  std::optional<std::string> format;
};
void add_log_flags(CLI::App& command, LogFlags& flags);

/// What the command line asks for: filled while it is read, run afterwards.
struct Selection {
  LogFlags log;
  std::function<int(Context&)> run;
};

/// Each adds its commands to the program.
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

/// Runs one command line. `run` of the public header, with its surroundings given.
[[nodiscard]] int run_command(int argc, const char* const* argv, Context& context);

}  // namespace holdfast::cli
