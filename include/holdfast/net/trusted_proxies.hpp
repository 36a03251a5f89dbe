#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/error.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::net {

/// The `remote_address` of a client that a trusted proxy did not name. No policy may take it for
/// an address.
inline constexpr const char* kUnknownAddress = "unknown";

/// The proxies whose word is taken for who is behind them. Immutable; any thread.
class TrustedProxies {
 public:
  TrustedProxies() = default;
  /// Addresses and networks: `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`, and `unix` for whoever comes
  /// over a Unix socket. Error `invalid_argument` with the one at fault.
  [[nodiscard]] static Result<TrustedProxies> parse(const std::vector<std::string>& networks);

  [[nodiscard]] bool empty() const noexcept { return networks_.empty() && !unix_; }
  [[nodiscard]] bool trusts(std::string_view address) const noexcept;
  /// Puts the client's address and scheme in the place of the proxy's: the last of
  /// `X-Forwarded-For` that is no trusted proxy, or `kUnknownAddress` where there is none, and
  /// `X-Forwarded-Proto`, which must be a single `https` to be secure. What an untrusted peer sends
  /// changes nothing. A proxy that names nobody, for one when it asks for itself, leaves the scheme
  /// as it is, and the client unknown.
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
