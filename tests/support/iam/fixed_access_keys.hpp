#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/iam/access_keys.hpp>

namespace holdfast::test {

/// Access keys that a test sets up by hand, without a store.
class FixedAccessKeys final : public iam::AccessKeys {
 public:
  /// Replaces the key of this id, as deleting it and making it anew would.
  iam::AccessKeyPtr set(std::string id, std::string secret, bool enabled = true,
                        std::string_view policy = iam::kAllowAll) {
    auto key = std::make_shared<iam::AccessKey>();
    key->id = std::move(id);
    key->name = "tester";
    key->arn = "arn:aws:iam::000000000000:user/tester";
    key->secret = std::move(secret);
    key->enabled = enabled;
    key->policy = iam::parse_policy(policy).value();
    key->quota = std::make_shared<SenderQuota>(key->id);
    std::erase_if(keys_, [&](const iam::AccessKeyPtr& old) { return old->id == key->id; });
    keys_.push_back(key);
    return key;
  }

  iam::AccessKeyPtr find(std::string_view id) const override {
    for (const iam::AccessKeyPtr& key : keys_) {
      if (key->id == id) return key;
    }
    return nullptr;
  }
  std::vector<iam::AccessKeyPtr> list() const override { return keys_; }
  void create(NewKey /*key*/, Completion<Result<Created>> done) override {
    done(fail(Errc::unavailable, "the keys are fixed"));
  }
  void change(const std::string& /*id*/, iam::AccessKeyChange /*change*/,
              Completion<Result<void>> done) override {
    done(fail(Errc::unavailable, "the keys are fixed"));
  }
  void remove(const std::string& /*id*/, Completion<Result<void>> done) override {
    done(fail(Errc::unavailable, "the keys are fixed"));
  }
  Result<NewTemporaryCredentials> make_temporary_credentials(
      std::string_view /*id*/, Seconds /*lifetime*/,
      const std::optional<std::string>& /*policy*/) override {
    return fail(Errc::unavailable, "the keys are fixed");
  }
  Result<iam::TemporaryCredentialsPtr> open_temporary_credentials(
      std::string_view /*token*/) const override {
    return fail(Errc::unauthenticated, "there are no sessions");
  }

 private:
  std::vector<iam::AccessKeyPtr> keys_;
};

}  // namespace holdfast::test
