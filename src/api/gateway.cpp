#include "api/gateway.hpp"

#include <algorithm>
#include <utility>

#include <holdfast/base/json.hpp>

#include "api/aws_errors.hpp"
#include "api/cloud_formation.hpp"
#include "api/cors.hpp"
#include "api/ingest.hpp"
#include "api/management.hpp"
#include "api/tokens.hpp"
#include "api/user_pool.hpp"
#include "api/websocket.hpp"

namespace holdfast::api {
namespace {

// Routes without a body of their own tolerate a small one, as API Gateway does.
constexpr std::size_t kIgnoredBodyBytes = 4 << 10;
constexpr std::size_t kAwsCallBodyBytes = 64 << 10;

// What is nobody's secret. Half as long as the next key is published before it signs.
net::Response public_answer(std::string body) {
  net::Response out = make_answer(200, "application/json", std::move(body));
  out.headers.emplace_back("Cache-Control", "public, max-age=300");
  out.headers.emplace_back("Access-Control-Allow-Origin", "*");
  return out;
}

// OpenID Connect Discovery 1.0 section 3: what a verifier of ID tokens asks for. There is no
// authorization endpoint; tokens come from the user pool's own calls.
net::Response openid_configuration(const Context& context) {
  const std::string& issuer = context.options.issuer;
  const Json document = {
      {"issuer", issuer},
      {"jwks_uri", issuer + "/.well-known/jwks.json"},
      {"subject_types_supported", {"public"}},
      {"response_types_supported", {"id_token"}},
      {"id_token_signing_alg_values_supported", {"RS256"}},
      {"claims_supported",
       {"sub", "iss", "aud", "exp", "iat", "auth_time", "token_use", "cognito:username", "email",
        "email_verified", "phone_number", "phone_number_verified"}}};
  return public_answer(document.dump());
}

bool is_served(const ServedParts& served, Route route) {
  switch (route) {
    case Route::message:
    case Route::messages:
      return served.ingest;
    case Route::tokens:
      return served.tokens;
    case Route::websocket:
    case Route::websocket_root:
      return served.websocket;
    case Route::user_pool:
    case Route::jwks:
    case Route::openid_configuration:
      return served.login;
    case Route::cloud_formation:
    case Route::connection:
      return served.management;
    case Route::none:
      break;
  }
  return true;
}

}  // namespace

Route Gateway::route_of(const net::RequestHead& head) const {
  const Route route = find_route(context_, head);
  return is_served(served_, route) ? route : Route::none;
}

std::size_t Gateway::body_bytes_max(Route route) const noexcept {
  switch (route) {
    case Route::message:
    case Route::messages:
      return context_.options.body_bytes_max;
    case Route::user_pool:
    case Route::cloud_formation:
      return kAwsCallBodyBytes;
    case Route::connection:
      // One that does not tell its length is read further: being too long has an error of its own
      // here.
      return std::max(context_.options.body_bytes_max, kPostedBytesMax + 1);
    case Route::none:
    case Route::tokens:
    case Route::websocket:
    case Route::websocket_root:
    case Route::jwks:
    case Route::openid_configuration:
      break;
  }
  return kIgnoredBodyBytes;
}

std::variant<net::Response, Gateway::Admit> Gateway::screen(const net::RequestHead& head) {
  if (context_.draining()) return unavailable(true);
  const Route route = route_of(head);
  if (auto answer = answer_preflight(context_, head, route, served_.login)) {
    return std::move(*answer);
  }
  const bool plain_root = route == Route::websocket_root && !asks_for_websocket(head);
  if (route == Route::none || plain_root) return missing_authentication_token();
  if (!has_method(route, head.method)) return method_not_allowed(methods_of(route));
  if (route == Route::connection) {
    if (auto refused = refuse_posted_length(head)) return std::move(*refused);
  }
  return Admit{.body_bytes_max = body_bytes_max(route)};
}

void Gateway::handle(net::Request request, net::Responder respond) {
  if (context_.draining()) return respond(unavailable(true));
  const Route route = route_of(request.head);
  respond = share_with_page(context_, route, request.head, std::move(respond));
  switch (route) {
    case Route::message:
      return handle_message(context_, request, std::move(respond));
    case Route::messages:
      return handle_messages(context_, request, std::move(respond));
    case Route::tokens:
      return handle_tokens(context_, request, std::move(respond));
    case Route::user_pool:
      return handle_user_pool(context_, std::move(request), std::move(respond));
    case Route::cloud_formation:
      return handle_cloud_formation(context_, request, std::move(respond));
    case Route::jwks:
      return respond(public_answer(context_.parts.signer->jwks()));
    case Route::openid_configuration:
      return respond(openid_configuration(context_));
    case Route::connection:
      return handle_connection(context_, std::move(request), std::move(respond));
    case Route::websocket:
    case Route::websocket_root:
      return respond(upgrade_required());
    case Route::none:
      break;
  }
  respond(missing_authentication_token());
}

void Gateway::upgrade(net::RequestHead head, net::UpgradeResponder respond) {
  if (context_.draining()) return respond(unavailable(true));
  handle_upgrade(context_, std::move(head), std::move(respond));
}

bool Gateway::upgradable(const net::RequestHead& head) const {
  return is_websocket(route_of(head));
}

net::Response Gateway::error(int status, std::string_view message) const {
  return transport_error(status, message);
}

std::shared_ptr<net::HttpService> make_gateway_service(GatewayOptions options, GatewayParts parts) {
  return make_gateway_services(std::move(options), std::move(parts), {ServedParts{}}).front();
}

std::vector<std::shared_ptr<net::HttpService>> make_gateway_services(
    GatewayOptions options, GatewayParts parts, const std::vector<ServedParts>& served) {
  const auto context = std::make_shared<const Context>(std::move(options), std::move(parts));
  std::vector<std::shared_ptr<net::HttpService>> out;
  out.reserve(served.size());
  for (const ServedParts& one : served) out.push_back(std::make_shared<Gateway>(context, one));
  return out;
}

}  // namespace holdfast::api
