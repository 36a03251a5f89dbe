#include "api/websocket.hpp"

#include <algorithm>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>

#include "api/aws_errors.hpp"
#include "api/text.hpp"

namespace holdfast::api {
namespace {

constexpr std::size_t kUserAgentBytes = 256;
// What clients send are acknowledgements, whatever the bound on messages to them; API Gateway's
// quota on payloads.
constexpr std::size_t kClientMessageBytesMax = 128 << 10;

// Scheme and authority of an Origin (RFC 6454 section 6.1), the default port left out.
struct OriginParts {
  std::string scheme;
  std::string authority;
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), to_lower);
  return out;
}

std::string without_default_port(std::string authority, std::string_view scheme) {
  const std::string_view port = scheme == "https" ? ":443" : ":80";
  if (authority.ends_with(port)) authority.resize(authority.size() - port.size());
  return authority;
}

std::optional<OriginParts> parse_origin(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  OriginParts out;
  out.scheme = lower(text.substr(0, colon));
  if (out.scheme != "http" && out.scheme != "https") return std::nullopt;
  std::string_view authority = text.substr(colon + 3);
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (authority.empty() || authority.find_first_of("/?#@ ") != std::string_view::npos) {
    return std::nullopt;
  }
  out.authority = without_default_port(lower(authority), out.scheme);
  return out;
}

bool is_listed(const OriginParts& origin, const std::vector<std::string>& allowed) {
  return std::ranges::any_of(allowed, [&](const std::string& entry) {
    const auto listed = parse_origin(entry);
    return listed && listed->scheme == origin.scheme && listed->authority == origin.authority;
  });
}

bool is_token_char(char c) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || marks.contains(c);
}

// What operators see of the client's own words: bounded, and UTF-8.
std::string user_agent_of(const net::RequestHead& head) {
  const std::string* const value = head.header("User-Agent");
  if (value == nullptr) return {};
  std::string out = value->substr(0, kUserAgentBytes);
  std::ranges::replace_if(out, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
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
  out.refused = "token: " + (error.where.empty() ? to_string(error.code) : error.where);
  return out;
}

net::Response refuse_subprotocol() {
  return make_error(400, "BadRequestException", "Unsupported WebSocket subprotocol");
}

// On the home shard, once the 101 is written. Registered first, asked about second: a login that
// ends between the two is closed by whoever ends it.
void open_connection(const Context& context, delivery::ConnectionInfo info,
                     std::optional<identity::TokenLogin> login, delivery::FrameFormat format,
                     std::shared_ptr<delivery::Connection> connection) {
  const std::size_t home = info.shard;
  delivery::Mailboxes& mailboxes = *context.parts.router.shard(home).mailboxes;
  const ConnectionId id = info.id;
  const UserId user = info.user;
  mailboxes.attach(std::move(info), format, std::move(connection));
  identity::Authorizer& authorizer = *context.shard(home).authorizer;
  authorizer.still_admits(user, std::move(login), [&mailboxes, id](Result<bool> admits) {
    if (admits && *admits) return mailboxes.admit(id);
    // Nobody can tell: not the user's fault, and the client may come back.
    const auto code = admits ? delivery::CloseCode::access_ended : delivery::CloseCode::going_away;
    mailboxes.close(id, code, admits ? "access ended" : "try again");
  });
}

net::UpgradeAccepted accept(const Context& context, const net::RequestHead& head,
                            identity::Admission admission, std::string subprotocol) {
  delivery::ConnectionInfo info;
  info.username = std::move(admission.username);
  if (admission.login) info.login = admission.login->id;
  info.remote_address = head.remote_address;
  info.user_agent = user_agent_of(head);
  info.connected_at = context.parts.clock.wall_now();
  info.shard = context.parts.router.home(admission.sub);
  info.id = context.parts.router.make_connection_id(info.shard);
  info.user = std::move(admission.sub);

  net::UpgradeAccepted out;
  out.shard = info.shard;
  out.message_bytes_max = kClientMessageBytesMax;
  const delivery::FrameFormat format =
      subprotocol == kSubprotocolV1 ? delivery::FrameFormat::holdfast_v1 : context.options.frame;
  out.subprotocol = std::move(subprotocol);
  out.on_open = [&context, format, login = std::move(admission.login),
                 info = std::move(info)](std::shared_ptr<delivery::Connection> connection) mutable {
    open_connection(context, std::move(info), std::move(login), format, std::move(connection));
  };
  return out;
}

}  // namespace

bool origin_allowed(const net::RequestHead& head, const std::vector<std::string>& allowed) {
  const std::string* const text = head.header("Origin");
  if (text == nullptr) return true;
  const auto count = std::ranges::count_if(head.headers, [](const auto& header) {
    return equals_ignoring_case(header.first, "Origin");
  });
  if (count != 1) return false;
  if (std::ranges::find(allowed, "*") != allowed.end()) return true;
  const auto origin = parse_origin(trim(*text));
  if (!origin) return false;
  const std::string* const host = head.header("Host");
  if (host != nullptr &&
      without_default_port(lower(trim(*host)), origin->scheme) == origin->authority) {
    return true;
  }
  return is_listed(*origin, allowed);
}

std::optional<std::string> choose_subprotocol(const net::RequestHead& head) {
  bool offered = false;
  bool known = false;
  bool malformed = false;
  for (const auto& [name, value] : head.headers) {
    if (!equals_ignoring_case(name, "Sec-WebSocket-Protocol")) continue;
    offered = true;
    for_each_element(value, [&](std::string_view element) {
      known = known || element == kSubprotocolV1;
      malformed = malformed || !std::ranges::all_of(element, is_token_char);
    });
  }
  if (!offered) return std::string();
  if (!known || malformed) return std::nullopt;
  return std::string(kSubprotocolV1);
}

std::optional<std::string> token_of(std::string_view query) {
  constexpr std::string_view name = "token=";
  std::optional<std::string> found;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (!parameter.starts_with(name)) continue;
    if (found) return std::nullopt;
    auto value = percent_decode(parameter.substr(name.size()));
    if (!value || value->empty()) return std::nullopt;
    found = std::move(value);
  }
  return found;
}

void handle_upgrade(const Context& context, net::RequestHead head, net::UpgradeResponder respond) {
  Counts& counts = context.counts(head.shard);
  if (!origin_allowed(head, context.options.allowed_origins)) {
    counts.refused_upgrades.add(UpgradeRefusal::origin);
    return respond(make_error(403, "ForbiddenException", "Forbidden"));
  }
  auto subprotocol = choose_subprotocol(head);
  const bool needed = context.options.acknowledge == delivery::Acknowledge::client;
  if (!subprotocol || (needed && subprotocol->empty())) {
    counts.refused_upgrades.add(UpgradeRefusal::subprotocol);
    return respond(refuse_subprotocol());
  }
  auto token = token_of(head.query());
  if (!token) {
    const Error missing(Errc::unauthenticated, "no token", "missing");
    counts.refused_upgrades.add(upgrade_refusal_of(missing));
    return respond(refuse_token(missing));
  }
  identity::Authorizer& authorizer = *context.shard(head.shard).authorizer;
  authorizer.consume(
      std::move(*token),
      [&context, &counts, head = std::move(head), subprotocol = std::move(*subprotocol),
       respond = std::move(respond)](Result<identity::Admission> admission) mutable {
        if (!admission) {
          counts.refused_upgrades.add(upgrade_refusal_of(admission.error()));
          return respond(refuse_token(admission.error()));
        }
        counts.upgrades.add();
        respond(accept(context, head, std::move(*admission), std::move(subprotocol)));
      });
}

}  // namespace holdfast::api
