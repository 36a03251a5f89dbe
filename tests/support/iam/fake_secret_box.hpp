#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <holdfast/base/crypto.hpp>
#include <holdfast/iam/access_keys.hpp>

namespace holdfast::test {

/// Hides a secret from a plain look, ties it to its context and notices changes, as the real one
/// does; protects nothing.
class FakeSecretBox final : public iam::SecretBox {
 public:
  bool unavailable = false;

  Result<std::string> seal(std::string_view secret, std::string_view context) override {
    if (unavailable) return fail(Errc::unavailable, "no nonce to spend");
    return std::string(view(checksum(secret, context))) + mask(secret);
  }
  Result<std::string> open(std::string_view sealed, std::string_view context) const override {
    const std::size_t checksum_bytes = Digest().size();
    std::string secret = mask(sealed.substr(std::min(checksum_bytes, sealed.size())));
    if (!sealed.starts_with(view(checksum(secret, context)))) {
      return fail(Errc::unauthenticated, "sealed for something else, or changed");
    }
    return secret;
  }
  Result<std::string> seal_token(std::string_view plaintext, std::string_view context) override {
    return seal(plaintext, context);
  }
  Result<std::string> open_token(std::string_view sealed, std::string_view context) const override {
    return open(sealed, context);
  }

 private:
  static Digest checksum(std::string_view secret, std::string_view context) {
    return hmac_sha256(context, secret);
  }
  static std::string mask(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(c ^ 0x5a);
    return out;
  }
};

}  // namespace holdfast::test
