#pragma once

#include <cstddef>
#include <optional>

#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// The longest text that may be posted to a connection: API Gateway's quota on payloads.
inline constexpr std::size_t kPostedBytesMax = 128 << 10;

/// The refusal of a body that its head says to be too long; nullopt for others.
[[nodiscard]] std::optional<net::Response> refuse_posted_length(const net::RequestHead& head);

/// `POST`, `GET` and `DELETE /@connections/{connectionId}`: API Gateway's management API.
void handle_connection(const Context& context, net::Request request, net::Responder respond);

}  // namespace holdfast::api
