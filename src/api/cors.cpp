// CORS headers and preflight answers for logins and tokens.

#include "cors.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <holdfast/base/ascii.hpp>

#include "aws_errors.hpp"
#include "text.hpp"
#include "websocket.hpp"

namespace holdfast::api {
namespace {

constexpr std::string_view kReadableHeaders =
    "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date,Retry-After,Link";
constexpr std::string_view kMaxAgeSeconds = "600";

bool is_shared(Route route) { return route == Route::tokens || route == Route::user_pool; }

// Returns the headers that a preflight asks about, without invalid names. Monitoring scripts add
// headers. Allowing any is safe, because cookies do not authenticate.
std::string wanted_headers(const net::RequestHead& head) {
  std::string out;
  for (const auto& [name, value] : head.headers) {
    if (!ascii::iequals(name, "Access-Control-Request-Headers")) continue;
    for_each_element(value, [&out](std::string_view wanted) {
      if (!std::ranges::all_of(wanted, ascii::is_token_char)) return;
      if (!out.empty()) out += ',';
      out += wanted;
    });
  }
  return out;
}

// Returns the method that pages may use on a path. A preflight has no `X-Amz-Target`, so every path
// without a route may be the user pool's.
std::string_view method_for_pages(Route route, bool logs_in) {
  switch (route) {
    case Route::tokens:
    case Route::jwks:
    case Route::openid_configuration:
      return "GET";
    case Route::none:
    case Route::websocket_root:
      return logs_in ? "POST" : "";
    default:
      return {};
  }
}

}  // namespace

std::optional<net::Response> answer_preflight(const Context& context, const net::RequestHead& head,
                                              Route route, bool logs_in) {
  if (head.method != "OPTIONS") return std::nullopt;
  const std::string* const origin = head.header("Origin");
  const std::string* const wanted = head.header("Access-Control-Request-Method");
  if (origin == nullptr || wanted == nullptr) return std::nullopt;
  const std::string_view method = method_for_pages(route, logs_in);
  if (method.empty() || ascii::trim(*wanted) != method) return std::nullopt;
  if (!origin_allowed(head, context.allowed_origins, SentBy::page)) {
    net::Response refused = refuse_origin(head);
    refused.headers.emplace_back("Vary", "Origin");
    return refused;
  }
  net::Response out;
  out.status = 204;
  out.headers = {{"Access-Control-Allow-Origin", *origin},
                 {"Access-Control-Allow-Methods", std::string(method)},
                 {"Access-Control-Max-Age", std::string(kMaxAgeSeconds)},
                 {"Vary", "Origin"}};
  if (std::string names = wanted_headers(head); !names.empty()) {
    out.headers.emplace_back("Access-Control-Allow-Headers", std::move(names));
  }
  return out;
}

net::Responder share_with_page(const Context& context, Route route, const net::RequestHead& head,
                               net::Responder respond) {
  const std::string* const origin = head.header("Origin");
  if (!is_shared(route) || origin == nullptr ||
      !origin_allowed(head, context.allowed_origins, SentBy::page)) {
    return respond;
  }
  return std::move(respond).with([origin = *origin](net::Answer& answer) mutable {
    net::Headers& headers = net::headers_of(answer);
    headers.emplace_back("Access-Control-Allow-Origin", std::move(origin));
    headers.emplace_back("Access-Control-Expose-Headers", kReadableHeaders);
    headers.emplace_back("Vary", "Origin");
  });
}

}  // namespace holdfast::api
