#pragma once

#include <string>
#include <string_view>

#include <holdfast/base/crypto.hpp>
#include <holdfast/iam/access_keys.hpp>

namespace holdfast::test {

/// Hides a secret from a plain look and ties it to its context, as the real one does; protects
/// nothing.
class FakeSecretBox final : public iam::SecretBox {
 public:
  bool unavailable = false;

  Result<std::string> seal(std::string_view secret, std::string_view context) override {
    if (unavailable) return fail(Errc::unavailable, "no nonce to spend");
    return std::string(view(sha256(context))) + mask(secret);
  }
  Result<std::string> open(std::string_view sealed, std::string_view context) const override {
    const Digest expected = sha256(context);
    if (!sealed.starts_with(view(expected))) {
      return fail(Errc::unauthenticated, "sealed for something else");
    }
    return mask(sealed.substr(expected.size()));
  }

 private:
  static std::string mask(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(c ^ 0x5a);
    return out;
  }
};

}  // namespace holdfast::test
