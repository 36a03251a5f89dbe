// Shared shapes of the control routes: answers, errors, queries and times.

#include "wire.hpp"

#include <algorithm>
#include <charconv>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/url.hpp>

namespace holdfast::control {
namespace {

constexpr std::size_t kLimitDefault = 100;
constexpr std::size_t kLimitMax = 1000;

int status_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return 400;
    case Errc::not_found:
      return 404;
    case Errc::already_exists:
    case Errc::conflict:
      return 409;
    case Errc::limit_exceeded:
      return 413;
    case Errc::unauthenticated:
    case Errc::expired:
    case Errc::forbidden:
      return 403;
    case Errc::too_many_requests:
      return 429;
    case Errc::unavailable:
    case Errc::io:
    case Errc::internal:
      break;
  }
  return 503;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

}  // namespace

net::Response json_answer(const Json& body, int status) {
  net::Response out;
  out.status = status;
  out.headers.emplace_back("Content-Type", "application/json");
  out.headers.emplace_back("Cache-Control", "no-store");
  out.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return out;
}

net::Response json_error(const Error& error) { return json_error(status_of(error.code), error); }

std::unexpected<Error> refuse(std::string message, const std::string& where) {
  return fail(Errc::invalid_argument, std::move(message), where);
}

bool is_absent(std::string_view member, const Json& value,
               std::initializer_list<std::string_view> optional) {
  return value.is_null() && std::ranges::find(optional, member) != optional.end();
}

net::Response json_error(int status, const Error& error) {
  const Json body = {
      {"error",
       {{"code", to_string(error.code)}, {"message", error.message}, {"where", error.where}}}};
  net::Response out = json_answer(body, status);
  out.refused = error.where.empty() ? error.message : error.where + ": " + error.message;
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  return out;
}

const std::string* Call::parameter(std::string_view name) const {
  const auto it = std::ranges::find(query, name, [](const auto& pair) { return pair.first; });
  return it == query.end() ? nullptr : &it->second;
}

Result<std::size_t> Call::limit() const {
  const std::string* const text = parameter("limit");
  if (text == nullptr) return kLimitDefault;
  const auto value = parse_number<std::size_t>(*text);
  if (!value || *value < 1 || *value > kLimitMax) {
    return fail(Errc::invalid_argument, "must be 1 to 1000", "limit");
  }
  return *value;
}

Result<Sequence> Call::sequence(std::string_view name) const {
  const std::string* const text = parameter(name);
  if (text == nullptr) return Sequence{0};
  const auto value = parse_number<Sequence>(*text);
  if (!value || *value < 0) {
    return fail(Errc::invalid_argument, "must be a sequence number", std::string(name));
  }
  return *value;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  while (const auto parameter = take_parameter(query)) {
    auto name = percent_decode(parameter->name);
    auto value = percent_decode(parameter->value);
    if (!name || !value || !is_utf8(*name) || !is_utf8(*value)) {
      return fail(Errc::invalid_argument, "broken percent-encoding", "query");
    }
    if (!name->empty()) out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

std::optional<MessageId> parse_message_id(std::string_view text) {
  constexpr std::size_t dashes[] = {8, 13, 18, 23};
  if (text.size() != 36) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = std::ranges::find(dashes, i) != std::end(dashes);
    if (dash != (text[i] == '-')) return std::nullopt;
    if (!dash) digits += text[i];
  }
  const auto bytes = hex_decode(digits);
  if (!bytes) return std::nullopt;
  std::array<std::uint8_t, 16> out{};
  std::ranges::transform(*bytes, out.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return MessageId(out);
}

}  // namespace holdfast::control
