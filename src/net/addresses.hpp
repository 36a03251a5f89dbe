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
/// nullopt for what is no address; brackets, ports and zones are none.
[[nodiscard]] std::optional<ParsedIp> parse_ip(std::string_view text);
/// IPv4 as such, also where it came mapped into IPv6 (RFC 4291 section 2.5.5.2); IPv6 in its
/// shortest form.
[[nodiscard]] std::string format_ip(const IpBytes& bytes);

}  // namespace holdfast::net
