#include "cli/control_call.hpp"

#include <utility>

#include <holdfast/client/control_client.hpp>

#include "cli/table.hpp"

namespace holdfast::cli {

std::string cell(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->dump();
}

const Json& member(const Json& object, const char* name) {
  static const Json kEmpty = Json::array();
  const auto found = object.find(name);
  return found == object.end() ? kEmpty : *found;
}

void print_list(const Context& context, const Json& list, const Columns& columns) {
  std::vector<std::string> headings;
  for (const auto& [heading, name] : columns) headings.emplace_back(heading);
  std::vector<std::vector<std::string>> rows;
  for (const Json& entry : list) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const auto& [heading, name] : columns) row.push_back(cell(entry, name));
  }
  print_table(context.out, headings, rows);
}

std::optional<Json> ask(const Context& context, const AdminFlags& flags, const std::string& method,
                        const std::string& target, const Json& body) {
  const std::string socket = flags.data_dir + "/control.sock";
  auto answer = client::make_control_client(socket)->call(method, target, body);
  if (answer) return std::move(*answer);
  const client::CallError& error = answer.error();
  (void)failed(context, error.status != 0
                            ? error.message
                            : "cannot reach the gateway's control socket " + socket + " (" +
                                  error.message +
                                  "): is `holdfast serve` running with this --data-dir?");
  return std::nullopt;
}

int call(const Context& context, const AdminFlags& flags, const std::string& method,
         const std::string& target, const Json& body, Show show) {
  const auto answer = ask(context, flags, method, target, body);
  if (!answer) return kFailure;
  if (flags.json) {
    context.out << answer->dump() << "\n";
  } else {
    show(context, *answer);
  }
  return kSuccess;
}

void add_admin_flags(CLI::App& command, AdminFlags& flags) {
  command.add_option("--data-dir", flags.data_dir, "the gateway's, where its control socket is")
      ->capture_default_str();
  command.add_flag("--json", flags.json, "print the gateway's answer as JSON");
}

}  // namespace holdfast::cli
