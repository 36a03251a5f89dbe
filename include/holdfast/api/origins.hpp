#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

/// The origin of a web page (RFC 6454 section 4), normalized: lower case, addresses as browsers
/// write them, the port as a number.
struct Origin {
  std::string scheme;
  std::string host;
  /// 0: the scheme's own.
  std::uint16_t port = 0;

  friend bool operator==(const Origin&, const Origin&) = default;
};

/// Reads `scheme://host` or `scheme://host:port`, of any scheme, and `file://`. nullopt for all
/// else, and for a host that no browser sends: with a `*`, with letters beyond ASCII (a browser
/// sends `xn--…`), or an address that is not four decimal numbers. One dot at its end goes.
[[nodiscard]] std::optional<Origin> parse_origin(std::string_view text);

/// Decides which pages may log in, ask for tokens and connect.
class AllowedOrigins {
 public:
  /// Takes entries `scheme://host[:port]`, or `*` for every origin, and drops all others. `own` is
  /// the origin under which clients reach the gateway.
  explicit AllowedOrigins(const std::vector<std::string>& entries, std::string_view own = {});

  /// Returns whether a page of the origin `text` may read answers to requests to `host` (the
  /// header's value): the origin is listed, or has that host and port.
  [[nodiscard]] bool allow_page(std::string_view text, std::string_view host) const;
  /// Returns whether a client that sends this Origin may connect: an allowed page, or a program.
  /// Programs may write `host` or the gateway's host in forms that no browser sends (`wss://host`,
  /// the bare host, without its port), or leave the host out.
  [[nodiscard]] bool allow_client(std::string_view text, std::string_view host) const;

 private:
  std::vector<Origin> listed_;
  std::optional<Origin> own_;
  bool all_ = false;
};

}  // namespace holdfast::api
