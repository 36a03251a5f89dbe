#pragma once

#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// Serves `POST /tokens`: issues a temporary token for the user whom a signed call names. For teams
/// with a login of their own.
void handle_signed_token(const Context& context, const net::Request& request,
                         net::Responder respond);

}  // namespace holdfast::api
