// Commands that manage users over the control socket: `holdfast user`.

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "confirm.hpp"
#include "control_call.hpp"
#include "interrupt.hpp"
#include "new_password.hpp"
#include "settings.hpp"
#include "table.hpp"

namespace holdfast::cli {
namespace {

constexpr std::int64_t kUsersPerCall = 60;

struct UserListFlags : AdminFlags {
  std::string filter;
  std::int64_t limit = 0;  ///< 0: all
};

struct PoolUserFlags : AdminFlags {
  std::string user;
  DestructionFlags destruction;
};

struct PasswordFlags : PoolUserFlags {
  std::string password;
  bool generate = false;
  bool none = false;
  bool permanent = false;
  std::vector<std::string> attributes;
};

std::string user_target(const PoolUserFlags& flags) {
  return "/v1/users/" + percent_encode(flags.user);
}

// Returns 24 random characters, with one of each class that a password policy may require.
std::string generate_password() {
  while (true) {
    std::array<std::uint8_t, 18> bytes{};
    random_bytes(bytes);
    std::string text = base64url_encode(std::string(bytes.begin(), bytes.end()));
    if (std::ranges::any_of(text, ascii::is_lower) && std::ranges::any_of(text, ascii::is_upper) &&
        std::ranges::any_of(text, ascii::is_digit) &&
        !std::ranges::all_of(text, ascii::is_alphanumeric)) {
      return text;
    }
  }
}

GivenPassword get_password(const Context& context, const PasswordFlags& flags) {
  if (flags.generate) return {generate_password()};
  if (flags.password.empty()) {
    return ask_for_password(context, "use -p - or --generate");
  }
  auto password = password_from(flags.password);
  if (!password) return {{}, misused(context, password.error().message)};
  return {std::move(*password)};
}

const Columns kUserColumns = {{"USERNAME", "username"},
                              {"USER ID", "userId"},
                              {"STATUS", "status"},
                              {"ENABLED", "enabled"},
                              {"CREATED", "createdAt"}};

int list_pool_users(const Context& context, const UserListFlags& flags) {
  const Interrupt interrupt;
  Json users = Json::array();
  Json next;
  while (true) {
    const auto wanted =
        flags.limit == 0
            ? kUsersPerCall
            : std::min(kUsersPerCall, flags.limit - static_cast<std::int64_t>(users.size()));
    std::string target = "/v1/users?limit=" + std::to_string(wanted);
    if (!flags.filter.empty()) target += "&filter=" + percent_encode(flags.filter);
    if (!next.is_null()) target += "&after=" + percent_encode(next.get<std::string>());
    const auto page = ask(context, flags, "GET", target);
    if (!page) return kFailure;
    for (const Json& user : member(*page, "users")) users.push_back(user);
    const std::string place = cell(*page, "next");
    // A place that does not change would loop for ever.
    next = place.empty() || Json(place) == next ? Json() : Json(place);
    const bool enough = flags.limit > 0 && static_cast<std::int64_t>(users.size()) >= flags.limit;
    if (next.is_null() || enough) break;
    if (Interrupt::requested()) return kInterrupted;
  }
  if (flags.json) {
    context.out << Json{{"users", users}}.dump() << "\n";
  } else if (users.empty()) {
    context.err << (flags.filter.empty() ? "There are no users.\n" : "There are no such users.\n");
  } else {
    print_list(context, users, kUserColumns);
  }
  return kSuccess;
}

void show_pool_user(const Context& context, const Json& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const char* const name :
       {"username", "userId", "status", "enabled", "createdAt", "modifiedAt", "passwordSetAt"}) {
    rows.push_back({name, cell(answer, name)});
  }
  const Json& attributes = member(answer, "attributes");
  for (const auto& [name, value] : attributes.items()) {
    rows.push_back({name, cell(attributes, name.c_str())});
  }
  print_table(context.out, {"NAME", "VALUE"}, rows);
}

std::optional<Json> read_attributes(const Context& context, const PasswordFlags& flags) {
  Json out = Json::object();
  for (const std::string& attribute : flags.attributes) {
    const std::size_t equals = attribute.find('=');
    if (equals == 0 || equals == std::string::npos) {
      (void)misused(context, "--attribute takes NAME=VALUE");
      return std::nullopt;
    }
    out[attribute.substr(0, equals)] = attribute.substr(equals + 1);
  }
  return out;
}

int create_pool_user(const Context& context, const PasswordFlags& flags) {
  Json body{{"username", flags.user}};
  auto attributes = read_attributes(context, flags);
  if (!attributes) return kUsage;
  if (!attributes->empty()) body["attributes"] = std::move(*attributes);
  if (!flags.none) {
    GivenPassword password = get_password(context, flags);
    if (password.exit) return *password.exit;
    body["password"] = std::move(password.text);
    body["permanent"] = flags.permanent;
  }
  auto answer = ask(context, flags, "POST", "/v1/users", body);
  if (!answer) return kFailure;
  if (flags.json) {
    if (flags.generate) (*answer)["password"] = body["password"];
    context.out << answer->dump() << "\n";
    return kSuccess;
  }
  context.err << "Created the user " << printable(flags.user) << ". Its id"
              << (flags.generate ? " and password" : "") << ":\n";
  context.out << printable(cell(*answer, "userId")) << "\n";
  if (flags.generate) context.out << cell(body, "password") << "\n";
  return kSuccess;
}

int set_user_password(const Context& context, const PasswordFlags& flags) {
  GivenPassword password = get_password(context, flags);
  if (password.exit) return *password.exit;
  const Json body{{"password", std::move(password.text)}, {"permanent", flags.permanent}};
  auto answer = ask(context, flags, "PATCH", user_target(flags), body);
  if (!answer) return kFailure;
  if (flags.generate) (*answer)["password"] = body["password"];
  if (flags.json) {
    context.out << answer->dump() << "\n";
    return kSuccess;
  }
  context.err << "Done.\n";
  if (flags.generate) context.out << cell(body, "password") << "\n";
  return kSuccess;
}

void add_password_flags(CLI::App& command, PasswordFlags& flags) {
  auto* password = command.add_option(
      "-p,--password", flags.password,
      "the password; `-` reads a line of standard input (default: ask on the terminal)");
  command.add_flag("--generate", flags.generate, "generate a password and print it")
      ->excludes(password);
  command.add_flag("--permanent", flags.permanent,
                   "the password is final; the first login need not change it");
  add_admin_flags(command, flags);
}

void add_user_create(CLI::App& group, Selection& selection) {
  auto flags = std::make_shared<PasswordFlags>();
  auto* create = group.add_subcommand("create", "Create a user and print the user's id");
  create->add_option("USERNAME", flags->user, "the user's name")->required();
  create->add_option("--attribute", flags->attributes, "NAME=VALUE, such as email=a@example.com")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_password_flags(*create, *flags);
  create->add_flag("--no-password", flags->none, "set no password; the user cannot log in yet")
      ->excludes("--password")
      ->excludes("--generate")
      ->excludes("--permanent");
  create->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return create_pool_user(context, *flags); };
  });
}

void add_user_list(CLI::App& group, Selection& selection) {
  auto flags = std::make_shared<UserListFlags>();
  auto* list = group.add_subcommand("list", "List the pool's users by name");
  list->add_option("--filter", flags->filter,
                   "a filter of ListUsers: 'email = \"a@example.com\"', 'username ^= \"a\"'");
  list->add_option("--limit", flags->limit, "users at most (default: all)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}));
  add_admin_flags(*list, *flags);
  list->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return list_pool_users(context, *flags); };
  });
}

/// A command whose only argument is a user.
struct UserCommand {
  const char* name;
  const char* about;
  const char* method;
  const char* path;
  const char* body;
  const char* told;
};
constexpr UserCommand kUserCommands[] = {
    {"disable", "Disable a user: close connections, revoke tokens, refuse logins", "PATCH",
     "/v1/users/", R"({"enabled":false})", "Disabled."},
    {"enable", "Let a disabled user log in again", "PATCH", "/v1/users/", R"({"enabled":true})",
     "Enabled."},
    {"delete", "Delete a user and move pending messages to the dead letters", "DELETE",
     "/v1/users/", "", "Deleted."},
    {"sign-out", "Sign a user out everywhere: close connections, revoke tokens", "POST",
     "/v1/sign-out/", "", "Signed out."},
};

bool is_deletion(const UserCommand& command) {
  return std::string_view(command.method) == "DELETE";
}

// Describes the deletion, with the number of pending messages that become dead letters.
std::optional<std::string> what_a_deletion_takes(const Context& context,
                                                 const PoolUserFlags& flags) {
  const auto user = ask(context, flags, "GET", user_target(flags));
  if (!user) return std::nullopt;
  const std::string id = cell(*user, "userId");
  const auto pending = ask(context, flags, "GET", "/v1/pending/" + percent_encode(id) + "?limit=1");
  if (!pending) return std::nullopt;
  return "delete the user " + cell(*user, "username") + " (" + id + ") and move " +
         cell(member(*pending, "totals"), "messages") + " pending messages to the dead letters";
}

int run_user_command(const Context& context, const PoolUserFlags& flags,
                     const UserCommand& command) {
  if (is_deletion(command)) {
    const auto what = [&] { return what_a_deletion_takes(context, flags); };
    if (const auto exit = confirm(context, flags.destruction, what)) return *exit;
  }
  Json body;
  if (*command.body != '\0') body = parse_json(command.body).value();
  const auto answer =
      ask(context, flags, command.method, command.path + percent_encode(flags.user), body);
  if (!answer) return kFailure;
  if (flags.json) {
    context.out << answer->dump() << "\n";
  } else {
    context.err << command.told << "\n";
  }
  return kSuccess;
}

}  // namespace

void add_user(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("user", "Manage the users of the pool, by name or id");
  group->require_subcommand(1);
  add_user_list(*group, selection);
  add_user_create(*group, selection);

  constexpr const char* who = "the user's name or id";
  auto show_flags = std::make_shared<PoolUserFlags>();
  auto* show = group->add_subcommand("show", "Show a user and the user's attributes");
  show->add_option("USER", show_flags->user, who)->required();
  add_question(*show, selection, show_flags, "GET", user_target, show_pool_user);

  auto password_flags = std::make_shared<PasswordFlags>();
  auto* set = group->add_subcommand("set-password", "Set a user's password");
  set->add_option("USER", password_flags->user, who)->required();
  add_password_flags(*set, *password_flags);
  set->callback([password_flags, &selection] {
    selection.run = [password_flags](const Context& context) {
      return set_user_password(context, *password_flags);
    };
  });

  for (const UserCommand& command : kUserCommands) {
    auto flags = std::make_shared<PoolUserFlags>();
    auto* one = group->add_subcommand(command.name, command.about);
    one->add_option("USER", flags->user, who)->required();
    if (is_deletion(command)) add_destruction_flags(*one, flags->destruction);
    add_admin_flags(*one, *flags);
    one->callback([flags, &command, &selection] {
      selection.run = [flags, &command](const Context& context) {
        return run_user_command(context, *flags, command);
      };
    });
  }
}

}  // namespace holdfast::cli
