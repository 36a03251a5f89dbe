#pragma once

#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// `POST /message`.
void handle_message(const Context& context, const net::Request& request, net::Responder respond);
/// `POST /messages`.
void handle_messages(const Context& context, const net::Request& request, net::Responder respond);

}  // namespace holdfast::api
