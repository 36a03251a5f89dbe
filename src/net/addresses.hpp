#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::net {

/// An IP address in network order; IPv4 as `::ffff:a.b.c.d`.
using IpBytes = std::array<std::uint8_t, 16>;

struct ParsedIp {
  IpBytes bytes{};
  bool v4 = false;  ///< written as IPv4
};
/// Parses an IP address. nullopt for anything else, also with brackets, a port or a zone.
[[nodiscard]] std::optional<ParsedIp> parse_ip(std::string_view text);
/// Prints an address: IPv4 as such, also if it came mapped into IPv6 (RFC 4291 section 2.5.5.2),
/// and IPv6 in its shortest form.
[[nodiscard]] std::string format_ip(const IpBytes& bytes);

}  // namespace holdfast::net
