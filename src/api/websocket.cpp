// Opens WebSockets: checks origin, subprotocol and token.

#include "websocket.hpp"

#include <algorithm>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/base/url.hpp>

#include "aws_errors.hpp"
#include "text.hpp"

namespace holdfast::api {
namespace {

constexpr std::size_t kUserAgentBytes = 256;
// The limit of a client's frame, whatever the limit of messages: API Gateway's quota on payloads.
constexpr std::size_t kClientMessageBytesMax = 128 << 10;

// Returns the client's User-Agent for operators: of limited length, and UTF-8.
std::string user_agent_of(const net::RequestHead& head) {
  const std::string* const value = head.header("User-Agent");
  if (value == nullptr) return {};
  std::string out;
  append_printable(out, std::string_view(*value).substr(0, kUserAgentBytes));
  return out;
}

UpgradeRefusal upgrade_refusal_of(const Error& error) {
  if (error.code == Errc::unavailable || error.code == Errc::io) return UpgradeRefusal::unavailable;
  if (error.where == "missing") return UpgradeRefusal::token_missing;
  if (error.where == "exp") return UpgradeRefusal::token_expired;
  return error.where == "used" ? UpgradeRefusal::token_used : UpgradeRefusal::token_invalid;
}

net::Response refuse_token(const Error& error) {
  const bool unknown_outcome = error.code == Errc::unavailable || error.code == Errc::io;
  net::Response out = unknown_outcome ? unavailable() : unauthorized();
  note_refusal(out, "token", error);
  return out;
}

net::Response refuse_subprotocol() {
  return make_error(400, "BadRequestException", "Unsupported WebSocket subprotocol");
}

// Attaches a connection, on the home shard, after the 101 is written. Registers it first and checks
// the login second, so that the end of a login in between closes it.
void open_connection(const Context& context, delivery::ConnectionInfo info,
                     std::optional<identity::TokenLogin> login, delivery::ProtocolPtr protocol,
                     std::shared_ptr<delivery::Connection> connection) {
  const std::size_t home = info.shard;
  delivery::Mailboxes& mailboxes = *context.parts.router.shard(home).mailboxes;
  const ConnectionId id = info.id;
  const UserId user = info.user;
  mailboxes.attach(std::move(info), std::move(protocol), std::move(connection));
  identity::Authorizer& authorizer = *context.shard(home).authorizer;
  authorizer.still_admits(user, std::move(login), [&mailboxes, id](Result<bool> admits) {
    if (admits && *admits) return mailboxes.start_delivery(id);
    // The store failed. That is not the user's fault, so the client may reconnect.
    const auto reason =
        admits ? delivery::CloseReason::access_ended : delivery::CloseReason::try_again;
    mailboxes.close(id, reason, admits ? "access ended" : "try again");
  });
}

net::LiveAccepted accept(const Context& context, const net::RequestHead& head,
                         identity::Admission admission, ChosenProtocol chosen) {
  delivery::ConnectionInfo info;
  info.username = std::move(admission.username);
  if (admission.login) info.login = admission.login->id;
  info.remote_address = head.remote_address;
  info.user_agent = user_agent_of(head);
  info.connected_at = context.parts.clock.wall_now();
  info.shard = context.parts.router.home(admission.sub);
  info.id = context.parts.router.make_connection_id(info.shard);
  info.user = std::move(admission.sub);

  net::LiveAccepted out;
  out.shard = info.shard;
  out.message_bytes_max = kClientMessageBytesMax;
  out.subprotocol = std::move(chosen.subprotocol);
  out.on_open = [&context, protocol = std::move(chosen.protocol),
                 login = std::move(admission.login),
                 info = std::move(info)](std::shared_ptr<delivery::Connection> connection) mutable {
    open_connection(context, std::move(info), std::move(login), std::move(protocol),
                    std::move(connection));
  };
  return out;
}

}  // namespace

bool origin_allowed(const net::RequestHead& head, const AllowedOrigins& allowed, SentBy sender) {
  const std::string* const origin = head.header("Origin");
  if (origin == nullptr) return true;
  const auto count = std::ranges::count_if(
      head.headers, [](const auto& header) { return ascii::iequals(header.first, "Origin"); });
  if (count != 1) return false;
  const std::string* const host = head.header("Host");
  const std::string_view own = host == nullptr ? std::string_view() : std::string_view(*host);
  return sender == SentBy::page ? allowed.allow_page(*origin, own)
                                : allowed.allow_client(*origin, own);
}

net::Response refuse_origin(const net::RequestHead& head) {
  constexpr std::size_t kShownBytes = 256;
  net::Response out = make_error(403, "ForbiddenException", "Forbidden");
  const std::string* const origin = head.header("Origin");
  out.refused = "origin ";
  if (origin != nullptr) append_printable(out.refused, origin->substr(0, kShownBytes));
  out.refused += " is not in websocket.allowed_origins";
  return out;
}

std::optional<ChosenProtocol> choose_protocol(const net::RequestHead& head,
                                              delivery::FrameFormat plain) {
  ChosenProtocol chosen;
  bool offered = false;
  bool malformed = false;
  for (const auto& [name, value] : head.headers) {
    if (!ascii::iequals(name, "Sec-WebSocket-Protocol")) continue;
    offered = true;
    for_each_element(value, [&](std::string_view element) {
      malformed = malformed || !std::ranges::all_of(element, ascii::is_token_char);
      if (chosen.protocol != nullptr) return;
      chosen.protocol = delivery::find_subprotocol(element);
      if (chosen.protocol != nullptr) chosen.subprotocol = element;
    });
  }
  if (!offered) chosen.protocol = delivery::plain_protocol(plain);
  if (chosen.protocol == nullptr || malformed) return std::nullopt;
  return chosen;
}

std::optional<std::string> token_of(std::string_view query) {
  std::optional<std::string> found;
  while (const auto parameter = take_parameter(query)) {
    if (parameter->name != "token" || !parameter->has_equals) continue;
    if (found) return std::nullopt;
    auto value = percent_decode(parameter->value);
    if (!value || value->empty()) return std::nullopt;
    found = std::move(value);
  }
  return found;
}

void handle_upgrade(const Context& context, net::RequestHead head, net::LiveResponder respond) {
  RouteMetrics& metrics = context.metrics(head.shard);
  if (!origin_allowed(head, context.allowed_origins, SentBy::client)) {
    metrics.refused_upgrades.add(UpgradeRefusal::origin);
    return respond(refuse_origin(head));
  }
  auto chosen = choose_protocol(head, context.options.websocket.frame);
  const bool needed = context.options.acknowledge == delivery::Acknowledge::client;
  if (!chosen || (needed && chosen->protocol->proof() == delivery::Proof::fence)) {
    metrics.refused_upgrades.add(UpgradeRefusal::subprotocol);
    return respond(refuse_subprotocol());
  }
  auto token = token_of(head.query());
  if (!token) {
    const Error missing(Errc::unauthenticated, "no token", "missing");
    metrics.refused_upgrades.add(upgrade_refusal_of(missing));
    return respond(refuse_token(missing));
  }
  identity::Authorizer& authorizer = *context.shard(head.shard).authorizer;
  authorizer.consume(std::move(*token),
                     [&context, &metrics, head = std::move(head), chosen = std::move(*chosen),
                      respond = std::move(respond)](Result<identity::Admission> admission) mutable {
                       if (!admission) {
                         metrics.refused_upgrades.add(upgrade_refusal_of(admission.error()));
                         return respond(refuse_token(admission.error()));
                       }
                       metrics.upgrades.add();
                       respond(accept(context, head, std::move(*admission), std::move(chosen)));
                     });
}

}  // namespace holdfast::api
