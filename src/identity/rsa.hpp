#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "openssl.hpp"
#include "secret.hpp"

namespace holdfast::identity {

/// The numbers of a public key, big-endian.
struct RsaNumbers {
  std::string modulus;
  std::string exponent;
};

/// Verifies RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3). Immutable; any thread.
class RsaPublicKey {
 public:
  /// nullopt for a modulus outside 2048 to 8192 bits, an even exponent, or one outside 3 to 2^32.
  [[nodiscard]] static std::optional<RsaPublicKey> make(const RsaNumbers& numbers);
  [[nodiscard]] bool verify(std::string_view text, std::string_view signature) const;

 private:
  explicit RsaPublicKey(PkeyContext verifying) : verifying_(std::move(verifying)) {}
  PkeyContext verifying_;  ///< set up once, duplicated for each use
};

/// A private key that signs with RS256. Immutable and thread-safe.
class RsaPrivateKey {
 public:
  /// Of 2048 bits or more; takes up to seconds.
  [[nodiscard]] static RsaPrivateKey generate(unsigned bits);
  /// nullopt when `der` (PKCS #1) is not an RSA key of at least 2048 bits.
  [[nodiscard]] static std::optional<RsaPrivateKey> parse(std::string_view der);
  [[nodiscard]] Secret der() const;
  [[nodiscard]] RsaNumbers numbers() const;
  [[nodiscard]] std::string sign(std::string_view text) const;

 private:
  explicit RsaPrivateKey(Pkey key);
  Pkey key_;
  PkeyContext signing_;
};

}  // namespace holdfast::identity
