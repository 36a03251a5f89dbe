// Caches the public keys of the user pool.

#include "key_cache.hpp"

#include <optional>
#include <utility>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/base/process.hpp>

namespace holdfast::sample_app {
namespace {

constexpr std::size_t kTokenBytesMax = 16 << 10;

std::unexpected<Error> unauthorized() { return fail(Errc::unauthenticated, "Unauthorized"); }
std::unexpected<Error> no_keys() {
  return fail(Errc::unavailable, "the gateway's keys cannot be had");
}

// Returns the key id that a token claims. It only decides whether to fetch keys.
std::optional<std::string> key_id_of(std::string_view token) {
  if (token.size() > kTokenBytesMax) return std::nullopt;
  const auto header = base64url_decode(token.substr(0, token.find('.')));
  if (!header) return std::nullopt;
  const auto json = parse_json(*header);
  if (!json || !json->is_object()) return std::nullopt;
  const auto kid = json->find("kid");
  if (kid == json->end() || !kid->is_string()) return std::nullopt;
  return kid->get<std::string>();
}

std::set<std::string> key_ids_in(const Json& jwks) {
  std::set<std::string> out;
  const auto keys = jwks.is_object() ? jwks.find("keys") : jwks.end();
  if (keys == jwks.end() || !keys->is_array()) return out;
  for (const Json& key : *keys) {
    if (!key.is_object()) continue;
    const auto kid = key.find("kid");
    if (kid != key.end() && kid->is_string()) out.insert(kid->get<std::string>());
  }
  return out;
}

}  // namespace

KeyCache::KeyCache(KeyCacheOptions options, std::unique_ptr<client::GatewayClient> gateway,
                   const Clock& clock)
    : options_(std::move(options)),
      gateway_(std::move(gateway)),
      clock_(clock),
      next_fetch_(clock.steady_now()),
      thread_(start_thread("hf-keys", [this] { run(); })) {}

KeyCache::~KeyCache() { stop(); }

void KeyCache::stop() {
  std::vector<Waiter> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(waiting_);
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (Waiter& waiter : left) answer(std::move(waiter), no_keys());
}

bool KeyCache::may_fetch(SteadyTime now) const {
  return !stopping_ && waiting_.size() < options_.waiting_max && (fetching_ || now >= next_fetch_);
}

void KeyCache::verify(std::string token, Executor& executor,
                      Completion<Result<identity::IdTokenClaims>> done) {
  Waiter waiter{std::move(token), &executor, std::move(done)};
  const auto key_id = key_id_of(waiter.token);
  if (!key_id) return answer(std::move(waiter), unauthorized());
  KeysPtr keys;
  {
    const std::lock_guard lock(mutex_);
    keys = keys_;
    const bool known = keys != nullptr && keys->ids.contains(*key_id);
    if (!known && may_fetch(clock_.steady_now())) {
      waiting_.push_back(std::move(waiter));
      wake_.notify_all();
      return;
    }
  }
  auto claims = check(keys, waiter.token);
  answer(std::move(waiter), std::move(claims));
}

Result<identity::IdTokenClaims> KeyCache::check(const KeysPtr& keys, const std::string& token) {
  if (keys == nullptr) return no_keys();
  return keys->verifier.verify(token);
}

void KeyCache::answer(Waiter waiter, Result<identity::IdTokenClaims> claims) {
  waiter.executor->post([done = std::move(waiter.done), claims = std::move(claims)]() mutable {
    done(std::move(claims));
  });
}

Result<KeyCache::KeysPtr> KeyCache::fetch() {
  const auto jwks = gateway_->jwks();
  if (!jwks) return fail(Errc::unavailable, jwks.error().text());
  const auto json = parse_json(*jwks);
  if (!json) return std::unexpected(json.error());
  auto verifier =
      identity::IdTokenVerifier::of_jwks({options_.issuer, options_.audience}, *jwks, clock_);
  if (!verifier) return std::unexpected(verifier.error());
  return std::make_shared<const Keys>(std::move(*verifier), key_ids_in(*json));
}

void KeyCache::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    fetching_ = true;
    lock.unlock();
    auto fetched = fetch();
    lock.lock();
    fetching_ = false;
    next_fetch_ = clock_.steady_now() + (fetched ? options_.refetch_after : options_.retry_after);
    // Keys that were good stay so while the gateway cannot be reached.
    if (fetched) keys_ = std::move(*fetched);
    std::vector<Waiter> waiting;
    waiting.swap(waiting_);
    const KeysPtr keys = keys_;
    lock.unlock();
    if (!fetched) log::warn("keys_not_fetched", {{"reason", fetched.error().message}});
    for (Waiter& waiter : waiting) {
      auto claims = check(keys, waiter.token);
      answer(std::move(waiter), std::move(claims));
    }
    lock.lock();
  }
}

}  // namespace holdfast::sample_app
