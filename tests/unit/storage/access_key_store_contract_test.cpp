// Tests the promises of every AccessKeyStore.

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/storage/backends.hpp"

namespace holdfast::test {
namespace {

using iam::AccessKeyRow;
using testing::IsEmpty;
using testing::SizeIs;

template <class Backend>
class AccessKeyStoreContractTest : public testing::Test {
 protected:
  Result<void> add(const AccessKeyRow& row) {
    return backend_.executor().template await<Result<void>>(
        [&](auto done) { backend_.handles().access_keys->add(row, std::move(done)); });
  }
  Result<void> remove(const std::string& id) {
    return backend_.executor().template await<Result<void>>(
        [&](auto done) { backend_.handles().access_keys->remove(id, std::move(done)); });
  }
  std::vector<AccessKeyRow> load() {
    return backend_.executor()
        .template await<Result<std::vector<AccessKeyRow>>>(
            [&](auto done) { backend_.handles().access_keys->load(std::move(done)); })
        .value();
  }
  static AccessKeyRow row(const std::string& id) {
    AccessKeyRow out;
    out.id = id;
    out.name = "root";
    out.sealed_secret = std::string("\0\xffsealed", 8);
    out.policy = R"({"Version":"2012-10-17","Statement":[]})";
    out.enabled = false;
    out.created_at = kTestTime;
    return out;
  }
  Backend backend_;
};

TYPED_TEST_SUITE(AccessKeyStoreContractTest, Backends);

TYPED_TEST(AccessKeyStoreContractTest, KeepsAKeyWithItsPolicy) {
  ASSERT_TRUE(this->add(this->row("AKIA1")));
  this->backend_.restart();
  const auto rows = this->load();
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].id, "AKIA1");
  EXPECT_EQ(rows[0].name, "root");
  EXPECT_EQ(rows[0].sealed_secret, std::string("\0\xffsealed", 8));
  EXPECT_EQ(rows[0].policy, this->row("AKIA1").policy);
  EXPECT_FALSE(rows[0].enabled);
  EXPECT_EQ(rows[0].created_at, kTestTime);
}

TYPED_TEST(AccessKeyStoreContractTest, KeepsWhetherAKeyIsEnabled) {
  ASSERT_TRUE(this->add(this->row("AKIA1")));
  ASSERT_TRUE(this->add(this->row("AKIA2")));
  const auto set_enabled = [&](const std::string& id, bool enabled) {
    return this->backend_.executor().template await<Result<void>>([&](auto done) {
      this->backend_.handles().access_keys->change(id, {.enabled = enabled}, std::move(done));
    });
  };
  ASSERT_TRUE(set_enabled("AKIA1", true));
  EXPECT_EQ(set_enabled("AKIA3", true).error().code, Errc::not_found);
  this->backend_.restart();
  const auto rows = this->load();
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_TRUE(rows[0].enabled);
  EXPECT_FALSE(rows[1].enabled);
}

TYPED_TEST(AccessKeyStoreContractTest, ChangesWhatIsAskedForAndNothingElse) {
  AccessKeyRow limited = this->row("AKIA1");
  limited.rate = 0;
  limited.expires_at = kTestTime + Seconds(1);
  ASSERT_TRUE(this->add(limited));
  ASSERT_TRUE(this->add(this->row("AKIA2")));
  const auto change = [&](const iam::AccessKeyChange& wanted) {
    return this->backend_.executor().template await<Result<void>>([&](auto done) {
      this->backend_.handles().access_keys->change("AKIA2", wanted, std::move(done));
    });
  };
  ASSERT_TRUE(change({.policy = "new"}));
  ASSERT_TRUE(change({.rate = iam::KeyRate(1'000'000)}));
  this->backend_.restart();
  const auto rows = this->load();
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].rate, iam::KeyRate(0));
  EXPECT_EQ(rows[0].policy, limited.policy);
  EXPECT_EQ(rows[0].expires_at, limited.expires_at);
  EXPECT_EQ(rows[1].expires_at, std::nullopt);
  EXPECT_EQ(rows[1].rate, iam::KeyRate(1'000'000));
  EXPECT_EQ(rows[1].policy, "new");
  EXPECT_FALSE(rows[1].enabled);
  ASSERT_TRUE(change({.enabled = true, .policy = "newer", .rate = iam::KeyRate()}));
  const auto changed = this->load();
  EXPECT_EQ(changed[1].rate, std::nullopt);
  EXPECT_EQ(changed[1].policy, "newer");
  EXPECT_TRUE(changed[1].enabled);
}

TYPED_TEST(AccessKeyStoreContractTest, RemovesAKeyOnce) {
  ASSERT_TRUE(this->add(this->row("AKIA1")));
  ASSERT_TRUE(this->remove("AKIA1"));
  EXPECT_THAT(this->load(), IsEmpty());
  const auto again = this->remove("AKIA1");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::not_found);
  EXPECT_TRUE(this->add(this->row("AKIA1"))) << "the policy went with its key";
}

TYPED_TEST(AccessKeyStoreContractTest, RefusesASecondKeyOfOneId) {
  ASSERT_TRUE(this->add(this->row("AKIA1")));
  const auto again = this->add(this->row("AKIA1"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::already_exists);
  EXPECT_THAT(this->load(), SizeIs(1));
}

}  // namespace
}  // namespace holdfast::test
