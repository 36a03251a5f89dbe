// Commands for access keys and temporary credentials: `holdfast access-key`.

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "confirm.hpp"
#include "control_call.hpp"
#include "settings.hpp"
#include "table.hpp"

namespace holdfast::cli {
namespace {

constexpr const char* kPolicyText = "an IAM policy document: a file, or the JSON itself";
constexpr const char* kKeyRateText = "requests per second; 0 means unlimited";
constexpr const char* kDefaultRate = "default";
constexpr std::int64_t kKeyRateMax = 1'000'000;
constexpr std::int64_t kKeyDaysMax = 3'650;
constexpr std::int64_t kDaySeconds = std::int64_t{24} * 3'600;

struct KeyFlags : AdminFlags, DestructionFlags {
  std::string key;
  std::string policy;
  bool root = false;
  std::optional<std::int64_t> rate;
  std::optional<std::int64_t> duration;
  std::optional<std::int64_t> expires_in;
};

// The policy of a root key.
Json everything() {
  return {{"Version", "2012-10-17"},
          {"Statement", Json::array({{{"Effect", "Allow"}, {"Action", "*"}, {"Resource", "*"}}})}};
}

std::string key_target(const KeyFlags& flags) {
  return "/v1/access-keys/" + percent_encode(flags.key);
}

// Takes the text for a file's name unless it begins an object.
Result<Json> read_policy_text(const std::string& given) {
  std::string text = given;
  const bool is_object = ascii::trim(given, " \t\r\n").starts_with('{');
  if (!is_object) {
    std::ifstream file(given, std::ios::binary);
    std::stringstream content;
    if (!file || !(content << file.rdbuf())) {
      return fail(Errc::io, "cannot read the policy " + given);
    }
    text = content.str();
  }
  auto policy = parse_json(text);
  if (policy) return policy;
  const Error& error = policy.error();
  return fail(error.code, (is_object ? "the policy" : given) + ": " + error.message +
                              (error.where.empty() ? "" : " at ") + error.where);
}

// Returns the key's rate as text: a number, `any` or `default`.
std::string rate_cell(const Json& key) {
  const std::string rate = cell(key, "requestsPerSecond");
  if (rate.empty()) return kDefaultRate;
  return rate == "0" ? "any" : rate;
}

std::string expiry_cell(const Json& key) {
  const std::string expiry = cell(key, "expiresAt");
  return expiry.empty() ? "never" : expiry;
}

void show_access_keys(const Context& context, const Json& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& key : member(answer, "accessKeys")) {
    rows.push_back({cell(key, "id"), cell(key, "name"), cell(key, "enabled"), rate_cell(key),
                    cell(key, "createdAt"), expiry_cell(key), cell(key, "arn")});
  }
  print_table(context.out, {"ID", "NAME", "ENABLED", "RATE", "CREATED", "EXPIRES", "ARN"}, rows);
}

void show_policy(const Context& context, const Json& answer) {
  context.out << member(answer, "policy").dump(2) << "\n";
}

void show_access_key(const Context& context, const Json& answer) {
  print_table(context.out, {"NAME", "VALUE"},
              {{"id", cell(answer, "id")},
               {"name", cell(answer, "name")},
               {"arn", cell(answer, "arn")},
               {"enabled", cell(answer, "enabled")},
               {"rate", rate_cell(answer)},
               {"created", cell(answer, "createdAt")},
               {"expires", expiry_cell(answer)}});
  show_policy(context, answer);
}

int export_new_access_key(const Context& context, const Json& answer) {
  context.err << "The secret is shown only once.\n";
  if (const std::string expiry = cell(answer, "expiresAt"); !expiry.empty()) {
    context.err << "Good until " << printable(expiry) << ".\n";
  }
  return print_exports(context,
                       {{"AWS_ACCESS_KEY_ID", cell(answer, "id"), ShellForm::key_id},
                        {"AWS_SECRET_ACCESS_KEY", cell(answer, "secret"), ShellForm::secret}});
}

int export_session(const Context& context, const Json& answer) {
  context.err << "Good until " << printable(cell(answer, "Expiration"))
              << " while the key is enabled. They are stored nowhere and shown only once.\n";
  return print_exports(
      context, {{"AWS_ACCESS_KEY_ID", cell(answer, "AccessKeyId"), ShellForm::key_id},
                {"AWS_SECRET_ACCESS_KEY", cell(answer, "SecretAccessKey"), ShellForm::secret},
                {"AWS_SESSION_TOKEN", cell(answer, "SessionToken"), ShellForm::secret}});
}

void show_key_deleted(const Context& context, const Json& /*answer*/) {
  context.err << "Deleted.\n";
}

void show_key_changed(const Context& context, const Json& /*answer*/) { context.err << "Done.\n"; }

int delete_key(const Context& context, const KeyFlags& flags) {
  const auto what = [&]() -> std::optional<std::string> {
    const auto key = ask(context, flags, "GET", key_target(flags));
    if (!key) return std::nullopt;
    return "delete the access key " + cell(*key, "id") + " (" + cell(*key, "name") + ")";
  };
  if (const auto exit = confirm(context, flags, what)) return *exit;
  return call(context, flags, "DELETE", key_target(flags), nullptr, show_key_deleted);
}

// Puts the given policy into `body`. Returns false, and prints why, if the policy is not valid.
bool add_given_policy(const Context& context, const KeyFlags& flags, Json& body) {
  if (flags.policy.empty()) return true;
  auto policy = read_policy_text(flags.policy);
  if (!policy) {
    (void)failed(context, policy.error().message);
    return false;
  }
  body["policy"] = std::move(*policy);
  return true;
}

// Requests new credentials and prints them as lines for a shell.
int get_credentials(const Context& context, const KeyFlags& flags, const std::string& target,
                    Json body, int (*print)(const Context&, const Json&)) {
  if (!add_given_policy(context, flags, body)) return kFailure;
  const auto answer = ask(context, flags, "POST", target, body);
  if (!answer) return kFailure;
  if (!flags.json) return print(context, *answer);
  context.out << answer->dump() << "\n";
  return kSuccess;
}

CLI::App* add_key_command(CLI::App& group, const std::string& name, const std::string& about,
                          KeyFlags& flags) {
  auto* command = group.add_subcommand(name, about);
  command->add_option("KEY_ID", flags.key, "the key's id")->required();
  return command;
}

void add_create(CLI::App& group, Selection& selection) {
  auto flags = std::make_shared<KeyFlags>();
  auto* create = group.add_subcommand("create", "Create a key; its secret is shown only once");
  create->add_option("NAME", flags->key, "a name for the key, such as its owner's")->required();
  create->add_option(
      "--policy", flags->policy,
      std::string(kPolicyText) +
          "; a condition on holdfast:UserId limits the key to certain users (default: "
          "send messages only, to any user)");
  auto* const policy = create->get_option("--policy");
  create->add_flag("--root", flags->root, "allow everything, like the key of the first start")
      ->excludes(policy);
  create
      ->add_option("--rate", flags->rate,
                   std::string(kKeyRateText) + " (default: limits.key_requests_per_second)")
      ->check(CLI::Range(std::int64_t{0}, kKeyRateMax));
  create
      ->add_option("--expires-in", flags->expires_in,
                   "days until the key and its temporary credentials expire (default: never)")
      ->check(CLI::Range(std::int64_t{1}, kKeyDaysMax));
  add_admin_flags(*create, *flags);
  create->callback([flags, &selection] {
    selection.run = [flags](const Context& context) {
      Json body{{"name", flags->key}};
      if (flags->root) body["policy"] = everything();
      if (flags->rate) body["requestsPerSecond"] = *flags->rate;
      if (flags->expires_in) body["expiresInSeconds"] = *flags->expires_in * kDaySeconds;
      return get_credentials(context, *flags, "/v1/access-keys", std::move(body),
                             export_new_access_key);
    };
  });
}

void add_list_and_show(CLI::App& group, Selection& selection) {
  add_question(
      *group.add_subcommand("list", "List all keys, without their secrets"), selection,
      std::make_shared<AdminFlags>(), "GET",
      [](const AdminFlags&) { return std::string("/v1/access-keys"); }, show_access_keys);
  auto flags = std::make_shared<KeyFlags>();
  add_question(
      *add_key_command(group, "show", "Show a key and its policy, without its secret", *flags),
      selection, flags, "GET", key_target, show_access_key);
}

void add_enable_and_disable(CLI::App& group, Selection& selection) {
  for (const bool enabled : {false, true}) {
    auto flags = std::make_shared<KeyFlags>();
    auto* change = add_key_command(group, enabled ? "enable" : "disable",
                                   enabled ? "Accept the signatures of a disabled key again"
                                           : "Refuse a key's signatures, but keep the key",
                                   *flags);
    add_admin_flags(*change, *flags);
    change->callback([flags, enabled, &selection] {
      selection.run = [flags, enabled](const Context& context) {
        return call(context, *flags, "PATCH", key_target(*flags), Json{{"enabled", enabled}},
                    show_key_changed);
      };
    });
  }
  auto flags = std::make_shared<KeyFlags>();
  auto* remove =
      add_key_command(group, "delete", "Delete a key; its signatures are refused at once", *flags);
  add_destruction_flags(*remove, *flags);
  add_admin_flags(*remove, *flags);
  remove->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return delete_key(context, *flags); };
  });
}

void add_policy(CLI::App& group, Selection& selection) {
  auto flags = std::make_shared<KeyFlags>();
  auto* policy = add_key_command(group, "policy", "Print or replace a key's policy", *flags);
  policy->add_option("--set", flags->policy, kPolicyText);
  add_admin_flags(*policy, *flags);
  policy->callback([flags, &selection] {
    selection.run = [flags](const Context& context) {
      if (flags->policy.empty()) {
        return call(context, *flags, "GET", key_target(*flags), nullptr, show_policy);
      }
      Json body = Json::object();
      if (!add_given_policy(context, *flags, body)) return kFailure;
      return call(context, *flags, "PATCH", key_target(*flags), body, show_key_changed);
    };
  });
}

void add_rate(CLI::App& group, Selection& selection) {
  auto flags = std::make_shared<KeyFlags>();
  auto wanted = std::make_shared<std::string>();
  auto* rate = add_key_command(group, "rate", "Set a key's rate limit", *flags);
  rate->add_option("RATE", *wanted,
                   std::string(kKeyRateText) + ", or `default` for limits.key_requests_per_second")
      ->check(CLI::Range(std::int64_t{0}, kKeyRateMax) | CLI::IsMember({kDefaultRate}))
      ->required();
  add_admin_flags(*rate, *flags);
  rate->callback([flags, wanted, &selection] {
    selection.run = [flags, wanted](const Context& context) {
      const Json value = *wanted == kDefaultRate ? Json() : Json(std::stoll(*wanted));
      return call(context, *flags, "PATCH", key_target(*flags), Json{{"requestsPerSecond", value}},
                  show_key_changed);
    };
  });
}

void add_session(CLI::App& group, Selection& selection) {
  auto flags = std::make_shared<KeyFlags>();
  auto* session = add_key_command(group, "session",
                                  "Make temporary credentials from a key; they expire", *flags);
  session->add_option("--duration", flags->duration,
                      "lifetime in seconds, 900 to 129600 (default: 3600)");
  session->add_option("--policy", flags->policy,
                      std::string(kPolicyText) + ", to allow less than the key's own policy");
  add_admin_flags(*session, *flags);
  session->callback([flags, &selection] {
    selection.run = [flags](const Context& context) {
      Json body{{"accessKeyId", flags->key}};
      if (flags->duration) body["durationSeconds"] = *flags->duration;
      return get_credentials(context, *flags, "/v1/sessions", std::move(body), export_session);
    };
  });
}

}  // namespace

void add_access_key(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("access-key", "Manage the keys that sign requests");
  group->require_subcommand(1);
  add_create(*group, selection);
  add_list_and_show(*group, selection);
  add_enable_and_disable(*group, selection);
  add_policy(*group, selection);
  add_rate(*group, selection);
  add_session(*group, selection);
}

}  // namespace holdfast::cli
