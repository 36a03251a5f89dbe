#pragma once

#include <cstdint>

namespace holdfast::net {

/// Close codes: those of RFC 6455 section 7.4, and the gateway's own from 4000 on.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  invalid_payload = 1007,
  policy_violation = 1008,
  too_big = 1009,
  access_ended = 4401,
  too_many_connections = 4408,
};

}  // namespace holdfast::net
