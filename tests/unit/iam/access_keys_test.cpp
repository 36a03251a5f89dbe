// Tests access keys: creation, changes, commits and expiry.

#include <atomic>
#include <memory>
#include <optional>
#include <regex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/iam/access_keys.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/iam/fake_access_key_store.hpp"
#include "support/iam/fake_secret_box.hpp"

namespace holdfast::iam {
namespace {

using test::FakeAccessKeyStore;
using test::FakeSecretBox;
using test::ManualClock;
using test::ManualExecutor;

class AccessKeysTest : public ::testing::Test {
 protected:
  Result<std::shared_ptr<AccessKeys>> open() {
    std::optional<Result<std::shared_ptr<AccessKeys>>> out;
    open_access_keys({}, clock_, store_, box_, [&](auto opened) { out = std::move(opened); });
    executor_.run();
    return out.value();
  }
  Result<AccessKeys::Created> create(AccessKeys& keys, const std::string& name,
                                     std::string_view policy = kAllowAll) {
    std::optional<Result<AccessKeys::Created>> out;
    keys.create({.name = name, .policy = std::string(policy)},
                [&](auto created) { out = std::move(created); });
    executor_.run();
    return out.value();
  }
  Result<void> remove(AccessKeys& keys, const std::string& id) {
    std::optional<Result<void>> out;
    keys.remove(id, [&](auto removed) { out = std::move(removed); });
    executor_.run();
    return out.value();
  }

  ManualClock clock_;
  ManualExecutor executor_;
  FakeAccessKeyStore store_{executor_};
  FakeSecretBox box_;
};

TEST_F(AccessKeysTest, StartsEmptyAndMakesTheFirstKeyNamedRoot) {
  const auto keys = open().value();
  EXPECT_TRUE(keys->list().empty());
  const auto created = create(*keys, "root");
  ASSERT_TRUE(created);
  EXPECT_TRUE(std::regex_match(created->id, std::regex("AKIA[A-Z2-7]{16}")));
  EXPECT_TRUE(std::regex_match(created->secret, std::regex("[A-Za-z0-9+/]{40}")));
  const AccessKeyPtr key = keys->find(created->id);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->arn, "arn:aws:iam::000000000000:root");
  EXPECT_EQ(key->secret, created->secret);
  EXPECT_EQ(key->created_at, clock_.wall_now());
  EXPECT_EQ(key->quota->id, created->id);
  EXPECT_TRUE(key->enabled);
  EXPECT_EQ(keys->find("AKIAUNKNOWN"), nullptr);
}

TEST_F(AccessKeysTest, OtherKeysArePrincipalsOfUsers) {
  const auto keys = open().value();
  const auto created = create(*keys, "producer-1@example.com");
  ASSERT_TRUE(created);
  EXPECT_EQ(keys->find(created->id)->arn, "arn:aws:iam::000000000000:user/producer-1@example.com");
}

TEST_F(AccessKeysTest, SealsTheSecretInTheStore) {
  const auto keys = open().value();
  const auto created = create(*keys, "root");
  ASSERT_EQ(store_.rows.size(), 1U);
  EXPECT_FALSE(store_.rows[0].sealed_secret.contains(created->secret));
  EXPECT_EQ(box_.open(store_.rows[0].sealed_secret, created->id), created->secret);
  EXPECT_FALSE(box_.open(store_.rows[0].sealed_secret, "another id"));
}

TEST_F(AccessKeysTest, FindsTheSameKeysAfterARestart) {
  const auto first = open().value();
  const auto created = create(*first, "root");
  const auto second = open().value();
  const AccessKeyPtr key = second->find(created->id);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->secret, created->secret);
  EXPECT_EQ(key->arn, "arn:aws:iam::000000000000:root");
  EXPECT_EQ(key->policy->document(), kAllowAll);
}

TEST_F(AccessKeysTest, RefusesBadNamesAndPolicies) {
  const auto keys = open().value();
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a/b"),
                                  std::string("ä"), std::string(65, 'a'), std::string("a\n")}) {
    const auto created = create(*keys, name);
    ASSERT_FALSE(created) << name;
    EXPECT_EQ(created.error().code, Errc::invalid_argument);
  }
  const auto created = create(*keys, "name", R"({"Version":"2012-10-17"})");
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, Errc::invalid_argument);
  EXPECT_EQ(created.error().where, "Statement");
  EXPECT_TRUE(store_.rows.empty());
}

TEST_F(AccessKeysTest, RefusesASecondKeyWhileTheFirstIsInFlight) {
  const auto keys = open().value();
  std::optional<Result<AccessKeys::Created>> first;
  keys->create({.name = "twin", .policy = std::string(kAllowAll)},
               [&](auto created) { first = std::move(created); });
  const auto second = create(*keys, "twin");
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->has_value());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::already_exists);
  EXPECT_EQ(create(*keys, "twin").error().code, Errc::already_exists);
  EXPECT_EQ(store_.rows.size(), 1U);
}

TEST_F(AccessKeysTest, HasAKeyOnlyAfterItsCommit) {
  const auto keys = open().value();
  std::optional<Result<AccessKeys::Created>> answer;
  keys->create({.name = "root", .policy = std::string(kAllowAll)},
               [&](auto created) { answer = std::move(created); });
  EXPECT_TRUE(keys->list().empty());
  EXPECT_FALSE(answer);
  executor_.run();
  EXPECT_EQ(keys->list().size(), 1U);
}

TEST_F(AccessKeysTest, FreesTheNameWhenTheCommitFails) {
  const auto keys = open().value();
  store_.fail_next(Error(Errc::unavailable, "disk full"));
  const auto failed = create(*keys, "root");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  EXPECT_TRUE(keys->list().empty());
  EXPECT_TRUE(create(*keys, "root"));
}

TEST_F(AccessKeysTest, MakesNoKeyWhenTheSecretCannotBeSealed) {
  const auto keys = open().value();
  box_.unavailable = true;
  EXPECT_EQ(create(*keys, "root").error().code, Errc::unavailable);
  box_.unavailable = false;
  EXPECT_TRUE(create(*keys, "root"));
}

TEST_F(AccessKeysTest, RemovesAKeyAfterTheCommit) {
  const auto keys = open().value();
  const auto created = create(*keys, "root");
  store_.fail_next(Error(Errc::unavailable, "disk full"));
  EXPECT_FALSE(remove(*keys, created->id));
  EXPECT_TRUE(keys->find(created->id));
  EXPECT_TRUE(remove(*keys, created->id));
  EXPECT_FALSE(keys->find(created->id));
  EXPECT_EQ(remove(*keys, created->id).error().code, Errc::not_found);
  EXPECT_TRUE(create(*keys, "root"));
}

TEST_F(AccessKeysTest, KeysAndTheirCallersStayTheSameObjectsWhenOthersChange) {
  const auto keys = open().value();
  const auto created = create(*keys, "root");
  const AccessKeyPtr before = keys->find(created->id);
  const auto other = create(*keys, "other");
  EXPECT_TRUE(remove(*keys, other->id));
  EXPECT_EQ(keys->find(created->id), before);
  EXPECT_EQ(keys->find(created->id)->quota, before->quota);
}

TEST_F(AccessKeysTest, ListsKeysInTheOrderOfTheirMaking) {
  const auto keys = open().value();
  for (const char* name : {"c", "a", "b"}) {
    EXPECT_TRUE(create(*keys, name));
    clock_.advance(Seconds(1));
  }
  std::string names;
  for (const AccessKeyPtr& key : keys->list()) names += key->name;
  EXPECT_EQ(names, "cab");
}

TEST_F(AccessKeysTest, DisablesAndEnablesAKeyAfterTheCommit) {
  const auto keys = open().value();
  const auto created = create(*keys, "root");
  const AccessKeyPtr before = keys->find(created->id);
  const auto set_enabled = [&](const std::string& id, bool enabled) {
    std::optional<Result<void>> out;
    keys->change(id, {.enabled = enabled}, [&](auto changed) { out = std::move(changed); });
    EXPECT_FALSE(out) << "before the commit";
    executor_.run();
    return out.value();
  };
  store_.fail_next(Error(Errc::unavailable, "disk full"));
  EXPECT_FALSE(set_enabled(created->id, false));
  EXPECT_TRUE(keys->find(created->id)->enabled);
  EXPECT_TRUE(set_enabled(created->id, false));
  const AccessKeyPtr disabled = keys->find(created->id);
  EXPECT_FALSE(disabled->enabled);
  EXPECT_FALSE(open().value()->find(created->id)->enabled) << "after a restart";
  EXPECT_TRUE(before->enabled) << "a request in flight keeps what it has";
  EXPECT_EQ(disabled->quota, before->quota);
  EXPECT_EQ(disabled->secret, created->secret);
  EXPECT_TRUE(set_enabled(created->id, true));
  EXPECT_TRUE(keys->find(created->id)->enabled);
  EXPECT_EQ(set_enabled("AKIANOBODY", true).error().code, Errc::not_found);
}

TEST_F(AccessKeysTest, ReplacesAPolicyAndARateAfterTheCommit) {
  constexpr const char* kNothing =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]})";
  const auto keys = open().value();
  const auto created = create(*keys, "root");
  const AccessKeyPtr before = keys->find(created->id);
  EXPECT_EQ(before->rate, std::nullopt);
  const auto change = [&](AccessKeyChange wanted) {
    std::optional<Result<void>> out;
    keys->change(created->id, std::move(wanted), [&](auto changed) { out = std::move(changed); });
    executor_.run();
    return out.value();
  };
  ASSERT_TRUE(change({.policy = kNothing}));
  EXPECT_EQ(keys->find(created->id)->policy->document(), kNothing);
  EXPECT_EQ(keys->find(created->id)->rate, std::nullopt);
  ASSERT_TRUE(change({.rate = KeyRate(7)}));
  EXPECT_EQ(keys->find(created->id)->rate, KeyRate(7));
  EXPECT_EQ(keys->find(created->id)->quota, before->quota) << "what it has spent stays spent";
  EXPECT_EQ(before->policy->document(), kAllowAll);
  const AccessKeyPtr again = open().value()->find(created->id);
  EXPECT_EQ(again->policy->document(), kNothing);
  EXPECT_EQ(again->rate, KeyRate(7));
  ASSERT_TRUE(change({.rate = KeyRate()}));
  EXPECT_EQ(keys->find(created->id)->rate, std::nullopt);

  const auto bad_policy = change({.enabled = false, .policy = R"({"Version":"2012-10-17"})"});
  ASSERT_FALSE(bad_policy);
  EXPECT_EQ(bad_policy.error().where, "Statement");
  const auto bad_rate = change({.enabled = false, .rate = KeyRate(kKeyRateMax + 1)});
  ASSERT_FALSE(bad_rate);
  EXPECT_EQ(bad_rate.error().where, "rate");
  EXPECT_TRUE(keys->find(created->id)->enabled) << "nothing of a refused change happens";
}

TEST_F(AccessKeysTest, KeepsDisabledKeysDisabled) {
  const auto created = create(*open().value(), "root");
  store_.rows[0].enabled = false;
  const auto keys = open().value();
  EXPECT_FALSE(keys->find(created->id)->enabled);
}

TEST_F(AccessKeysTest, DoesNotOpenWithASecretOrPolicyThatItCannotRead) {
  const auto created = create(*open().value(), "root");
  const auto good = store_.rows[0];
  store_.rows[0].sealed_secret += "x";
  store_.rows[0].id = "AKIAOTHER";
  const auto wrong_context = open();
  ASSERT_FALSE(wrong_context);
  EXPECT_EQ(wrong_context.error().where, "AKIAOTHER");
  EXPECT_FALSE(wrong_context.error().message.contains(created->secret));
  store_.rows[0] = good;
  store_.rows[0].policy = "{}";
  const auto wrong_policy = open();
  ASSERT_FALSE(wrong_policy);
  EXPECT_EQ(wrong_policy.error().where, good.id);
  store_.rows[0] = good;
  store_.fail_next(Error(Errc::io, "disk error"));
  EXPECT_EQ(open().error().code, Errc::io);
  EXPECT_TRUE(open());
}

TEST_F(AccessKeysTest, AnyThreadMayLookUpWhileKeysChange) {
  const auto keys = open().value();
  const auto created = create(*keys, "root");
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const AccessKeyPtr key = keys->find(created->id);
        ASSERT_TRUE(key);
        ASSERT_EQ(key->secret, created->secret);
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    const auto other = create(*keys, "other");
    EXPECT_TRUE(other);
    EXPECT_TRUE(remove(*keys, other->id));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace holdfast::iam
