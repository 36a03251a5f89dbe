// Caches derived signing keys.

#include "signing_key_cache.hpp"

#include <functional>

#include "canonical.hpp"

namespace holdfast::iam {

SigningKeyCache::~SigningKeyCache() {
  for (Entry& entry : entries_) wipe(entry.signing_key);
}

const Digest& SigningKeyCache::get(const AccessKeyPtr& key, std::string_view day,
                                   std::string_view region, std::string_view service) {
  scope_.assign(day);
  scope_ += '/';
  scope_ += region;
  scope_ += '/';
  scope_ += service;
  const std::size_t hash =
      std::hash<std::string_view>{}(scope_) ^ std::hash<std::string>{}(key->id);
  Entry& entry = entries_[hash % kEntries];
  if (!same_object(entry.key, key) || entry.scope != scope_) {
    entry.signing_key = derive_signing_key(key->secret, day, region, service);
    entry.key = key;
    entry.scope = scope_;
  }
  return entry.signing_key;
}

}  // namespace holdfast::iam
