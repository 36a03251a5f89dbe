// Tests data keys: sealing, rotation, restarts and epochs.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/crypto.hpp>

#include "identity/aead.hpp"
#include "support/base/manual_clock.hpp"
#include "support/identity/open.hpp"

namespace holdfast::identity {
namespace {

using std::chrono::hours;
using Ring = std::shared_ptr<KeyRing>;

class KeyRingTest : public testing::Test {
 protected:
  Result<Ring> open(KeyRing::Options options = {}, char master = 'm') {
    return test::open_ring(executor_, clock_, store_, options, test::master_key(master));
  }
  Result<std::uint32_t> rotate(KeyRing& ring) {
    std::optional<Result<std::uint32_t>> out;
    ring.rotate([&](auto id) { out = std::move(id); });
    executor_.run();
    return std::move(out.value());
  }
  void maintain(KeyRing& ring) {
    ring.maintain();
    executor_.run();
  }
  static std::uint32_t key_of(const std::string& sealed) {
    return static_cast<unsigned char>(sealed.at(4));
  }
  /// The data key of this id, in the clear.
  std::string data_key(std::uint32_t id) {
    const std::string data =
        std::string("holdfast data key ") + std::string(3, '\0') + static_cast<char>(id);
    return aead_open(std::string(32, 'm'), database_.keys.at(id - 1).wrapped, data).value();
  }

  test::ManualClock clock_;
  test::ManualExecutor executor_;
  test::FakeIdentityDatabase database_;
  test::FakeKeyStore store_{database_, executor_};
};

TEST_F(KeyRingTest, OpensWhatItSealedAndNothingElse) {
  const Ring ring = open().value();
  const std::string sealed = ring->seal("secret", "context").value();
  EXPECT_EQ(sealed.size(), 1 + 4 + 24 + 6 + 16U);
  EXPECT_EQ(ring->open(sealed, "context").value(), "secret");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto opened = ring->open(changed, "context");
    ASSERT_FALSE(opened) << i;
    ASSERT_EQ(opened.error().code, Errc::unauthenticated);
    ASSERT_FALSE(ring->open(sealed.substr(0, i), "context")) << i;
  }
  EXPECT_FALSE(ring->open(sealed, "other"));
  EXPECT_FALSE(ring->open(sealed, ""));
}

TEST_F(KeyRingTest, KeepsItsKeysOutOfTheDatabase) {
  const Ring ring = open().value();
  ASSERT_EQ(database_.keys.size(), 1U);
  EXPECT_EQ(database_.keys[0].wrapped.size(), 12 + 32 + 16U);
  EXPECT_EQ(database_.keys[0].wrapped.find(std::string(32, 'm')), std::string::npos);
}

TEST_F(KeyRingTest, OpensAfterARestartWhatItSealedBefore) {
  const std::string sealed = open().value()->seal("secret", "context").value();
  const Ring ring = open().value();
  EXPECT_EQ(ring->open(sealed, "context").value(), "secret");
  EXPECT_EQ(database_.keys.size(), 1U);
}

TEST_F(KeyRingTest, SaysSoWhenTheMasterKeyIsAnotherOne) {
  ASSERT_TRUE(open());
  const auto ring = open({}, 'w');
  ASSERT_FALSE(ring);
  EXPECT_EQ(ring.error().code, Errc::invalid_argument);
  EXPECT_EQ(ring.error().message, "the master key is not the one that this database was made with");
  EXPECT_EQ(database_.keys.size(), 1U);
}

TEST_F(KeyRingTest, SaysWhichKeyIsDamaged) {
  rotate(*open().value()).value();
  database_.keys.at(0).wrapped[20] = static_cast<char>(database_.keys.at(0).wrapped[20] ^ 1);
  const auto ring = open();
  ASSERT_FALSE(ring);
  EXPECT_EQ(ring.error().code, Errc::invalid_argument);
  EXPECT_NE(ring.error().message.find("data key 1"), std::string::npos);
}

TEST_F(KeyRingTest, RefusesAWrappedKeyUnderAnotherId) {
  rotate(*open().value()).value();
  std::swap(database_.keys.at(0).wrapped, database_.keys.at(1).wrapped);
  EXPECT_FALSE(open());
}

TEST_F(KeyRingTest, ReportsAStoreThatFails) {
  store_.fail_next();
  EXPECT_EQ(open().error().code, Errc::unavailable);
  store_.fail_next(0);
  ASSERT_TRUE(open());
}

TEST_F(KeyRingTest, UsesANewKeyOnlyAfterItsCommit) {
  const Ring ring = open().value();
  store_.hold();
  std::optional<Result<std::uint32_t>> rotated;
  ring->rotate([&](auto id) { rotated = std::move(id); });
  executor_.run();
  EXPECT_FALSE(rotated);
  EXPECT_EQ(key_of(ring->seal("x", "").value()), 1U);
  store_.release();
  executor_.run();
  EXPECT_EQ(rotated->value(), 2U);
  EXPECT_EQ(key_of(ring->seal("x", "").value()), 2U);
}

TEST_F(KeyRingTest, StaysWithTheOldKeyWhenTheCommitFails) {
  const Ring ring = open().value();
  store_.fail_next();
  EXPECT_EQ(rotate(*ring).error().code, Errc::unavailable);
  EXPECT_EQ(key_of(ring->seal("x", "").value()), 1U);
  EXPECT_EQ(rotate(*ring).value(), 2U);
}

TEST_F(KeyRingTest, OpensUnderOldKeysAfterRotation) {
  const Ring ring = open().value();
  std::vector<std::string> sealed;
  for (std::uint32_t id = 1; id <= 5; ++id) {
    sealed.push_back(ring->seal("secret", "context").value());
    EXPECT_EQ(key_of(sealed.back()), id);
    EXPECT_EQ(rotate(*ring).value(), id + 1);
  }
  const Ring reopened = open().value();
  for (const std::string& text : sealed) {
    EXPECT_EQ(ring->open(text, "context").value(), "secret");
    EXPECT_EQ(reopened->open(text, "context").value(), "secret");
  }
  EXPECT_EQ(key_of(reopened->seal("x", "").value()), 6U);
}

TEST_F(KeyRingTest, OpensNothingUnderARemovedKeyAndNeverReusesItsId) {
  const Ring ring = open().value();
  const std::string sealed = ring->seal("secret", "").value();
  rotate(*ring).value();
  database_.keys.at(0).retired = true;
  database_.keys.at(1).retired = true;
  const Ring reopened = open().value();
  EXPECT_FALSE(reopened->open(sealed, ""));
  EXPECT_EQ(key_of(reopened->seal("x", "").value()), 3U);
}

TEST_F(KeyRingTest, SharesOneRotationAmongConcurrentCalls) {
  const Ring ring = open().value();
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 3; ++i) ring->rotate([&](auto id) { ids.push_back(id.value()); });
  ring->maintain();
  executor_.run();
  EXPECT_EQ(ids, (std::vector<std::uint32_t>{2, 2, 2}));
  EXPECT_EQ(database_.keys.size(), 2U);
}

TEST_F(KeyRingTest, RotatesAfterAYear) {
  const Ring ring = open().value();
  clock_.advance(hours(365 * 24) - Microseconds(1));
  maintain(*ring);
  EXPECT_EQ(database_.keys.size(), 1U);
  clock_.advance(Microseconds(1));
  maintain(*ring);
  EXPECT_EQ(database_.keys.size(), 2U);
  maintain(*ring);
  EXPECT_EQ(database_.keys.size(), 2U);
}

TEST_F(KeyRingTest, RotatesByAgeOnlyWhenItMay) {
  const Ring ring = open({.rotation_enabled = false}).value();
  clock_.advance(hours(10 * 365 * 24));
  maintain(*ring);
  EXPECT_EQ(database_.keys.size(), 1U);
}

TEST_F(KeyRingTest, TriesTheYearlyRotationAgainWhenItFailed) {
  const Ring ring = open().value();
  clock_.advance(hours(366 * 24));
  store_.fail_next();
  maintain(*ring);
  EXPECT_EQ(database_.keys.size(), 1U);
  maintain(*ring);
  EXPECT_EQ(database_.keys.size(), 2U);
}

TEST_F(KeyRingTest, OpensWhatWasSealedUnderTheDataKeyItselfBefore) {
  const Ring ring = open().value();
  const std::string header = std::string(1, '\1') + std::string(3, '\0') + '\1';
  const std::string old = header + aead_seal(data_key(1), "secret", header + "context");
  EXPECT_EQ(ring->open(old, "context").value(), "secret");
  EXPECT_FALSE(ring->open(old, "other"));
  // Neither version passes for the other one.
  std::string renamed = old;
  renamed.front() = '\2';
  EXPECT_FALSE(ring->open(renamed, "context"));
  renamed = ring->seal("secret", "context").value();
  renamed.front() = '\1';
  EXPECT_FALSE(ring->open(renamed, "context"));
}

TEST_F(KeyRingTest, SealsForEachContextUnderAKeyOfItsOwn) {
  const Ring ring = open().value();
  const auto key_for = [&](const std::string& context) {
    const Digest extracted = hmac_sha256({}, data_key(1));
    return std::string(view(hmac_sha256(view(extracted), "holdfast seal " + context + "\1")));
  };
  const std::string sealed = ring->seal("secret", "context").value();
  const std::string_view rest = std::string_view(sealed).substr(5);
  const std::string data = sealed.substr(0, 5) + "context";
  EXPECT_EQ(xaes_open(key_for("context"), rest, data), "secret");
  EXPECT_EQ(xaes_open(key_for("other"), rest, data), std::nullopt);
  EXPECT_EQ(xaes_open(data_key(1), rest, data), std::nullopt);
}

TEST_F(KeyRingTest, OpensTokensOnlyInTheEpochInWhichTheyWereSealed) {
  const Ring before = open().value();
  const std::string token = before->seal_token("token", "context").value();
  const std::string row = before->seal("row", "context").value();
  EXPECT_EQ(open().value()->open_token(token, "context").value(), "token");
  database_.epoch = 1'700'000'000'000'000;
  const Ring restored = open().value();
  EXPECT_FALSE(restored->open_token(token, "context"));
  EXPECT_EQ(restored->open(row, "context").value(), "row");
  const std::string later = restored->seal_token("token", "context").value();
  EXPECT_EQ(restored->open_token(later, "context").value(), "token");
  EXPECT_FALSE(before->open_token(later, "context"));
}

TEST_F(KeyRingTest, OpensOnlyWhenTheEpochIsKnown) {
  ASSERT_TRUE(open());
  std::optional<Result<Ring>> opened;
  open_key_ring(test::master_key(), {}, clock_, store_, [&](auto r) { opened = std::move(r); });
  store_.fail_next();  // load has been called already; this is the epoch
  executor_.run();
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->error().code, Errc::unavailable);
}

TEST_F(KeyRingTest, ServesEveryThreadWhileItRotates) {
  const Ring ring = open().value();
  const std::string old = ring->seal("old", "context").value();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto sealed = ring->seal("new", "context");
        if (!sealed || ring->open(*sealed, "context") != "new" ||
            ring->open(old, "context") != "old") {
          ++wrong;
        }
      }
    });
  }
  for (std::uint32_t id = 2; id < 50; ++id) EXPECT_EQ(rotate(*ring).value(), id);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(KeyRingTest, OutlivesItsOwnersWhileAnOperationIsUnderWay) {
  Ring ring = open().value();
  bool rotated = false;
  ring->rotate([&](const auto& id) { rotated = id.has_value(); });
  ring.reset();
  executor_.run();
  EXPECT_TRUE(rotated);
}

}  // namespace
}  // namespace holdfast::identity
