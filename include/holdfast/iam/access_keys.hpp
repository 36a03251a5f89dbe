#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/sender_quota.hpp>
#include <holdfast/iam/policy.hpp>

namespace holdfast::iam {

/// A key's limit of requests per second; 0 means unlimited, nullopt the configured default.
using KeyRate = std::optional<std::uint32_t>;
inline constexpr std::uint32_t kKeyRateMax = 1'000'000;

/// A row of the access keys table with its policy.
struct AccessKeyRow {
  std::string id;             ///< `AKIA…`, 20 characters
  std::string name;           ///< `root`, or the user's name
  std::string sealed_secret;  ///< encrypted; see SecretBox
  std::string policy;         ///< the document
  bool enabled = true;
  KeyRate rate;
  WallTime created_at;
  std::optional<WallTime> expires_at{};  ///< none: never
};

/// Changes to a key. Members that are not set keep their value.
struct AccessKeyChange {
  std::optional<bool> enabled{};
  std::optional<std::string> policy{};  ///< the document
  std::optional<KeyRate> rate{};
};

/// Port: access keys and their policies. Completions on the handle's executor, after the commit.
class AccessKeyStore {
 public:
  virtual ~AccessKeyStore() = default;
  virtual void load(Completion<Result<std::vector<AccessKeyRow>>> done) = 0;
  virtual void add(AccessKeyRow row, Completion<Result<void>> done) = 0;
  /// Applies all changes in one commit. `not_found` if there is no such key.
  virtual void change(const std::string& id, AccessKeyChange change,
                      Completion<Result<void>> done) = 0;
  /// `not_found` when there is none.
  virtual void remove(const std::string& id, Completion<Result<void>> done) = 0;
};

/// Port: encryption at rest for the secrets. Any thread.
class SecretBox {
 public:
  virtual ~SecretBox() = default;
  [[nodiscard]] virtual Result<std::string> seal(std::string_view secret,
                                                 std::string_view context) = 0;
  [[nodiscard]] virtual Result<std::string> open(std::string_view sealed,
                                                 std::string_view context) const = 0;
  /// Seals a token, which is given away and stored nowhere.
  [[nodiscard]] virtual Result<std::string> seal_token(std::string_view plaintext,
                                                       std::string_view context) = 0;
  [[nodiscard]] virtual Result<std::string> open_token(std::string_view sealed,
                                                       std::string_view context) const = 0;
};

/// A key that can sign: a permanent one, or the temporary credentials of one, which act in its name
/// and on its account. Immutable; shared by requests in flight.
struct AccessKey {
  std::string id;
  std::string name;
  std::string arn;  ///< `arn:aws:iam::{account}:root` or `…:user/NAME`
  std::string secret;
  bool enabled = true;
  WallTime created_at;
  KeyRate rate;
  std::shared_ptr<const Policy> policy;
  SenderQuotaPtr quota;  ///< one per key, the same object for as long as the key lives
  /// None: never. Temporary credentials end no later than their key.
  std::optional<WallTime> expires_at{};

  /// Of temporary credentials alone.
  std::shared_ptr<const Policy> session_policy{};  ///< must allow too; null: no narrower

  [[nodiscard]] bool expired(WallTime now) const { return expires_at && *expires_at <= now; }
};
using AccessKeyPtr = std::shared_ptr<const AccessKey>;

/// Decides a request by the key's policies. An explicit deny of either one wins, and an allow needs
/// both.
[[nodiscard]] Decision decide(const AccessKey& key, const PolicyRequest& request);
/// Returns whether one of the key's policies has a condition on the user of a call.
[[nodiscard]] bool names_user(const AccessKey& key) noexcept;

/// Temporary credentials, read from their token; they are stored nowhere. Immutable.
struct TemporaryCredentials {
  std::string id;  ///< `ASIA…`, 20 characters
  std::string secret;
  std::string parent_id;  ///< of the key that they are of
  WallTime expires_at;
  std::shared_ptr<const Policy> policy;  ///< null: as wide as the key's
};
using TemporaryCredentialsPtr = std::shared_ptr<const TemporaryCredentials>;

/// The limits of AWS
/// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html, and for the
/// policy …/API_GetFederationToken.html).
inline constexpr Seconds kSessionLifetimeMin{900};
inline constexpr Seconds kSessionLifetimeMax{36 * 3600};
inline constexpr Seconds kSessionLifetimeDefault{3600};
inline constexpr std::size_t kSessionPolicyBytesMax = 2048;

/// Ten years.
inline constexpr Seconds kKeyLifetimeMax{3'650 * 24 * 3600};

/// All access keys, in memory: look-ups read an immutable snapshot (any thread); changes go through
/// the store, on the executor of its handle.
class AccessKeys {
 public:
  virtual ~AccessKeys() = default;
  /// Returns the key with this id; nullptr if there is none.
  [[nodiscard]] virtual AccessKeyPtr find(std::string_view id) const = 0;
  [[nodiscard]] virtual std::vector<AccessKeyPtr> list() const = 0;

  struct NewKey {
    std::string name;
    std::string policy{};  ///< the document
    KeyRate rate{};
    std::optional<Seconds> lifetime{};  ///< from now on; none: it never expires
  };
  struct Created {
    std::string id;
    std::string secret;  ///< shown once
    std::optional<WallTime> expires_at{};
  };
  /// Creates a key. `already_exists` if the name has a key, `invalid_argument` for a bad name (1 to
  /// 64 letters, digits and `+=,.@_-`), policy (its place in `where`), rate or lifetime,
  /// `limit_exceeded` beyond 10 000 keys. These errors come inside the call, all else after the
  /// commit.
  virtual void create(NewKey key, Completion<Result<Created>> done) = 0;
  /// Changes a key, in force after the commit. Requests in flight use the key as it was. A disabled
  /// key is kept, but its signatures are refused. `invalid_argument` as above, inside the call;
  /// `not_found` if there is no such key.
  virtual void change(const std::string& id, AccessKeyChange change,
                      Completion<Result<void>> done) = 0;
  /// Deletes a key. Its signatures are refused after the commit. `not_found` if there is no such
  /// key.
  virtual void remove(const std::string& id, Completion<Result<void>> done) = 0;

  struct NewTemporaryCredentials {
    std::string id;
    std::string secret;
    std::string token;  ///< holds all of them, sealed by the box
    WallTime expires_at;
  };
  /// Makes temporary credentials of the key `id`. They are valid until they or the key expire, and
  /// while the key exists and is enabled. `policy` restricts them further. Thread-safe. Errors:
  /// `not_found`; `conflict` for a disabled or expired key; `invalid_argument` for a lifetime or a
  /// policy outside its limits; those of the box.
  [[nodiscard]] virtual Result<NewTemporaryCredentials> make_temporary_credentials(
      std::string_view id, Seconds lifetime, const std::optional<std::string>& policy) = 0;
  /// Opens a session token, even an expired one. `unauthenticated` if `make_temporary_credentials`
  /// did not make it. Thread-safe.
  [[nodiscard]] virtual Result<TemporaryCredentialsPtr> open_temporary_credentials(
      std::string_view token) const = 0;
};

struct AccessKeysOptions {
  std::string partition = "aws";
  std::string account = "000000000000";
};
/// Loads the keys; `done` runs on the store handle's executor. A secret that the box does not open,
/// or a policy that is refused, is an error with the key's id in `where`: no key is left out
/// silently. `store` and `box` outlive the keys and their last completion.
void open_access_keys(AccessKeysOptions options, const Clock& clock, AccessKeyStore& store,
                      SecretBox& box, Completion<Result<std::shared_ptr<AccessKeys>>> done);

}  // namespace holdfast::iam
