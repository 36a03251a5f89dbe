// The routes that send messages: POST /message and POST /messages.

#include "ingest.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include <holdfast/base/encoding.hpp>

#include "aws_errors.hpp"
#include "ingest_body.hpp"
#include "log_keys.hpp"
#include "signed_call.hpp"

namespace holdfast::api {
namespace {

constexpr std::string_view kIngestJson = "application/json";
constexpr std::string_view kInvoke = "execute-api:Invoke";
constexpr std::size_t kReceiptBytes = 128;

// Maps the answer of `refuse_body` to a reason.
IngestRefusal ingest_refusal_of(const net::Response& refused) {
  if (refused.status == 415) return IngestRefusal::content_type;
  return refused.status == 413 ? IngestRefusal::too_long : IngestRefusal::body;
}

IngestRefusal ingest_refusal_of(const Error& error) {
  switch (error.code) {
    case Errc::limit_exceeded:
    case Errc::too_many_requests:
      return IngestRefusal::limit_exceeded;
    case Errc::conflict:
      return IngestRefusal::conflict;
    default:
      return IngestRefusal::unavailable;
  }
}

IngestRefusal ingest_refusal_of(const Replays::Refused& refused) {
  switch (refused.reason) {
    case Replays::Reason::too_old:
      return IngestRefusal::unauthorized;
    case Replays::Reason::full:
      return IngestRefusal::limit_exceeded;
    case Replays::Reason::answered:
    case Replays::Reason::in_flight:
      break;
  }
  return IngestRefusal::conflict;
}

void count(const Context& context, std::size_t shard, const delivery::SendOutcome& outcome) {
  if (!outcome) context.metrics(shard).refused_ingest.add(ingest_refusal_of(outcome.error()));
}

void append_integer(std::string& out, std::int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

// `"messageId":"…","sequence":…,"status":"…"`.
void append_receipt(std::string& out, const delivery::Receipt& receipt) {
  out += R"("messageId":")";
  const std::size_t at = out.size();
  out.resize(at + 36);
  receipt.id.write(out.data() + at);
  out += R"(","sequence":)";
  append_integer(out, receipt.sequence);
  out += R"(,"status":")";
  out += delivery::to_string(receipt.status);
  out += '"';
}

void append_failure(std::string& out, std::size_t index, const Error& error) {
  const AwsError aws = aws_error_of(error);
  out += R"({"index":)";
  append_integer(out, static_cast<std::int64_t>(index));
  out += R"(,"code":")";
  out += aws.type;
  out += R"(","message":")";
  append_json_escaped(out, aws.message);
  out += R"("},)";
}

net::Response receipt_answer(const delivery::Receipt& receipt) {
  std::string body;
  body.reserve(kReceiptBytes);
  body += '{';
  append_receipt(body, receipt);
  body += '}';
  net::Response out = make_answer(200, kIngestJson, std::move(body));
  char id[36];
  receipt.id.write(id);
  out.log_fields.set(kLogMessageId, {id, sizeof id});
  return out;
}

std::string messages_body(const std::vector<delivery::SendOutcome>& outcomes) {
  std::string body = R"({"Successful":[)";
  body.reserve(outcomes.size() * kReceiptBytes);
  std::string failed;
  bool first = true;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i]) {
      append_failure(failed, i, outcomes[i].error());
      continue;
    }
    body += first ? R"({"index":)" : R"(,{"index":)";
    first = false;
    append_integer(body, static_cast<std::int64_t>(i));
    body += ',';
    append_receipt(body, *outcomes[i]);
    body += '}';
  }
  if (!failed.empty()) failed.pop_back();  // the last comma
  body += R"(],"Failed":[)" + failed + "]}";
  return body;
}

// One message, sent once for its signature.
struct MessageCall {
  const Context* context;
  std::size_t shard;
  iam::Signer signer;
  delivery::SendRequest message;
  net::Responder respond;

  void run(Replays::First first) && {
    UserId user = message.user;
    context->parts.router.send(
        shard, std::move(message),
        [context = context, shard = shard, first = std::move(first), key = signer.key,
         user = std::move(user),
         respond = std::move(respond)](const delivery::SendOutcome& outcome) mutable {
          count(*context, shard, outcome);
          if (outcome) {
            first.done(*outcome);
          } else {
            first.undone();
          }
          net::Response out = outcome ? receipt_answer(*outcome) : delivery_error(outcome.error());
          out.log_fields.set(kLogUserId, user.str());
          respond(signed_by(std::move(out), *key));
        });
  }
  void repeat(const Replays::Refused& refused) && {
    const auto* const receipt = std::get_if<delivery::Receipt>(&refused.answer);
    const bool again = refused.reason == Replays::Reason::answered && receipt != nullptr;
    if (!again) context->metrics(shard).refused_ingest.add(ingest_refusal_of(refused));
    net::Response out = again ? receipt_answer(*receipt) : refuse_repetition(refused);
    out.log_fields.set(kLogUserId, message.user.str());
    respond(signed_by(std::move(out), *signer.key));
  }
};

// A call that sends a batch of messages, once for its signature.
struct BatchCall {
  const Context* context;
  std::size_t shard;
  iam::Signer signer;
  std::vector<delivery::SendRequest> messages;
  net::Responder respond;

  void run(Replays::First first) && {
    context->parts.router.send_batch(
        shard, std::move(messages),
        [context = context, shard = shard, first = std::move(first), key = signer.key,
         respond = std::move(respond)](const std::vector<delivery::SendOutcome>& outcomes) mutable {
          for (const delivery::SendOutcome& outcome : outcomes) count(*context, shard, outcome);
          auto body = std::make_shared<const std::string>(messages_body(outcomes));
          // A repeat must not send the sent messages again, so the answer is kept.
          if (std::ranges::any_of(outcomes, &delivery::SendOutcome::has_value)) {
            first.done(body);
          } else {
            first.undone();
          }
          respond(signed_by(make_answer(200, kIngestJson, *body), *key));
        });
  }
  void repeat(const Replays::Refused& refused) && {
    const auto* const body = std::get_if<Replays::Body>(&refused.answer);
    const bool again =
        refused.reason == Replays::Reason::answered && body != nullptr && *body != nullptr;
    if (!again) context->metrics(shard).refused_ingest.add(ingest_refusal_of(refused));
    respond(signed_by(again ? make_answer(200, kIngestJson, **body) : refuse_repetition(refused),
                      *signer.key));
  }
};

// Decides a batch for each user. One denial refuses the whole, and names the place.
std::optional<net::Response> refuse_users(const Context& context, const iam::Signer& signer,
                                          const net::RequestHead& head,
                                          const std::vector<delivery::SendRequest>& messages) {
  if (!iam::names_user(*signer.key)) return std::nullopt;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string place = "messages[" + std::to_string(i) + "].userId";
    auto denied =
        refuse_user(context, signer, head, kInvoke, context.messages_arn, messages[i].user, place);
    if (denied) return denied;
  }
  return std::nullopt;
}

}  // namespace

void handle_message(const Context& context, const net::Request& request, net::Responder respond) {
  const std::size_t shard = request.head.shard;
  CounterBy<IngestRefusal>& refusals = context.metrics(shard).refused_ingest;
  auto signer = authorize_invoke(context, request, kInvoke, context.message_arn);
  if (!signer) {
    refusals.add(IngestRefusal::unauthorized);
    return respond(std::move(signer.error()));
  }
  auto message = read_message(request.body, context.options.limits, signer->key->quota);
  if (auto refused = refuse_body(request.head, message ? nullptr : &message.error())) {
    refusals.add(ingest_refusal_of(*refused));
    return respond(signed_by(std::move(*refused), *signer->key));
  }
  if (auto denied = refuse_user(context, *signer, request.head, kInvoke, context.message_arn,
                                message->user, "userId")) {
    refusals.add(IngestRefusal::unauthorized);
    return respond(std::move(*denied));
  }
  run_once(
      context, shard,
      MessageCall{&context, shard, std::move(*signer), std::move(*message), std::move(respond)});
}

void handle_messages(const Context& context, const net::Request& request, net::Responder respond) {
  const std::size_t shard = request.head.shard;
  CounterBy<IngestRefusal>& refusals = context.metrics(shard).refused_ingest;
  auto signer = authorize_invoke(context, request, kInvoke, context.messages_arn);
  if (!signer) {
    refusals.add(IngestRefusal::unauthorized);
    return respond(std::move(signer.error()));
  }
  auto messages = read_messages(request.body, context.options.limits, signer->key->quota);
  if (auto refused = refuse_body(request.head, messages ? nullptr : &messages.error())) {
    refusals.add(ingest_refusal_of(*refused));
    return respond(signed_by(std::move(*refused), *signer->key));
  }
  if (auto denied = refuse_users(context, *signer, request.head, *messages)) {
    refusals.add(IngestRefusal::unauthorized);
    return respond(std::move(*denied));
  }
  run_once(
      context, shard,
      BatchCall{&context, shard, std::move(*signer), std::move(*messages), std::move(respond)});
}

}  // namespace holdfast::api
