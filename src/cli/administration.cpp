// Commands for status, pending messages, executions, connections and key rotation.

#include <memory>
#include <utility>
#include <vector>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "command.hpp"
#include "confirm.hpp"
#include "control_call.hpp"
#include "table.hpp"

namespace holdfast::cli {
namespace {

struct ListFlags : AdminFlags {
  std::string user;
  std::string after;
  std::int64_t limit = 100;
};

struct NamedFlags : AdminFlags {
  std::string name;
};

void tell_next_page(const Context& context, const Json& answer) {
  const std::string next = cell(answer, "next");
  if (!next.empty()) context.err << "There is more: --after " << printable(next) << "\n";
}

std::string with_query(std::string target, const ListFlags& flags) {
  target += "?limit=" + std::to_string(flags.limit);
  if (!flags.user.empty()) target += "&userId=" + percent_encode(flags.user);
  if (!flags.after.empty()) target += "&after=" + percent_encode(flags.after);
  return target;
}

// Returns a histogram as text: its count, its median and its 99th percentile.
std::string times_text(const Json& histogram) {
  const std::int64_t count = histogram.value("count", std::int64_t{0});
  if (count == 0) return "0";
  const auto within = [&histogram, count](double share) -> std::string {
    for (const Json& bucket : member(histogram, "buckets")) {
      if (bucket.value("count", 0.0) < share * static_cast<double>(count)) continue;
      return bucket.at("le").is_null() ? "more than measured" : cell(bucket, "le") + " s";
    }
    return "?";
  };
  return std::to_string(count) + ", half of them within " + within(0.5) + ", 99 % within " +
         within(0.99);
}

void show_status(const Context& context, const Json& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : answer.items()) {
    if (value.is_object()) {
      for (const auto& [inner, number] : value.items()) {
        std::string& label = rows.emplace_back().emplace_back(name);
        label.append(".").append(inner);
        rows.back().push_back(number.is_object() ? times_text(number) : cell(value, inner.c_str()));
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

// Hints that the user gave a username in place of an id. An unknown id has nothing pending.
void tell_username(const Context& context, const ListFlags& flags) {
  const auto control = control_of(context, flags);
  if (control == nullptr) return;
  const auto user = control->call("GET", "/v1/users/" + percent_encode(flags.user), nullptr);
  if (!user) return;
  const std::string id = cell(*user, "userId");
  if (id == flags.user) return;
  context.err << "\"" << printable(flags.user) << "\" is the name of a user whose id is " << id
              << ".\n";
}

int show_pending(const Context& context, const ListFlags& flags) {
  ListFlags query = flags;
  query.user.clear();
  const auto answer =
      ask(context, flags, "GET", with_query("/v1/pending/" + percent_encode(flags.user), query));
  if (!answer) return kFailure;
  if (flags.json) {
    context.out << answer->dump() << "\n";
    return kSuccess;
  }
  show_pending_messages(context, *answer);
  if (cell(member(*answer, "totals"), "messages") == "0") tell_username(context, flags);
  return kSuccess;
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

// Prints the acknowledgement last: a stored message is acknowledged after its own run has ended.
void tell_acknowledgement(const Context& context, const Json& executions) {
  const Json* last = nullptr;
  for (const Json& execution : executions) {
    const auto found = execution.find("acknowledged");
    if (found != execution.end() && found->is_object()) last = &*found;
  }
  if (last == nullptr) {
    context.out << "acknowledgement not recorded\n";
  } else {
    context.out << "acknowledged " << cell(*last, "at") << " by connection "
                << printable(cell(*last, "connectionId")) << "\n";
  }
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
  tell_acknowledgement(context, member(answer, "executions"));
}

void show_connections(const Context& context, const Json& answer) {
  const Json& connections = member(answer, "connections");
  if (connections.empty()) {
    context.err << "No open connections.\n";
  } else {
    print_list(context, connections,
               {{"CONNECTION ID", "connectionId"},
                {"USER ID", "userId"},
                {"USERNAME", "username"},
                {"FROM", "remoteAddress"},
                {"SINCE", "connectedAt"},
                {"SHARD", "shard"}});
  }
  tell_next_page(context, answer);
}

void show_connection(const Context& context, const Json& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : answer.items())
    rows.push_back({name, cell(answer, name.c_str())});
  print_table(context.out, {"NAME", "VALUE"}, rows);
}

void show_closed(const Context& context, const Json& /*answer*/) { context.err << "Closed.\n"; }

void show_deletion(const Context& context, const Json& answer) {
  const Json& deleted = member(answer, "deleted");
  const Json& left = member(answer, "left");
  context.err << "Moved to the dead letters: " << cell(deleted, "messages") << " messages, "
              << cell(deleted, "bytes") << " bytes. Still pending: " << cell(left, "messages")
              << " messages, " << cell(left, "bytes") << " bytes.\n";
}

void show_rotated(const Context& context, const Json& answer) {
  context.err << "The user pool signs its tokens with signing key " << cell(answer, "signingKeyId")
              << " after the key has been public for ten minutes.\n"
              << "New tokens and secrets are encrypted under this data key:\n";
  context.out << cell(answer, "keyId") << "\n";
}

void add_limit(CLI::App& command, ListFlags& flags) {
  command.add_option("--limit", flags.limit, "rows at most")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

struct StatusFlags : AdminFlags {
  bool ready = false;
};

// Answers supervisors by the exit code alone. Prints a reason if the gateway is not ready.
int check_ready(const Context& context, const AdminFlags& flags) {
  const auto answer = ask(context, flags, "GET", "/v1/status", nullptr);
  if (!answer) return kFailure;
  const std::string state = cell(*answer, "state");
  return state == "ready" ? kSuccess : failed(context, "the gateway is not ready: " + state);
}

void add_status(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("status", "Show the gateway's state and counters");
  auto flags = std::make_shared<StatusFlags>();
  auto* ready = command->add_flag("--ready", flags->ready,
                                  "print nothing; exit 0 if the gateway is ready, else 1");
  add_admin_flags(*command, *flags);
  ready->excludes("--json");
  command->callback([flags, &selection] {
    selection.run = [flags](const Context& context) {
      if (flags->ready) return check_ready(context, *flags);
      return call(context, *flags, "GET", "/v1/status", nullptr, show_status);
    };
  });
}

struct PendingDeleteFlags : AdminFlags, DestructionFlags {
  std::string user;
  std::string message;
  bool all = false;
};

int delete_pending(const Context& context, const PendingDeleteFlags& flags) {
  const std::string target = "/v1/pending/" + percent_encode(flags.user);
  const auto what = [&]() -> std::optional<std::string> {
    if (!flags.all) {
      return "move the message " + flags.message + " of user " + flags.user +
             " to the dead letters";
    }
    const auto pending = ask(context, flags, "GET", target + "?limit=1");
    if (!pending) return std::nullopt;
    const Json& totals = member(*pending, "totals");
    return "move up to " + cell(totals, "messages") + " messages (" + cell(totals, "bytes") +
           " bytes) of user " + flags.user + " to the dead letters";
  };
  if (const auto exit = confirm(context, flags, what)) return *exit;
  const std::string which = flags.all ? "?all=true" : "?messageId=" + percent_encode(flags.message);
  return call(context, flags, "DELETE", target + which, nullptr, show_deletion);
}

void add_pending_delete(CLI::App& group, Selection& selection) {
  auto flags = std::make_shared<PendingDeleteFlags>();
  auto* remove = group.add_subcommand("delete", "Move pending messages to the dead letters");
  remove->add_option("USER_ID", flags->user, "the user's id")->required();
  auto* which = remove->add_option_group("Messages");
  which->add_option("MESSAGE_ID", flags->message, "the message's id");
  which->add_flag("--all", flags->all, "all messages that were sent to no open connection yet");
  which->require_option(1);
  add_destruction_flags(*remove, *flags);
  add_admin_flags(*remove, *flags);
  remove->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return delete_pending(context, *flags); };
  });
}

void add_pending(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("pending", "Show and delete pending messages");
  group->require_subcommand(1);
  auto list_flags = std::make_shared<ListFlags>();
  auto* list = group->add_subcommand("list", "List the users that have pending messages");
  list->add_option("--after", list_flags->after, "begin after this user id");
  add_limit(*list, *list_flags);
  add_question(
      *list, selection, list_flags, "GET",
      [](const ListFlags& flags) { return with_query("/v1/pending", flags); }, show_pending_users);

  auto show_flags = std::make_shared<ListFlags>();
  auto* show = group->add_subcommand("show", "List a user's pending messages, without their text");
  std::string& user = show_flags->user;
  show->add_option("USER_ID", user, "the user's id")->required();
  show->add_option("--after", show_flags->after, "begin after this sequence");
  add_limit(*show, *show_flags);
  add_admin_flags(*show, *show_flags);
  show->callback([show_flags, &selection] {
    selection.run = [show_flags](const Context& context) {
      return show_pending(context, *show_flags);
    };
  });
  add_pending_delete(*group, selection);
}

void add_execution(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("execution", "Show the recent history of messages");
  group->require_subcommand(1);
  auto list_flags = std::make_shared<ListFlags>();
  auto* list = group->add_subcommand("list", "List the latest runs of the workflows");
  list->add_option("--user", list_flags->user, "only of this user id");
  add_limit(*list, *list_flags);
  add_question(
      *list, selection, list_flags, "GET",
      [](const ListFlags& flags) { return with_query("/v1/executions", flags); }, show_executions);

  auto show_flags = std::make_shared<NamedFlags>();
  auto* show = group->add_subcommand("show", "Show one message's steps, with their times");
  show->add_option("MESSAGE_ID", show_flags->name, "the message's id")->required();
  add_question(
      *show, selection, show_flags, "GET",
      [](const NamedFlags& flags) { return "/v1/executions/" + percent_encode(flags.name); },
      show_execution_steps);
}

void add_connections(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("connections", "Show and close open WebSockets");
  group->require_subcommand(1);
  auto flags = std::make_shared<ListFlags>();
  auto* list = group->add_subcommand("list", "List open connections, oldest first");
  list->add_option("--user", flags->user, "only of this user id");
  list->add_option("--after", flags->after, "begin after this place of an earlier list");
  add_limit(*list, *flags);
  add_question(
      *list, selection, flags, "GET",
      [](const ListFlags& list_flags) { return with_query("/v1/connections", list_flags); },
      show_connections);

  const auto target = [](const NamedFlags& named) {
    return "/v1/connections/" + percent_encode(named.name);
  };
  auto show_flags = std::make_shared<NamedFlags>();
  auto* show = group->add_subcommand("show", "Show one connection");
  show->add_option("CONNECTION_ID", show_flags->name, "the connection's id")->required();
  add_question(*show, selection, show_flags, "GET", target, show_connection);

  auto close_flags = std::make_shared<NamedFlags>();
  auto* close =
      group->add_subcommand("close", "Close a connection with 1001; the user may reconnect");
  close->add_option("CONNECTION_ID", close_flags->name, "the connection's id")->required();
  add_question(*close, selection, close_flags, "DELETE", target, show_closed);
}

}  // namespace

void add_administration(CLI::App& app, Selection& selection) {
  add_status(app, selection);
  add_pending(app, selection);
  add_execution(app, selection);
  add_connections(app, selection);
  add_question(
      *app.add_subcommand("rotate-keys", "Make a new data key and a new signing key"), selection,
      std::make_shared<AdminFlags>(), "POST",
      [](const AdminFlags&) { return std::string("/v1/keys/rotate"); }, show_rotated);
}

}  // namespace holdfast::cli
