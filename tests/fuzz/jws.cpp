// Key documents of other issuers, and tokens.

#include "identity/jws.hpp"

#include "fuzz/oracle.hpp"
#include "support/identity/token_maker.hpp"

namespace holdfast::fuzz {
namespace {

using identity::SigningAlgorithm;
using test::TokenMaker;

const std::vector<SigningAlgorithm> kAlgorithms = {SigningAlgorithm::rs256, SigningAlgorithm::es256,
                                                   SigningAlgorithm::eddsa};

/// An issuer with a key of each kind, and a token by each.
class Issuer {
 public:
  Issuer() {
    for (const auto kind :
         {TokenMaker::Kind::rsa, TokenMaker::Kind::p256, TokenMaker::Kind::ed25519}) {
      const TokenMaker maker(kind, "key");
      keys_.push_back(identity::read_external_jwks(maker.jwks(), kAlgorithms).value());
      tokens_.push_back(maker.sign({{"iss", "https://issuer.example"}, {"sub", "u"}}));
    }
  }
  [[nodiscard]] std::size_t size() const { return tokens_.size(); }
  [[nodiscard]] const std::string& token(std::size_t i) const { return tokens_[i]; }
  [[nodiscard]] const identity::VerifyingKeys& keys(std::size_t i) const { return keys_[i]; }

 private:
  std::vector<identity::VerifyingKeys> keys_;
  std::vector<std::string> tokens_;
};

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::fuzz;
  static const Issuer issuer;
  Input input(data, size);
  const std::size_t which = input.byte() % issuer.size();
  const std::size_t at = input.byte() + 256U * input.byte();
  const std::string token(input.line());
  const std::string document(input.rest());

  const std::string& good = issuer.token(which);
  require(identity::verify_jws(good, issuer.keys(which)).has_value(),
          "a token by the key is taken");
  // Bytes of the input over those of the good token: whatever else comes of it, no other text is
  // signed.
  std::string changed = good;
  changed.replace(at % good.size(), token.size(), token);
  if (identity::verify_jws(changed, issuer.keys(which))) {
    require(changed == good, "a token that the key did not sign is refused");
  }
  require(!identity::verify_jws(token, issuer.keys(which)) || token == good,
          "a stranger's token is refused");
  (void)identity::hint_of(token);

  const auto keys = identity::read_external_jwks(document, kAlgorithms);
  if (!keys) return 0;
  require(!identity::verify_jws(good, *keys), "the keys of another document did not sign it");
  return 0;
}
