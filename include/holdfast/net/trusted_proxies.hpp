#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/error.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::net {

/// The `remote_address` of a client whose trusted proxy did not name it. No policy may take it for
/// an address.
inline constexpr const char* kUnknownAddress = "unknown";

/// The proxies that may name the client behind them. Immutable; any thread.
class TrustedProxies {
 public:
  TrustedProxies() = default;
  /// Parses addresses and networks: `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`, and `unix` for every peer
  /// on a Unix socket. Error `invalid_argument` with the text at fault.
  [[nodiscard]] static Result<TrustedProxies> parse(const std::vector<std::string>& networks);

  [[nodiscard]] bool empty() const noexcept { return networks_.empty() && !unix_; }
  [[nodiscard]] bool trusts(std::string_view address) const noexcept;
  /// Replaces the proxy's address and scheme by the client's. The address is the last of
  /// `X-Forwarded-For` that is no trusted proxy, or `kUnknownAddress` if there is none. The request
  /// is secure if `X-Forwarded-Proto` is a single `https`. Headers of an untrusted peer change
  /// nothing. A proxy that names no client, as in its own checks, leaves the scheme as it is and
  /// the client unknown.
  void resolve(RequestHead& head) const;

 private:
  using Address = std::array<std::uint8_t, 16>;  ///< IPv4 as ::ffff:a.b.c.d
  struct Network {
    Address address{};
    unsigned bits = 128;
  };

  std::vector<Network> networks_;
  bool unix_ = false;
};

}  // namespace holdfast::net
