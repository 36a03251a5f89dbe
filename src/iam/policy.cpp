// Parses and evaluates IAM policies.

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/iam/policy.hpp>

#include "condition.hpp"
#include "pattern.hpp"

namespace holdfast::iam {
namespace {

constexpr std::size_t kDocumentBytesMax = 20 << 10;
constexpr std::string_view kVersion = "2012-10-17";
constexpr Pattern::Syntax kActionSyntax{.wildcards = true, .ignore_case = true};
constexpr Pattern::Syntax kResourceSyntax{.wildcards = true, .ignore_case = false};

// Compared without regard to case.
constexpr std::array<std::string_view, 19> kActions = {"execute-api:Invoke",
                                                       "execute-api:ManageConnections",
                                                       "holdfast:IssueToken",
                                                       "cloudformation:DescribeStacks",
                                                       "cognito-idp:AdminConfirmSignUp",
                                                       "cognito-idp:AdminCreateUser",
                                                       "cognito-idp:AdminDeleteUser",
                                                       "cognito-idp:AdminDeleteUserAttributes",
                                                       "cognito-idp:AdminDisableUser",
                                                       "cognito-idp:AdminEnableUser",
                                                       "cognito-idp:AdminGetUser",
                                                       "cognito-idp:AdminInitiateAuth",
                                                       "cognito-idp:AdminRespondToAuthChallenge",
                                                       "cognito-idp:AdminSetUserPassword",
                                                       "cognito-idp:AdminUpdateUserAttributes",
                                                       "cognito-idp:AdminUserGlobalSignOut",
                                                       "cognito-idp:DescribeUserPool",
                                                       "cognito-idp:DescribeUserPoolClient",
                                                       "cognito-idp:ListUsers"};

// `Action` or `NotAction`, `Resource` or `NotResource`.
struct Selector {
  bool negated = false;
  std::vector<Pattern> patterns;

  bool selects(std::string_view text, std::string_view username) const {
    const bool any = std::ranges::any_of(
        patterns, [&](const Pattern& pattern) { return pattern.matches(text, username); });
    return any != negated;
  }
};

}  // namespace

struct Policy::Statement {
  bool allow = false;
  Selector actions;
  Selector resources;
  std::vector<Condition> conditions;
  bool names_user = false;

  bool applies(const PolicyRequest& request) const {
    return actions.selects(request.action, request.username) &&
           resources.selects(request.resource, request.username) &&
           std::ranges::all_of(conditions,
                               [&](const Condition& condition) { return condition(request); });
  }
};

namespace {

using Statement = Policy::Statement;

std::unexpected<Error> refuse(std::string message, std::string place) {
  return fail(Errc::invalid_argument, std::move(message), std::move(place));
}

Result<Pattern> parse_action(const std::string& text, const std::string& place) {
  const std::size_t colon = text.find(':');
  const bool names_service = colon != std::string::npos && colon > 0 && colon + 1 < text.size();
  if (text != "*" && !names_service) {
    return refuse("must be '*' or service:action, such as execute-api:Invoke", place);
  }
  return Pattern::parse(text, kActionSyntax, place);
}

bool is_known_action(const Pattern& pattern) {
  return std::ranges::any_of(kActions,
                             [&](std::string_view action) { return pattern.matches(action, {}); });
}

// Other services' actions stand in policies that were written for AWS, and match nothing here. A
// name of our own services that is not known is a mistake.
Result<Pattern> parse_known_action(const std::string& text, const std::string& place) {
  auto pattern = parse_action(text, place);
  const bool name = text.find_first_of("*?") == std::string::npos;
  if (!pattern || !name || is_known_action(*pattern)) return pattern;
  const std::string_view service = std::string_view(text).substr(0, text.find(':'));
  const bool ours = std::ranges::any_of(kActions, [&](std::string_view action) {
    return ascii::iequals(action.substr(0, action.find(':')), service);
  });
  if (ours) return refuse("Holdfast has no action " + text, place);
  return pattern;
}

Result<Pattern> parse_resource(const std::string& text, const std::string& place) {
  if (text != "*" && !text.starts_with("arn:")) return refuse("must be '*' or an ARN", place);
  return Pattern::parse(text, kResourceSyntax, place);
}

std::string join(std::string_view place, std::string_view name) {
  std::string out(place);
  if (!out.empty()) out += '.';
  out += name;
  return out;
}

using ParsePattern = Result<Pattern> (*)(const std::string& text, const std::string& place);

Result<std::vector<Pattern>> parse_patterns(const Json& value, const std::string& place,
                                            ParsePattern parse) {
  const bool list = value.is_array();
  if (list && value.empty()) return refuse("must not be empty", place);
  std::vector<Pattern> patterns;
  for (std::size_t i = 0; i < (list ? value.size() : 1); ++i) {
    const Json& element = list ? value[i] : value;
    const std::string at = list ? place + '[' + std::to_string(i) + ']' : place;
    if (!element.is_string()) return refuse("must be a string or an array of strings", at);
    auto pattern = parse(element.get_ref<const std::string&>(), at);
    if (!pattern) return std::unexpected(pattern.error());
    patterns.push_back(std::move(*pattern));
  }
  return patterns;
}

Result<Selector> parse_selector(const Json& statement, const std::string& name,
                                const std::string& place, ParsePattern parse) {
  const std::string not_name = "Not" + name;
  if (statement.contains(name) == statement.contains(not_name)) {
    return refuse("needs either " + name + " or " + not_name, place);
  }
  Selector selector;
  selector.negated = statement.contains(not_name);
  const std::string& used = selector.negated ? not_name : name;
  auto patterns = parse_patterns(statement.at(used), join(place, used), parse);
  if (!patterns) return std::unexpected(patterns.error());
  selector.patterns = std::move(*patterns);
  return selector;
}

Result<void> parse_conditions(const Json& value, Statement& statement, const std::string& place) {
  if (!value.is_object()) return refuse("must be an object", place);
  for (const auto& [operator_name, keys] : value.items()) {
    const std::string at = join(place, operator_name);
    if (!keys.is_object() || keys.empty()) {
      return refuse("must be an object of condition keys", at);
    }
    for (const auto& [key, values] : keys.items()) {
      auto condition = parse_condition(operator_name, key, values, !statement.allow, join(at, key));
      if (!condition) return std::unexpected(condition.error());
      statement.conditions.push_back(std::move(*condition));
      statement.names_user = statement.names_user || is_user_key(key);
    }
  }
  return {};
}

Result<void> check_members(const Json& object, const std::string& place,
                           std::span<const std::string_view> known) {
  for (const auto& [name, value] : object.items()) {
    if (std::ranges::find(known, name) == known.end()) {
      return refuse("unknown element", join(place, name));
    }
    const bool text = name == "Sid" || name == "Id" || name == "Version" || name == "Effect";
    if (text && !value.is_string()) {
      return refuse("must be a string", join(place, name));
    }
  }
  return {};
}

Result<Statement> parse_statement(const Json& value, ParsePattern action,
                                  const std::string& place) {
  constexpr std::array<std::string_view, 7> known = {
      "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"};
  if (!value.is_object()) return refuse("must be an object", place);
  if (auto ok = check_members(value, place, known); !ok) return std::unexpected(ok.error());
  Statement statement;
  const std::string effect = value.value("Effect", "");
  if (effect != "Allow" && effect != "Deny") {
    return refuse("must be Allow or Deny", place + ".Effect");
  }
  statement.allow = effect == "Allow";
  auto actions = parse_selector(value, "Action", place, action);
  if (!actions) return std::unexpected(actions.error());
  statement.actions = std::move(*actions);
  auto resources = parse_selector(value, "Resource", place, parse_resource);
  if (!resources) return std::unexpected(resources.error());
  statement.resources = std::move(*resources);
  if (value.contains("Condition")) {
    auto parsed = parse_conditions(value.at("Condition"), statement, place + ".Condition");
    if (!parsed) return std::unexpected(parsed.error());
  }
  return statement;
}

Result<std::shared_ptr<const Policy>> parse_document(std::string_view document,
                                                     ParsePattern action) {
  constexpr std::array<std::string_view, 3> known = {"Version", "Id", "Statement"};
  JsonLimits limits;
  limits.bytes = kDocumentBytesMax;
  auto json = parse_json(document, limits);
  if (!json) return refuse(json.error().message, json.error().where);
  if (!json->is_object()) return refuse("must be an object", "");
  if (auto ok = check_members(*json, "", known); !ok) return std::unexpected(ok.error());
  if (json->value("Version", "") != kVersion) return refuse("must be 2012-10-17", "Version");
  if (!json->contains("Statement")) return refuse("missing", "Statement");

  const Json& value = json->at("Statement");
  const bool list = value.is_array();
  if (list && value.empty()) return refuse("must not be empty", "Statement");
  std::vector<Statement> statements;
  for (std::size_t i = 0; i < (list ? value.size() : 1); ++i) {
    const std::string place = list ? "Statement[" + std::to_string(i) + ']' : "Statement";
    auto statement = parse_statement(list ? value[i] : value, action, place);
    if (!statement) return std::unexpected(statement.error());
    statements.push_back(std::move(*statement));
  }
  return std::make_shared<const Policy>(std::string(document), std::move(statements));
}

}  // namespace

Policy::Policy(std::string document, std::vector<Statement> statements)
    : document_(std::move(document)),
      statements_(std::move(statements)),
      names_user_(std::ranges::any_of(statements_, &Statement::names_user)) {}

Policy::~Policy() = default;

Decision Policy::evaluate(const PolicyRequest& request) const {
  Decision decision = Decision::implicit_deny;
  for (const Statement& statement : statements_) {
    if (!statement.applies(request)) continue;
    if (!statement.allow) return Decision::explicit_deny;
    decision = Decision::allow;
  }
  return decision;
}

bool Policy::allows_something() const {
  return std::ranges::any_of(statements_, [](const Statement& statement) {
    return statement.allow && std::ranges::any_of(kActions, [&](std::string_view action) {
             return statement.actions.selects(action, {});
           });
  });
}

Result<std::shared_ptr<const Policy>> parse_policy(std::string_view document) {
  return parse_document(document, parse_known_action);
}

Result<std::shared_ptr<const Policy>> parse_kept_policy(std::string_view document) {
  return parse_document(document, parse_action);
}

std::span<const std::string_view> policy_actions() noexcept { return kActions; }

}  // namespace holdfast::iam
