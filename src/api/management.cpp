// The routes of @connections: describe, post to and close a connection.

#include "management.hpp"

#include <charconv>
#include <utility>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>

#include "aws_errors.hpp"
#include "paths.hpp"
#include "signed_call.hpp"

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
  add_request_id(out, generate_uuid());
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
    default: {
      net::Response out = unavailable();
      out.refused = posted.error().message;
      return out;
    }
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

// A POST or DELETE to a connection, which its signature allows once.
struct ConnectionCall {
  const Context* context;
  std::size_t shard;
  iam::Signer signer;
  ConnectionId connection;
  std::optional<std::string> text;  // to be posted; else it is closed
  net::Responder respond;

  // Answers, and keeps the answer for repeats unless it is a refusal that may be retried.
  static void answer(net::Response response, Replays::First first, const iam::AccessKey& key,
                     net::Responder respond) {
    if (response.status < 300) {
      first.done(Replays::Done{response.status});
    } else {
      first.undone();
    }
    respond(signed_by(std::move(response), key));
  }

  void run(Replays::First first) && {
    const delivery::Router& router = context->parts.router;
    if (!text) {
      return router.close_connection(shard, std::move(connection), delivery::CloseReason::requested,
                                     [first = std::move(first), key = signer.key,
                                      respond = std::move(respond)](bool closed) mutable {
                                       answer(closed ? empty_answer(204) : gone(), std::move(first),
                                              *key, std::move(respond));
                                     });
    }
    router.post_text(shard, std::move(connection), std::move(*text),
                     [first = std::move(first), key = signer.key,
                      respond = std::move(respond)](const Result<void>& posted) mutable {
                       answer(posted_answer(posted), std::move(first), *key, std::move(respond));
                     });
  }
  void repeat(const Replays::Refused& refused) && {
    const auto* const done = std::get_if<Replays::Done>(&refused.answer);
    const bool again = refused.reason == Replays::Reason::answered && done != nullptr;
    respond(
        signed_by(again ? empty_answer(done->status) : refuse_repetition(refused), *signer.key));
  }
};

// Finds the connection first, for its user. One that is gone has none, and nothing happens to it.
void run_if_allowed(ConnectionCall call, net::RequestHead head, std::string resource) {
  const Context& context = *call.context;
  const std::size_t shard = call.shard;
  ConnectionId id = call.connection;
  context.parts.router.find_connection(
      shard, std::move(id),
      [&context, shard, call = std::move(call), head = std::move(head),
       resource =
           std::move(resource)](const std::optional<delivery::ConnectionInfo>& info) mutable {
        if (info) {
          auto denied = refuse_user(context, call.signer, head, kManage, resource, info->user,
                                    "the connection's user");
          if (denied) return call.respond(std::move(*denied));
        }
        if (head.method == "GET") {
          return call.respond(signed_by(connection_answer(info), *call.signer.key));
        }
        run_once(context, shard, std::move(call));
      });
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
  auto signer = authorize_invoke(context, request, kManage, resource);
  if (!signer) return respond(std::move(signer.error()));
  const bool posts = head.method == "POST";
  // The body must be UTF-8, because it becomes a text frame (RFC 6455 section 5.6).
  if (posts && !is_utf8(request.body)) {
    return respond(signed_by(
        make_error(400, "BadRequestException", "The payload must be UTF-8 text"), *signer->key));
  }
  ConnectionCall call{.context = &context,
                      .shard = head.shard,
                      .signer = std::move(*signer),
                      .connection = ConnectionId(*id),
                      .text = std::nullopt,
                      .respond = std::move(respond)};
  if (posts) call.text = std::move(request.body);
  if (head.method == "GET" || iam::names_user(*call.signer.key)) {
    return run_if_allowed(std::move(call), std::move(request.head), resource);
  }
  run_once(context, head.shard, std::move(call));
}

}  // namespace holdfast::api
