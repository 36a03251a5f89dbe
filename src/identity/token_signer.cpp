// Signs the user pool's tokens and publishes their keys.

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/identity/id_token.hpp>

#include "jws.hpp"
#include "rsa.hpp"
#include "secret.hpp"

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

// Twice as long as the JWKS may be kept by caches: who has the document of before the key knows the
// next one by the time that it signs.
constexpr Seconds kPublishedAhead{600};
// The longest lifetime that can be configured for ID and access tokens, and what a signer may be
// late to change to a new key.
constexpr Seconds kLongestTokenLifetime{24 * 3600};
constexpr Seconds kLateSigning{600};
constexpr std::size_t kPublishedMax = 8;

struct SigningKey {
  SigningKey(std::uint32_t key_id, WallTime created, RsaPrivateKey key)
      : id(key_id), created_at(created), secret(std::move(key)), jwk(jwk_of(secret)) {}

  /// A moment in the future beyond the usual is the clock's fault, which went back.
  [[nodiscard]] bool may_sign(WallTime now) const {
    return created_at + kPublishedAhead <= now || created_at > now + kPublishedAhead;
  }

  const std::uint32_t id;
  const WallTime created_at;
  const RsaPrivateKey secret;
  const Json jwk;
};
using SigningKeyPtr = std::shared_ptr<const SigningKey>;

/// The keys that all threads read; at least one.
struct PublishedKeys {
  std::vector<SigningKeyPtr> keys;  ///< the newest first
  SigningKeyPtr signing;
  std::string encoded_header;
  std::string jwks;
  VerifyingKeysPtr verifying;
};
using PublishedKeysPtr = std::shared_ptr<const PublishedKeys>;

PublishedKeysPtr publish_keys(std::vector<SigningKeyPtr> keys, WallTime now) {
  auto out = std::make_shared<PublishedKeys>();
  const auto newest =
      std::ranges::find_if(keys, [now](const SigningKeyPtr& key) { return key->may_sign(now); });
  out->signing = newest == keys.end() ? keys.back() : *newest;
  Json jwks = {{"keys", Json::array({out->signing->jwk})}};
  auto verifying = std::make_shared<VerifyingKeys>();
  verifying->algorithms = {SigningAlgorithm::rs256};
  for (const SigningKeyPtr& key : keys) {
    if (key != out->signing) jwks["keys"].push_back(key->jwk);
    std::optional<RsaPublicKey> public_key = RsaPublicKey::make(key->secret.numbers());
    require(public_key.has_value());
    verifying->by_id.emplace(key->jwk["kid"].get<std::string>(), std::move(*public_key));
  }
  const Json header = {{"kid", out->signing->jwk["kid"]}, {"alg", "RS256"}};
  out->encoded_header = base64url_encode(header.dump());
  out->jwks = jwks.dump();
  out->verifying = std::move(verifying);
  out->keys = std::move(keys);
  return out;
}

std::string make_der(unsigned bits) { return RsaPrivateKey::generate(bits).der().copy(); }

class TokenSignerImpl final : public TokenSigner,
                              public std::enable_shared_from_this<TokenSignerImpl> {
 public:
  TokenSignerImpl(std::shared_ptr<KeyRing> ring, Options options, const Clock& clock,
                  KeyStore& store)
      : ring_(std::move(ring)), options_(std::move(options)), clock_(clock), store_(store) {}

  std::string sign(std::string_view claims_json) const override {
    const PublishedKeysPtr published = snapshot();
    std::string out = published->encoded_header + "." + base64url_encode(claims_json);
    const std::string signature = base64url_encode(published->signing->secret.sign(out));
    return out + "." + signature;
  }
  std::string jwks() const override { return snapshot()->jwks; }
  VerifyingKeysPtr keys() const override { return snapshot()->verifying; }

  void rotate(Completion<Result<std::uint32_t>> done) override {
    const PublishedKeysPtr published = snapshot();
    const SigningKey& newest = *published->keys.front();
    if (published->signing->id != newest.id) return done(newest.id);
    if (published->keys.size() >= kPublishedMax) {
      return done(fail(Errc::conflict,
                       "there are tokens under 8 signing keys; the oldest is removed within a day",
                       "signing key"));
    }
    waiters_.push_back(std::move(done));
    if (waiters_.size() == 1) make_next();
  }

  void maintain() override {
    const WallTime now = clock_.wall_now();
    PublishedKeysPtr published = snapshot();
    PublishedKeysPtr next = publish_keys(published->keys, now);
    if (next->signing != published->signing) {
      log::info("signing_key_used", {{"key", next->signing->id}});
      publish(next);
      published = std::move(next);
    }
    if (const SigningKeyPtr outlived = find_outlived(*published, now)) retire(outlived->id);
    const bool old = published->keys.front()->created_at + options_.rotation.period <= now;
    if (options_.rotation.enabled && old && waiters_.empty()) {
      rotate([](const Result<std::uint32_t>& made) {
        if (!made) log::warn("signing_key_rotation_failed", {{"reason", made.error().message}});
      });
    }
  }

  /// Takes the rows of the store; the signer is open when this has called `done` with success.
  void start(const std::vector<KeyStore::Row>& rows, Completion<Result<void>> done) {
    Result<std::vector<SigningKeyPtr>> keys = unseal(rows);
    if (!keys) return done(std::unexpected(std::move(keys.error())));
    if (!keys->empty()) {
      publish(publish_keys(std::move(*keys), clock_.wall_now()));
      return done({});
    }
    std::string der = make_der(options_.key_bits);
    keep(Secret::take(der), [done = std::move(done)](Result<std::uint32_t> kept) mutable {
      done(kept ? Result<void>() : std::unexpected(std::move(kept.error())));
    });
  }

 private:
  [[nodiscard]] PublishedKeysPtr snapshot() const {
    const std::lock_guard lock(mutex_);
    return published_;
  }
  void publish(PublishedKeysPtr next) {
    const std::lock_guard lock(mutex_);
    published_.swap(next);
  }

  Result<std::vector<SigningKeyPtr>> unseal(const std::vector<KeyStore::Row>& rows) {
    std::vector<SigningKeyPtr> keys;
    for (const KeyStore::Row& row : rows) {
      if (row.kind != KeyStore::Row::Kind::signing) continue;
      last_id_ = std::max(last_id_, row.id);
      if (row.retired) continue;
      Result<std::string> der = ring_->open(row.wrapped, sealing_context(row.id));
      std::optional<RsaPrivateKey> key;
      if (der) key = RsaPrivateKey::parse(Secret::take(*der).view());
      if (!key) {
        const std::string id = std::to_string(row.id);
        return fail(Errc::invalid_argument,
                    "signing key " + id + " in the database is damaged: no data key opens it", id);
      }
      keys.push_back(std::make_shared<SigningKey>(row.id, row.created_at, std::move(*key)));
    }
    std::ranges::sort(keys, std::ranges::greater(), [](const auto& key) { return key->id; });
    return keys;
  }

  void make_next() {
    if (!options_.compute) {
      made(make_der(options_.key_bits));
      return;
    }
    options_.compute(
        [bits = options_.key_bits] { return make_der(bits); },
        [self = shared_from_this()](Result<std::string> der) { self->made(std::move(der)); });
  }
  void made(Result<std::string> der) {
    const auto answer = [self = shared_from_this()](const Result<std::uint32_t>& kept) {
      for (auto& waiter : std::exchange(self->waiters_, {})) waiter(kept);
    };
    if (!der) return answer(std::unexpected(der.error()));
    keep(Secret::take(*der), answer);
  }

  /// Seals a new key, and publishes it once it is committed.
  void keep(const Secret& der, Completion<Result<std::uint32_t>> done) {
    const std::uint32_t id = last_id_ + 1;
    Result<std::string> sealed = ring_->seal(der.view(), sealing_context(id));
    if (!sealed) return done(std::unexpected(std::move(sealed.error())));
    std::optional<RsaPrivateKey> secret = RsaPrivateKey::parse(der.view());
    require(secret.has_value());
    KeyStore::Row row;
    row.kind = KeyStore::Row::Kind::signing;
    row.id = id;
    row.wrapped = std::move(*sealed);
    row.created_at = clock_.wall_now();
    auto key = std::make_shared<const SigningKey>(id, row.created_at, std::move(*secret));
    store_.add(std::move(row), [self = shared_from_this(), key = std::move(key),
                                done = std::move(done)](Result<void> added) mutable {
      if (!added) return done(std::unexpected(std::move(added.error())));
      self->add(std::move(key));
      done(self->last_id_);
    });
  }
  void add(SigningKeyPtr key) {
    last_id_ = key->id;
    log::info("signing_key_made", {{"key", key->id}});
    std::vector<SigningKeyPtr> keys{std::move(key)};
    if (const PublishedKeysPtr before = snapshot()) {
      keys.insert(keys.end(), before->keys.begin(), before->keys.end());
    }
    publish(publish_keys(std::move(keys), clock_.wall_now()));
  }

  /// The oldest key, if all that it has signed has expired by now; null otherwise.
  static SigningKeyPtr find_outlived(const PublishedKeys& published, WallTime now) {
    const SigningKeyPtr& oldest = published.keys.back();
    if (oldest == published.signing) return nullptr;
    const SigningKey& successor = *published.keys.at(published.keys.size() - 2);
    const WallTime last_expiry =
        successor.created_at + kPublishedAhead + kLateSigning + kLongestTokenLifetime;
    return last_expiry <= now ? oldest : nullptr;
  }

  void retire(std::uint32_t id) {
    if (std::exchange(retiring_, true)) return;
    store_.retire_signing(id, [self = shared_from_this(), id](const Result<void>& retired) {
      self->retiring_ = false;
      if (!retired) {
        log::warn("signing_key_not_removed", {{"reason", retired.error().message}});
        return;
      }
      log::info("signing_key_removed", {{"key", id}});
      std::vector<SigningKeyPtr> keys = self->snapshot()->keys;
      std::erase_if(keys, [id](const SigningKeyPtr& key) { return key->id == id; });
      self->publish(publish_keys(std::move(keys), self->clock_.wall_now()));
    });
  }

  const std::shared_ptr<KeyRing> ring_;
  const Options options_;
  const Clock& clock_;
  KeyStore& store_;

  mutable std::mutex mutex_;
  PublishedKeysPtr published_;  ///< under mutex_

  // Touched on the store handle's executor alone.
  std::uint32_t last_id_ = 0;
  bool retiring_ = false;
  std::vector<Completion<Result<std::uint32_t>>> waiters_;
};

}  // namespace

void open_token_signer(std::shared_ptr<KeyRing> ring, TokenSigner::Options options,
                       const Clock& clock, KeyStore& store,
                       Completion<Result<std::shared_ptr<TokenSigner>>> done) {
  auto signer =
      std::make_shared<TokenSignerImpl>(std::move(ring), std::move(options), clock, store);
  store.load([signer, done = std::move(done)](Result<std::vector<KeyStore::Row>> rows) mutable {
    if (!rows) return done(std::unexpected(std::move(rows.error())));
    signer->start(*rows, [signer, done = std::move(done)](Result<void> started) mutable {
      if (!started) return done(std::unexpected(std::move(started.error())));
      done(std::shared_ptr<TokenSigner>(std::move(signer)));
    });
  });
}

}  // namespace holdfast::identity
