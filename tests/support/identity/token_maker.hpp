#pragma once

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::test {

/// A key that signs JWTs, made from OpenSSL alone: what it signs does not depend on the code that
/// verifies it.
class TokenMaker {
 public:
  enum class Kind { rsa, weak_rsa, p256, p384, ed25519 };

  explicit TokenMaker(Kind kind, std::string key_id = "key-1")
      : kind_(kind), key_id_(std::move(key_id)), key_(generate(kind), EVP_PKEY_free) {
    if (key_ == nullptr) throw std::runtime_error("no key");
  }

  [[nodiscard]] const char* algorithm() const {
    switch (kind_) {
      case Kind::rsa:
      case Kind::weak_rsa:
        return "RS256";
      case Kind::p256:
        return "ES256";
      case Kind::p384:
        return "ES384";
      case Kind::ed25519:
        break;
    }
    return "EdDSA";
  }
  [[nodiscard]] Json jwk() const {
    Json out = {{"kid", key_id_}, {"use", "sig"}, {"alg", algorithm()}};
    switch (kind_) {
      case Kind::rsa:
      case Kind::weak_rsa:
        out["kty"] = "RSA";
        out["n"] = number(OSSL_PKEY_PARAM_RSA_N, 0);
        out["e"] = number(OSSL_PKEY_PARAM_RSA_E, 0);
        break;
      case Kind::p256:
      case Kind::p384: {
        const std::size_t size = kind_ == Kind::p256 ? 32 : 48;
        out["kty"] = "EC";
        out["crv"] = kind_ == Kind::p256 ? "P-256" : "P-384";
        out["x"] = number(OSSL_PKEY_PARAM_EC_PUB_X, size);
        out["y"] = number(OSSL_PKEY_PARAM_EC_PUB_Y, size);
        break;
      }
      case Kind::ed25519: {
        std::string bytes(32, '\0');
        std::size_t size = bytes.size();
        EVP_PKEY_get_raw_public_key(key_.get(), octets(bytes), &size);
        out["kty"] = "OKP";
        out["crv"] = "Ed25519";
        out["x"] = base64url_encode(bytes);
        break;
      }
    }
    return out;
  }
  /// `{"keys":[…]}` with this key alone.
  [[nodiscard]] std::string jwks() const { return Json{{"keys", Json::array({jwk()})}}.dump(); }

  [[nodiscard]] Json header() const { return {{"alg", algorithm()}, {"kid", key_id_}}; }
  [[nodiscard]] std::string sign(const Json& claims) const { return sign(claims, header()); }
  /// Signs with its own algorithm, whatever the header says.
  [[nodiscard]] std::string sign(const Json& claims, const Json& header) const {
    return sign_text(claims.dump(), header);
  }
  /// Claims that are spelt as they stand.
  [[nodiscard]] std::string sign_text(const std::string& claims) const {
    return sign_text(claims, header());
  }
  [[nodiscard]] std::string sign_text(const std::string& claims, const Json& header) const {
    const std::string input = base64url_encode(header.dump()) + "." + base64url_encode(claims);
    return input + "." + base64url_encode(signature_of(input));
  }
  [[nodiscard]] std::string signature_of(const std::string& input) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    const EVP_MD* const digest = kind_ == Kind::ed25519 ? nullptr
                                 : kind_ == Kind::p384  ? EVP_sha384()
                                                        : EVP_sha256();
    std::string signature(1024, '\0');
    std::size_t size = signature.size();
    std::string text = input;
    if (EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), octets(signature), &size, octets(text), text.size()) != 1) {
      throw std::runtime_error("cannot sign");
    }
    signature.resize(size);
    if (kind_ == Kind::p256) return side_by_side(signature, 32);
    if (kind_ == Kind::p384) return side_by_side(signature, 48);
    return signature;
  }

 private:
  static unsigned char* octets(std::string& bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
  }
  static EVP_PKEY* generate(Kind kind) {
    switch (kind) {
      case Kind::rsa:
        return EVP_RSA_gen(2048);
      case Kind::weak_rsa:
        return EVP_RSA_gen(1024);
      case Kind::p256:
        return EVP_EC_gen("P-256");
      case Kind::p384:
        return EVP_EC_gen("P-384");
      case Kind::ed25519:
        break;
    }
    return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  }
  [[nodiscard]] std::string number(const char* name, std::size_t size) const {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key_.get(), name, &raw) != 1) throw std::runtime_error("no number");
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> value(raw, BN_free);
    std::string bytes(size != 0 ? size : static_cast<std::size_t>(BN_num_bytes(raw)), '\0');
    BN_bn2binpad(raw, octets(bytes), static_cast<int>(bytes.size()));
    return base64url_encode(bytes);
  }
  static std::string side_by_side(const std::string& der, int size) {
    const auto* position = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
        d2i_ECDSA_SIG(nullptr, &position, static_cast<long>(der.size())), ECDSA_SIG_free);
    std::string out(static_cast<std::size_t>(2 * size), '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), octets(out), size);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), octets(out) + size, size);
    return out;
  }

  Kind kind_;
  std::string key_id_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

}  // namespace holdfast::test
