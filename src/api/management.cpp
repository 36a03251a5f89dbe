#include "api/management.hpp"

#include <charconv>
#include <utility>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>

#include "api/aws_errors.hpp"
#include "api/paths.hpp"
#include "api/signed_call.hpp"

namespace holdfast::api {
namespace {

constexpr std::string_view kManage = "execute-api:ManageConnections";

net::Response gone() {
  return make_error(410, "GoneException", "There is no open connection of this id");
}

net::Response too_large() {
  return make_error(413, "PayloadTooLargeException", "Payload too large");
}

net::Response empty_answer(int status) {
  net::Response out;
  out.status = status;
  out.headers.emplace_back("x-amzn-RequestId", generate_uuid());
  return out;
}

net::Response posted_answer(const Result<void>& posted) {
  if (posted) return empty_answer(200);
  switch (posted.error().code) {
    case Errc::not_found:
      return gone();
    case Errc::limit_exceeded:
      return make_error(429, "LimitExceededException",
                        "The client does not keep up with what is posted to it");
    default:
      return unavailable();
  }
}

net::Response connection_answer(const std::optional<delivery::ConnectionInfo>& info) {
  if (!info) return gone();
  std::string body = "{";
  append_member(body, "connectedAt", format_iso8601(info->connected_at));
  body += R"(,"identity":{)";
  append_member(body, "sourceIp", info->remote_address);
  body += ',';
  append_member(body, "userAgent", info->user_agent);
  body += "},";
  append_member(body, "lastActiveAt", format_iso8601(info->last_active_at));
  body += '}';
  return make_answer(200, "application/json", std::move(body));
}

}  // namespace

std::optional<net::Response> refuse_posted_length(const net::RequestHead& head) {
  const std::string* const text = head.header("Content-Length");
  if (text == nullptr) return std::nullopt;
  std::size_t length = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, length);
  const bool too_long = error == std::errc::result_out_of_range ||
                        (error == std::errc() && rest == end && length > kPostedBytesMax);
  if (!too_long) return std::nullopt;
  return too_large();
}

void handle_connection(const Context& context, net::Request request, net::Responder respond) {
  const net::RequestHead& head = request.head;
  const auto id = managed_connection(context, head);
  if (!id) return respond(missing_authentication_token());
  if (request.body.size() > kPostedBytesMax) return respond(too_large());
  const std::string resource =
      context.execute_api_arn(head.method + "/@connections/" + std::string(*id));
  if (auto key = authorize_invoke(context, request, kManage, resource); !key) {
    return respond(std::move(key.error()));
  }
  const delivery::Router& router = context.parts.router;
  ConnectionId connection(*id);
  if (head.method == "GET") {
    return router.find_connection(head.shard, std::move(connection),
                                  [respond = std::move(respond)](
                                      const std::optional<delivery::ConnectionInfo>& info) mutable {
                                    respond(connection_answer(info));
                                  });
  }
  if (head.method == "DELETE") {
    return router.close_connection(head.shard, std::move(connection), delivery::CloseCode::normal,
                                   [respond = std::move(respond)](bool closed) mutable {
                                     respond(closed ? empty_answer(204) : gone());
                                   });
  }
  // What is posted goes into a text frame (RFC 6455 section 5.6).
  if (!is_utf8(request.body)) {
    return respond(make_error(400, "BadRequestException", "The payload must be UTF-8 text"));
  }
  router.post_text(head.shard, std::move(connection), std::move(request.body),
                   [respond = std::move(respond)](const Result<void>& posted) mutable {
                     respond(posted_answer(posted));
                   });
}

}  // namespace holdfast::api
