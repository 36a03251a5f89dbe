#pragma once

#include <optional>

#include <holdfast/net/http.hpp>

#include "context.hpp"
#include "paths.hpp"

/// Lets web pages that may connect read the answers of the login and of `GET /tokens`
/// (https://fetch.spec.whatwg.org/#http-cors-protocol).
namespace holdfast::api {

/// The answer to a page's question whether it may call such a route; nullopt when `head` asks
/// nothing of the kind. `logs_in`: the user pool is served where it asks.
[[nodiscard]] std::optional<net::Response> answer_preflight(const Context& context,
                                                            const net::RequestHead& head,
                                                            Route route, bool logs_in);

/// A responder that lets the page that asks read the answer, if it may and the route is such a one;
/// else `respond` itself.
[[nodiscard]] net::Responder share_with_page(const Context& context, Route route,
                                             const net::RequestHead& head, net::Responder respond);

}  // namespace holdfast::api
