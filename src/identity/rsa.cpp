// RSA keys: generates, signs and verifies.

#include "rsa.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <holdfast/base/crypto.hpp>

namespace holdfast::identity {
namespace {

constexpr int kMinimumBits = 2048;
constexpr int kMaximumBits = 8192;
constexpr std::size_t kSeedBytes = 48;

const unsigned char* rsa_octets(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

BigNumber number(std::string_view bytes) {
  return BigNumber(BN_bin2bn(rsa_octets(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::string number_of(const Pkey& key, const char* name) {
  BIGNUM* raw = nullptr;
  require(EVP_PKEY_get_bn_param(key.get(), name, &raw) == 1);
  const BigNumber value(raw);
  std::string out(static_cast<std::size_t>(BN_num_bytes(value.get())), '\0');
  BN_bn2bin(value.get(), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

void use_rs256(const PkeyContext& context) {
  require(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1);
  require(EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1);
}

bool acceptable(const BIGNUM* modulus, const BIGNUM* exponent) {
  const int bits = BN_num_bits(modulus);
  return bits >= kMinimumBits && bits <= kMaximumBits && BN_is_odd(modulus) == 1 &&
         BN_is_odd(exponent) == 1 && BN_num_bits(exponent) >= 2 && BN_num_bits(exponent) <= 32;
}

}  // namespace

std::optional<RsaPublicKey> RsaPublicKey::make(const RsaNumbers& numbers) {
  if (numbers.modulus.size() > kMaximumBits / 8 || numbers.exponent.size() > 8) return std::nullopt;
  const BigNumber modulus = number(numbers.modulus);
  const BigNumber exponent = number(numbers.exponent);
  if (!acceptable(modulus.get(), exponent.get())) return std::nullopt;
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  require(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) == 1);
  require(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) == 1);
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  const PkeyContext making(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  require(EVP_PKEY_fromdata_init(making.get()) == 1);
  EVP_PKEY* raw = nullptr;
  if (EVP_PKEY_fromdata(making.get(), &raw, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return std::nullopt;
  }
  const Pkey key(raw);
  PkeyContext verifying(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  require(EVP_PKEY_verify_init(verifying.get()) == 1);
  use_rs256(verifying);
  return RsaPublicKey(std::move(verifying));
}

bool RsaPublicKey::verify(std::string_view text, std::string_view signature) const {
  const PkeyContext context(EVP_PKEY_CTX_dup(verifying_.get()));
  require(context != nullptr);
  const Digest digest = sha256(text);
  return EVP_PKEY_verify(context.get(), rsa_octets(signature), signature.size(), digest.data(),
                         digest.size()) == 1;
}

RsaPrivateKey::RsaPrivateKey(Pkey key)
    : key_(std::move(key)), signing_(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr)) {
  require(EVP_PKEY_sign_init(signing_.get()) == 1);
  use_rs256(signing_);
}

RsaPrivateKey RsaPrivateKey::generate(unsigned bits) {
  // Seeds from the kernel, because OpenSSL's generator may be a copy in a cloned machine.
  std::string seed = random_string(kSeedBytes);
  RAND_seed(seed.data(), static_cast<int>(seed.size()));
  wipe(seed);
  Pkey key(EVP_RSA_gen(bits));
  require(key != nullptr);
  return RsaPrivateKey(std::move(key));
}

std::optional<RsaPrivateKey> RsaPrivateKey::parse(std::string_view der) {
  const unsigned char* position = rsa_octets(der);
  Pkey key(d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &position, static_cast<long>(der.size())));
  if (key == nullptr || EVP_PKEY_get_bits(key.get()) < kMinimumBits) return std::nullopt;
  return RsaPrivateKey(std::move(key));
}

Secret RsaPrivateKey::der() const {
  unsigned char* raw = nullptr;
  const int size = i2d_PrivateKey(key_.get(), &raw);
  require(size > 0);
  Secret out(std::string_view(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(size)));
  OPENSSL_clear_free(raw, static_cast<std::size_t>(size));
  return out;
}

RsaNumbers RsaPrivateKey::numbers() const {
  return {.modulus = number_of(key_, OSSL_PKEY_PARAM_RSA_N),
          .exponent = number_of(key_, OSSL_PKEY_PARAM_RSA_E)};
}

std::string RsaPrivateKey::sign(std::string_view text) const {
  const PkeyContext context(EVP_PKEY_CTX_dup(signing_.get()));
  require(context != nullptr);
  const Digest digest = sha256(text);
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  std::string out(size, '\0');
  require(EVP_PKEY_sign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                        digest.data(), digest.size()) == 1);
  out.resize(size);
  return out;
}

}  // namespace holdfast::identity
