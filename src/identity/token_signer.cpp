#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/identity/id_token.hpp>

#include "identity/rsa.hpp"

namespace holdfast::identity {
namespace {

std::string sealing_context(std::uint32_t id) { return "signing key " + std::to_string(id); }

// RFC 7638: the hash of the members that make the key, in this order and spelling.
std::string thumbprint(const Json& jwk) {
  const Json members = {{"e", jwk.at("e")}, {"kty", jwk.at("kty")}, {"n", jwk.at("n")}};
  return base64url_encode(view(sha256(members.dump())));
}

Json jwk_of(const RsaPrivateKey& key) {
  const RsaNumbers numbers = key.numbers();
  Json jwk = {{"alg", "RS256"},
              {"e", base64url_encode(numbers.exponent)},
              {"kty", "RSA"},
              {"n", base64url_encode(numbers.modulus)},
              {"use", "sig"}};
  jwk["kid"] = thumbprint(jwk);
  return jwk;
}

class TokenSignerImpl final : public TokenSigner {
 public:
  /// The first key signs; all are in the JWKS. There is at least one.
  explicit TokenSignerImpl(std::vector<RsaPrivateKey> keys) : keys_(std::move(keys)) {
    Json jwks = {{"keys", Json::array()}};
    for (const RsaPrivateKey& key : keys_) jwks["keys"].push_back(jwk_of(key));
    const Json header = {{"kid", jwks["keys"][0]["kid"]}, {"alg", "RS256"}};
    encoded_header_ = base64url_encode(header.dump());
    jwks_ = jwks.dump();
  }

  std::string sign(std::string_view claims_json) const override {
    std::string out = encoded_header_ + "." + base64url_encode(claims_json);
    const std::string signature = base64url_encode(keys_.front().sign(out));
    return out + "." + signature;
  }
  const std::string& jwks() const override { return jwks_; }

 private:
  std::vector<RsaPrivateKey> keys_;
  std::string encoded_header_;
  std::string jwks_;
};

using Opened = Result<std::shared_ptr<TokenSigner>>;

Result<std::vector<RsaPrivateKey>> unseal(const KeyRing& ring, std::vector<KeyStore::Row>& rows) {
  std::ranges::sort(rows, std::ranges::greater(), &KeyStore::Row::id);
  std::vector<RsaPrivateKey> keys;
  for (const KeyStore::Row& row : rows) {
    if (row.kind != KeyStore::Row::Kind::signing || row.retired) continue;
    Result<std::string> der = ring.open(row.wrapped, sealing_context(row.id));
    std::optional<RsaPrivateKey> key;
    if (der) key = RsaPrivateKey::parse(Secret::take(*der).view());
    if (!key) {
      const std::string id = std::to_string(row.id);
      return fail(Errc::invalid_argument,
                  "signing key " + id + " in the database is damaged: no data key opens it", id);
    }
    keys.push_back(std::move(*key));
  }
  return keys;
}

void make_first_key(KeyRing& ring, const Clock& clock, KeyStore& store, std::uint32_t id,
                    Completion<Opened> done) {
  RsaPrivateKey key = RsaPrivateKey::generate();
  Result<std::string> sealed = ring.seal(key.der().view(), sealing_context(id));
  if (!sealed) {
    done(std::unexpected(std::move(sealed.error())));
    return;
  }
  KeyStore::Row row;
  row.kind = KeyStore::Row::Kind::signing;
  row.id = id;
  row.wrapped = std::move(*sealed);
  row.created_at = clock.wall_now();
  store.add(std::move(row),
            [key = std::move(key), id, done = std::move(done)](Result<void> added) mutable {
              if (!added) {
                done(std::unexpected(std::move(added.error())));
                return;
              }
              log::info("signing_key_made", {{"key", id}});
              std::vector<RsaPrivateKey> keys;
              keys.push_back(std::move(key));
              done(std::make_shared<TokenSignerImpl>(std::move(keys)));
            });
}

}  // namespace

void open_token_signer(std::shared_ptr<KeyRing> ring, const Clock& clock, KeyStore& store,
                       Completion<Result<std::shared_ptr<TokenSigner>>> done) {
  store.load([ring = std::move(ring), &clock, &store,
              done = std::move(done)](Result<std::vector<KeyStore::Row>> rows) mutable {
    if (!rows) {
      done(std::unexpected(std::move(rows.error())));
      return;
    }
    std::uint32_t last_id = 0;
    for (const KeyStore::Row& row : *rows) {
      if (row.kind == KeyStore::Row::Kind::signing) last_id = std::max(last_id, row.id);
    }
    Result<std::vector<RsaPrivateKey>> keys = unseal(*ring, *rows);
    if (!keys) {
      done(std::unexpected(std::move(keys.error())));
    } else if (keys->empty()) {
      make_first_key(*ring, clock, store, last_id + 1, std::move(done));
    } else {
      done(std::make_shared<TokenSignerImpl>(std::move(*keys)));
    }
  });
}

}  // namespace holdfast::identity
