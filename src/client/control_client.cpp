// A client of the control socket.

#include <utility>

#include <holdfast/client/control_client.hpp>

#include "answer.hpp"

namespace holdfast::client {
namespace {

constexpr Milliseconds kTimeout{30'000};

// `{"error":{"code","message","where"}}`
CallError control_error_of(const net::Response& response) {
  CallError error = error_of(response);
  const auto body = parse_json(response.body, kAnswerLimits);
  if (!body || !body->is_object()) return error;
  const auto inner = body->find("error");
  if (inner == body->end() || !inner->is_object()) return error;
  error.type = string_member(*inner, "code");
  error.message = string_member(*inner, "message");
  const std::string where = string_member(*inner, "where");
  if (!where.empty()) error.message = where + ": " + error.message;
  return error;
}

}  // namespace

ControlClient::ControlClient(const std::string& path) {
  net::Url url;
  url.scheme = "unix";
  url.host = path;
  url.target = "/";
  http_ = net::make_http_client(std::move(url));
}

CallResult<Json> ControlClient::call(const std::string& method, const std::string& target,
                                     const Json& body) {
  net::ClientRequest request;
  request.method = method;
  request.target = target;
  if (!body.is_null()) {
    auto text = dump(body);
    if (!text) return std::unexpected(text.error());
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = std::move(*text);
  }
  const auto response = http_->request(request, kTimeout);
  if (!response) return no_answer(response.error());
  if (response->status < 200 || response->status > 299) {
    return std::unexpected(control_error_of(*response));
  }
  return object_of(*response);
}

}  // namespace holdfast::client
