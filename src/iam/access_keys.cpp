// Keeps the access keys in memory and changes them in the store.

#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/iam/access_keys.hpp>

#include "temporary_credentials.hpp"

namespace holdfast::iam {
namespace {

constexpr std::string_view kRootName = "root";
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kKeysMax = 10'000;
constexpr std::size_t kSecretBytes = 30;  // 40 characters of base64

struct HashText {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
using KeyMap = std::unordered_map<std::string, AccessKeyPtr, HashText, std::equal_to<>>;

// The map that readers see. Uses a mutex around the copy of a pointer, because the lock inside
// std::atomic<std::shared_ptr> of libstdc++ 12 is released on load without ordering: a data race.
class Snapshot {
 public:
  std::shared_ptr<const KeyMap> get() const {
    const std::lock_guard lock(mutex_);
    return keys_;
  }
  void set(std::shared_ptr<const KeyMap> keys) {
    const std::lock_guard lock(mutex_);
    keys_.swap(keys);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const KeyMap> keys_ = std::make_shared<const KeyMap>();
};

// The names that IAM allows for users.
bool is_good_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, [](char c) {
    return ascii::is_alphanumeric(c) || std::string_view("+=,.@_-").contains(c);
  });
}

std::string generate_key_id(std::string_view prefix) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id = random_string(16);
  for (char& c : id) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return std::string(prefix) + id;
}

// All of its actions may be other services'.
void warn_of_nothing(const Policy& policy, std::string_view id) {
  if (!policy.allows_something()) {
    log::warn("policy_allows_nothing", {{"access_key_id", id}});
  }
}

Result<void> check_rate(KeyRate rate) {
  if (!rate || *rate <= kKeyRateMax) return {};
  return fail(Errc::invalid_argument, "must be 0 to 1000000 requests per second", "rate");
}

AccessKeyPtr make_key(const AccessKeysOptions& options, const AccessKeyRow& row, std::string secret,
                      std::shared_ptr<const Policy> policy) {
  std::shared_ptr<AccessKey> key = new_access_key();
  key->id = row.id;
  key->name = row.name;
  key->arn = "arn:" + options.partition + ":iam::" + options.account + ":";
  key->arn += row.name == kRootName ? row.name : "user/" + row.name;
  key->secret = std::move(secret);
  key->enabled = row.enabled;
  key->created_at = row.created_at;
  key->expires_at = row.expires_at;
  key->rate = row.rate;
  key->policy = std::move(policy);
  key->quota = std::make_shared<SenderQuota>(row.id);
  return key;
}

class StoredAccessKeys final : public AccessKeys,
                               public std::enable_shared_from_this<StoredAccessKeys> {
 public:
  StoredAccessKeys(AccessKeysOptions options, const Clock& clock, AccessKeyStore& store,
                   SecretBox& box)
      : options_(std::move(options)), clock_(clock), store_(store), box_(box) {}

  Result<void> fill(const std::vector<AccessKeyRow>& rows) {
    auto keys = std::make_shared<KeyMap>();
    for (const AccessKeyRow& row : rows) {
      auto secret = box_.open(row.sealed_secret, row.id);
      if (!secret) {
        return fail(secret.error().code,
                    "the secret of an access key cannot be opened: " + secret.error().message,
                    row.id);
      }
      auto policy = parse_kept_policy(row.policy);
      if (!policy) {
        return fail(policy.error().code,
                    "the policy of an access key is refused: " + policy.error().message + " at " +
                        policy.error().where,
                    row.id);
      }
      keys->emplace(row.id, make_key(options_, row, std::move(*secret), std::move(*policy)));
    }
    keys_.set(std::move(keys));
    return {};
  }

  AccessKeyPtr find(std::string_view id) const override {
    const std::shared_ptr<const KeyMap> keys = keys_.get();
    const auto found = keys->find(id);
    return found == keys->end() ? nullptr : found->second;
  }

  std::vector<AccessKeyPtr> list() const override {
    const std::shared_ptr<const KeyMap> keys = keys_.get();
    std::vector<AccessKeyPtr> out;
    out.reserve(keys->size());
    for (const auto& [id, key] : *keys) out.push_back(key);
    std::ranges::sort(out, {}, [](const AccessKeyPtr& key) {
      return std::pair<WallTime, std::string_view>(key->created_at, key->id);
    });
    return out;
  }

  void create(NewKey key, Completion<Result<Created>> done) override;
  void change(const std::string& id, AccessKeyChange change,
              Completion<Result<void>> done) override;
  void remove(const std::string& id, Completion<Result<void>> done) override;
  Result<NewTemporaryCredentials> make_temporary_credentials(
      std::string_view id, Seconds lifetime, const std::optional<std::string>& policy) override;
  Result<TemporaryCredentialsPtr> open_temporary_credentials(std::string_view token) const override;

 private:
  bool is_taken(const std::string& name) const {
    const std::shared_ptr<const KeyMap> keys = keys_.get();
    return names_in_flight_.contains(name) || std::ranges::any_of(*keys, [&](const auto& entry) {
             return entry.second->name == name;
           });
  }

  // Keys are shared between snapshots, and their callers with them. Only the store's executor
  // changes snapshots, so nothing is lost between the copy and the swap.
  template <class Change>
  void change_snapshot(const Change& change) {
    const std::shared_ptr<const KeyMap> before = keys_.get();
    auto after = std::make_shared<KeyMap>(*before);
    change(*after);
    keys_.set(std::move(after));
  }

  AccessKeysOptions options_;
  const Clock& clock_;
  AccessKeyStore& store_;
  SecretBox& box_;
  Snapshot keys_;
  std::set<std::string, std::less<>> names_in_flight_;
};

void StoredAccessKeys::create(NewKey wanted, Completion<Result<Created>> done) {
  const auto refuse = [&done](Error error) { done(std::unexpected(std::move(error))); };
  if (!is_good_name(wanted.name)) {
    return refuse({Errc::invalid_argument,
                   "a name is 1 to 64 letters, digits and characters of +=,.@_-", "name"});
  }
  auto policy = parse_policy(wanted.policy);
  if (!policy) return refuse(policy.error());
  if (auto good = check_rate(wanted.rate); !good) return refuse(good.error());
  if (wanted.lifetime && (*wanted.lifetime < Seconds(1) || *wanted.lifetime > kKeyLifetimeMax)) {
    return refuse({Errc::invalid_argument, "must be 1 to 315360000 seconds", "expiresInSeconds"});
  }
  if (is_taken(wanted.name)) {
    return refuse({Errc::already_exists, "there is a key of this name", wanted.name});
  }
  if (keys_.get()->size() + names_in_flight_.size() >= kKeysMax) {
    return refuse({Errc::limit_exceeded, "there are too many access keys", {}});
  }

  Created created;
  created.id = generate_key_id("AKIA");
  created.secret = base64_encode(random_string(kSecretBytes));
  auto sealed = box_.seal(created.secret, created.id);
  if (!sealed) return refuse(sealed.error());
  AccessKeyRow row;
  row.id = created.id;
  row.name = std::move(wanted.name);
  row.sealed_secret = std::move(*sealed);
  row.policy = std::move(wanted.policy);
  row.rate = wanted.rate;
  row.created_at = clock_.wall_now();
  if (wanted.lifetime) {
    row.expires_at = std::chrono::floor<Seconds>(row.created_at + *wanted.lifetime);
  }
  created.expires_at = row.expires_at;
  AccessKeyPtr key = make_key(options_, row, created.secret, std::move(*policy));
  warn_of_nothing(*key->policy, key->id);
  names_in_flight_.insert(key->name);
  store_.add(std::move(row),
             [self = shared_from_this(), key = std::move(key), created = std::move(created),
              done = std::move(done)](Result<void> added) mutable {
               self->names_in_flight_.erase(key->name);
               if (!added) return done(std::unexpected(added.error()));
               self->change_snapshot([&](KeyMap& keys) { keys.emplace(key->id, key); });
               done(std::move(created));
             });
}

void StoredAccessKeys::change(const std::string& id, AccessKeyChange change,
                              Completion<Result<void>> done) {
  std::shared_ptr<const Policy> policy;
  if (change.policy) {
    auto parsed = parse_policy(*change.policy);
    if (!parsed) return done(std::unexpected(parsed.error()));
    policy = std::move(*parsed);
    warn_of_nothing(*policy, id);
  }
  if (auto good = check_rate(change.rate.value_or(std::nullopt)); !good) return done(good);
  const std::optional<bool> enabled = change.enabled;
  const std::optional<KeyRate> rate = change.rate;
  store_.change(id, std::move(change),
                [self = shared_from_this(), id, enabled, rate, policy = std::move(policy),
                 done = std::move(done)](Result<void> changed) mutable {
                  if (changed) {
                    self->change_snapshot([&](KeyMap& keys) {
                      const auto found = keys.find(id);
                      if (found == keys.end()) return;
                      // Requests in flight go on with the key as it was.
                      auto key = new_access_key(*found->second);
                      if (enabled) key->enabled = *enabled;
                      if (rate) key->rate = *rate;
                      if (policy) key->policy = std::move(policy);
                      found->second = std::move(key);
                    });
                  }
                  done(std::move(changed));
                });
}

Result<AccessKeys::NewTemporaryCredentials> StoredAccessKeys::make_temporary_credentials(
    std::string_view id, Seconds lifetime, const std::optional<std::string>& policy) {
  const AccessKeyPtr parent = find(id);
  if (!parent) return fail(Errc::not_found, "there is no access key of this id");
  if (!parent->enabled) return fail(Errc::conflict, "the access key is disabled");
  const WallTime now = clock_.wall_now();
  if (parent->expired(now)) return fail(Errc::conflict, "the access key has expired");
  if (lifetime < kSessionLifetimeMin || lifetime > kSessionLifetimeMax) {
    return fail(Errc::invalid_argument, "must be 900 to 129600 seconds", "durationSeconds");
  }
  if (policy) {
    if (policy->size() > kSessionPolicyBytesMax) {
      return fail(Errc::invalid_argument, "must not be longer than 2048 bytes", "policy");
    }
    if (auto parsed = parse_policy(*policy); !parsed) return std::unexpected(parsed.error());
  }
  NewTemporaryCredentials out;
  out.id = generate_key_id("ASIA");
  out.secret = base64_encode(random_string(kSecretBytes));
  out.expires_at = std::chrono::floor<Seconds>(now + lifetime);
  if (parent->expires_at) out.expires_at = std::min(out.expires_at, *parent->expires_at);
  std::string text = write_temporary_credentials(out, parent->id, policy.value_or(std::string()));
  auto sealed = box_.seal_token(text, kTemporaryCredentialsContext);
  wipe(text);
  if (!sealed) return std::unexpected(sealed.error());
  out.token = base64url_encode(*sealed);
  return out;
}

Result<TemporaryCredentialsPtr> StoredAccessKeys::open_temporary_credentials(
    std::string_view token) const {
  const auto unknown = [] { return fail(Errc::unauthenticated, "the session token is not known"); };
  if (token.size() > kSessionTokenBytesMax) return unknown();
  const std::optional<Bytes> sealed = base64url_decode(token);
  if (!sealed) return unknown();
  auto text = box_.open_token(*sealed, kTemporaryCredentialsContext);
  if (!text) return unknown();
  TemporaryCredentialsPtr session = read_temporary_credentials(*text);
  wipe(*text);
  if (!session) return unknown();
  return session;
}

void StoredAccessKeys::remove(const std::string& id, Completion<Result<void>> done) {
  store_.remove(
      id, [self = shared_from_this(), id, done = std::move(done)](Result<void> removed) mutable {
        // A key that the store does not have must not sign.
        if (removed || removed.error().code == Errc::not_found) {
          self->change_snapshot([&](KeyMap& keys) { keys.erase(id); });
        }
        done(std::move(removed));
      });
}

}  // namespace

Decision decide(const AccessKey& key, const PolicyRequest& request) {
  const Decision own = key.policy->evaluate(request);
  if (!key.session_policy || own == Decision::explicit_deny) return own;
  const Decision narrower = key.session_policy->evaluate(request);
  if (narrower == Decision::explicit_deny) return narrower;
  return own == Decision::allow ? narrower : own;
}

bool names_user(const AccessKey& key) noexcept {
  return key.policy->names_user() || (key.session_policy && key.session_policy->names_user());
}

void open_access_keys(AccessKeysOptions options, const Clock& clock, AccessKeyStore& store,
                      SecretBox& box, Completion<Result<std::shared_ptr<AccessKeys>>> done) {
  auto keys = std::make_shared<StoredAccessKeys>(std::move(options), clock, store, box);
  store.load([keys, done = std::move(done)](Result<std::vector<AccessKeyRow>> rows) mutable {
    if (!rows) return done(std::unexpected(rows.error()));
    if (auto filled = keys->fill(*rows); !filled) {
      return done(std::unexpected(filled.error()));
    }
    done(std::shared_ptr<AccessKeys>(std::move(keys)));
  });
}

}  // namespace holdfast::iam
