// Policy documents, and what their patterns match.

#include <array>
#include <optional>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/iam/policy.hpp>

#include "fuzz/oracle.hpp"
#include "iam/pattern.hpp"

namespace holdfast::fuzz {
namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

// One case for each unit of the pattern. A `?` is one character, which may have several bytes. A
// byte that continues no character is none.
bool slow_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  const std::string_view rest = pattern.substr(1);
  if (pattern.front() == '*') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip) {
      if (slow_match(rest, text.substr(skip))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  if (pattern.front() != '?') {
    return pattern.front() == text.front() && slow_match(rest, text.substr(1));
  }
  if (continues_character(text.front())) return false;
  std::size_t bytes = 1;
  while (bytes < text.size() && continues_character(text[bytes])) ++bytes;
  return slow_match(rest, text.substr(bytes));
}

using User = std::optional<std::string_view>;

iam::PolicyRequest request_about(User user) {
  return {.action = "execute-api:Invoke",
          .resource = "arn:aws:execute-api:us-east-1:1:a/prod/POST/message",
          .source_ip = "192.0.2.1",
          .secure_transport = true,
          .now = WallTime{},
          .username = "name",
          .user_id = user};
}

// A policy of one statement with one condition on the user, and what IAM says of it.
void check_user_condition(std::uint8_t choice, std::string_view pattern, User user) {
  static constexpr std::array<std::string_view, 8> kOperators = {"StringEquals",
                                                                 "StringNotEquals",
                                                                 "StringLike",
                                                                 "StringNotLike",
                                                                 "StringEqualsIfExists",
                                                                 "StringLikeIfExists",
                                                                 "StringNotLikeIfExists",
                                                                 "Null"};
  const std::string_view op = kOperators.at(choice % kOperators.size());
  const bool null = op == "Null";
  const std::string value = null ? (choice >= 128 ? "true" : "false") : std::string(pattern);
  const Json document = {{"Version", "2012-10-17"},
                         {"Statement",
                          {{"Effect", "Allow"},
                           {"Action", "*"},
                           {"Resource", "*"},
                           {"Condition", {{op, {{"holdfast:UserId", value}}}}}}}};
  const auto policy = iam::parse_policy(document.dump());
  require(policy.has_value(), "a condition on the user is one");
  require((*policy)->names_user(), "a condition on the user names the user");
  bool expected = false;
  if (null) {
    expected = user.has_value() != (value == "true");
  } else if (!user) {
    expected = op.contains("Not") || op.ends_with("IfExists");
  } else {
    const bool same = op.contains("Like") ? slow_match(pattern, *user) : pattern == *user;
    expected = same != op.contains("Not");
  }
  const auto decided = (*policy)->evaluate(request_about(user));
  require((decided == iam::Decision::allow) == expected, "whom a condition on the user allows");
}

// Decides with other users: only a policy that names them may tell them apart, and an unread one is
// allowed what any of them is.
void check_users(const iam::Policy& policy, iam::PolicyRequest request) {
  request.user_unread = true;
  const iam::Decision unread = policy.evaluate(request);
  request.user_unread = false;
  for (const User user : {User(), User("u"), User(request.username), User(request.resource)}) {
    request.user_id = user;
    const iam::Decision decided = policy.evaluate(request);
    require(policy.names_user() || decided == unread, "users that no condition tells apart");
    require(decided != iam::Decision::allow || unread == iam::Decision::allow,
            "an unread user is allowed what any user is");
  }
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::fuzz;
  Input input(data, size);
  const std::string_view pattern = input.line().substr(0, 12);
  const std::string_view text = input.line().substr(0, 24);
  if (!pattern.contains("${")) {
    const auto parsed = iam::Pattern::parse(pattern, {}, "here");
    require(parsed.has_value(), "a pattern without a variable is one");
    require(parsed->matches(text, "name") == slow_match(pattern, text), "what a pattern matches");
    // Strict JSON has no zero bytes.
    if (is_utf8(pattern) && !pattern.contains('\0')) {
      const std::uint8_t choice = size == 0 ? 0 : data[size - 1];
      check_user_condition(choice, pattern, text);
      check_user_condition(choice, pattern, std::nullopt);
    }
  }
  const std::string_view document = input.rest();
  const auto policy = iam::parse_policy(document);
  if (!policy) return 0;
  require(iam::parse_kept_policy(document).has_value(), "a new policy is one to keep");
  const iam::PolicyRequest request{.action = "execute-api:Invoke",
                                   .resource = text,
                                   .source_ip = "192.0.2.1",
                                   .secure_transport = true,
                                   .now = WallTime{},
                                   .username = pattern};
  const bool allows = (*policy)->evaluate(request) == iam::Decision::allow;
  require(!allows || (*policy)->allows_something(), "a policy that allows names what it allows");
  check_users(**policy, request);
  return 0;
}
