// A client of the gateway: user pool, tokens, WebSockets and messages.

#include <optional>
#include <utility>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/client/gateway_client.hpp>
#include <holdfast/iam/sigv4.hpp>

#include "answer.hpp"

namespace holdfast::client {
namespace {

constexpr std::string_view kExecuteApi = "execute-api";
constexpr std::string_view kCognito = "cognito-idp";

Json to_json(const OutgoingMessage& message) {
  Json out{{"userId", message.user_id}, {"message", message.text}};
  if (message.deduplication_id) out["deduplicationId"] = *message.deduplication_id;
  if (message.ttl) out["ttlSeconds"] = message.ttl->count();
  return out;
}

std::optional<Receipt> receipt_of(const Json& object) {
  Receipt receipt{string_member(object, "messageId"), 0, string_member(object, "status")};
  const auto sequence = object.find("sequence");
  if (receipt.message_id.empty() || receipt.status.empty() || sequence == object.end() ||
      !sequence->is_number_integer()) {
    return std::nullopt;
  }
  receipt.sequence = sequence->get<Sequence>();
  return receipt;
}

std::optional<std::size_t> index_of(const Json& entry) {
  if (!entry.is_object()) return std::nullopt;
  const auto index = entry.find("index");
  if (index == entry.end() || !index->is_number_integer()) return std::nullopt;
  const auto value = index->get<std::int64_t>();
  return value < 0 ? std::nullopt : std::optional<std::size_t>(static_cast<std::size_t>(value));
}

std::optional<BatchAnswer> batch_answer_of(const Json& object) {
  BatchAnswer answer;
  for (const char* name : {"Successful", "Failed"}) {
    const auto list = object.find(name);
    if (list == object.end() || !list->is_array()) return std::nullopt;
    for (const Json& entry : *list) {
      const auto index = index_of(entry);
      if (!index) return std::nullopt;
      if (std::string_view(name) == "Failed") {
        answer.failed.push_back(
            {*index, string_member(entry, "code"), string_member(entry, "message")});
        continue;
      }
      auto receipt = receipt_of(entry);
      if (!receipt) return std::nullopt;
      answer.successful.push_back({*index, std::move(*receipt)});
    }
  }
  return answer;
}

CallResult<AuthAnswer> auth_answer_of(const Json& answer) {
  const auto result = answer.find("AuthenticationResult");
  if (result != answer.end() && result->is_object()) {
    return AuthAnswer(
        Tokens{string_member(*result, "IdToken"), string_member(*result, "AccessToken")});
  }
  Challenge challenge{string_member(answer, "ChallengeName"), string_member(answer, "Session")};
  if (challenge.name.empty()) {
    return std::unexpected(
        CallError{200, {}, "the user pool gave neither tokens nor a challenge", std::nullopt});
  }
  return AuthAnswer(std::move(challenge));
}

// A listener of the gateway, under the URL that it was given.
struct Endpoint {
  Endpoint(net::Url url, const std::string& ca_file) : base(std::move(url)) {
    prefix = base.target.substr(0, base.target.find('?'));
    while (prefix.ends_with('/')) prefix.pop_back();
    base.target = "/";
    http = net::make_http_client(base, {ca_file});
  }

  net::Url base;
  std::string prefix;
  std::unique_ptr<net::HttpClient> http;
};

class HttpGatewayClient final : public GatewayClient {
 public:
  HttpGatewayClient(GatewayOptions options, net::Url url, std::optional<net::Url> ingest_url,
                    const Clock& clock)
      : options_(std::move(options)), clock_(clock), main_(std::move(url), options_.ca_file) {
    if (ingest_url) ingest_.emplace(std::move(*ingest_url), options_.ca_file);
  }

  CallResult<Receipt> publish(const OutgoingMessage& message) override {
    const auto answer = post_json("/message", to_json(message));
    if (!answer) return std::unexpected(answer.error());
    auto receipt = receipt_of(*answer);
    if (!receipt) return not_understood();
    return std::move(*receipt);
  }

  CallResult<BatchAnswer> publish_all(const std::vector<OutgoingMessage>& messages) override {
    Json entries = Json::array();
    for (const OutgoingMessage& message : messages) entries.push_back(to_json(message));
    const auto answer = post_json("/messages", Json{{"messages", std::move(entries)}});
    if (!answer) return std::unexpected(answer.error());
    auto batch = batch_answer_of(*answer);
    if (!batch) return not_understood();
    return std::move(*batch);
  }

  CallResult<std::string> admin_create_user(const std::string& username,
                                            const std::string& temporary_password) override {
    const auto answer = user_pool("AdminCreateUser", kCognito,
                                  {{"UserPoolId", options_.user_pool_id},
                                   {"Username", username},
                                   {"TemporaryPassword", temporary_password}});
    if (!answer) return std::unexpected(answer.error());
    const auto user = answer->find("User");
    if (user == answer->end() || !user->is_object()) return not_understood();
    const auto attributes = user->find("Attributes");
    if (attributes == user->end() || !attributes->is_array()) return not_understood();
    for (const Json& attribute : *attributes) {
      if (!attribute.is_object() || string_member(attribute, "Name") != "sub") continue;
      return string_member(attribute, "Value");
    }
    return not_understood();
  }

  CallResult<AuthAnswer> admin_initiate_auth(const std::string& username,
                                             const std::string& password) override {
    const auto answer =
        user_pool("AdminInitiateAuth", kCognito,
                  {{"UserPoolId", options_.user_pool_id},
                   {"ClientId", options_.client_id},
                   {"AuthFlow", "ADMIN_USER_PASSWORD_AUTH"},
                   {"AuthParameters", {{"USERNAME", username}, {"PASSWORD", password}}}});
    if (!answer) return std::unexpected(answer.error());
    return auth_answer_of(*answer);
  }

  CallResult<AuthAnswer> admin_respond_new_password(const std::string& username,
                                                    const std::string& new_password,
                                                    const std::string& session) override {
    const auto answer =
        user_pool("AdminRespondToAuthChallenge", kCognito,
                  {{"UserPoolId", options_.user_pool_id},
                   {"ClientId", options_.client_id},
                   {"ChallengeName", "NEW_PASSWORD_REQUIRED"},
                   {"ChallengeResponses", {{"USERNAME", username}, {"NEW_PASSWORD", new_password}}},
                   {"Session", session}});
    if (!answer) return std::unexpected(answer.error());
    return auth_answer_of(*answer);
  }

  CallResult<void> admin_set_user_password(const std::string& username,
                                           const std::string& password) override {
    const auto answer = user_pool("AdminSetUserPassword", kCognito,
                                  {{"UserPoolId", options_.user_pool_id},
                                   {"Username", username},
                                   {"Password", password},
                                   {"Permanent", true}});
    if (!answer) return std::unexpected(answer.error());
    return {};
  }

  CallResult<AuthAnswer> initiate_auth(const std::string& username,
                                       const std::string& password) override {
    const auto answer =
        user_pool("InitiateAuth", "",
                  {{"ClientId", options_.client_id},
                   {"AuthFlow", "USER_PASSWORD_AUTH"},
                   {"AuthParameters", {{"USERNAME", username}, {"PASSWORD", password}}}});
    if (!answer) return std::unexpected(answer.error());
    return auth_answer_of(*answer);
  }

  CallResult<std::string> temporary_token(std::string_view id_token) override {
    net::ClientRequest request;
    request.target = "/tokens";
    request.headers.emplace_back("Authorization", id_token);
    const auto response = send(std::move(request), "");
    if (!response) return std::unexpected(response.error());
    const auto answer = object_of(*response);
    if (!answer) return std::unexpected(answer.error());
    std::string token = string_member(*answer, "token");
    if (token.empty()) return not_understood();
    return token;
  }

  net::Url websocket_url(std::string_view token) const override {
    net::Url url = main_.base;
    url.scheme = url.scheme == "https" || url.scheme == "wss" ? "wss" : "ws";
    url.target = main_.prefix + "/ws?token=" + percent_encode(token);
    return url;
  }

  CallResult<std::unique_ptr<net::WebSocketClient>> open_websocket(
      std::string_view token, const std::string& subprotocol) override {
    auto socket = net::connect_websocket(websocket_url(token), {}, subprotocol, options_.timeout,
                                         {options_.ca_file});
    if (!socket) return no_answer(socket.error());
    return std::move(*socket);
  }

  CallResult<std::string> jwks() override {
    net::ClientRequest request;
    request.target = "/" + options_.user_pool_id + "/.well-known/jwks.json";
    const auto response = send(std::move(request), "");
    if (!response) return std::unexpected(response.error());
    if (response->status != 200) return std::unexpected(error_of(*response));
    return response->body;
  }

  CallResult<net::Response> send(net::ClientRequest request, std::string_view service) override {
    Endpoint& endpoint = service == kExecuteApi && ingest_ ? *ingest_ : main_;
    request.target = endpoint.prefix + request.target;
    if (!service.empty()) add_signature(endpoint, request, service);
    auto response = endpoint.http->request(request, options_.timeout);
    if (!response) return no_answer(response.error());
    return std::move(*response);
  }

 private:
  void add_signature(const Endpoint& endpoint, net::ClientRequest& request,
                     std::string_view service) const {
    const std::string host = endpoint.base.authority();
    // Makes two equal calls within one second differ, as AWS's SDKs do.
    request.headers.emplace_back("amz-sdk-invocation-id", generate_uuid());
    std::vector<iam::Header> headers{{"host", host}};
    for (const auto& [name, value] : request.headers) headers.emplace_back(name, value);
    const iam::SignedRequest to_sign{request.method, request.target, headers, request.body};
    auto added =
        iam::sign(to_sign, options_.credentials, options_.region, service, clock_.wall_now());
    request.headers.insert(request.headers.end(), std::make_move_iterator(added.begin()),
                           std::make_move_iterator(added.end()));
  }

  CallResult<Json> post_json(const char* target, const Json& body) {
    net::ClientRequest request;
    request.method = "POST";
    request.target = target;
    request.headers.emplace_back("Content-Type", "application/json");
    auto text = dump(body);
    if (!text) return std::unexpected(text.error());
    request.body = std::move(*text);
    const auto response = send(std::move(request), kExecuteApi);
    if (!response) return std::unexpected(response.error());
    return object_of(*response);
  }

  CallResult<Json> user_pool(const std::string& operation, std::string_view service,
                             const Json& input) {
    net::ClientRequest request;
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/x-amz-json-1.1");
    request.headers.emplace_back("X-Amz-Target", "AWSCognitoIdentityProviderService." + operation);
    auto text = dump(input);
    if (!text) return std::unexpected(text.error());
    request.body = std::move(*text);
    const auto response = send(std::move(request), service);
    if (!response) return std::unexpected(response.error());
    return object_of(*response);
  }

  GatewayOptions options_;
  const Clock& clock_;
  Endpoint main_;
  std::optional<Endpoint> ingest_;
};

}  // namespace

Result<std::unique_ptr<GatewayClient>> make_gateway_client(GatewayOptions options,
                                                           const Clock& clock) {
  auto url = net::parse_url(options.url);
  if (!url) return std::unexpected(url.error());
  std::optional<net::Url> ingest_url;
  if (!options.ingest_url.empty()) {
    auto parsed = net::parse_url(options.ingest_url);
    if (!parsed) return std::unexpected(parsed.error());
    ingest_url = std::move(*parsed);
  }
  return std::make_unique<HttpGatewayClient>(std::move(options), std::move(*url),
                                             std::move(ingest_url), clock);
}

Result<std::string> id_token_subject(std::string_view id_token) {
  const std::size_t first = id_token.find('.');
  const std::size_t last = id_token.rfind('.');
  const auto refuse = [] { return fail(Errc::invalid_argument, "this is not an ID token"); };
  if (first == std::string_view::npos || first == last) return refuse();
  const auto payload = base64url_decode(id_token.substr(first + 1, last - first - 1));
  if (!payload) return refuse();
  const auto claims = parse_json(*payload);
  if (!claims || !claims->is_object()) return refuse();
  std::string sub = string_member(*claims, "sub");
  if (sub.empty()) return refuse();
  return sub;
}

}  // namespace holdfast::client
