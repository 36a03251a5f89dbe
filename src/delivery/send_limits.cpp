// The rules for one message.

#include <algorithm>

#include <holdfast/delivery/send_limits.hpp>

namespace holdfast::delivery {
namespace {

constexpr std::size_t kUserIdBytes = 128;
constexpr std::size_t kDeduplicationIdBytes = 128;

bool is_printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

SendFault fault(SendField field, std::string rule) {
  return {.field = field, .too_long = false, .rule = std::move(rule)};
}

}  // namespace

std::string_view name_of(SendField field) noexcept {
  switch (field) {
    case SendField::user_id:
      return "userId";
    case SendField::message:
      return "message";
    case SendField::deduplication_id:
      return "deduplicationId";
    case SendField::ttl:
      break;
  }
  return "ttlSeconds";
}

std::optional<std::string> check_user_id(std::string_view id) {
  if (!id.empty() && id.size() <= kUserIdBytes) return std::nullopt;
  return "must have 1 to 128 bytes";
}

std::optional<SendFault> check(const SendRequest& request, const SendLimits& limits) {
  if (auto broken = check_user_id(request.user.str())) {
    return fault(SendField::user_id, std::move(*broken));
  }
  const auto& key = request.deduplication_id;
  if (key && (key->empty() || key->size() > kDeduplicationIdBytes || !is_printable_ascii(*key))) {
    return fault(SendField::deduplication_id, "must have 1 to 128 printable ASCII characters");
  }
  if (request.payload.empty()) return fault(SendField::message, "must not be empty");
  if (request.ttl && (*request.ttl < Seconds(1) || *request.ttl > limits.ttl)) {
    return fault(SendField::ttl, "must be 1 to " + std::to_string(limits.ttl.count()));
  }
  if (request.payload.size() > limits.message_bytes) {
    return SendFault{.field = SendField::message, .too_long = true, .rule = "is too long"};
  }
  return std::nullopt;
}

}  // namespace holdfast::delivery
