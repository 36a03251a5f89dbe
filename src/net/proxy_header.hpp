#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::net {

/// The header in which a proxy names the client (the PROXY protocol, versions 1 and 2,
/// https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
struct ProxyHeader {
  enum class State : std::uint8_t { more, bad, done };

  /// Limits the length of a header.
  static constexpr std::size_t kBytesMax = 4096;

  State state = State::more;
  std::size_t size = 0;  ///< of the header, once done
  /// The client's address; `unknown` if the proxy does not give an IP address; empty if the proxy
  /// speaks for itself.
  std::string address{};
  bool secure = false;  ///< the client came over TLS, as version 2 can say
};
/// Reads a header from the front of `bytes`, strictly.
[[nodiscard]] ProxyHeader read_proxy_header(std::string_view bytes);

}  // namespace holdfast::net
