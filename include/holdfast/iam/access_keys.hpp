#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/caller.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/iam/policy.hpp>

namespace holdfast::iam {

/// A row of the access keys table with its policy.
struct AccessKeyRow {
  std::string id;             ///< `AKIA…`, 20 characters
  std::string name;           ///< `root`, or the user's name
  std::string sealed_secret;  ///< encrypted; see SecretBox
  std::string policy;         ///< the document
  bool enabled = true;
  WallTime created_at;
};

/// Port: access keys and their policies. Completions on the handle's executor, after the commit.
class AccessKeyStore {
 public:
  virtual ~AccessKeyStore() = default;
  virtual void load(Completion<Result<std::vector<AccessKeyRow>>> done) = 0;
  virtual void add(AccessKeyRow row, Completion<Result<void>> done) = 0;
  /// `not_found` when there is none.
  virtual void set_enabled(const std::string& id, bool enabled, Completion<Result<void>> done) = 0;
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
};

/// A key that can sign. Immutable; shared by requests in flight.
struct AccessKey {
  std::string id;
  std::string name;
  std::string arn;  ///< `arn:aws:iam::{account}:root` or `…:user/NAME`
  std::string secret;
  bool enabled = true;
  WallTime created_at;
  std::shared_ptr<const Policy> policy;
  CallerPtr caller;  ///< one per key, the same object for as long as the key lives
};
using AccessKeyPtr = std::shared_ptr<const AccessKey>;

/// All access keys, in memory: look-ups read an immutable snapshot (any thread); changes go through
/// the store, on the executor of its handle.
class AccessKeys {
 public:
  virtual ~AccessKeys() = default;
  /// nullptr when there is none of that id.
  [[nodiscard]] virtual AccessKeyPtr find(std::string_view id) const = 0;
  [[nodiscard]] virtual std::vector<AccessKeyPtr> list() const = 0;

  struct Created {
    std::string id;
    std::string secret;  ///< shown once
  };
  /// A new key. `already_exists` for a name that has one, `invalid_argument` for a bad name (1 to
  /// 64 letters, digits and `+=,.@_-`) or policy (its place in `where`), `limit_exceeded` beyond
  /// 10 000 keys: these are answered inside the call, all else after the commit.
  virtual void create(std::string name, std::string policy_document,
                      Completion<Result<Created>> done) = 0;
  /// A disabled key is kept, and its signatures are refused, from the commit on. `not_found` when
  /// there is none.
  virtual void set_enabled(const std::string& id, bool enabled, Completion<Result<void>> done) = 0;
  /// Refuses the key's signatures from the commit on. `not_found` when there is none.
  virtual void remove(const std::string& id, Completion<Result<void>> done) = 0;
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
