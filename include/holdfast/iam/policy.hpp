#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::iam {

enum class Decision : std::uint8_t { allow, implicit_deny, explicit_deny };

/// One call, as a policy sees it.
struct PolicyRequest {
  std::string_view action;    ///< `execute-api:Invoke`
  std::string_view resource;  ///< an ARN
  std::string_view source_ip;
  bool secure_transport = false;
  WallTime now;
  std::string_view username;
};

/// An IAM policy document: Allow and Deny, Action/NotAction, Resource/NotResource with `*` and `?`,
/// the variable `${aws:username}`, and conditions on aws:username (String…), aws:SourceIp
/// (IpAddress), aws:SecureTransport (Bool) and aws:CurrentTime (Date…). An unknown address fulfils
/// both address operators in a Deny, and neither in an Allow. Parsing refuses everything else.
/// Immutable and thread-safe.
/// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html)
class Policy {
 public:
  virtual ~Policy() = default;
  [[nodiscard]] virtual Decision evaluate(const PolicyRequest& request) const = 0;
  [[nodiscard]] virtual const std::string& document() const = 0;
  /// Returns whether an Allow names any of `policy_actions`. Otherwise a key with this policy can
  /// do nothing.
  [[nodiscard]] virtual bool allows_something() const = 0;
};
/// `invalid_argument` with the place at fault (`Statement[0].Action`). An action of a service that
/// Holdfast has, but none of `policy_actions`, is one; those of other services match nothing.
[[nodiscard]] Result<std::shared_ptr<const Policy>> parse_policy(std::string_view document);
/// Parses a policy that was accepted earlier. Unknown actions in it match nothing.
[[nodiscard]] Result<std::shared_ptr<const Policy>> parse_kept_policy(std::string_view document);
/// All actions that a policy may be asked about.
[[nodiscard]] std::span<const std::string_view> policy_actions() noexcept;

/// The policy that allows everything.
inline constexpr std::string_view kAllowAll =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})";

}  // namespace holdfast::iam
