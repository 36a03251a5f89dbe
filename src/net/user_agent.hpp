#pragma once

namespace holdfast::net {

/// What every request of ours says that it comes from (RFC 9110 section 10.1.5); firewalls refuse
/// those that say nothing.
inline constexpr const char* kUserAgent = "holdfast/" HOLDFAST_VERSION;

}  // namespace holdfast::net
