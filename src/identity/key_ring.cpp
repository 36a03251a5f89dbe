// Keeps the data keys and signing keys, and rotates them.

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/identity/key_ring.hpp>

#include "aead.hpp"
#include "secret.hpp"

namespace holdfast::identity {
namespace {

// Under the data key itself: no longer made.
constexpr char kFirstVersion = 1;
constexpr char kVersion = 2;
constexpr std::size_t kHeaderBytes = 5;

void append_id(std::string& out, std::uint32_t id) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(id >> shift));
}
std::uint32_t read_id(std::string_view bytes) {
  std::uint32_t id = 0;
  for (const char c : bytes.substr(0, 4)) id = (id << 8) | static_cast<unsigned char>(c);
  return id;
}

std::string wrapping_data(std::uint32_t id) {
  std::string out = "holdfast data key ";
  append_id(out, id);
  return out;
}

std::optional<std::string> unwrap(const MasterKey& master, const KeyStore::Row& row) {
  auto bytes = aead_open(master.bytes(), row.wrapped, wrapping_data(row.id));
  if (bytes && bytes->size() != kAeadKeyBytes) return std::nullopt;
  return bytes;
}

std::unexpected<Error> not_unwrapped(std::uint32_t id, bool any_other) {
  if (!any_other) {
    return fail(Errc::invalid_argument,
                "the master key is not the one that this database was made with", "master key");
  }
  const std::string text = std::to_string(id);
  return fail(Errc::invalid_argument,
              "data key " + text + " in the database is damaged: the master key does not open it",
              text);
}

struct DataKey {
  DataKey(std::uint32_t key_id, Secret key_secret, WallTime created)
      : id(key_id), secret(std::move(key_secret)), created_at(created) {
    Digest extracted = hmac_sha256({}, secret.view());
    derivation = Secret(view(extracted));
    wipe(extracted);
  }

  /// HKDF-Expand (RFC 5869 section 2.3): one block is a whole key.
  [[nodiscard]] Secret key_for(std::string_view context) const {
    Digest expanded =
        hmac_sha256(derivation.view(), "holdfast seal " + std::string(context) + '\1');
    Secret out{view(expanded)};
    wipe(expanded);
    return out;
  }

  const std::uint32_t id;
  const Secret secret;
  const WallTime created_at;
  Secret derivation;  ///< HKDF-Extract of `secret`
};
using DataKeyPtr = std::shared_ptr<const DataKey>;

struct Snapshot {
  std::map<std::uint32_t, DataKeyPtr> keys;
  DataKeyPtr current;  ///< the newest; null only before the ring is open
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

class KeyRingImpl final : public KeyRing, public std::enable_shared_from_this<KeyRingImpl> {
 public:
  KeyRingImpl(MasterKey master, Options options, const Clock& clock, KeyStore& store)
      : master_(std::move(master)), options_(options), clock_(clock), store_(store) {}

  Result<std::string> seal(std::string_view plaintext, std::string_view context) override {
    const SnapshotPtr keys = snapshot();
    const DataKey& key = *keys->current;
    std::string out(1, kVersion);
    append_id(out, key.id);
    out += xaes_seal(key.key_for(context).view(), plaintext, out + std::string(context));
    return out;
  }

  Result<std::string> open(std::string_view sealed, std::string_view context) const override {
    if (sealed.size() < kHeaderBytes) return refused();
    const SnapshotPtr keys = snapshot();
    const auto found = keys->keys.find(read_id(sealed.substr(1)));
    if (found == keys->keys.end()) return refused();
    const DataKey& key = *found->second;
    const std::string_view rest = sealed.substr(kHeaderBytes);
    const std::string data = std::string(sealed.substr(0, kHeaderBytes)) + std::string(context);
    std::optional<std::string> plaintext;
    if (sealed.front() == kVersion) {
      plaintext = xaes_open(key.key_for(context).view(), rest, data);
    } else if (sealed.front() == kFirstVersion) {
      plaintext = aead_open(key.secret.view(), rest, data);
    }
    if (!plaintext) return refused();
    return std::move(*plaintext);
  }

  void rotate(Completion<Result<std::uint32_t>> done) override {
    waiters_.push_back(std::move(done));
    if (waiters_.size() > 1) return;  // one new key serves all who ask while it is being made
    const std::uint32_t id = last_id_ + 1;
    std::string bytes = random_string(kAeadKeyBytes);
    Secret secret = Secret::take(bytes);
    KeyStore::Row row;
    row.kind = KeyStore::Row::Kind::data;
    row.id = id;
    row.wrapped = aead_seal(master_.bytes(), secret.view(), wrapping_data(id));
    row.created_at = clock_.wall_now();
    auto key = std::make_shared<const DataKey>(id, std::move(secret), row.created_at);
    store_.add(std::move(row), [self = shared_from_this(), key](Result<void> added) {
      self->rotated(key, std::move(added));
    });
  }

  void maintain() override {
    const SnapshotPtr keys = snapshot();
    if (waiters_.empty() && rotation_due(*keys->current)) {
      rotate([](const Result<std::uint32_t>& rotated) {
        if (!rotated) log::warn("data_key_rotation_failed", {{"reason", rotated.error().message}});
      });
    }
  }

  /// Takes the rows of the store; the ring is open when this has called `done` with success.
  void start(const std::vector<KeyStore::Row>& rows, std::int64_t epoch,
             Completion<Result<void>> done) {
    epoch_ = epoch;
    if (Result<void> unwrapped = unwrap_all(rows); !unwrapped) {
      done(std::move(unwrapped));
      return;
    }
    if (snapshot()->current != nullptr) {
      done({});
      return;
    }
    rotate([done = std::move(done)](Result<std::uint32_t> made) mutable {
      done(made ? Result<void>() : std::unexpected(std::move(made.error())));
    });
  }

 private:
  static std::unexpected<Error> refused() {
    return fail(Errc::unauthenticated, "not a seal of this ring");
  }

  [[nodiscard]] SnapshotPtr snapshot() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
  }
  void publish(SnapshotPtr next) {
    const std::lock_guard lock(mutex_);
    snapshot_.swap(next);
  }

  Result<void> unwrap_all(const std::vector<KeyStore::Row>& rows) {
    auto next = std::make_shared<Snapshot>();
    std::optional<std::uint32_t> damaged;
    for (const KeyStore::Row& row : rows) {
      if (row.kind != KeyStore::Row::Kind::data) continue;
      last_id_ = std::max(last_id_, row.id);
      if (row.retired) continue;
      std::optional<std::string> bytes = unwrap(master_, row);
      if (!bytes) {
        damaged = row.id;
        continue;
      }
      next->keys[row.id] =
          std::make_shared<const DataKey>(row.id, Secret::take(*bytes), row.created_at);
    }
    if (damaged) return not_unwrapped(*damaged, !next->keys.empty());
    if (!next->keys.empty()) next->current = next->keys.rbegin()->second;
    publish(std::move(next));
    return {};
  }

  void rotated(const DataKeyPtr& key, Result<void> added) {
    if (added) {
      auto next = std::make_shared<Snapshot>(*snapshot());
      next->keys[key->id] = key;
      next->current = key;
      last_id_ = key->id;
      publish(std::move(next));
      log::info("data_key_made", {{"key", key->id}});
    }
    for (auto& waiter : std::exchange(waiters_, {})) {
      waiter(added ? Result<std::uint32_t>(key->id) : std::unexpected(added.error()));
    }
  }

  [[nodiscard]] bool rotation_due(const DataKey& key) const {
    return options_.rotation_enabled &&
           clock_.wall_now() - key.created_at >= options_.rotation_period;
  }

  const MasterKey master_;
  const Options options_;
  const Clock& clock_;
  KeyStore& store_;

  mutable std::mutex mutex_;
  SnapshotPtr snapshot_;  ///< under mutex_

  // Touched on the store handle's executor alone.
  std::uint32_t last_id_ = 0;
  std::vector<Completion<Result<std::uint32_t>>> waiters_;
};

}  // namespace

Result<void> check_master_key(const MasterKey& master, const std::vector<KeyStore::Row>& rows) {
  std::optional<std::uint32_t> damaged;
  bool any = false;
  for (const KeyStore::Row& row : rows) {
    if (row.kind != KeyStore::Row::Kind::data || row.retired) continue;
    auto bytes = unwrap(master, row);
    if (bytes) {
      any = true;
      wipe(*bytes);
    } else {
      damaged = row.id;
    }
  }
  if (damaged) return not_unwrapped(*damaged, any);
  return {};
}

void open_key_ring(MasterKey master, KeyRing::Options options, const Clock& clock, KeyStore& store,
                   Completion<Result<std::shared_ptr<KeyRing>>> done) {
  auto ring = std::make_shared<KeyRingImpl>(std::move(master), options, clock, store);
  store.load(
      [ring, &store, done = std::move(done)](Result<std::vector<KeyStore::Row>> rows) mutable {
        if (!rows) {
          done(std::unexpected(std::move(rows.error())));
          return;
        }
        store.epoch([ring, rows = std::move(*rows),
                     done = std::move(done)](Result<std::int64_t> epoch) mutable {
          if (!epoch) {
            done(std::unexpected(std::move(epoch.error())));
            return;
          }
          ring->start(rows, *epoch, [ring, done = std::move(done)](Result<void> started) mutable {
            if (!started) {
              done(std::unexpected(std::move(started.error())));
            } else {
              done(std::shared_ptr<KeyRing>(std::move(ring)));
            }
          });
        });
      });
}

}  // namespace holdfast::identity
