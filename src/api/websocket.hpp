#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/api/origins.hpp>
#include <holdfast/delivery/client_protocol.hpp>
#include <holdfast/net/live_connection.hpp>

#include "context.hpp"

namespace holdfast::api {

/// The senders of a kind of request: pages in a browser alone, or any client (see
/// `AllowedOrigins`).
enum class SentBy : std::uint8_t { page, client };

/// Returns whether the request's Origin is allowed. A missing one is allowed, several are not.
[[nodiscard]] bool origin_allowed(const net::RequestHead& head, const AllowedOrigins& allowed,
                                  SentBy sender);
/// Makes the 403 for a refused Origin, which the access line names.
[[nodiscard]] net::Response refuse_origin(const net::RequestHead& head);

/// The protocol that a client and the gateway agreed on.
struct ChosenProtocol {
  delivery::ProtocolPtr protocol;
  std::string subprotocol;  ///< for the 101; empty for none
};
/// Returns the first subprotocol of the client's offer that is known, or `plain` without an offer.
/// nullopt if all offered ones are unknown or malformed.
[[nodiscard]] std::optional<ChosenProtocol> choose_protocol(const net::RequestHead& head,
                                                            delivery::FrameFormat plain);

/// Returns the query's `token`, decoded; nullopt if there is not exactly one.
[[nodiscard]] std::optional<std::string> token_of(std::string_view query);

/// An upgrade whose method, version and key are right: Origin, subprotocol, token, in this order,
/// so that a refused handshake burns no token.
void handle_upgrade(const Context& context, net::RequestHead head, net::LiveResponder respond);

}  // namespace holdfast::api
