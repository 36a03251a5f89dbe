#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/iam/access_keys.hpp>

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

// The map that readers see. A mutex held for the copy of a pointer, and not
// std::atomic<std::shared_ptr>: libstdc++ 12 releases that one's lock on loading without ordering,
// which is a data race.
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
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("+=,.@_-").contains(c);
  });
}

std::string generate_key_id() {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id = random_string(16);
  for (char& c : id) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return "AKIA" + id;
}

// A key that wipes its secret when it goes.
template <class... From>
std::shared_ptr<AccessKey> new_key(const From&... from) {
  return std::shared_ptr<AccessKey>(new AccessKey(from...), [](AccessKey* gone) {
    wipe(gone->secret);
    delete gone;
  });
}

AccessKeyPtr make_key(const AccessKeysOptions& options, const AccessKeyRow& row, std::string secret,
                      std::shared_ptr<const Policy> policy) {
  std::shared_ptr<AccessKey> key = new_key();
  key->id = row.id;
  key->name = row.name;
  key->arn = "arn:" + options.partition + ":iam::" + options.account + ":";
  key->arn += row.name == kRootName ? row.name : "user/" + row.name;
  key->secret = std::move(secret);
  key->enabled = row.enabled;
  key->created_at = row.created_at;
  key->policy = std::move(policy);
  key->caller = std::make_shared<const Caller>(row.id);
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
      auto policy = parse_policy(row.policy);
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

  void create(std::string name, std::string policy_document,
              Completion<Result<Created>> done) override;
  void set_enabled(const std::string& id, bool enabled, Completion<Result<void>> done) override;
  void remove(const std::string& id, Completion<Result<void>> done) override;

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

void StoredAccessKeys::create(std::string name, std::string policy_document,
                              Completion<Result<Created>> done) {
  const auto refuse = [&done](Error error) { done(std::unexpected(std::move(error))); };
  if (!is_good_name(name)) {
    return refuse({Errc::invalid_argument,
                   "a name is 1 to 64 letters, digits and characters of +=,.@_-", "name"});
  }
  auto policy = parse_policy(policy_document);
  if (!policy) return refuse(policy.error());
  if (is_taken(name)) return refuse({Errc::already_exists, "there is a key of this name", name});
  if (keys_.get()->size() + names_in_flight_.size() >= kKeysMax) {
    return refuse({Errc::limit_exceeded, "there are too many access keys", {}});
  }

  Created created;
  created.id = generate_key_id();
  created.secret = base64_encode(random_string(kSecretBytes));
  auto sealed = box_.seal(created.secret, created.id);
  if (!sealed) return refuse(sealed.error());
  AccessKeyRow row;
  row.id = created.id;
  row.name = name;
  row.sealed_secret = std::move(*sealed);
  row.policy = std::move(policy_document);
  row.created_at = clock_.wall_now();
  AccessKeyPtr key = make_key(options_, row, created.secret, std::move(*policy));
  names_in_flight_.insert(name);
  store_.add(std::move(row),
             [self = shared_from_this(), key = std::move(key), created = std::move(created),
              done = std::move(done)](Result<void> added) mutable {
               self->names_in_flight_.erase(key->name);
               if (!added) return done(std::unexpected(added.error()));
               self->change_snapshot([&](KeyMap& keys) { keys.emplace(key->id, key); });
               done(std::move(created));
             });
}

void StoredAccessKeys::set_enabled(const std::string& id, bool enabled,
                                   Completion<Result<void>> done) {
  store_.set_enabled(id, enabled,
                     [self = shared_from_this(), id, enabled,
                      done = std::move(done)](Result<void> changed) mutable {
                       if (changed) {
                         self->change_snapshot([&](KeyMap& keys) {
                           const auto found = keys.find(id);
                           if (found == keys.end()) return;
                           // Requests in flight go on with the key as it was.
                           auto key = new_key(*found->second);
                           key->enabled = enabled;
                           found->second = std::move(key);
                         });
                       }
                       done(std::move(changed));
                     });
}

void StoredAccessKeys::remove(const std::string& id, Completion<Result<void>> done) {
  store_.remove(
      id, [self = shared_from_this(), id, done = std::move(done)](Result<void> removed) mutable {
        // What the store does not have must not sign either.
        if (removed || removed.error().code == Errc::not_found) {
          self->change_snapshot([&](KeyMap& keys) { keys.erase(id); });
        }
        done(std::move(removed));
      });
}

}  // namespace

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
