#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <holdfast/iam/access_keys.hpp>
#include <holdfast/identity/key_ring.hpp>

namespace holdfast::app {

/// Seals access keys' secrets by the key ring.
class KeyRingBox final : public iam::SecretBox {
 public:
  explicit KeyRingBox(std::shared_ptr<identity::KeyRing> ring) : ring_(std::move(ring)) {}

  Result<std::string> seal(std::string_view secret, std::string_view context) override {
    return ring_->seal(secret, context);
  }
  Result<std::string> open(std::string_view sealed, std::string_view context) const override {
    return ring_->open(sealed, context);
  }
  Result<std::string> seal_token(std::string_view plaintext, std::string_view context) override {
    return ring_->seal_token(plaintext, context);
  }
  Result<std::string> open_token(std::string_view sealed, std::string_view context) const override {
    return ring_->open_token(sealed, context);
  }

 private:
  std::shared_ptr<identity::KeyRing> ring_;
};

}  // namespace holdfast::app
