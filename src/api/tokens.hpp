#pragma once

#include <string_view>

#include <holdfast/api/route_metrics.hpp>
#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// Serves `GET /tokens`: issues a temporary token to the user of the ID token in `Authorization`.
void handle_tokens(const Context& context, const net::Request& request, net::Responder respond);

/// Makes the answer that brings a temporary token.
[[nodiscard]] net::Response issued_token(std::string_view token);
/// Returns the reason under which an error of the Generator is counted.
[[nodiscard]] TokenRefusal token_refusal_of(const Error& error);

}  // namespace holdfast::api
