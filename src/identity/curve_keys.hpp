#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "openssl.hpp"

namespace holdfast::identity {

/// Verifies ECDSA on P-256 with SHA-256 (ES256, RFC 7518 section 3.4). Immutable; any thread.
class P256PublicKey {
 public:
  /// nullopt unless both coordinates have 32 bytes and are a point of the curve.
  [[nodiscard]] static std::optional<P256PublicKey> make(std::string_view x, std::string_view y);
  /// `signature` is r ‖ s, 32 bytes each.
  [[nodiscard]] bool verify(std::string_view text, std::string_view signature) const;

 private:
  explicit P256PublicKey(PkeyContext verifying) : verifying_(std::move(verifying)) {}
  PkeyContext verifying_;  ///< set up once, duplicated for each use
};

/// Verifies Ed25519 (EdDSA, RFC 8037 section 3.1). Immutable; any thread.
class Ed25519PublicKey {
 public:
  /// nullopt unless it has 32 bytes.
  [[nodiscard]] static std::optional<Ed25519PublicKey> make(std::string_view x);
  [[nodiscard]] bool verify(std::string_view text, std::string_view signature) const;

 private:
  explicit Ed25519PublicKey(Pkey key) : key_(std::move(key)) {}
  Pkey key_;
};

}  // namespace holdfast::identity
