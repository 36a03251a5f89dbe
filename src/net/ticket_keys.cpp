// The keys of TLS session tickets.

#include "ticket_keys.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace holdfast::net {
namespace {

void free_keys(void* /*parent*/, void* keys, CRYPTO_EX_DATA* /*data*/, int /*index*/,
               long /*number*/, void* /*pointer*/) {
  delete static_cast<TicketKeys*>(keys);
}

int slot_of_context() {
  static const int slot = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_keys);
  return slot;
}

}  // namespace

void TicketKeys::give(SSL_CTX* context, const Clock& clock) {
  TicketKeys* const keys = std::make_unique<TicketKeys>(clock).release();  // the context frees them
  if (SSL_CTX_set_ex_data(context, slot_of_context(), keys) != 1) {
    const std::unique_ptr<TicketKeys> unused(keys);
    return;
  }
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use);
}

TicketKeys::~TicketKeys() {
  for (auto* key : {&current_, &previous_}) {
    if (*key) OPENSSL_cleanse(&**key, sizeof(Key));
  }
}

int TicketKeys::use(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                    EVP_MAC_CTX* mac, int sealing) {
  auto* const keys =
      static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot_of_context()));
  std::optional<Key> key;
  bool renewed = false;
  if (sealing != 0) {
    key = keys->key_to_seal();
    if (!key || RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) return -1;
    std::ranges::copy(key->name, name);
  } else if (auto found = keys->key_named(name)) {
    key = found->first;
    renewed = found->second;
  }
  if (!key) return 0;
  std::array<OSSL_PARAM, 3> parameters = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac.data(), key->mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
      OSSL_PARAM_construct_end()};
  const bool ready = EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher.data(), iv, sealing,
                                        nullptr) == 1 &&
                     EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
  OPENSSL_cleanse(&*key, sizeof(Key));
  if (!ready) return -1;
  // 2: the ticket is good, and a new one is due.
  return renewed ? 2 : 1;
}

bool TicketKeys::renew() {
  const SteadyTime now = clock_.steady_now();
  if (current_ && now - current_->made < kLifetime) return true;
  Key fresh{.made = now};
  if (RAND_bytes(fresh.name.data(), static_cast<int>(fresh.name.size())) != 1 ||
      RAND_priv_bytes(fresh.cipher.data(), static_cast<int>(fresh.cipher.size())) != 1 ||
      RAND_priv_bytes(fresh.mac.data(), static_cast<int>(fresh.mac.size())) != 1) {
    return false;
  }
  // A ticket lives for hours, so a key from before a quiet day opens none.
  const bool recent = current_ && now - current_->made < 2 * kLifetime;
  previous_ = recent ? std::exchange(current_, std::nullopt) : std::nullopt;
  current_ = fresh;
  return true;
}

std::optional<TicketKeys::Key> TicketKeys::key_to_seal() {
  const std::lock_guard lock(mutex_);
  return renew() ? current_ : std::nullopt;
}

std::optional<std::pair<TicketKeys::Key, bool>> TicketKeys::key_named(const unsigned char* name) {
  const std::lock_guard lock(mutex_);
  if (!renew()) return std::nullopt;
  for (const auto* key : {&current_, &previous_}) {
    if (*key && std::equal((*key)->name.begin(), (*key)->name.end(), name)) {
      return std::pair(**key, key == &previous_);
    }
  }
  return std::nullopt;
}

}  // namespace holdfast::net
