// Records the user pool's calls in the audit log.

#include "pool_audit.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/audit.hpp>
#include <holdfast/base/encoding.hpp>

#include "aws_errors.hpp"
#include "log_keys.hpp"
#include "signed_call.hpp"

namespace holdfast::api {
namespace {

struct RecordedOperation {
  std::string_view name;
  std::string_view action;
};
// Reads are not recorded, and a refresh that is granted is no news.
constexpr RecordedOperation kRecorded[] = {
    {"AdminConfirmSignUp", "user.confirm"},
    {"AdminCreateUser", "user.create"},
    {"AdminDeleteUser", "user.delete"},
    {"AdminDeleteUserAttributes", "user.change"},
    {"AdminDisableUser", "user.disable"},
    {"AdminEnableUser", "user.enable"},
    {"AdminInitiateAuth", "login"},
    {"AdminRespondToAuthChallenge", "login"},
    {"AdminSetUserPassword", "user.set_password"},
    {"AdminUpdateUserAttributes", "user.change"},
    {"AdminUserGlobalSignOut", "user.sign_out"},
    {"ChangePassword", "user.change_password"},
    {"ConfirmForgotPassword", "user.recover_password"},
    {"ConfirmSignUp", "user.confirm"},
    {"DeleteUser", "user.delete"},
    {"DeleteUserAttributes", "user.change"},
    {"ForgotPassword", "code.send"},
    {"GetTokensFromRefreshToken", "login.refresh"},
    {"GetUserAttributeVerificationCode", "code.send"},
    {"GlobalSignOut", "user.sign_out"},
    {"InitiateAuth", "login"},
    {"ResendConfirmationCode", "code.send"},
    {"RespondToAuthChallenge", "login"},
    {"RevokeToken", "login.revoke"},
    {"SignUp", "user.sign_up"},
    {"UpdateUserAttributes", "user.change"},
    {"VerifyUserAttribute", "user.verify"},
};

const std::string* text_of(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || !found->is_string() ? nullptr
                                                      : found->get_ptr<const std::string*>();
}

const Json& object_of(const Json& object, const char* name) {
  static const Json none = Json::object();
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

// The name that a call is about, wherever its operation has it.
const std::string* name_in(const Json& input) {
  for (const char* const name : {"Username", "USERNAME"}) {
    for (const Json* const object :
         {&input, &object_of(input, "AuthParameters"), &object_of(input, "ChallengeResponses")}) {
      if (const std::string* const found = text_of(*object, name)) return found;
    }
  }
  return nullptr;
}

// Returns the user that a token names. Only for tokens that the pool has just made or verified.
std::optional<std::string> subject_of(const std::string* token) {
  if (token == nullptr) return std::nullopt;
  const std::size_t begin = token->find('.');
  const std::size_t end = begin == token->npos ? begin : token->find('.', begin + 1);
  if (end == token->npos) return std::nullopt;
  const auto payload =
      base64url_decode(std::string_view(*token).substr(begin + 1, end - begin - 1));
  if (!payload) return std::nullopt;
  const auto claims = parse_json(*payload);
  if (!claims) return std::nullopt;
  const std::string* const sub = text_of(*claims, "sub");
  return sub == nullptr ? std::nullopt : std::optional(*sub);
}

/// The facts of a call that are known before its answer.
struct Asked {
  AuditEvent event;
  std::optional<std::string> by_token;  ///< whose access token came with it
  bool is_signed = false;
};

// Nothing when the call is not to be recorded: a step of a login, or a refresh that was granted.
bool complete(Asked& asked, const net::Response& response) {
  AuditEvent& event = asked.event;
  // The pool has found out who it was.
  const std::string_view user = response.log_fields.get(kLogUserId.name);
  if (!user.empty()) event.target = "user:" + std::string(user);
  if (response.by_user) event.actor = event.target;
  if (response.status >= 400) {
    event.outcome = response.status >= 500 ? AuditOutcome::failed : AuditOutcome::refused;
    event.reason = response.refused;
    return true;
  }
  // Nothing was done again.
  if (response.refused == kRepeated) return false;
  if (event.action == "login.refresh") return false;
  if (event.action == "login") {
    const auto body = parse_json(response.body);
    if (!body) return false;
    const auto user = subject_of(text_of(object_of(*body, "AuthenticationResult"), "IdToken"));
    if (!user) return false;
    event.target = "user:" + *user;
    if (!asked.is_signed) event.actor = event.target;
  } else if (asked.by_token) {
    event.actor = "user:" + *asked.by_token;
    event.target = event.actor;
  }
  return true;
}

// Records a call. The failure that locks a name gets one more record, of the lockout.
void record(Audit& audit, Asked asked) {
  std::optional<AuditEvent> lockout;
  if (asked.event.reason.ends_with(kLocksTheName)) {
    lockout = asked.event;
    lockout->action = "lockout";
    lockout->reason = "too many wrong passwords";
  }
  audit.record(std::move(asked.event));
  if (lockout) audit.record(std::move(*lockout));
}

}  // namespace

net::Responder record_pool_call(const Context& context, std::string_view operation,
                                const iam::AccessKey* key, const net::RequestHead& head,
                                const Json& input, net::Responder respond) {
  const auto* const recorded = std::ranges::find(kRecorded, operation, &RecordedOperation::name);
  if (recorded == std::end(kRecorded) || context.parts.audit == nullptr) return respond;
  Asked asked;
  asked.is_signed = key != nullptr;
  asked.by_token = subject_of(text_of(input, "AccessToken"));
  asked.event.actor = key == nullptr ? "stranger" : "key:" + key->id;
  asked.event.action = recorded->action;
  asked.event.address = head.remote_address;
  if (const std::string* const name = name_in(input)) {
    // A stranger may have typed a password where the name belongs.
    asked.event.target = key != nullptr             ? "username:" + *name
                         : context.parts.audit_name ? context.parts.audit_name(*name)
                                                    : std::string();
  }
  return std::move(respond).with(
      [audit = context.parts.audit, asked = std::move(asked)](net::Response& response) mutable {
        if (complete(asked, response)) record(*audit, std::move(asked));
      });
}

void record_refused_signature(const Context& context, std::string_view operation,
                              const net::RequestHead& head, const net::Response& refused) {
  const auto* const recorded = std::ranges::find(kRecorded, operation, &RecordedOperation::name);
  if (recorded == std::end(kRecorded) || context.parts.audit == nullptr) return;
  AuditEvent event{.actor = "stranger",
                   .action = std::string(recorded->action),
                   .outcome = AuditOutcome::refused,
                   .reason = refused.refused,
                   .address = head.remote_address};
  const std::string_view key = refused.log_fields.get(kLogAccessKeyId.name);
  if (!key.empty()) event.target = "access_key:" + std::string(key);
  context.parts.audit->record(std::move(event));
}

}  // namespace holdfast::api
