// The command that checks a configuration: `holdfast check-config`.

#include <memory>
#include <string>
#include <vector>

#include <holdfast/app/config_report.hpp>
#include <holdfast/base/json.hpp>

#include "serve_flags.hpp"
#include "settings.hpp"
#include "table.hpp"

namespace holdfast::cli {
namespace {

struct ConfigCheckFlags : ServeFlags {
  bool json = false;
  bool schema = false;
  std::string data_dir;
};

Json as_json(const app::ConfigReport& report) {
  Json problems = Json::array();
  for (const app::ConfigProblem& problem : report.problems) {
    problems.push_back(
        {{"place", problem.place}, {"key", problem.key}, {"message", problem.message}});
  }
  Json settings = Json::array();
  for (const app::EffectiveSetting& setting : report.settings) {
    settings.push_back({{"key", setting.key},
                        {"value", Json::parse(setting.value_json)},
                        {"source", to_string(setting.source)},
                        {"place", setting.place}});
  }
  return {{"valid", report.problems.empty()},
          {"problems", std::move(problems)},
          {"settings", std::move(settings)}};
}

void show_settings(const Context& context, const app::ConfigReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const app::EffectiveSetting& setting : report.settings) {
    std::string from = to_string(setting.source);
    if (!setting.place.empty()) from += " (" + setting.place + ")";
    rows.push_back({setting.key, setting.value_json, std::move(from)});
  }
  print_table(context.out, {"KEY", "VALUE", "FROM"}, rows);
}

int check_configuration(const Context& context, const ConfigCheckFlags& flags,
                        const LogFlags& log_flags) {
  if (flags.schema) {
    context.out << app::config_schema_text();
    return kSuccess;
  }
  app::ConfigReport report = app::examine_config_and_files(config_sources(flags, log_flags));
  const auto master_key = master_key_from(context);
  if (!master_key) return failed(context, master_key.error().message);
  if (*master_key) {
    if (auto problem = app::examine_master_key(**master_key)) {
      report.problems.push_back(std::move(*problem));
    }
  }
  if (flags.json) {
    context.out << as_json(report).dump() << "\n";
  } else {
    show_settings(context, report);
  }
  for (const app::ConfigProblem& problem : report.problems) {
    (void)failed(context, printable(problem.text()));
  }
  if (!report.problems.empty()) return kFailure;
  context.err << "The configuration is valid.\n";
  return kSuccess;
}

}  // namespace

void add_check_config(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand(
      "check-config",
      "Check a configuration as `serve` does, and show where each value comes from");
  auto flags = std::make_shared<ConfigCheckFlags>();
  add_serve_flags(*command, *flags);
  command->add_option("--data-dir", flags->data_dir,
                      "accepted as for `serve`; its files are not read");
  add_log_flags(*command, selection.log);
  auto* const json = command->add_flag("--json", flags->json, "print problems and values as JSON");
  command->add_flag("--schema", flags->schema, "print the JSON Schema of the configuration file")
      ->excludes(json);
  command->callback([flags, &selection] {
    selection.run = [flags, &selection](const Context& context) {
      return check_configuration(context, *flags, selection.log);
    };
  });
}

}  // namespace holdfast::cli
