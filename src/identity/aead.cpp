#include "identity/aead.hpp"

#include <holdfast/base/crypto.hpp>

#include "identity/openssl.hpp"

namespace holdfast::identity {
namespace {

// Fetching an algorithm by name costs more than sealing a token: once per process.
const EVP_CIPHER* aes_256_gcm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
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

}  // namespace

std::string aead_seal(std::string_view key, std::string_view plaintext,
                      std::string_view additional_data) {
  require(key.size() == kAeadKeyBytes);
  std::string out = random_string(kAeadNonceBytes);
  out.resize(kAeadNonceBytes + plaintext.size() + kAeadTagBytes);
  const ThreadContext context;
  int written = 0;
  require(EVP_EncryptInit_ex2(context.get(), aes_256_gcm(), octets(key), octets(out), nullptr) ==
          1);
  require(EVP_EncryptUpdate(context.get(), nullptr, &written, octets(additional_data),
                            length(additional_data)) == 1);
  require(EVP_EncryptUpdate(context.get(), octets(out, kAeadNonceBytes), &written,
                            octets(plaintext), length(plaintext)) == 1);
  unsigned char* const tag = octets(out, kAeadNonceBytes + plaintext.size());
  require(EVP_EncryptFinal_ex(context.get(), tag, &written) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag) == 1);
  return out;
}

std::optional<std::string> aead_open(std::string_view key, std::string_view sealed,
                                     std::string_view additional_data) {
  if (key.size() != kAeadKeyBytes || sealed.size() < kAeadNonceBytes + kAeadTagBytes) {
    return std::nullopt;
  }
  const std::string_view ciphertext =
      sealed.substr(kAeadNonceBytes, sealed.size() - kAeadNonceBytes - kAeadTagBytes);
  std::string tag(sealed.substr(sealed.size() - kAeadTagBytes));
  std::string out(ciphertext.size(), '\0');
  const ThreadContext context;
  int written = 0;
  require(EVP_DecryptInit_ex2(context.get(), aes_256_gcm(), octets(key), octets(sealed), nullptr) ==
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

}  // namespace holdfast::identity
