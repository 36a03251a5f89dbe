#pragma once

namespace holdfast::net {

/// The User-Agent of our requests (RFC 9110 section 10.1.5). Firewalls refuse requests without one.
inline constexpr const char* kUserAgent = "holdfast/" HOLDFAST_VERSION;

}  // namespace holdfast::net
