#pragma once

#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// Serves `GET /tokens`: issues a temporary token to the user of the ID token in `Authorization`.
void handle_tokens(const Context& context, const net::Request& request, net::Responder respond);

}  // namespace holdfast::api
