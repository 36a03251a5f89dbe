#include "api/user_pool.hpp"

#include <algorithm>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/json.hpp>

#include "api/aws_errors.hpp"
#include "api/paths.hpp"
#include "api/signed_call.hpp"
#include "api/user_pool_input.hpp"

namespace holdfast::api {
namespace {

using identity::AuthOutcome;
using identity::PoolResult;
using identity::UserPool;

// One operation's call, its input read.
struct PoolCall {
  UserPool& pool;
  Json input;
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

// Cognito's UserType.
Json to_json(const identity::User& user) {
  Json attributes = Json::array();
  attributes.push_back({{"Name", "sub"}, {"Value", user.sub.str()}});
  for (const auto& [name, value] : user.attributes) {
    attributes.push_back({{"Name", name}, {"Value", value}});
  }
  return {{"Username", user.username},
          {"Attributes", std::move(attributes)},
          {"UserCreateDate", timestamp(user.created_at)},
          {"UserLastModifiedDate", timestamp(user.modified_at)},
          {"Enabled", user.enabled},
          {"UserStatus", identity::to_string(user.status)}};
}

net::Response auth_answer(const PoolResult<AuthOutcome>& outcome) {
  if (!outcome) return pool_error(outcome.error());
  Json body = Json::object();
  if (outcome->challenge) {
    body["ChallengeName"] = outcome->challenge->name;
    body["Session"] = outcome->challenge->session;
    body["ChallengeParameters"] = to_json(outcome->challenge->parameters);
    return answer(body);
  }
  body["ChallengeParameters"] = Json::object();
  if (const auto& result = outcome->result) {
    body["AuthenticationResult"] = {{"AccessToken", result->access_token},
                                    {"ExpiresIn", result->expires_in.count()},
                                    {"TokenType", "Bearer"},
                                    {"IdToken", result->id_token}};
  }
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
  UserPool::CreateUser input;
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
void initiate(PoolCall call, bool admin) {
  InputReader reader(call.input);
  UserPool::InitiateAuth input;
  if (admin) input.pool_id = reader.required("UserPoolId");
  input.client_id = reader.required("ClientId");
  input.flow = reader.required("AuthFlow");
  input.parameters = reader.strings("AuthParameters");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  call.pool.initiate_auth(std::move(input), [respond = std::move(call.respond)](
                                                PoolResult<AuthOutcome> outcome) mutable {
    respond(auth_answer(outcome));
  });
}

void respond_to_challenge(PoolCall call, bool admin) {
  InputReader reader(call.input);
  UserPool::RespondToChallenge input;
  if (admin) input.pool_id = reader.required("UserPoolId");
  input.client_id = reader.required("ClientId");
  input.challenge = reader.required("ChallengeName");
  auto session = reader.optional("Session");
  input.responses = reader.strings("ChallengeResponses");
  if (const auto fault = reader.fault()) return call.respond(refuse(*fault));
  if (!session) {
    return call.respond(
        pool_error("InvalidParameterException", "Missing required parameter Session"));
  }
  input.session = std::move(*session);
  call.pool.respond_to_auth_challenge(
      std::move(input),
      [respond = std::move(call.respond)](PoolResult<AuthOutcome> outcome) mutable {
        respond(auth_answer(outcome));
      });
}

void admin_initiate_auth(PoolCall call) { initiate(std::move(call), true); }
void initiate_auth(PoolCall call) { initiate(std::move(call), false); }
void admin_respond(PoolCall call) { respond_to_challenge(std::move(call), true); }
void respond_to_auth_challenge(PoolCall call) { respond_to_challenge(std::move(call), false); }

constexpr Operation kOperations[] = {
    {"AdminCreateUser", true, admin_create_user},
    {"AdminInitiateAuth", true, admin_initiate_auth},
    {"AdminRespondToAuthChallenge", true, admin_respond},
    {"InitiateAuth", false, initiate_auth},
    {"RespondToAuthChallenge", false, respond_to_auth_challenge},
};

const Operation* find_operation(const net::RequestHead& head) {
  const std::string* const target = head.header("X-Amz-Target");
  if (target == nullptr) return nullptr;
  const std::string_view name = std::string_view(*target).substr(kUserPoolTarget.size());
  const auto* const found = std::ranges::find(kOperations, name, &Operation::name);
  return found == std::end(kOperations) ? nullptr : found;
}

// The policy of an Admin call, on the pool that its input names.
std::optional<net::Response> refuse_by_policy(const Context& context, const iam::AccessKey& key,
                                              const net::RequestHead& head,
                                              const Operation& operation, const Json& input) {
  const auto pool = input.find("UserPoolId");
  const bool named = pool != input.end() && pool->is_string();
  const std::string resource =
      context.user_pool_arn(named ? pool->get_ref<const std::string&>() : std::string("*"));
  const std::string action = "cognito-idp:" + std::string(operation.name);
  const iam::Decision decision = decide(context, key, head, action, resource);
  if (decision == iam::Decision::allow) return std::nullopt;
  net::Response denied = pool_error(
      "AccessDeniedException",
      access_denied_words(key.arn, action, resource, decision == iam::Decision::explicit_deny));
  denied.refused = "AccessDeniedException";
  denied.access_key_id = key.id;
  return denied;
}

net::Response not_serialized(const Error& error) {
  std::string text = "The request body is not valid: ";
  if (!error.where.empty()) text += error.where + ": ";
  return pool_error("SerializationException", text + error.message);
}

}  // namespace

void handle_user_pool(const Context& context, net::Request request, net::Responder respond) {
  const Operation* const operation = find_operation(request.head);
  if (operation == nullptr) {
    return respond(pool_error("UnknownOperationException", "Unknown operation"));
  }
  iam::AccessKeyPtr key;
  if (operation->is_signed) {
    auto verified = verify_signature(context, request, "cognito-idp");
    if (!verified) {
      net::Response refused = pool_error(type_of(verified.error().code), verified.error().message);
      note_refusal(refused, verified.error());
      return respond(std::move(refused));
    }
    key = std::move(*verified);
  }
  auto input = parse_json(request.body);
  wipe(request.body);  // it holds a password
  if (!input) return respond(not_serialized(input.error()));
  if (!input->is_object()) {
    return respond(not_serialized(Error(Errc::invalid_argument, "must be an object")));
  }
  if (key != nullptr) {
    if (auto refused = refuse_by_policy(context, *key, request.head, *operation, *input)) {
      return respond(std::move(*refused));
    }
  }
  UserPool& pool = *context.shard(request.head.shard).pool;
  operation->run(PoolCall{pool, std::move(*input), std::move(respond)});
}

}  // namespace holdfast::api
