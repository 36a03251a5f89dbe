#pragma once

#include <memory>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::net {

/// What a listener proves itself with: PEM files.
struct TlsServerOptions {
  std::string certificate_file;  ///< the certificate, then what leads to its root
  std::string key_file;          ///< its private key, without a passphrase
  /// The roots of client certificates; empty: none are asked for.
  std::string client_ca_file{};
  /// What TLS 1.2 may use, in OpenSSL's notation; TLS 1.3 has its own. As it stands: forward
  /// secrecy and authenticated encryption.
  std::string ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
  /// Ends a handshake without a client certificate. Without it, one that is shown must be good.
  bool client_certificate_required = false;
};

/// Certificate and key of one or more listeners. TLS 1.2 and 1.3, ALPN `http/1.1`, no renegotiation
/// (RFC 8446, RFC 7301). Session tickets are sealed under a key that is renewed daily (RFC 5077
/// section 5.5).
class TlsServer {
 public:
  virtual ~TlsServer() = default;
  /// Reads the files again; handshakes from then on show the new certificate, connections that are
  /// open keep theirs. After an error all stays as it was. Any thread.
  [[nodiscard]] virtual Result<void> reload() = 0;
  /// When the certificate that handshakes show now expires. Any thread.
  [[nodiscard]] virtual WallTime expires_at() const = 0;
};
/// Reads the files. Errors, with the file's name: `io` (cannot be read), `invalid_argument` (not
/// PEM, a key that is not the certificate's, or no cipher that is known). `clock` outlives it.
[[nodiscard]] Result<std::shared_ptr<TlsServer>> make_tls_server(
    TlsServerOptions options, const Clock& clock = system_clock());

}  // namespace holdfast::net
