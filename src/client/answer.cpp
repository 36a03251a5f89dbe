// Turns HTTP answers into results or call errors.

#include "answer.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include <holdfast/base/ascii.hpp>

namespace holdfast::client {
namespace {

constexpr Seconds kRetryAfterMax{24 * 3600};

std::string_view header_of(const net::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (ascii::iequals(key, name)) return value;
  }
  return {};
}

std::optional<Seconds> retry_after_of(const net::Response& response) {
  const std::string_view text = header_of(response, "Retry-After");
  const char* const begin = std::to_address(text.begin());
  const char* const end_of_text = begin + text.size();
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(begin, end_of_text, seconds);
  if (error != std::errc{} || end != end_of_text || seconds < 0) return std::nullopt;
  return std::min(Seconds(seconds), kRetryAfterMax);
}

}  // namespace

bool CallError::transient() const noexcept {
  return status == 0 || status == 408 || status == 429 || status >= 500;
}

std::string CallError::text() const { return type.empty() ? message : type + ": " + message; }

CallError error_of(const net::Response& response) {
  CallError error;
  error.status = response.status;
  error.type = header_of(response, "x-amzn-ErrorType");
  error.type.erase(std::min(error.type.find(':'), error.type.size()));
  const auto body = parse_json(response.body, kAnswerLimits);
  if (body && body->is_object()) {
    error.message = string_member(*body, "message");
    if (error.message.empty()) error.message = string_member(*body, "Message");
    if (error.type.empty()) {
      const std::string type = string_member(*body, "__type");
      error.type = type.substr(type.find('#') + 1);
    }
  }
  if (error.message.empty()) error.message = "HTTP status " + std::to_string(response.status);
  error.retry_after = retry_after_of(response);
  return error;
}

std::string string_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return {};
  return found->get<std::string>();
}

CallResult<std::string> dump(const Json& value) {
  try {
    return value.dump();
  } catch (const Json::type_error&) {
    return std::unexpected(CallError{400, {}, "the text is not UTF-8", std::nullopt});
  }
}

CallResult<Json> object_of(const net::Response& response) {
  if (response.status < 200 || response.status > 299) return std::unexpected(error_of(response));
  auto body = parse_json(response.body, kAnswerLimits);
  if (!body || !body->is_object()) return not_understood();
  return std::move(*body);
}

std::unexpected<CallError> not_understood() {
  return std::unexpected(CallError{200, {}, "the answer was not understood", std::nullopt});
}

std::unexpected<CallError> no_answer(const Error& error) {
  CallError out;
  if (error.code == Errc::unauthenticated) out.status = 401;
  if (error.code == Errc::invalid_argument) out.status = 400;
  out.message = error.message;
  return std::unexpected(std::move(out));
}

}  // namespace holdfast::client
