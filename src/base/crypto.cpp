// Hashes, HMACs, random bytes, and wiping of secrets, on OpenSSL.

#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <holdfast/base/crypto.hpp>

namespace holdfast {
namespace {

struct FreeDigestContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeDigestContext>;

// Fetching an algorithm by name costs more than hashing a short text: once per process.
const EVP_MD* sha256_algorithm() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

EVP_MD_CTX* thread_context() {
  thread_local const DigestContext context(EVP_MD_CTX_new());
  return context.get();
}

void require(bool ok) {
  if (!ok) std::abort();  // out of memory, or a broken OpenSSL: nothing sane is left to do
}

Digest hash_two(std::string_view first, std::string_view second) {
  Digest out;
  EVP_MD_CTX* const context = thread_context();
  require(EVP_DigestInit_ex2(context, sha256_algorithm(), nullptr) == 1);
  require(EVP_DigestUpdate(context, first.data(), first.size()) == 1);
  require(EVP_DigestUpdate(context, second.data(), second.size()) == 1);
  require(EVP_DigestFinal_ex(context, out.data(), nullptr) == 1);
  return out;
}

}  // namespace

Digest sha256(std::string_view bytes) { return hash_two(bytes, {}); }

// RFC 2104 over the thread's digest context: EVP_MAC would allocate a context for each call.
Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  constexpr std::size_t block_size = 64;
  std::array<char, block_size> inner{};
  if (key.size() > block_size) {
    Digest hashed = sha256(key);
    std::memcpy(inner.data(), hashed.data(), hashed.size());
    wipe(hashed);
  } else if (!key.empty()) {
    std::memcpy(inner.data(), key.data(), key.size());
  }
  std::array<char, block_size> outer = inner;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  const Digest first = hash_two({inner.data(), inner.size()}, bytes);
  const Digest out = hash_two({outer.data(), outer.size()}, view(first));
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return out;
}

bool constant_time_equal(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) noexcept {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

void wipe(std::span<char> secret) noexcept { OPENSSL_cleanse(secret.data(), secret.size()); }
void wipe(Digest& secret) noexcept { OPENSSL_cleanse(secret.data(), secret.size()); }

void random_bytes(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    require(got > 0 || errno == EINTR);
    if (got > 0) out = out.subspan(static_cast<std::size_t>(got));
  }
}

void identifier_bytes(std::span<std::uint8_t> out) {
  thread_local std::array<std::uint8_t, 1024> block;
  thread_local std::size_t used = block.size();
  if (out.size() > block.size()) return random_bytes(out);
  if (block.size() - used < out.size()) {
    random_bytes(block);
    used = 0;
  }
  std::memcpy(out.data(), block.data() + used, out.size());
  used += out.size();
}

std::uint64_t identifier_u64() {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
  identifier_bytes(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

std::string random_string(std::size_t bytes) {
  std::string out(bytes, '\0');
  random_bytes({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

std::uint64_t random_u64() {
  std::array<std::uint8_t, 8> bytes;
  random_bytes(bytes);
  std::uint64_t out = 0;
  std::memcpy(&out, bytes.data(), bytes.size());
  return out;
}

}  // namespace holdfast
