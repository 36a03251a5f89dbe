#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  /// The user whom the call is about; nullopt if it is about none.
  std::optional<std::string_view> user_id{};
  /// The user stands in a part of the call that is still to be read. Then each condition on the
  /// user holds in an Allow and in no Deny: a call that is denied so is denied for every user.
  bool user_unread = false;
};

/// An IAM policy document: Allow and Deny, Action/NotAction, Resource/NotResource with `*` and `?`,
/// the variable `${aws:username}`, and conditions on aws:username and holdfast:UserId (String…),
/// aws:SourceIp (IpAddress), aws:SecureTransport (Bool) and aws:CurrentTime (Date…), with
/// `…IfExists` and `Null`. An unknown address fulfils all conditions on it in a Deny, and none in
/// an Allow. Parsing refuses everything else. Immutable and thread-safe.
/// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html)
class Policy {
 public:
  struct Statement;

  Policy(std::string document, std::vector<Statement> statements);
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  [[nodiscard]] Decision evaluate(const PolicyRequest& request) const;
  [[nodiscard]] const std::string& document() const noexcept { return document_; }
  /// Returns whether an Allow names any of `policy_actions`. Otherwise a key with this policy can
  /// do nothing.
  [[nodiscard]] bool allows_something() const;
  /// Returns whether a condition is on `holdfast:UserId`. Otherwise the decision is the same for
  /// all users.
  [[nodiscard]] bool names_user() const noexcept { return names_user_; }

 private:
  const std::string document_;
  const std::vector<Statement> statements_;
  const bool names_user_;
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
