// Refuses bodies that must be JSON and are not.

#include "json_body.hpp"

#include <string_view>

#include <holdfast/base/ascii.hpp>

#include "aws_errors.hpp"
#include "text.hpp"

namespace holdfast::api {
namespace {

constexpr std::string_view kJsonType = "application/json";

// Absent means JSON, as API Gateway has it.
bool is_json(const net::RequestHead& head) {
  const std::string* const type = head.header("Content-Type");
  if (type == nullptr) return true;
  const std::string_view value = *type;
  return ascii::iequals(ascii::trim(value.substr(0, value.find(';'))), kJsonType);
}

}  // namespace

std::string BodyFault::to_text() const {
  std::string out = "Invalid request body: ";
  if (!field.empty()) out += field + ": ";
  return out + message;
}

std::optional<net::Response> refuse_body(const net::RequestHead& head, const BodyFault* fault) {
  if (fault != nullptr && !fault->too_long) {
    return make_error(400, "BadRequestException", fault->to_text());
  }
  if (!is_json(head)) {
    net::Response out = transport_error(415, {});
    out.refused = "Content-Type is not application/json";
    return out;
  }
  if (fault != nullptr) {
    net::Response out = request_too_long();
    append_printable(out.refused = "", fault->to_text());
    return out;
  }
  return std::nullopt;
}

}  // namespace holdfast::api
