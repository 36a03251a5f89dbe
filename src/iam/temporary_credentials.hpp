#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/iam/access_keys.hpp>

/// Temporary credentials: the contents of their tokens, and the keys made from them.
namespace holdfast::iam {

/// The context that session tokens are sealed for. No access key has such an id.
inline constexpr std::string_view kTemporaryCredentialsContext = "session token";
/// Room for the longest policy, sealed and encoded.
inline constexpr std::size_t kSessionTokenBytesMax = 4096;

/// A key that wipes its secret when it goes.
template <class... From>
[[nodiscard]] std::shared_ptr<AccessKey> new_access_key(const From&... from) {
  return std::shared_ptr<AccessKey>(new AccessKey(from...), [](AccessKey* gone) {
    wipe(gone->secret);
    delete gone;
  });
}

/// Returns the text that is sealed into a token. An empty policy means none.
[[nodiscard]] std::string write_temporary_credentials(
    const AccessKeys::NewTemporaryCredentials& session, std::string_view parent_id,
    std::string_view policy);
/// nullptr for what `write_temporary_credentials` does not write.
[[nodiscard]] TemporaryCredentialsPtr read_temporary_credentials(std::string_view text);

/// Caches the keys of recently used tokens, so that a token is not opened, and its policy not
/// parsed, for each request. Limited: a new entry replaces the one in its place. Not thread-safe.
class TemporaryCredentialsCache {
 public:
  /// The key of the token, as its parent is now: expired or not. nullptr for a token that is
  /// unknown or another id's, and while the parent is disabled or gone.
  [[nodiscard]] AccessKeyPtr find(const AccessKeys& keys, std::string_view id,
                                  std::string_view token);

 private:
  struct Entry {
    Digest token_hash{};
    TemporaryCredentialsPtr session;
    std::weak_ptr<const AccessKey> parent;  ///< the key that `key` was made from
    AccessKeyPtr key;
  };
  static constexpr std::size_t kEntries = 256;

  std::vector<Entry> entries_ = std::vector<Entry>(kEntries);
};

}  // namespace holdfast::iam
