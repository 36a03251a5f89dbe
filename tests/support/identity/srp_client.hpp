#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include <openssl/bn.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

namespace holdfast::test {

/// The client's side of SRP, as amazon-cognito-identity-js computes it.
class SrpClient {
 public:
  SrpClient() : secret_(from_bytes(random_string(32))), public_(make()) {
    BN_mod_exp(public_.get(), generator().get(), secret_.get(), prime().get(), context().get());
  }

  [[nodiscard]] std::string public_hex() const { return hex_encode(to_bytes(public_.get())); }
  [[nodiscard]] static std::string prime_hex() { return hex_encode(to_bytes(prime().get())); }

  /// The key that both sides should come to.
  [[nodiscard]] std::string key(const std::string& pool_name, const std::string& user_id,
                                const std::string& password, const std::string& salt_hex,
                                const std::string& server_public_hex) const {
    const Context ctx = context();
    const Number n = prime();
    const Number g = generator();
    const Number b = from_bytes(hex_decode(server_public_hex).value());
    const Number salt = from_bytes(hex_decode(salt_hex).value());
    const Number k = from_bytes(hash(padded(n.get()) + padded(g.get())));
    const Number x =
        from_bytes(hash(padded(salt.get()) + hash(pool_name + user_id + ":" + password)));
    const Number u = from_bytes(hash(padded(public_.get()) + padded(b.get())));
    // (B - k g^x) ^ (a + u x)
    const Number base = make();
    BN_mod_exp(base.get(), g.get(), x.get(), n.get(), ctx.get());
    BN_mod_mul(base.get(), base.get(), k.get(), n.get(), ctx.get());
    BN_mod_sub(base.get(), b.get(), base.get(), n.get(), ctx.get());
    const Number exponent = make();
    BN_mul(exponent.get(), u.get(), x.get(), ctx.get());
    BN_add(exponent.get(), exponent.get(), secret_.get());
    const Number shared = make();
    BN_mod_exp(shared.get(), base.get(), exponent.get(), n.get(), ctx.get());
    const Digest extracted = hmac_sha256(padded(u.get()), padded(shared.get()));
    const Digest expanded = hmac_sha256(view(extracted), std::string("Caldera Derived Key") + '\1');
    return std::string(view(expanded).substr(0, 16));
  }

 private:
  struct Free {
    void operator()(BIGNUM* number) const { BN_free(number); }
    void operator()(BN_CTX* context) const { BN_CTX_free(context); }
  };
  using Number = std::unique_ptr<BIGNUM, Free>;
  using Context = std::unique_ptr<BN_CTX, Free>;

  static Number make() { return Number(BN_new()); }
  static Context context() { return Context(BN_CTX_new()); }
  static Number prime() { return Number(BN_get_rfc3526_prime_3072(nullptr)); }
  static Number generator() {
    Number out = make();
    BN_set_word(out.get(), 2);
    return out;
  }
  static Number from_bytes(const std::string& bytes) {
    return Number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                            static_cast<int>(bytes.size()), nullptr));
  }
  static std::string to_bytes(const BIGNUM* number) {
    std::string out(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(out.data()));
    return out;
  }
  static std::string padded(const BIGNUM* number) {
    std::string out = to_bytes(number);
    if (out.empty() || (static_cast<unsigned char>(out[0]) & 0x80U) != 0) out.insert(0, 1, '\0');
    return out;
  }
  static std::string hash(const std::string& bytes) { return std::string(view(sha256(bytes))); }

  Number secret_;
  Number public_;
};

}  // namespace holdfast::test
