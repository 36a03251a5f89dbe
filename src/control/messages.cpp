// The route that sends a message as the operator.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/delivery/send_limits.hpp>

#include "routes.hpp"

namespace holdfast::control {
namespace {

Result<void> read_message_member(const std::string& member, const Json& value,
                                 delivery::SendRequest& into) {
  if (member == "ttlSeconds") {
    if (!value.is_number_integer()) return refuse("must be an integer", member);
    // Beyond every limit, whichever its sign says.
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX;
    into.ttl = huge ? Seconds::max() : Seconds(value.get<std::int64_t>());
    return {};
  }
  if (member != "userId" && member != "message" && member != "deduplicationId") {
    return refuse("unknown member", member);
  }
  if (!value.is_string()) return refuse("must be a string", member);
  auto text = value.get<std::string>();
  if (member == "message") {
    into.payload = std::move(text);
  } else if (member == "userId") {
    into.user = UserId(std::move(text));
  } else {
    into.deduplication_id = std::move(text);
  }
  return {};
}

Result<delivery::SendRequest> read_message(std::string_view body, const LocalControlParts& parts) {
  const auto input = parse_json(body);
  if (!input) return std::unexpected(input.error());
  if (!input->is_object()) return refuse("must be an object", "body");
  delivery::SendRequest out;
  for (const auto& [member, value] : input->items()) {
    if (is_absent(member, value, {"deduplicationId", "ttlSeconds"})) continue;
    if (auto read = read_message_member(member, value, out); !read) {
      return std::unexpected(std::move(read.error()));
    }
  }
  for (const char* const required : {"userId", "message"}) {
    if (!input->contains(required)) return refuse("is required", required);
  }
  const delivery::SendLimits limits{.message_bytes = parts.message_bytes_max()};
  if (auto fault = delivery::check(out, limits)) {
    return refuse(std::move(fault->rule), std::string(delivery::name_of(fault->field)));
  }
  out.caller = parts.operator_caller;
  return out;
}

}  // namespace

void send_message(Call call) {
  auto message = read_message(call.body, call.parts);
  if (!message) return call.respond(json_error(message.error()));
  if (call.audit) call.audit->target = "user:" + message->user.str();
  call.parts.router.send(
      call.shard, std::move(*message),
      [respond = std::move(call.respond)](const delivery::SendOutcome& outcome) mutable {
        if (!outcome) return respond(json_error(outcome.error()));
        respond(json_answer({{"messageId", outcome->id.str()},
                             {"sequence", outcome->sequence},
                             {"status", delivery::to_string(outcome->status)}}));
      });
}

}  // namespace holdfast::control
