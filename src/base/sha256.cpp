// Incremental SHA-256, on OpenSSL.

#include <cstdlib>

#include <openssl/evp.h>

#include <holdfast/base/sha256.hpp>

namespace holdfast {
namespace {

void must(bool ok) {
  if (!ok) std::abort();  // out of memory, or a broken OpenSSL: nothing sane is left to do
}

}  // namespace

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  must(EVP_DigestInit_ex2(state_->context.get(), EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
  must(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
  Digest out;
  must(EVP_DigestFinal_ex(state_->context.get(), out.data(), nullptr) == 1);
  return out;
}

}  // namespace holdfast
