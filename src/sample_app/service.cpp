// The sample application's HTTP routes.

#include "service.hpp"

#include <utility>

#include <holdfast/base/json.hpp>

namespace holdfast::sample_app {
namespace {

constexpr std::size_t kBodyBytesMax = 1 << 20;
constexpr std::size_t kMessageBytesMax = 128 << 10;
constexpr std::size_t kUserIdBytesMax = 128;
constexpr std::int64_t kWaitSecondsMax = 900;
constexpr std::string_view kBearer = "Bearer ";

net::Response plain_error(int status, std::string_view message) {
  net::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json");
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  response.body = Json{{"message", message}}.dump();
  return response;
}

net::Response refusal(const Error& error) {
  switch (error.code) {
    case Errc::unauthenticated:
      return plain_error(401, "Unauthorized");
    case Errc::expired:
      return plain_error(401, "The incoming token has expired");
    case Errc::limit_exceeded:
      return plain_error(413, "Request Too Long");
    case Errc::invalid_argument:
      return plain_error(400, "Invalid request body: " + error.message);
    default:
      return plain_error(503, "Service Unavailable");
  }
}

std::unexpected<Error> bad_member(const char* name, const char* rule) {
  return fail(Errc::invalid_argument, std::string(name) + " " + rule, name);
}

// Reads the wait. null means the default: it is how JSON writes NaN, as in the original system.
Result<Seconds> wait_of(const Json& body) {
  const auto wait = body.find("wait");
  if (wait == body.end() || wait->is_null()) return SendOrder{}.wait;
  const char* const rule = "must be an integer from 0 to 900, or null";
  if (!wait->is_number_integer()) return bad_member("wait", rule);
  if (wait->is_number_unsigned() &&
      wait->get<std::uint64_t>() > static_cast<std::uint64_t>(kWaitSecondsMax)) {
    return bad_member("wait", rule);
  }
  const auto seconds = wait->get<std::int64_t>();
  if (seconds < 0 || seconds > kWaitSecondsMax) return bad_member("wait", rule);
  return Seconds(seconds);
}

Result<std::string> text_of(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_string()) return bad_member(name, "must be a string");
  std::string text = found->get<std::string>();
  if (text.empty()) return bad_member(name, "must not be empty");
  return text;
}

}  // namespace

Result<SendOrder> parse_order(std::string_view body) {
  const auto json = parse_json(body, {.depth = 32, .bytes = kBodyBytesMax});
  if (!json) {
    std::string message = json.error().message;
    if (!json.error().where.empty()) message += " (" + json.error().where + ")";
    return fail(Errc::invalid_argument, std::move(message), json.error().where);
  }
  if (!json->is_object()) return fail(Errc::invalid_argument, "not an object");
  const auto wait = wait_of(*json);
  if (!wait) return std::unexpected(wait.error());
  auto user_id = text_of(*json, "userId");
  if (!user_id) return std::unexpected(user_id.error());
  if (user_id->size() > kUserIdBytesMax) return bad_member("userId", "is longer than 128 bytes");
  auto text = text_of(*json, "message");
  if (!text) return std::unexpected(text.error());
  if (text->size() > kMessageBytesMax) {
    return fail(Errc::limit_exceeded, "longer than 131072 bytes", "message");
  }
  return SendOrder{*wait, std::move(*user_id), std::move(*text)};
}

std::variant<net::Response, net::BodyLimit> Service::screen(const net::RequestHead& head) {
  if (head.path() != "/") return plain_error(404, "Not Found");
  if (head.method != "POST") {
    net::Response response = plain_error(405, "Method Not Allowed");
    response.headers.emplace_back("Allow", "POST");
    return response;
  }
  return net::BodyLimit{kBodyBytesMax};
}

void Service::handle(net::Request request, net::Responder respond) {
  const std::string* authorization = request.head.header("Authorization");
  if (authorization == nullptr) return respond(plain_error(401, "Unauthorized"));
  std::string_view token = *authorization;
  if (token.starts_with(kBearer)) token.remove_prefix(kBearer.size());
  keys_.verify(std::string(token), shards_.at(request.head.shard),
               [this, body = std::move(request.body), respond = std::move(respond)](
                   const Result<identity::IdTokenClaims>& claims) mutable {
                 respond(accept(claims, body));
               });
}

net::Response Service::accept(const Result<identity::IdTokenClaims>& claims,
                              const std::string& body) {
  if (!claims) return refusal(claims.error());
  auto order = parse_order(body);
  if (!order) return refusal(order.error());
  if (order->user_id != claims->sub.str()) {
    return plain_error(403, "userId is not the ID token's own user");
  }
  if (!sender_.submit(std::move(order->user_id), std::move(order->text), order->wait)) {
    return plain_error(503, "Too many messages wait already");
  }
  net::Response response;
  response.status = 202;
  return response;
}

net::Response Service::error(int status, std::string_view message) const {
  return plain_error(status, message);
}

}  // namespace holdfast::sample_app
