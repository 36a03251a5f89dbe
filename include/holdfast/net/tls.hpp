#pragma once

#include <memory>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::net {

/// The PEM files with which a listener proves itself.
struct TlsServerOptions {
  std::string certificate_file;  ///< the certificate, then the chain to its root
  std::string key_file;          ///< its private key, without a passphrase
  /// The roots of client certificates. Empty: none are asked for.
  std::string client_ca_file{};
  /// The ciphers of TLS 1.2, in OpenSSL's notation; TLS 1.3 has its own. The default has forward
  /// secrecy and authenticated encryption.
  std::string ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
  /// Ends a handshake without a client certificate. If false, a certificate that is shown must
  /// still be good.
  bool client_certificate_required = false;
};

class TlsStream;

/// The certificate and key of one or more listeners. TLS 1.2 and 1.3, ALPN `http/1.1`, no
/// renegotiation (RFC 8446, RFC 7301). Session tickets are sealed under a key that is renewed daily
/// (RFC 5077 section 5.5).
class TlsServer {
 public:
  virtual ~TlsServer() = default;
  /// Reads the files again. Later handshakes show the new certificate; open connections keep
  /// theirs. Changes nothing on an error. Any thread.
  [[nodiscard]] virtual Result<void> reload() = 0;
  /// Returns the expiry of the present certificate. Any thread.
  [[nodiscard]] virtual WallTime expires_at() const = 0;
  /// Makes the stream of an accepted socket, for a listener; nullptr if there is no memory.
  [[nodiscard]] virtual std::shared_ptr<TlsStream> make_stream(int fd) const = 0;
};
/// Reads the files; `clock` outlives the result. Errors, with the file's name: `io` (cannot be
/// read), `invalid_argument` (not PEM, a key of another certificate, or no known cipher).
[[nodiscard]] Result<std::shared_ptr<TlsServer>> make_tls_server(
    TlsServerOptions options, const Clock& clock = system_clock());

}  // namespace holdfast::net
