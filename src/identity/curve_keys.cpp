// Verifies ES256 and EdDSA signatures.

#include "curve_keys.hpp"

#include <memory>
#include <string>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>

#include <holdfast/base/crypto.hpp>

namespace holdfast::identity {
namespace {

constexpr std::size_t kCoordinateBytes = 32;

const unsigned char* curve_octets(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

BigNumber integer_of(std::string_view bytes) {
  return BigNumber(BN_bin2bn(curve_octets(bytes), static_cast<int>(bytes.size()), nullptr));
}

// OpenSSL wants r and s in DER; RFC 7518 has them side by side.
std::string der_signature(std::string_view r_and_s) {
  const std::unique_ptr<ECDSA_SIG, OpensslDelete<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  require(signature != nullptr);
  BigNumber r = integer_of(r_and_s.substr(0, kCoordinateBytes));
  BigNumber s = integer_of(r_and_s.substr(kCoordinateBytes));
  require(ECDSA_SIG_set0(signature.get(), r.release(), s.release()) == 1);
  unsigned char* raw = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &raw);
  require(size > 0);
  std::string out(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(size));
  OPENSSL_free(raw);
  return out;
}

}  // namespace

std::optional<P256PublicKey> P256PublicKey::make(std::string_view x, std::string_view y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) return std::nullopt;
  const std::string point = "\x04" + std::string(x) + std::string(y);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  require(OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1",
                                          0) == 1);
  require(OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                           point.size()) == 1);
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  const PkeyContext making(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  require(EVP_PKEY_fromdata_init(making.get()) == 1);
  EVP_PKEY* raw = nullptr;
  if (EVP_PKEY_fromdata(making.get(), &raw, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return std::nullopt;
  }
  const Pkey key(raw);
  const PkeyContext checking(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (EVP_PKEY_public_check(checking.get()) != 1) return std::nullopt;
  PkeyContext verifying(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  require(EVP_PKEY_verify_init(verifying.get()) == 1);
  require(EVP_PKEY_CTX_set_signature_md(verifying.get(), EVP_sha256()) == 1);
  return P256PublicKey(std::move(verifying));
}

bool P256PublicKey::verify(std::string_view text, std::string_view signature) const {
  if (signature.size() != 2 * kCoordinateBytes) return false;
  const PkeyContext context(EVP_PKEY_CTX_dup(verifying_.get()));
  require(context != nullptr);
  const std::string der = der_signature(signature);
  const Digest digest = sha256(text);
  return EVP_PKEY_verify(context.get(), curve_octets(der), der.size(), digest.data(),
                         digest.size()) == 1;
}

std::optional<Ed25519PublicKey> Ed25519PublicKey::make(std::string_view x) {
  if (x.size() != kCoordinateBytes) return std::nullopt;
  Pkey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, curve_octets(x), x.size()));
  if (key == nullptr) return std::nullopt;
  return Ed25519PublicKey(std::move(key));
}

bool Ed25519PublicKey::verify(std::string_view text, std::string_view signature) const {
  const DigestContext context(EVP_MD_CTX_new());
  require(context != nullptr);
  require(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  return EVP_DigestVerify(context.get(), curve_octets(signature), signature.size(),
                          curve_octets(text), text.size()) == 1;
}

}  // namespace holdfast::identity
