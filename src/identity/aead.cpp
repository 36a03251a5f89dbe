// Seals and opens secrets with AES-256-GCM.

#include "aead.hpp"

#include <algorithm>
#include <array>

#include <openssl/crypto.h>

#include <holdfast/base/crypto.hpp>

#include "openssl.hpp"

namespace holdfast::identity {
namespace {

// Fetching an algorithm by name costs more than sealing a token: once per process.
const EVP_CIPHER* aes_256_gcm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}

const EVP_CIPHER* aes_256_ecb() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr);
  return cipher;
}

// One context per thread; the key's schedule is cleared from it after each use.
class ThreadContext {
 public:
  ThreadContext() : context_(thread_context()) {}
  ~ThreadContext() { EVP_CIPHER_CTX_reset(context_); }
  ThreadContext(const ThreadContext&) = delete;
  ThreadContext& operator=(const ThreadContext&) = delete;

  [[nodiscard]] EVP_CIPHER_CTX* get() const noexcept { return context_; }

 private:
  static EVP_CIPHER_CTX* thread_context() {
    thread_local const CipherContext context(EVP_CIPHER_CTX_new());
    return context.get();
  }
  EVP_CIPHER_CTX* context_;
};

const unsigned char* octets(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* octets(std::string& bytes, std::size_t offset) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data()) + offset;
}
int length(std::string_view bytes) noexcept { return static_cast<int>(bytes.size()); }

// nonce ‖ ciphertext ‖ tag; the cipher gets the last 12 bytes of the nonce.
std::string gcm_seal(std::string_view key, std::string_view nonce, std::string_view plaintext,
                     std::string_view additional_data) {
  const std::size_t begin = nonce.size();
  std::string out(nonce);
  out.resize(begin + plaintext.size() + kAeadTagBytes);
  const ThreadContext context;
  int written = 0;
  require(EVP_EncryptInit_ex2(context.get(), aes_256_gcm(), octets(key),
                              octets(nonce.substr(begin - kAeadNonceBytes)), nullptr) == 1);
  require(EVP_EncryptUpdate(context.get(), nullptr, &written, octets(additional_data),
                            length(additional_data)) == 1);
  require(EVP_EncryptUpdate(context.get(), octets(out, begin), &written, octets(plaintext),
                            length(plaintext)) == 1);
  unsigned char* const tag = octets(out, begin + plaintext.size());
  require(EVP_EncryptFinal_ex(context.get(), tag, &written) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag) == 1);
  return out;
}

// Of what `gcm_seal` made under a nonce of that length; `sealed` holds a nonce and a tag.
std::optional<std::string> gcm_open(std::string_view key, std::string_view sealed,
                                    std::size_t nonce_bytes, std::string_view additional_data) {
  const std::string_view nonce = sealed.substr(nonce_bytes - kAeadNonceBytes, kAeadNonceBytes);
  const std::string_view ciphertext =
      sealed.substr(nonce_bytes, sealed.size() - nonce_bytes - kAeadTagBytes);
  std::string tag(sealed.substr(sealed.size() - kAeadTagBytes));
  std::string out(ciphertext.size(), '\0');
  const ThreadContext context;
  int written = 0;
  require(EVP_DecryptInit_ex2(context.get(), aes_256_gcm(), octets(key), octets(nonce), nullptr) ==
          1);
  require(EVP_DecryptUpdate(context.get(), nullptr, &written, octets(additional_data),
                            length(additional_data)) == 1);
  require(EVP_DecryptUpdate(context.get(), octets(out, 0), &written, octets(ciphertext),
                            length(ciphertext)) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, tag.data()) ==
          1);
  if (EVP_DecryptFinal_ex(context.get(), octets(out, out.size()), &written) != 1) {
    wipe(out);
    return std::nullopt;
  }
  return out;
}

constexpr std::size_t kBlockBytes = 16;
using Block = std::array<unsigned char, kBlockBytes>;

// The key for one nonce: CMAC (RFC 4493) of two counter blocks that hold the nonce's first half,
// as NIST SP 800-108 derives keys.
std::string xaes_key(std::string_view key, std::string_view nonce) {
  const ThreadContext context;
  int written = 0;
  require(EVP_EncryptInit_ex2(context.get(), aes_256_ecb(), octets(key), nullptr, nullptr) == 1);
  require(EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1);
  Block mask{};
  require(EVP_EncryptUpdate(context.get(), mask.data(), &written, mask.data(), kBlockBytes) == 1);
  unsigned carry = 0;
  for (std::size_t i = kBlockBytes; i-- > 0;) {
    const unsigned shifted = (static_cast<unsigned>(mask.at(i)) << 1) | carry;
    mask.at(i) = static_cast<unsigned char>(shifted);
    carry = shifted >> 8;
  }
  mask.back() = static_cast<unsigned char>(mask.back() ^ (carry * 0x87U));
  std::string out(kAeadKeyBytes, '\0');
  for (unsigned char counter = 1; counter <= 2; ++counter) {
    Block block{0, counter, 'X', 0};
    std::ranges::copy(nonce.substr(0, kXaesNonceBytes - kAeadNonceBytes), block.begin() + 4);
    for (std::size_t i = 0; i < kBlockBytes; ++i) {
      block.at(i) = static_cast<unsigned char>(block.at(i) ^ mask.at(i));
    }
    require(EVP_EncryptUpdate(context.get(), octets(out, (counter - 1U) * kBlockBytes), &written,
                              block.data(), kBlockBytes) == 1);
  }
  OPENSSL_cleanse(mask.data(), mask.size());
  return out;
}

}  // namespace

std::string aead_seal(std::string_view key, std::string_view plaintext,
                      std::string_view additional_data) {
  require(key.size() == kAeadKeyBytes);
  return gcm_seal(key, random_string(kAeadNonceBytes), plaintext, additional_data);
}

std::optional<std::string> aead_open(std::string_view key, std::string_view sealed,
                                     std::string_view additional_data) {
  if (key.size() != kAeadKeyBytes || sealed.size() < kAeadNonceBytes + kAeadTagBytes) {
    return std::nullopt;
  }
  return gcm_open(key, sealed, kAeadNonceBytes, additional_data);
}

std::string xaes_seal(std::string_view key, std::string_view plaintext,
                      std::string_view additional_data) {
  return xaes_seal(key, random_string(kXaesNonceBytes), plaintext, additional_data);
}

std::string xaes_seal(std::string_view key, std::string_view nonce, std::string_view plaintext,
                      std::string_view additional_data) {
  require(key.size() == kAeadKeyBytes && nonce.size() == kXaesNonceBytes);
  std::string derived = xaes_key(key, nonce);
  std::string out = gcm_seal(derived, nonce, plaintext, additional_data);
  wipe(derived);
  return out;
}

std::optional<std::string> xaes_open(std::string_view key, std::string_view sealed,
                                     std::string_view additional_data) {
  if (key.size() != kAeadKeyBytes || sealed.size() < kXaesNonceBytes + kAeadTagBytes) {
    return std::nullopt;
  }
  std::string derived = xaes_key(key, sealed.substr(0, kXaesNonceBytes));
  std::optional<std::string> out = gcm_open(derived, sealed, kXaesNonceBytes, additional_data);
  wipe(derived);
  return out;
}

}  // namespace holdfast::identity
