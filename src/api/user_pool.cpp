// The routes of Cognito's user pool operations.

#include "user_pool.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/user_pool.hpp>

#include "aws_errors.hpp"
#include "log_keys.hpp"
#include "paths.hpp"
#include "pool_audit.hpp"
#include "signed_call.hpp"
#include "user_pool_input.hpp"

namespace holdfast::api {
namespace {

using identity::AuthOutcome;
using identity::PoolResult;
using identity::UserPool;

// One operation's call, its input read.
struct PoolCall {
  const Context& context;
  RouteMetrics& metrics;
  UserPool& pool;
  Json input;
  identity::Source source;
  net::Responder respond;
};

struct Operation {
  std::string_view name;
  bool is_signed;
  void (*run)(PoolCall call);
};

net::Response answer(const Json& body) {
  return make_answer(200, "application/x-amz-json-1.1",
                     body.dump(-1, ' ', false, Json::error_handler_t::replace));
}

net::Response refuse(const InputFault& fault) { return pool_error(fault.type, fault.message); }

Json to_json(const std::map<std::string, std::string>& map) {
  Json out = Json::object();
  for (const auto& [name, value] : map) out[name] = value;
  return out;
}

// Seconds since 1970 with milliseconds, as AWS JSON has its timestamps.
double timestamp(WallTime t) { return static_cast<double>(unix_millis(t)) / 1000.0; }

Json attributes_of(const identity::User& user, const std::vector<std::string>* wanted = nullptr) {
  Json out = Json::array();
  const auto add = [&](const std::string& name, const std::string& value) {
    if (wanted != nullptr && std::ranges::find(*wanted, name) == wanted->end()) return;
    out.push_back({{"Name", name}, {"Value", value}});
  };
  add("sub", user.sub.str());
  for (const auto& [name, value] : user.attributes) add(name, value);
  return out;
}

// Cognito's UserType; AdminGetUser calls the attributes otherwise.
Json to_json(const identity::User& user, const char* attributes = "Attributes",
             const std::vector<std::string>* wanted = nullptr) {
  return {{"Username", user.username},
          {attributes, attributes_of(user, wanted)},
          {"UserCreateDate", timestamp(user.created_at)},
          {"UserLastModifiedDate", timestamp(user.modified_at)},
          {"Enabled", user.enabled},
          {"UserStatus", identity::to_string(user.status)}};
}

Json to_json(const identity::CodeDelivery& delivery) {
  return {{"Destination", delivery.destination},
          {"DeliveryMedium", delivery.medium},
          {"AttributeName", delivery.attribute}};
}

// Answers an operation whose output is empty.
auto empty_answer(net::Responder respond) {
  return [respond = std::move(respond)](PoolResult<void> done) mutable {
    if (!done) return respond(pool_error(done.error()));
    respond(answer(Json::object()));
  };
}

auto delivery_answer(net::Responder respond) {
  return [respond = std::move(respond)](PoolResult<identity::CodeDelivery> sent) mutable {
    if (!sent) return respond(pool_error(sent.error()));
    respond(answer({{"CodeDeliveryDetails", to_json(*sent)}}));
  };
}

LoginFailure login_failure_of(identity::PoolErrc code) {
  using identity::PoolErrc;
  switch (code) {
    case PoolErrc::not_authorized:
    case PoolErrc::refresh_token_reuse:
      return LoginFailure::not_authorized;
    case PoolErrc::locked:
      return LoginFailure::locked;
    case PoolErrc::user_not_found:
      return LoginFailure::user_not_found;
    case PoolErrc::user_not_confirmed:
      return LoginFailure::user_not_confirmed;
    case PoolErrc::password_reset_required:
      return LoginFailure::password_reset_required;
    case PoolErrc::too_many_requests:
    case PoolErrc::limit_exceeded:
      return LoginFailure::too_many_requests;
    case PoolErrc::unavailable:
      return LoginFailure::unavailable;
    default:
      return LoginFailure::invalid_input;
  }
}

void count_login(RouteMetrics& metrics, const PoolResult<AuthOutcome>& outcome) {
  if (!outcome) {
    metrics.failed_logins.add(login_failure_of(outcome.error().code));
  } else if (outcome->result) {
    metrics.logins.add();
  }
}

Json to_json(const identity::AuthenticationResult& result) {
  Json out = {{"AccessToken", result.access_token},
              {"ExpiresIn", result.expires_in.count()},
              {"TokenType", "Bearer"},
              {"IdToken", result.id_token}};
  if (result.refresh_token) out["RefreshToken"] = *result.refresh_token;
  return out;
}

net::Response auth_answer(RouteMetrics& metrics, const PoolResult<AuthOutcome>& outcome) {
  count_login(metrics, outcome);
  if (!outcome) return pool_error(outcome.error());
  Json body = Json::object();
  if (outcome->challenge) {
    body["ChallengeName"] = outcome->challenge->name;
    if (!outcome->challenge->session.empty()) body["Session"] = outcome->challenge->session;
    body["ChallengeParameters"] = to_json(outcome->challenge->parameters);
    return answer(body);
  }
  body["ChallengeParameters"] = Json::object();
  if (outcome->result) body["AuthenticationResult"] = to_json(*outcome->result);
  return answer(body);
}

// No invitation is ever sent, so that suppressing it is all that can be asked for.
std::optional<net::Response> refuse_message_action(const std::optional<std::string>& action) {
  if (!action || *action == "SUPPRESS") return std::nullopt;
  if (*action == "RESEND") {
    return pool_error("InvalidParameterException", "Resending the invitation is not supported.");
  }
  return pool_error("InvalidParameterException",
                    "1 validation error detected: Value at 'messageAction' failed to satisfy "
                    "constraint: Member must satisfy enum value set: [RESEND, SUPPRESS]");
}

void admin_create_user(PoolCall call) {
  InputReader reader(call.input);
  identity::CreateUserRequest input;
  input.source = std::move(call.source);
  input.pool_id = reader.required("UserPoolId");
  input.username = reader.required("Username");
  input.temporary_password = reader.optional("TemporaryPassword");
  input.attributes = reader.attributes("UserAttributes");
  const auto action = reader.optional("MessageAction");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  if (auto refused = refuse_message_action(action)) return call.respond(std::move(*refused));
  call.pool.admin_create_user(std::move(input), [respond = std::move(call.respond)](
                                                    PoolResult<identity::User> user) mutable {
    if (!user) return respond(pool_error(user.error()));
    respond(answer({{"User", to_json(*user)}}));
  });
}

// Both forms: the Admin one names its pool.
enum class CalledBy : std::uint8_t { client, administrator };

void initiate(PoolCall call, CalledBy caller) {
  InputReader reader(call.input);
  identity::InitiateAuthRequest input;
  input.source = std::move(call.source);
  if (caller == CalledBy::administrator) input.pool_id = reader.required("UserPoolId");
  input.client_id = reader.required("ClientId");
  input.flow = reader.required("AuthFlow");
  input.parameters = reader.strings("AuthParameters");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.initiate_auth(
      std::move(input),
      [&metrics = call.metrics, respond = std::move(call.respond)](
          PoolResult<AuthOutcome> outcome) mutable { respond(auth_answer(metrics, outcome)); });
}

void respond_to_challenge(PoolCall call, CalledBy caller) {
  InputReader reader(call.input);
  identity::RespondToChallengeRequest input;
  input.source = std::move(call.source);
  if (caller == CalledBy::administrator) input.pool_id = reader.required("UserPoolId");
  input.client_id = reader.required("ClientId");
  input.challenge = reader.required("ChallengeName");
  auto session = reader.optional("Session");
  input.responses = reader.strings("ChallengeResponses");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  // Under SRP the secret block stands for it; where it is missed, the pool says so.
  input.session = std::move(session).value_or(std::string());
  call.pool.respond_to_auth_challenge(
      std::move(input),
      [&metrics = call.metrics, respond = std::move(call.respond)](
          PoolResult<AuthOutcome> outcome) mutable { respond(auth_answer(metrics, outcome)); });
}

void get_tokens_from_refresh_token(PoolCall call) {
  InputReader reader(call.input);
  identity::RefreshTokensRequest input;
  input.source = std::move(call.source);
  input.client_id = reader.required("ClientId");
  input.token = reader.required("RefreshToken");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.get_tokens_from_refresh_token(
      std::move(input), [&metrics = call.metrics, respond = std::move(call.respond)](
                            PoolResult<identity::AuthenticationResult> result) mutable {
        if (!result) {
          metrics.failed_logins.add(login_failure_of(result.error().code));
          return respond(pool_error(result.error()));
        }
        metrics.logins.add();
        respond(answer({{"AuthenticationResult", to_json(*result)}}));
      });
}

void admin_initiate_auth(PoolCall call) { initiate(std::move(call), CalledBy::administrator); }
void initiate_auth(PoolCall call) { initiate(std::move(call), CalledBy::client); }
void admin_respond(PoolCall call) {
  respond_to_challenge(std::move(call), CalledBy::administrator);
}
void respond_to_auth_challenge(PoolCall call) {
  respond_to_challenge(std::move(call), CalledBy::client);
}

// An operation on one user of the pool without an output.
using UserOperation = void (UserPool::*)(identity::UserName, Completion<PoolResult<void>>);
template <UserOperation Run>
void on_user(PoolCall call) {
  InputReader reader(call.input);
  identity::UserName input{.pool_id = reader.required("UserPoolId"),
                           .username = reader.required("Username")};
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  (call.pool.*Run)(std::move(input), empty_answer(std::move(call.respond)));
}

void admin_get_user(PoolCall call) {
  InputReader reader(call.input);
  identity::UserName input{.pool_id = reader.required("UserPoolId"),
                           .username = reader.required("Username")};
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.admin_get_user(std::move(input), [respond = std::move(call.respond)](
                                                 PoolResult<identity::User> user) mutable {
    if (!user) return respond(pool_error(user.error()));
    respond(answer(to_json(*user, "UserAttributes")));
  });
}

void admin_set_user_password(PoolCall call) {
  InputReader reader(call.input);
  identity::SetPasswordRequest input;
  input.source = std::move(call.source);
  input.user.pool_id = reader.required("UserPoolId");
  input.user.username = reader.required("Username");
  input.password = reader.required("Password");
  input.permanent = reader.flag("Permanent");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.admin_set_user_password(std::move(input), empty_answer(std::move(call.respond)));
}

void admin_update_user_attributes(PoolCall call) {
  InputReader reader(call.input);
  identity::UpdateAttributesRequest input;
  input.user.pool_id = reader.required("UserPoolId");
  input.user.username = reader.required("Username");
  input.attributes = reader.attributes("UserAttributes");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.admin_update_user_attributes(std::move(input), empty_answer(std::move(call.respond)));
}

void admin_delete_user_attributes(PoolCall call) {
  InputReader reader(call.input);
  identity::DeleteAttributesRequest input;
  input.user.pool_id = reader.required("UserPoolId");
  input.user.username = reader.required("Username");
  input.names = reader.required_names("UserAttributeNames");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.admin_delete_user_attributes(std::move(input), empty_answer(std::move(call.respond)));
}

void update_user_attributes(PoolCall call) {
  InputReader reader(call.input);
  identity::UpdateOwnAttributesRequest input;
  input.access_token = reader.required("AccessToken");
  input.attributes = reader.required_attributes("UserAttributes");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.update_user_attributes(
      std::move(input), [respond = std::move(call.respond)](PoolResult<void> done) mutable {
        if (!done) return respond(pool_error(done.error()));
        respond(answer({{"CodeDeliveryDetailsList", Json::array()}}));
      });
}

void delete_user_attributes(PoolCall call) {
  InputReader reader(call.input);
  identity::DeleteOwnAttributesRequest input;
  input.access_token = reader.required("AccessToken");
  input.names = reader.required_names("UserAttributeNames");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.delete_user_attributes(std::move(input), empty_answer(std::move(call.respond)));
}

void get_user_attribute_verification_code(PoolCall call) {
  InputReader reader(call.input);
  identity::AttributeCodeRequest input;
  input.source = std::move(call.source);
  input.access_token = reader.required("AccessToken");
  input.attribute = reader.required("AttributeName");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.get_user_attribute_verification_code(std::move(input),
                                                 delivery_answer(std::move(call.respond)));
}

void verify_user_attribute(PoolCall call) {
  InputReader reader(call.input);
  identity::VerifyAttributeRequest input;
  input.source = std::move(call.source);
  input.access_token = reader.required("AccessToken");
  input.attribute = reader.required("AttributeName");
  input.code = reader.required("Code");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.verify_user_attribute(std::move(input), empty_answer(std::move(call.respond)));
}

void list_users(PoolCall call) {
  InputReader reader(call.input);
  identity::ListUsersRequest input;
  input.pool_id = reader.required("UserPoolId");
  input.limit = reader.count("Limit").value_or(input.limit);
  input.filter = reader.optional("Filter").value_or(std::string());
  input.pagination_token = reader.optional("PaginationToken").value_or(std::string());
  const auto chosen_names = call.input.find("AttributesToGet");
  const bool chosen = chosen_names != call.input.end() && !chosen_names->is_null();
  auto wanted = reader.names("AttributesToGet");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.list_users(
      std::move(input), [respond = std::move(call.respond), chosen,
                         wanted = std::move(wanted)](PoolResult<identity::UserList> list) mutable {
        if (!list) return respond(pool_error(list.error()));
        Json body = {{"Users", Json::array()}};
        for (const identity::User& user : list->users) {
          body["Users"].push_back(to_json(user, "Attributes", chosen ? &wanted : nullptr));
        }
        if (!list->pagination_token.empty()) body["PaginationToken"] = list->pagination_token;
        respond(answer(body));
      });
}

void describe_user_pool(PoolCall call) {
  InputReader reader(call.input);
  const std::string pool_id = reader.required("UserPoolId");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  const auto pool = call.pool.describe_user_pool(pool_id);
  if (!pool) return call.respond(pool_error(pool.error()));
  const auto days = std::chrono::ceil<std::chrono::days>(pool->temporary_password_lifetime);
  const Json policy = {{"MinimumLength", pool->password_min_length},
                       {"RequireUppercase", pool->password_require_uppercase},
                       {"RequireLowercase", pool->password_require_lowercase},
                       {"RequireNumbers", pool->password_require_numbers},
                       {"RequireSymbols", pool->password_require_symbols},
                       {"TemporaryPasswordValidityDays", days.count()}};
  call.respond(
      answer({{"UserPool",
               {{"Id", pool->pool_id},
                {"Name", pool->name},
                {"Arn", call.context.user_pool_arn(pool->pool_id)},
                {"Policies", {{"PasswordPolicy", policy}}},
                {"AutoVerifiedAttributes", Json::array({"email"})},
                {"MfaConfiguration", "OFF"},
                {"UsernameConfiguration", {{"CaseSensitive", false}}},
                {"AdminCreateUserConfig", {{"AllowAdminCreateUserOnly", !pool->self_sign_up}}}}}}));
}

void describe_user_pool_client(PoolCall call) {
  InputReader reader(call.input);
  const std::string pool_id = reader.required("UserPoolId");
  const std::string client_id = reader.required("ClientId");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  const auto pool = call.pool.describe_user_pool_client(pool_id, client_id);
  if (!pool) return call.respond(pool_error(pool.error()));
  Json flows = Json::array({"ALLOW_ADMIN_USER_PASSWORD_AUTH"});
  if (pool->password_auth_enabled) flows.push_back("ALLOW_USER_PASSWORD_AUTH");
  Json rotation = {{"Feature", pool->refresh_token_rotation ? "ENABLED" : "DISABLED"}};
  if (pool->refresh_token_rotation) {
    rotation["RetryGracePeriodSeconds"] = pool->refresh_token_grace.count();
  } else {
    flows.push_back("ALLOW_REFRESH_TOKEN_AUTH");
  }
  if (pool->srp_enabled) flows.push_back("ALLOW_USER_SRP_AUTH");
  const std::int64_t id_seconds = pool->id_token_lifetime.count();
  call.respond(
      answer({{"UserPoolClient",
               {{"UserPoolId", pool->pool_id},
                {"ClientId", pool->client_id},
                {"ClientName", pool->name},
                {"ExplicitAuthFlows", std::move(flows)},
                {"IdTokenValidity", id_seconds},
                {"AccessTokenValidity", id_seconds},
                {"RefreshTokenValidity", pool->refresh_token_lifetime.count()},
                {"RefreshTokenRotation", std::move(rotation)},
                {"TokenValidityUnits",
                 {{"IdToken", "seconds"}, {"AccessToken", "seconds"}, {"RefreshToken", "seconds"}}},
                {"AuthSessionValidity",
                 std::chrono::ceil<std::chrono::minutes>(pool->session_lifetime).count()},
                {"EnableTokenRevocation", true},
                {"AllowedOAuthFlowsUserPoolClient", false},
                {"PreventUserExistenceErrors",
                 pool->prevent_user_existence_errors ? "ENABLED" : "LEGACY"}}}}));
}

void get_user(PoolCall call) {
  InputReader reader(call.input);
  const std::string token = reader.required("AccessToken");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.get_user(
      token, [respond = std::move(call.respond)](PoolResult<identity::User> user) mutable {
        if (!user) return respond(pool_error(user.error()));
        respond(answer({{"Username", user->username}, {"UserAttributes", attributes_of(*user)}}));
      });
}

using TokenOperation = void (UserPool::*)(const std::string&, Completion<PoolResult<void>>);
template <TokenOperation Run>
void by_access_token(PoolCall call) {
  InputReader reader(call.input);
  const std::string token = reader.required("AccessToken");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  (call.pool.*Run)(token, empty_answer(std::move(call.respond)));
}

void change_password(PoolCall call) {
  InputReader reader(call.input);
  identity::ChangePasswordRequest input;
  input.source = std::move(call.source);
  input.access_token = reader.required("AccessToken");
  input.previous = reader.required("PreviousPassword");
  input.proposed = reader.required("ProposedPassword");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.change_password(std::move(input), empty_answer(std::move(call.respond)));
}

void revoke_token(PoolCall call) {
  InputReader reader(call.input);
  identity::RevokeTokenRequest input;
  input.source = std::move(call.source);
  input.client_id = reader.required("ClientId");
  input.token = reader.required("Token");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.revoke_token(input,
                         [respond = std::move(call.respond)](PoolResult<UserId> ended) mutable {
                           if (!ended) return respond(pool_error(ended.error()));
                           net::Response response = answer(Json::object());
                           response.log_fields.set(kLogUserId, ended->str());
                           response.by_user = !ended->empty();
                           respond(std::move(response));
                         });
}

void sign_up(PoolCall call) {
  InputReader reader(call.input);
  identity::SignUpRequest input;
  input.source = std::move(call.source);
  input.client_id = reader.required("ClientId");
  input.username = reader.required("Username");
  input.password = reader.required("Password");
  input.attributes = reader.attributes("UserAttributes");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.sign_up(std::move(input), [respond = std::move(call.respond)](
                                          PoolResult<identity::SignedUp> done) mutable {
    if (!done) return respond(pool_error(done.error()));
    respond(answer({{"UserConfirmed", false},
                    {"UserSub", done->sub.str()},
                    {"CodeDeliveryDetails", to_json(done->delivery)}}));
  });
}

identity::ClientUser client_user(InputReader& reader, identity::Source source) {
  return {.client_id = reader.required("ClientId"),
          .username = reader.required("Username"),
          .source = std::move(source)};
}

void resend_confirmation_code(PoolCall call) {
  InputReader reader(call.input);
  auto input = client_user(reader, std::move(call.source));
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.resend_confirmation_code(std::move(input), delivery_answer(std::move(call.respond)));
}

void forgot_password(PoolCall call) {
  InputReader reader(call.input);
  auto input = client_user(reader, std::move(call.source));
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.forgot_password(std::move(input), delivery_answer(std::move(call.respond)));
}

void confirm_sign_up(PoolCall call) {
  InputReader reader(call.input);
  identity::ConfirmRequest input;
  input.user = client_user(reader, std::move(call.source));
  input.code = reader.required("ConfirmationCode");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.confirm_sign_up(std::move(input), empty_answer(std::move(call.respond)));
}

void confirm_forgot_password(PoolCall call) {
  InputReader reader(call.input);
  identity::ConfirmRequest input;
  input.user = client_user(reader, std::move(call.source));
  input.code = reader.required("ConfirmationCode");
  input.password = reader.required("Password");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.confirm_forgot_password(std::move(input), empty_answer(std::move(call.respond)));
}

constexpr Operation kOperations[] = {
    {"AdminConfirmSignUp", true, on_user<&UserPool::admin_confirm_sign_up>},
    {"AdminCreateUser", true, admin_create_user},
    {"AdminDeleteUser", true, on_user<&UserPool::admin_delete_user>},
    {"AdminDeleteUserAttributes", true, admin_delete_user_attributes},
    {"AdminDisableUser", true, on_user<&UserPool::admin_disable_user>},
    {"AdminEnableUser", true, on_user<&UserPool::admin_enable_user>},
    {"AdminGetUser", true, admin_get_user},
    {"AdminInitiateAuth", true, admin_initiate_auth},
    {"AdminRespondToAuthChallenge", true, admin_respond},
    {"AdminSetUserPassword", true, admin_set_user_password},
    {"AdminUpdateUserAttributes", true, admin_update_user_attributes},
    {"AdminUserGlobalSignOut", true, on_user<&UserPool::admin_user_global_sign_out>},
    {"ChangePassword", false, change_password},
    {"ConfirmForgotPassword", false, confirm_forgot_password},
    {"ConfirmSignUp", false, confirm_sign_up},
    {"DeleteUser", false, by_access_token<&UserPool::delete_user>},
    {"DeleteUserAttributes", false, delete_user_attributes},
    {"DescribeUserPool", true, describe_user_pool},
    {"DescribeUserPoolClient", true, describe_user_pool_client},
    {"ForgotPassword", false, forgot_password},
    {"GetTokensFromRefreshToken", false, get_tokens_from_refresh_token},
    {"GetUser", false, get_user},
    {"GetUserAttributeVerificationCode", false, get_user_attribute_verification_code},
    {"GlobalSignOut", false, by_access_token<&UserPool::global_sign_out>},
    {"InitiateAuth", false, initiate_auth},
    {"ListUsers", true, list_users},
    {"ResendConfirmationCode", false, resend_confirmation_code},
    {"RespondToAuthChallenge", false, respond_to_auth_challenge},
    {"RevokeToken", false, revoke_token},
    {"SignUp", false, sign_up},
    {"UpdateUserAttributes", false, update_user_attributes},
    {"VerifyUserAttribute", false, verify_user_attribute},
};

// Signed operations that change nothing, or log somebody in: they may be repeated.
constexpr std::string_view kRepeatable[] = {
    "AdminGetUser",     "AdminInitiateAuth",      "AdminRespondToAuthChallenge",
    "DescribeUserPool", "DescribeUserPoolClient", "ListUsers",
};

bool changes_something(const Operation& operation) {
  return operation.is_signed &&
         std::ranges::find(kRepeatable, operation.name) == std::end(kRepeatable);
}

/// A signed operation that changes something: done once for its signature.
struct SignedChange {
  std::unique_ptr<PoolCall> call;
  const Operation* operation;
  iam::Signer signer;

  void run(Replays::First first) && {
    call->respond = [first = std::move(first), changes = call->context.pool_changes,
                     respond = std::move(call->respond)](net::Response response) mutable {
      if (response.status != 200) {
        first.undone();
      } else {
        const std::int64_t mark = ++*changes;
        // Other answers are not kept, so a repeat cannot get them.
        first.done(Replays::Done{.status = 200, .mark = response.body == "{}" ? mark : 0});
      }
      respond(std::move(response));
    };
    operation->run(std::move(*call));
  }

  // AWS's SDK for Python signs equal calls of one second alike. Without a change between them, the
  // second would do nothing. After a change, the caller must sign it again.
  void repeat(const Replays::Refused& refused) && {
    const auto* const done = std::get_if<Replays::Done>(&refused.answer);
    const bool again = refused.reason == Replays::Reason::answered && done != nullptr &&
                       done->mark != 0 && done->mark == *call->context.pool_changes;
    net::Response response = again ? answer(Json::object()) : refusal_of(refused.reason);
    if (again) response.refused = kRepeated;
    call->respond(std::move(response));
  }

  static net::Response refusal_of(Replays::Reason reason) {
    switch (reason) {
      case Replays::Reason::too_old:
        return pool_error("InvalidSignatureException",
                          "Signature expired: it is dated before what is remembered of this "
                          "access key");
      case Replays::Reason::full:
        return pool_error("TooManyRequestsException", "Too many requests");
      case Replays::Reason::answered:
      case Replays::Reason::in_flight:
        break;
    }
    return pool_error("ConflictException", kSpentSignature);
  }
};

const Operation* find_operation(const net::RequestHead& head) {
  const std::string* const target = head.header("X-Amz-Target");
  if (target == nullptr) return nullptr;
  const std::string_view name = std::string_view(*target).substr(kUserPoolTarget.size());
  const auto* const found = std::ranges::find(kOperations, name, &Operation::name);
  return found == std::end(kOperations) ? nullptr : found;
}

// The policy of an Admin call, on the pool that its input names.
std::optional<net::Response> refuse_by_policy(const Context& context, const iam::Signer& signer,
                                              const net::RequestHead& head,
                                              const Operation& operation, const Json& input) {
  const auto pool = input.find("UserPoolId");
  const bool named = pool != input.end() && pool->is_string();
  const std::string resource =
      context.user_pool_arn(named ? pool->get_ref<const std::string&>() : std::string("*"));
  const std::string action = "cognito-idp:" + std::string(operation.name);
  const iam::Decision decision = decide(context, signer, head, action, resource);
  if (decision == iam::Decision::allow) return std::nullopt;
  net::Response denied =
      pool_error("AccessDeniedException",
                 access_denied_words(signer.key->arn, action, resource, denial_of(decision)));
  denied.refused = denied_reason("AccessDeniedException", action, resource);
  return denied;
}

net::Response not_serialized(const Error& error) {
  std::string text = "The request body is not valid: ";
  if (!error.where.empty()) text += error.where + ": ";
  return pool_error("SerializationException", text + error.message);
}

}  // namespace

std::vector<UserPoolOperation> user_pool_operations() {
  std::vector<UserPoolOperation> out;
  for (const Operation& operation : kOperations) {
    out.push_back({.name = operation.name, .is_signed = operation.is_signed});
  }
  return out;
}

void handle_user_pool(const Context& context, net::Request request, net::Responder respond) {
  const Operation* const operation = find_operation(request.head);
  if (operation == nullptr) {
    return respond(pool_error("UnknownOperationException", "Unknown operation"));
  }
  respond = std::move(respond).with([name = operation->name](net::Response& response) {
    response.log_fields.set(kLogOperation, name);
  });
  std::optional<iam::Signer> signer;
  if (operation->is_signed) {
    if (has_odd_segments(request.head.path())) {
      return respond(pool_error("InvalidParameterException", kOddPath));
    }
    auto verified = verify_signature(context, request, "cognito-idp");
    if (!verified) {
      net::Response refused = pool_error(type_of(verified.error().code), verified.error().message);
      note_refusal(refused, verified.error());
      record_refused_signature(context, operation->name, request.head, refused);
      return respond(std::move(refused));
    }
    respond = std::move(respond).with([key = verified->key](net::Response& response) {
      response.log_fields.set(kLogAccessKeyId, key->id);
    });
    signer = std::move(*verified);
  }
  auto input = parse_json(request.body);
  wipe(request.body);  // it holds a password
  if (!input) return respond(not_serialized(input.error()));
  if (!input->is_object()) {
    return respond(not_serialized(Error(Errc::invalid_argument, "must be an object")));
  }
  const std::size_t shard = request.head.shard;
  respond = record_pool_call(context, operation->name, signer ? signer->key.get() : nullptr,
                             request.head, *input, std::move(respond));
  if (signer) {
    if (auto refused = refuse_by_policy(context, *signer, request.head, *operation, *input)) {
      return respond(std::move(*refused));
    }
    if (!keeps_to_rate(context, *signer->key, shard)) {
      net::Response refused = pool_error("TooManyRequestsException", "Too many requests");
      refused.refused = kRateReason;
      return respond(std::move(refused));
    }
  }
  // Temporary credentials are counted as the key that they are of.
  auto source = signer ? identity::Source::of_access_key(signer->key->quota->id)
                       : identity::Source::of_client(request.head.remote_address);
  PoolCall call{context,           context.metrics(shard), *context.shard(shard).pool,
                std::move(*input), std::move(source),      std::move(respond)};
  if (!changes_something(*operation)) return operation->run(std::move(call));
  run_once(context, shard,
           SignedChange{.call = std::make_unique<PoolCall>(std::move(call)),
                        .operation = operation,
                        .signer = std::move(*signer)});
}

}  // namespace holdfast::api
