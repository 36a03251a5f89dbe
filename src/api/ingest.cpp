#include "api/ingest.hpp"

#include <charconv>
#include <optional>

#include <holdfast/base/encoding.hpp>

#include "api/aws_errors.hpp"
#include "api/ingest_body.hpp"
#include "api/signed_call.hpp"
#include "api/text.hpp"

namespace holdfast::api {
namespace {

constexpr std::string_view kIngestJson = "application/json";
constexpr std::string_view kInvoke = "execute-api:Invoke";
constexpr std::size_t kReceiptBytes = 128;
constexpr Seconds kTtlMax{14 * 24 * 3600};

IngestLimits limits_of(const GatewayOptions& options) {
  return {.message_bytes = options.message_bytes_max,
          .body_bytes = options.body_bytes_max,
          .entries = options.batch_entries_max,
          .ttl = kTtlMax};
}

// Absent means JSON, as API Gateway has it.
bool is_json(const net::RequestHead& head) {
  const std::string* const type = head.header("Content-Type");
  if (type == nullptr) return true;
  const std::string_view value = *type;
  return equals_ignoring_case(trim(value.substr(0, value.find(';'))), kIngestJson);
}

// In this order: a body that says nothing, a body of another type, a message that is too long.
std::optional<net::Response> refuse_body(const net::RequestHead& head, const BodyFault* fault) {
  if (fault != nullptr && !fault->too_long) {
    return make_error(400, "BadRequestException", fault->words());
  }
  if (!is_json(head)) return transport_error(415, {});
  if (fault != nullptr) return request_too_long();
  return std::nullopt;
}

// What `refuse_body` has answered.
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

void count(const Context& context, std::size_t shard, const delivery::SendOutcome& outcome) {
  if (!outcome) context.counts(shard).refused_ingest.add(ingest_refusal_of(outcome.error()));
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
  const ErrorWords words = words_of(error);
  out += R"({"index":)";
  append_integer(out, static_cast<std::int64_t>(index));
  out += R"(,"code":")";
  out += words.type;
  out += R"(","message":")";
  append_json_escaped(out, words.message);
  out += R"("},)";
}

net::Response message_answer(const delivery::SendOutcome& outcome) {
  if (!outcome) return delivery_error(outcome.error());
  std::string body;
  body.reserve(kReceiptBytes);
  body += '{';
  append_receipt(body, *outcome);
  body += '}';
  return make_answer(200, kIngestJson, std::move(body));
}

net::Response messages_answer(const std::vector<delivery::SendOutcome>& outcomes) {
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
  return make_answer(200, kIngestJson, std::move(body));
}

}  // namespace

void handle_message(const Context& context, const net::Request& request, net::Responder respond) {
  const std::size_t shard = request.head.shard;
  Tallies<IngestRefusal>& refusals = context.counts(shard).refused_ingest;
  auto key = authorize_invoke(context, request, kInvoke, context.message_arn);
  if (!key) {
    refusals.add(IngestRefusal::unauthorized);
    return respond(std::move(key.error()));
  }
  auto message = read_message(request.body, limits_of(context.options), (*key)->caller);
  if (auto refused = refuse_body(request.head, message ? nullptr : &message.error())) {
    refusals.add(ingest_refusal_of(*refused));
    return respond(std::move(*refused));
  }
  context.parts.router.send(shard, std::move(*message),
                            [&context, shard, respond = std::move(respond)](
                                const delivery::SendOutcome& outcome) mutable {
                              count(context, shard, outcome);
                              respond(message_answer(outcome));
                            });
}

void handle_messages(const Context& context, const net::Request& request, net::Responder respond) {
  const std::size_t shard = request.head.shard;
  Tallies<IngestRefusal>& refusals = context.counts(shard).refused_ingest;
  auto key = authorize_invoke(context, request, kInvoke, context.messages_arn);
  if (!key) {
    refusals.add(IngestRefusal::unauthorized);
    return respond(std::move(key.error()));
  }
  auto messages = read_messages(request.body, limits_of(context.options), (*key)->caller);
  if (auto refused = refuse_body(request.head, messages ? nullptr : &messages.error())) {
    refusals.add(ingest_refusal_of(*refused));
    return respond(std::move(*refused));
  }
  context.parts.router.send_batch(shard, std::move(*messages),
                                  [&context, shard, respond = std::move(respond)](
                                      const std::vector<delivery::SendOutcome>& outcomes) mutable {
                                    for (const delivery::SendOutcome& outcome : outcomes)
                                      count(context, shard, outcome);
                                    respond(messages_answer(outcomes));
                                  });
}

}  // namespace holdfast::api
