#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::test {

/// An issuer of RS256 ID tokens, made from OpenSSL alone: what it signs does not depend on the code
/// that verifies it.
class TestIssuer {
 public:
  explicit TestIssuer(std::string key_id) : key_id_(std::move(key_id)) {
    key_.reset(EVP_RSA_gen(2048));
    if (key_ == nullptr) throw std::runtime_error("no RSA key");
  }

  /// `{"keys":[…]}`.
  [[nodiscard]] std::string jwks() const {
    return Json{{"keys", Json::array({{{"kty", "RSA"},
                                       {"alg", "RS256"},
                                       {"use", "sig"},
                                       {"kid", key_id_},
                                       {"n", parameter(OSSL_PKEY_PARAM_RSA_N)},
                                       {"e", parameter(OSSL_PKEY_PARAM_RSA_E)}}})}}
        .dump();
  }

  [[nodiscard]] std::string sign(const Json& claims) const {
    const Json header{{"alg", "RS256"}, {"kid", key_id_}};
    const std::string input =
        base64url_encode(header.dump()) + "." + base64url_encode(claims.dump());
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    std::size_t size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
    if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, bytes, input.size()) != 1) {
      throw std::runtime_error("cannot sign");
    }
    std::string signature(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       bytes, input.size()) != 1) {
      throw std::runtime_error("cannot sign");
    }
    signature.resize(size);
    return input + "." + base64url_encode(signature);
  }

  /// An ID token of the pool's shape.
  [[nodiscard]] std::string id_token(const std::string& issuer, const std::string& client_id,
                                     const std::string& sub, WallTime now,
                                     Seconds lifetime = Seconds(3600)) const {
    return sign({{"sub", sub},
                 {"cognito:username", sub},
                 {"token_use", "id"},
                 {"aud", client_id},
                 {"iss", issuer},
                 {"auth_time", unix_seconds(now)},
                 {"iat", unix_seconds(now)},
                 {"exp", unix_seconds(now + lifetime)},
                 {"jti", "j"}});
  }

 private:
  [[nodiscard]] std::string parameter(const char* name) const {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(key_.get(), name, &number) != 1) {
      throw std::runtime_error("no parameter");
    }
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(number);
    return base64url_encode(bytes);
  }

  std::string key_id_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{nullptr, EVP_PKEY_free};
};

}  // namespace holdfast::test
