#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::net {

/// What a proxy says of a connection before the client's first byte (the PROXY protocol, versions 1
/// and 2, https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
struct ProxyHeader {
  enum class State : std::uint8_t { more, bad, done };

  /// Longest one that is taken.
  static constexpr std::size_t kBytesMax = 4096;

  State state = State::more;
  std::size_t size = 0;  ///< of the header, once done
  /// The client's; `unknown` where the proxy does not tell it as an IP address; empty: the proxy
  /// speaks for itself.
  std::string address{};
  bool secure = false;  ///< the client came over TLS, as version 2 can tell
};
/// Reads it from the front of `bytes`, strictly.
[[nodiscard]] ProxyHeader read_proxy_header(std::string_view bytes);

}  // namespace holdfast::net
