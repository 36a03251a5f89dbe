#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/iam/access_keys.hpp>

namespace holdfast::iam {

/// Returns whether `a` was made from `b`, even if the object is gone.
[[nodiscard]] inline bool same_object(const std::weak_ptr<const AccessKey>& a,
                                      const AccessKeyPtr& b) noexcept {
  return !a.owner_before(b) && !b.owner_before(a);
}

/// Caches derived keys by access key, day, region and service, which saves four HMACs per request.
/// Limited: a new entry replaces the one in its place. Not thread-safe.
class SigningKeyCache {
 public:
  ~SigningKeyCache();
  SigningKeyCache() = default;
  SigningKeyCache(const SigningKeyCache&) = delete;
  SigningKeyCache& operator=(const SigningKeyCache&) = delete;

  /// Good until the next call.
  [[nodiscard]] const Digest& get(const AccessKeyPtr& key, std::string_view day,
                                  std::string_view region, std::string_view service);

 private:
  struct Entry {
    // Compares the object, because a new key under an old id has another secret.
    std::weak_ptr<const AccessKey> key;
    std::string scope;
    Digest signing_key{};
  };
  static constexpr std::size_t kEntries = 1024;

  std::vector<Entry> entries_ = std::vector<Entry>(kEntries);
  std::string scope_;
};

}  // namespace holdfast::iam
