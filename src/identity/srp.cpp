// The arithmetic of the Secure Remote Password protocol.

#include "srp.hpp"

#include <algorithm>
#include <memory>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/identity/user.hpp>

#include "openssl.hpp"
#include "secret.hpp"

namespace holdfast::identity {
namespace {

// RFC 5054 appendix A, 3072-bit group; its generator in Cognito's clients is 2.
constexpr const char* kPrimeHex =
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33"
    "A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864"
    "D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2"
    "08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF";
constexpr std::size_t kPrimeBytes = 384;
constexpr std::size_t kSrpSaltBytes = 16;
constexpr std::size_t kSrpKeyBytes = 16;
constexpr BN_ULONG kGenerator = 2;

using BigContext = std::unique_ptr<BN_CTX, OpensslDelete<BN_CTX_free>>;

BigNumber new_number() {
  BigNumber out(BN_new());
  require(out != nullptr);
  return out;
}
BigNumber number_from(std::string_view bytes) {
  BigNumber out(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size()), nullptr));
  require(out != nullptr);
  return out;
}
std::string bytes_of(const BIGNUM* number) {
  std::string out(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(out.data()));
  return out;
}
// The bytes that the clients' padded hex stands for.
std::string padded(const BIGNUM* number) {
  std::string out = bytes_of(number);
  if (out.empty() || (static_cast<unsigned char>(out.front()) & 0x80U) != 0) out.insert(0, 1, '\0');
  return out;
}
std::string srp_hash(std::string_view bytes) { return std::string(view(sha256(bytes))); }

/// The group's constants, and a place for intermediate results.
struct Group {
  BigNumber prime;
  BigNumber generator = new_number();
  BigNumber multiplier;  // k
  BigContext context{BN_CTX_new()};

  Group() {
    BIGNUM* parsed = nullptr;
    require(BN_hex2bn(&parsed, kPrimeHex) != 0 && context != nullptr);
    prime.reset(parsed);
    require(BN_set_word(generator.get(), kGenerator) == 1);
    multiplier = number_from(srp_hash(padded(prime.get()) + padded(generator.get())));
  }
  [[nodiscard]] BigNumber power(const BIGNUM* base, BIGNUM* secret_exponent) const {
    BN_set_flags(secret_exponent, BN_FLG_CONSTTIME);
    BigNumber out = new_number();
    require(BN_mod_exp(out.get(), base, secret_exponent, prime.get(), context.get()) == 1);
    return out;
  }
};

std::string pool_name_of(std::string_view pool_id) {
  return std::string(pool_id.substr(pool_id.find('_') + 1));
}

// Extracts and expands (RFC 5869) in one step each, as 16 bytes need no more.
std::string derive_key(std::string_view shared, std::string_view salt) {
  const Digest extracted = hmac_sha256(salt, shared);
  const Digest expanded = hmac_sha256(view(extracted), std::string("Caldera Derived Key") + '\1');
  return std::string(view(expanded).substr(0, kSrpKeyBytes));
}

}  // namespace

std::string make_srp_verifier(std::string_view pool_id, std::string_view username,
                              std::string_view password) {
  std::string salt = random_string(kSrpSaltBytes);
  salt[0] = static_cast<char>((static_cast<unsigned char>(salt[0]) & 0x3fU) | 0x40U);
  return make_srp_verifier(pool_id, username, password, salt);
}

std::string make_srp_verifier(std::string_view pool_id, std::string_view username,
                              std::string_view password, const std::string& salt) {
  const Group group;
  std::string identity =
      pool_name_of(pool_id) + fold_username(username) + ":" + std::string(password);
  std::string inner = srp_hash(identity);
  wipe(identity);
  std::string x = srp_hash(padded(number_from(salt).get()) + inner);
  wipe(inner);
  const BigNumber exponent = number_from(x);
  wipe(x);
  return salt + bytes_of(group.power(group.generator.get(), exponent.get()).get());
}

std::string make_srp_decoy(std::string_view secret, std::string_view username) {
  const std::string name = fold_username(username);
  std::string out(view(hmac_sha256(secret, "srp salt " + name)).substr(0, kSrpSaltBytes));
  out[0] = static_cast<char>((static_cast<unsigned char>(out[0]) & 0x3fU) | 0x40U);
  for (int i = 0; out.size() < kSrpSaltBytes + kPrimeBytes - 1; ++i) {
    out += view(hmac_sha256(secret, "srp verifier " + std::to_string(i) + " " + name));
  }
  out.resize(kSrpSaltBytes + kPrimeBytes - 1);  // a byte short of the prime: below it
  return out;
}

std::optional<SrpChallenge> make_srp_challenge(std::string_view verifier,
                                               std::string_view client_public_hex,
                                               std::string_view secret) {
  if (verifier.size() <= kSrpSaltBytes || client_public_hex.empty() ||
      client_public_hex.size() > 2 * kPrimeBytes + 2) {
    return std::nullopt;
  }
  std::string even(client_public_hex);
  if (even.size() % 2 == 1) even.insert(0, 1, '0');
  const std::optional<Bytes> public_bytes = hex_decode(even);
  if (!public_bytes) return std::nullopt;

  const Group group;
  BN_CTX* const context = group.context.get();
  const BIGNUM* const prime = group.prime.get();
  const BigNumber client_public = number_from(*public_bytes);
  const BigNumber reduced = new_number();
  require(BN_nnmod(reduced.get(), client_public.get(), prime, context) == 1);
  // Anybody would know the key that such a number leads to.
  if (BN_is_zero(reduced.get())) return std::nullopt;

  const BigNumber v = number_from(verifier.substr(kSrpSaltBytes));
  const BigNumber b = number_from(secret);
  const BigNumber server_public = group.power(group.generator.get(), b.get());
  const BigNumber kv = new_number();
  require(BN_mod_mul(kv.get(), group.multiplier.get(), v.get(), prime, context) == 1);
  require(BN_mod_add(server_public.get(), server_public.get(), kv.get(), prime, context) == 1);

  const std::string u_bytes = srp_hash(padded(client_public.get()) + padded(server_public.get()));
  const BigNumber u = number_from(u_bytes);
  const BigNumber base = new_number();
  require(BN_mod_exp(base.get(), v.get(), u.get(), prime, context) == 1);
  require(BN_mod_mul(base.get(), base.get(), reduced.get(), prime, context) == 1);
  const BigNumber shared = group.power(base.get(), b.get());
  // Always of one length, also where the number begins with zeros.
  std::string answer = bytes_of(server_public.get());
  answer.insert(0, kPrimeBytes - answer.size(), '\0');
  return SrpChallenge{.salt_hex = hex_encode(verifier.substr(0, kSrpSaltBytes)),
                      .public_hex = hex_encode(answer),
                      .key = derive_key(padded(shared.get()), padded(u.get()))};
}

std::string srp_proof(std::string_view key, std::string_view pool_id, std::string_view user_id,
                      std::string_view secret_block, std::string_view timestamp) {
  std::string text = pool_name_of(pool_id);
  text += user_id;
  text += secret_block;
  text += timestamp;
  return std::string(view(hmac_sha256(key, text)));
}

}  // namespace holdfast::identity
