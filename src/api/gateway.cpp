// Routes the gateway's requests, and limits their bodies.

#include "gateway.hpp"

#include <algorithm>
#include <utility>

#include <holdfast/base/json.hpp>

#include "aws_errors.hpp"
#include "cloud_formation.hpp"
#include "cors.hpp"
#include "ingest.hpp"
#include "management.hpp"
#include "signed_token.hpp"
#include "token_body.hpp"
#include "tokens.hpp"
#include "user_pool.hpp"
#include "websocket.hpp"

namespace holdfast::api {
namespace {

// Routes without a body of their own tolerate a small one, as API Gateway does.
constexpr std::size_t kIgnoredBodyBytes = 4 << 10;
constexpr std::size_t kAwsCallBodyBytes = 64 << 10;

// Makes an answer that caches may keep, for half the time that a new key is published unused.
net::Response public_answer(std::string body) {
  net::Response out = make_answer(200, "application/json", std::move(body));
  out.headers.emplace_back("Cache-Control", "public, max-age=300");
  out.headers.emplace_back("Access-Control-Allow-Origin", "*");
  return out;
}

// OpenID Connect Discovery 1.0 section 3: what a verifier of ID tokens asks for. There is no
// authorization endpoint; tokens come from the user pool's own calls.
net::Response openid_configuration(const Context& context) {
  const std::string& issuer = context.options.instance.issuer;
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

net::Response refuse_while_draining() {
  net::Response out = unavailable(Then::close);
  out.refused = "the service is shutting down";
  return out;
}

net::Responder with_help(const Context& context, net::Responder respond) {
  if (context.options.documentation_url.empty()) return respond;
  return std::move(respond).with([&context](net::Response& response) {
    add_help(response, context.options.documentation_url);
  });
}

net::RouteTag tag_of(Route route) { return static_cast<net::RouteTag>(route); }
Route route_of(net::RouteTag tag) { return static_cast<Route>(tag); }

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

Route Gateway::find_served_route(const Context& context, const net::RequestHead& head) const {
  const Route route = find_route(context, head);
  return is_served(served_, route) ? route : Route::none;
}

std::size_t Gateway::body_bytes_max(const Context& context, Route route) noexcept {
  switch (route) {
    case Route::message:
    case Route::messages:
      return context.options.limits.body_bytes;
    case Route::user_pool:
    case Route::cloud_formation:
      return kAwsCallBodyBytes;
    case Route::connection:
      // One that does not tell its length is read further: being too long has an error of its own
      // here.
      return std::max(context.options.limits.body_bytes, kPostedBytesMax + 1);
    case Route::tokens:
      return kTokenBodyBytes;
    case Route::none:
    case Route::websocket:
    case Route::websocket_root:
    case Route::jwks:
    case Route::openid_configuration:
      break;
  }
  return kIgnoredBodyBytes;
}

std::variant<net::Response, net::BodyLimit> Gateway::screen(const net::RequestHead& head) {
  const Context& context = contexts_->current();
  auto out = admit(context, head);
  if (auto* const refused = std::get_if<net::Response>(&out)) {
    add_help(*refused, context.options.documentation_url);
  }
  return out;
}

std::variant<net::Response, net::BodyLimit> Gateway::admit(const Context& context,
                                                           const net::RequestHead& head) const {
  if (context.draining()) return refuse_while_draining();
  const Route route = find_served_route(context, head);
  if (auto answer = answer_preflight(context, head, route, served_.login)) {
    return std::move(*answer);
  }
  const bool plain_root = route == Route::websocket_root && !asks_for_websocket(head);
  if (route == Route::none || plain_root) {
    net::Response unknown = missing_authentication_token();
    unknown.refused = "no route has this path here";
    return unknown;
  }
  if (!has_method(route, head.method)) return method_not_allowed(methods_of(route));
  if (route == Route::connection) {
    if (auto refused = refuse_posted_length(head)) return std::move(*refused);
  }
  net::BodyLimit out{.bytes = body_bytes_max(context, route), .route = tag_of(route)};
  if (out.bytes == context.options.limits.body_bytes) out.reason = "limits.body_bytes";
  return out;
}

void Gateway::handle(net::Request request, net::Responder respond) {
  const Context& context = contexts_->current();
  respond = with_help(context, std::move(respond));
  if (context.draining()) return respond(refuse_while_draining());
  const Route route = route_of(request.head.route);
  respond = share_with_page(context, route, request.head, std::move(respond));
  switch (route) {
    case Route::message:
      return handle_message(context, request, std::move(respond));
    case Route::messages:
      return handle_messages(context, request, std::move(respond));
    case Route::tokens:
      if (request.head.method == "POST") {
        return handle_signed_token(context, request, std::move(respond));
      }
      return handle_tokens(context, request, std::move(respond));
    case Route::user_pool:
      return handle_user_pool(context, std::move(request), std::move(respond));
    case Route::cloud_formation:
      return handle_cloud_formation(context, request, std::move(respond));
    case Route::jwks:
      return respond(public_answer(context.parts.signer->jwks()));
    case Route::openid_configuration:
      return respond(openid_configuration(context));
    case Route::connection:
      return handle_connection(context, std::move(request), std::move(respond));
    case Route::websocket:
    case Route::websocket_root:
      return respond(upgrade_required());
    case Route::none:
      break;
  }
  respond(missing_authentication_token());
}

std::optional<net::RouteTag> Gateway::opens(const net::RequestHead& head) const {
  const Route route = find_served_route(contexts_->current(), head);
  return is_websocket(route) ? std::optional(tag_of(route)) : std::nullopt;
}

void Gateway::open(net::RequestHead head, net::LiveResponder respond) {
  const Context& context = contexts_->current();
  if (!context.options.documentation_url.empty()) {
    respond = [&context, respond = std::move(respond)](
                  std::variant<net::Response, net::LiveAccepted> decided) mutable {
      if (auto* const refused = std::get_if<net::Response>(&decided)) {
        add_help(*refused, context.options.documentation_url);
      }
      respond(std::move(decided));
    };
  }
  if (context.draining()) {
    context.metrics(head.shard).refused_upgrades.add(UpgradeRefusal::draining);
    return respond(refuse_while_draining());
  }
  handle_upgrade(context, std::move(head), std::move(respond));
}

net::Response Gateway::error(int status, std::string_view message) const {
  net::Response out = transport_error(status, message);
  add_help(out, contexts_->current().options.documentation_url);
  return out;
}

void Contexts::put(std::shared_ptr<const Context> next) {
  const std::lock_guard lock(mutex_);
  current_.store(next.get(), std::memory_order_release);
  all_.push_back(std::move(next));
}

void Contexts::change(GatewayOptions options) {
  const Context& before = current();
  auto next = std::make_shared<Context>(std::move(options), before.parts);
  const bool same_rates =
      next->options.limits.token_requests_per_second ==
          before.options.limits.token_requests_per_second &&
      next->options.limits.token_requests_burst == before.options.limits.token_requests_burst;
  // Keeps the users' counters if the rates did not change.
  if (same_rates) next->token_rates = before.token_rates;
  next->replays = before.replays;
  next->pool_changes = before.pool_changes;
  put(std::move(next));
}

GatewayServices::GatewayServices(GatewayOptions options, GatewayParts parts,
                                 const std::vector<ServedParts>& served)
    : contexts_(std::make_shared<Contexts>(
          std::make_shared<const Context>(std::move(options), std::move(parts)))) {
  for (const ServedParts& one : served) all_.push_back(std::make_shared<Gateway>(contexts_, one));
}

void GatewayServices::change_options(GatewayOptions options) {
  contexts_->change(std::move(options));
}

}  // namespace holdfast::api
