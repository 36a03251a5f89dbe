#include <fstream>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>

#include "cli/command.hpp"
#include "cli/table.hpp"

namespace holdfast::cli {
namespace {

// What every administration command takes.
struct AdminFlags {
  std::string data_dir = "./data";
  bool json = false;
};

struct ListFlags : AdminFlags {
  std::string user;
  std::string after;
  std::int64_t limit = 100;
};

struct NamedFlags : AdminFlags {
  std::string name;
  std::string policy_file;
};

// Prints an answer for people.
using Show = void (*)(const Context&, const Json&);

// The members of an answer, as cells. What is missing shows as nothing.
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

using Columns = std::vector<std::pair<const char*, const char*>>;  // heading, member

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

void tell_next_page(const Context& context, const Json& answer) {
  const std::string next = cell(answer, "next");
  if (!next.empty()) context.err << "There is more: --after " << printable(next) << "\n";
}

int call(const Context& context, const AdminFlags& flags, const std::string& method,
         const std::string& target, const Json& body, Show show) {
  const std::string socket = flags.data_dir + "/control.sock";
  const auto answer = client::make_control_client(socket)->call(method, target, body);
  if (!answer) {
    if (answer.error().status != 0) return failed(context, answer.error().message);
    return failed(context, "cannot reach the gateway's control socket " + socket + " (" +
                               answer.error().message +
                               "): is `holdfast serve` running with this --data-dir?");
  }
  if (flags.json) {
    context.out << answer->dump() << "\n";
  } else {
    show(context, *answer);
  }
  return kSuccess;
}

std::string with_query(std::string target, const ListFlags& flags) {
  target += "?limit=" + std::to_string(flags.limit);
  if (!flags.user.empty()) target += "&userId=" + percent_encode(flags.user);
  if (!flags.after.empty()) target += "&after=" + percent_encode(flags.after);
  return target;
}

void show_status(const Context& context, const Json& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : answer.items()) {
    if (value.is_object()) {
      for (const auto& [inner, number] : value.items()) {
        std::string& label = rows.emplace_back().emplace_back(name);
        label.append(".").append(inner);
        rows.back().push_back(cell(value, inner.c_str()));
      }
    } else if (!value.is_array()) {
      rows.push_back({name, cell(answer, name.c_str())});
    }
  }
  for (const Json& listener : member(answer, "listeners")) {
    rows.push_back({"listener " + cell(listener, "part"),
                    cell(listener, "address") + ", " + cell(listener, "openSockets") +
                        " sockets, " + cell(listener, "openWebsockets") + " WebSockets, " +
                        cell(listener, "requests") + " requests"});
  }
  print_table(context.out, {"NAME", "VALUE"}, rows);
}

void show_pending_users(const Context& context, const Json& answer) {
  const Json& users = member(answer, "users");
  if (users.empty()) {
    context.err << "Nothing is pending.\n";
  } else {
    print_list(context, users,
               {{"USER ID", "userId"}, {"MESSAGES", "messages"}, {"BYTES", "bytes"}});
  }
  tell_next_page(context, answer);
}

void show_pending_messages(const Context& context, const Json& answer) {
  const Json& messages = member(answer, "messages");
  if (!messages.empty()) {
    print_list(context, messages,
               {{"SEQUENCE", "sequence"},
                {"MESSAGE ID", "messageId"},
                {"BYTES", "bytes"},
                {"ACCEPTED", "acceptedAt"},
                {"EXPIRES", "expiresAt"}});
  }
  const Json& totals = member(answer, "totals");
  context.err << "Pending in all: " << cell(totals, "messages") << " messages, "
              << cell(totals, "bytes") << " bytes.\n";
  tell_next_page(context, answer);
}

void show_executions(const Context& context, const Json& answer) {
  print_list(context, member(answer, "executions"),
             {{"WORKFLOW", "workflow"},
              {"ID", "id"},
              {"USER ID", "userId"},
              {"STATE", "state"},
              {"STARTED", "startedAt"},
              {"UPDATED", "updatedAt"}});
}

void show_execution_steps(const Context& context, const Json& answer) {
  for (const Json& execution : member(answer, "executions")) {
    context.out << cell(execution, "workflow") << " " << cell(execution, "id") << " of user "
                << printable(cell(execution, "userId")) << "\n";
    const Json& steps = member(execution, "steps");
    std::vector<std::vector<std::string>> rows;
    const auto at_micros = [](const Json& step) {
      const auto at = step.find("atMicros");
      return at != step.end() && at->is_number() ? at->get<std::int64_t>() : 0;
    };
    for (const Json& step : steps) {
      rows.push_back({cell(step, "state"), cell(step, "at"),
                      "+" + std::to_string(at_micros(step) - at_micros(steps.front())) + " us"});
    }
    print_table(context.out, {"STATE", "AT", "AFTER"}, rows);
  }
}

void show_connections(const Context& context, const Json& answer) {
  print_list(context, member(answer, "connections"),
             {{"CONNECTION ID", "connectionId"},
              {"USER ID", "userId"},
              {"USERNAME", "username"},
              {"FROM", "remoteAddress"},
              {"SINCE", "connectedAt"},
              {"SHARD", "shard"}});
}

void show_access_keys(const Context& context, const Json& answer) {
  print_list(context, member(answer, "accessKeys"),
             {{"ID", "id"},
              {"NAME", "name"},
              {"ENABLED", "enabled"},
              {"CREATED", "createdAt"},
              {"ARN", "arn"}});
}

void show_new_access_key(const Context& context, const Json& answer) {
  context.err << "The secret is shown this once.\n";
  context.out << "export AWS_ACCESS_KEY_ID=" << cell(answer, "id") << "\n"
              << "export AWS_SECRET_ACCESS_KEY=" << cell(answer, "secret") << "\n";
}

void show_rotated(const Context& context, const Json& answer) {
  context.err << "New tokens and secrets are encrypted under this data key from now on:\n";
  context.out << cell(answer, "keyId") << "\n";
}

void show_deleted(const Context& context, const Json& /*answer*/) { context.err << "Deleted.\n"; }

void show_changed(const Context& context, const Json& /*answer*/) { context.err << "Done.\n"; }

int create_access_key(const Context& context, const NamedFlags& flags) {
  Json body{{"name", flags.name}};
  if (!flags.policy_file.empty()) {
    std::ifstream file(flags.policy_file, std::ios::binary);
    std::stringstream text;
    if (!file || !(text << file.rdbuf())) {
      return failed(context, "cannot read the policy " + flags.policy_file);
    }
    auto policy = parse_json(text.str());
    if (!policy) {
      return failed(context, flags.policy_file + ": " + policy.error().message +
                                 (policy.error().where.empty() ? "" : " at ") +
                                 policy.error().where);
    }
    body["policy"] = std::move(*policy);
  }
  return call(context, flags, "POST", "/v1/access-keys", body, show_new_access_key);
}

void add_admin_flags(CLI::App& command, AdminFlags& flags) {
  command.add_option("--data-dir", flags.data_dir, "the gateway's, where its control socket is")
      ->capture_default_str();
  command.add_flag("--json", flags.json, "print the gateway's answer as JSON");
}

void add_limit(CLI::App& command, ListFlags& flags) {
  command.add_option("--limit", flags.limit, "how many at most")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

// A command that asks for `target`.
template <class Flags, class Target>
void add_question(CLI::App& command, Selection& selection, const std::shared_ptr<Flags>& flags,
                  const std::string& method, Target target, Show show) {
  add_admin_flags(command, *flags);
  command.callback([=, &selection] {
    selection.run = [=](const Context& context) {
      return call(context, *flags, method, target(*flags), nullptr, show);
    };
  });
}

void add_pending(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("pending", "What waits for its users");
  group->require_subcommand(1);
  auto list_flags = std::make_shared<ListFlags>();
  auto* list = group->add_subcommand("list", "The users that have messages pending");
  list->add_option("--after", list_flags->after, "begin behind this user id");
  add_limit(*list, *list_flags);
  add_question(
      *list, selection, list_flags, "GET",
      [](const ListFlags& flags) { return with_query("/v1/pending", flags); }, show_pending_users);

  auto show_flags = std::make_shared<ListFlags>();
  auto* show = group->add_subcommand("show", "A user's pending messages, never their text");
  std::string& user = show_flags->user;
  show->add_option("USER_ID", user, "whose")->required();
  show->add_option("--after", show_flags->after, "begin behind this sequence");
  add_limit(*show, *show_flags);
  add_question(
      *show, selection, show_flags, "GET",
      [](ListFlags flags) {
        const std::string target = "/v1/pending/" + percent_encode(flags.user);
        flags.user.clear();
        return with_query(target, flags);
      },
      show_pending_messages);
}

void add_execution(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("execution", "What became of messages");
  group->require_subcommand(1);
  auto list_flags = std::make_shared<ListFlags>();
  auto* list = group->add_subcommand("list", "The latest runs of the workflows");
  list->add_option("--user", list_flags->user, "of this user id alone");
  add_limit(*list, *list_flags);
  add_question(
      *list, selection, list_flags, "GET",
      [](const ListFlags& flags) { return with_query("/v1/executions", flags); }, show_executions);

  auto show_flags = std::make_shared<NamedFlags>();
  auto* show = group->add_subcommand("show", "One message's steps, with their times");
  show->add_option("MESSAGE_ID", show_flags->name, "which message")->required();
  add_question(
      *show, selection, show_flags, "GET",
      [](const NamedFlags& flags) { return "/v1/executions/" + percent_encode(flags.name); },
      show_execution_steps);
}

void add_connections(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("connections", "Open WebSockets");
  group->require_subcommand(1);
  auto flags = std::make_shared<ListFlags>();
  auto* list = group->add_subcommand("list", "Open connections, the oldest first");
  list->add_option("--user", flags->user, "of this user id alone");
  add_limit(*list, *flags);
  add_question(
      *list, selection, flags, "GET",
      [](const ListFlags& list_flags) { return with_query("/v1/connections", list_flags); },
      show_connections);
}

void add_access_key(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("access-key", "Keys that sign requests");
  group->require_subcommand(1);
  auto create_flags = std::make_shared<NamedFlags>();
  auto* create = group->add_subcommand("create", "Make a key; its secret is shown this once");
  create->add_option("NAME", create_flags->name, "the name of who holds it")->required();
  create->add_option("--policy", create_flags->policy_file,
                     "an IAM policy document (default: may send messages, nothing else)");
  add_admin_flags(*create, *create_flags);
  create->callback([create_flags, &selection] {
    selection.run = [create_flags](const Context& context) {
      return create_access_key(context, *create_flags);
    };
  });

  auto list_flags = std::make_shared<AdminFlags>();
  add_question(
      *group->add_subcommand("list", "All keys, without their secrets"), selection, list_flags,
      "GET", [](const AdminFlags&) { return std::string("/v1/access-keys"); }, show_access_keys);

  for (const bool enabled : {false, true}) {
    auto flags = std::make_shared<NamedFlags>();
    auto* change = group->add_subcommand(enabled ? "enable" : "disable",
                                         enabled ? "Take a disabled key's signatures again"
                                                 : "Refuse a key's signatures, and keep it");
    change->add_option("ID", flags->name, "the key's id")->required();
    add_admin_flags(*change, *flags);
    change->callback([flags, enabled, &selection] {
      selection.run = [flags, enabled](const Context& context) {
        return call(context, *flags, "PATCH", "/v1/access-keys/" + percent_encode(flags->name),
                    Json{{"enabled", enabled}}, show_changed);
      };
    });
  }

  auto delete_flags = std::make_shared<NamedFlags>();
  auto* remove = group->add_subcommand("delete", "Delete a key; what it signs is refused at once");
  remove->add_option("ID", delete_flags->name, "the key's id")->required();
  add_question(
      *remove, selection, delete_flags, "DELETE",
      [](const NamedFlags& flags) { return "/v1/access-keys/" + percent_encode(flags.name); },
      show_deleted);
}

}  // namespace

void add_administration(CLI::App& app, Selection& selection) {
  add_question(
      *app.add_subcommand("status", "The gateway's numbers"), selection,
      std::make_shared<AdminFlags>(), "GET",
      [](const AdminFlags&) { return std::string("/v1/status"); }, show_status);
  add_pending(app, selection);
  add_execution(app, selection);
  add_access_key(app, selection);
  add_connections(app, selection);
  add_question(
      *app.add_subcommand("rotate-keys", "Encrypt under a new data key from now on"), selection,
      std::make_shared<AdminFlags>(), "POST",
      [](const AdminFlags&) { return std::string("/v1/keys/rotate"); }, show_rotated);
}

}  // namespace holdfast::cli
