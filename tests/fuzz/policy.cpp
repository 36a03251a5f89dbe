// Policy documents, and what their patterns match.

#include <holdfast/base/encoding.hpp>
#include <holdfast/iam/policy.hpp>

#include "fuzz/oracle.hpp"
#include "iam/pattern.hpp"

namespace holdfast::fuzz {
namespace {

// One case for each unit of the pattern. A `?` is one character, which may have several bytes.
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
  std::size_t bytes = 1;
  while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xc0U) == 0x80) ++bytes;
  return slow_match(rest, text.substr(bytes));
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
  return 0;
}
