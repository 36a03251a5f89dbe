// The route that sends a message as the operator.

#include <optional>
#include <string>
#include <utility>

#include "routes.hpp"

namespace holdfast::control {
namespace {

constexpr std::size_t kUserIdBytes = 128;
constexpr std::size_t kDeduplicationIdBytes = 128;
constexpr std::int64_t kTtlSecondsMax = std::int64_t{14} * 24 * 3600;

Result<void> check_text(const std::string& text, const std::string& member, std::size_t max) {
  if (text.empty() || text.size() > max) {
    return refuse("must have 1 to " + std::to_string(max) + " bytes", member);
  }
  return {};
}

Result<void> read_ttl(const Json& value, delivery::SendRequest& into) {
  const bool small = value.is_number_integer() && value >= 1 && value <= kTtlSecondsMax;
  if (!small) return refuse("must be an integer from 1 to 1209600", "ttlSeconds");
  into.ttl = Seconds(value.get<std::int64_t>());
  return {};
}

Result<void> read_message_member(const std::string& member, const Json& value,
                                 std::size_t message_bytes_max, delivery::SendRequest& into) {
  if (member == "ttlSeconds") return read_ttl(value, into);
  if (member != "userId" && member != "message" && member != "deduplicationId") {
    return refuse("unknown member", member);
  }
  if (!value.is_string()) return refuse("must be a string", member);
  auto text = value.get<std::string>();
  if (member == "message") {
    into.payload = std::move(text);
    return check_text(into.payload, member, message_bytes_max);
  }
  if (member == "userId") {
    auto checked = check_text(text, member, kUserIdBytes);
    into.user = UserId(std::move(text));
    return checked;
  }
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e) return refuse("must be printable ASCII", member);
  }
  auto checked = check_text(text, member, kDeduplicationIdBytes);
  into.deduplication_id = std::move(text);
  return checked;
}

Result<delivery::SendRequest> read_message(std::string_view body, const LocalControlParts& parts) {
  const auto input = parse_json(body);
  if (!input) return std::unexpected(input.error());
  if (!input->is_object()) return refuse("must be an object", "body");
  delivery::SendRequest out;
  for (const auto& [member, value] : input->items()) {
    if (is_absent(member, value, {"deduplicationId", "ttlSeconds"})) continue;
    if (auto read = read_message_member(member, value, parts.message_bytes_max(), out); !read) {
      return std::unexpected(std::move(read.error()));
    }
  }
  if (out.user.empty()) return refuse("is required", "userId");
  if (out.payload.empty()) return refuse("is required", "message");
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
