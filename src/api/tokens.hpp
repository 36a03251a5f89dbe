#pragma once

#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// `GET /tokens`: a temporary token for the user whom the ID token in `Authorization` proves.
void handle_tokens(const Context& context, const net::Request& request, net::Responder respond);

}  // namespace holdfast::api
