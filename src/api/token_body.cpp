// Reads the body of POST /tokens.

#include "token_body.hpp"

#include <string>
#include <utility>

#include <holdfast/base/json.hpp>
#include <holdfast/delivery/send_limits.hpp>

namespace holdfast::api {
namespace {

constexpr const char* kUserId = "userId";

std::unexpected<BodyFault> fault(std::string field, std::string message) {
  return std::unexpected(
      BodyFault{.too_long = false, .field = std::move(field), .message = std::move(message)});
}

}  // namespace

std::expected<UserId, BodyFault> read_token_body(std::string_view body) {
  const auto json = parse_json(body, {.depth = 8, .bytes = kTokenBodyBytes});
  if (!json) return fault(json.error().where, json.error().message);
  if (!json->is_object()) return fault({}, "must be an object");
  const auto user = json->find(kUserId);
  if (user == json->end()) return fault(kUserId, "is required");
  if (!user->is_string()) return fault(kUserId, "must be a string");
  const auto& id = user->get_ref<const std::string&>();
  if (auto broken = delivery::check_user_id(id)) return fault(kUserId, std::move(*broken));
  return UserId(id);
}

}  // namespace holdfast::api
