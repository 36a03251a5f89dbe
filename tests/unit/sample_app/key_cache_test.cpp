// Tests the cache of the user pool's public keys.

#include "sample_app/key_cache.hpp"

#include <atomic>
#include <future>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "support/base/manual_clock.hpp"
#include "support/client/fake_gateway.hpp"
#include "support/sample_app/test_issuer.hpp"

namespace holdfast::sample_app {
namespace {

constexpr const char* kCacheIssuer = "http://gate/us-east-1_abcdefghi";
constexpr const char* kCacheClient = "client1";

class KeyCacheTest : public testing::Test {
 protected:
  KeyCacheTest() { shards_->start(); }
  ~KeyCacheTest() override {
    cache_.stop();
    shards_->stop();
  }

  client::GatewayOptions gateway_options() const {
    client::GatewayOptions options;
    options.url = gateway_.url();
    options.user_pool_id = "us-east-1_abcdefghi";
    return options;
  }
  std::string token(const test::TestIssuer& issuer, Seconds lifetime = Seconds(3600)) const {
    return issuer.id_token(kCacheIssuer, kCacheClient, "ann", clock_.wall_now(), lifetime);
  }
  Result<identity::IdTokenClaims> verify(const std::string& token) {
    std::promise<Result<identity::IdTokenClaims>> answered;
    cache_.verify(token, shards_->at(0), [&answered](Result<identity::IdTokenClaims> claims) {
      answered.set_value(std::move(claims));
    });
    return answered.get_future().get();
  }
  Errc code(const std::string& token) {
    const auto claims = verify(token);
    return claims ? Errc::internal : claims.error().code;
  }
  void serve(int status, std::string jwks) {
    const std::lock_guard lock(mutex_);
    answer_ = {status, {}, std::move(jwks), false};
  }
  std::size_t fetches() const { return gateway_.requests().size(); }

  test::ManualClock clock_;
  test::TestIssuer old_{"old"};
  test::TestIssuer new_{"new"};
  std::mutex mutex_;
  net::Response answer_{200, {}, old_.jwks(), false};
  test::FakeGateway gateway_{[this](const net::Request&) {
    const std::lock_guard lock(mutex_);
    return answer_;
  }};
  std::unique_ptr<net::Shards> shards_ = net::make_shards(1);
  KeyCache cache_{{.issuer = kCacheIssuer, .audience = kCacheClient},
                  *client::make_gateway_client(gateway_options(), clock_),
                  clock_};
};

TEST_F(KeyCacheTest, FetchesTheKeysOnceForManyTokens) {
  for (int i = 0; i < 5; ++i) {
    const auto claims = verify(token(old_));
    ASSERT_TRUE(claims) << claims.error().message;
    EXPECT_EQ(claims->sub.str(), "ann");
  }
  EXPECT_EQ(fetches(), 1U);
  EXPECT_EQ(gateway_.requests().at(0).head.target, "/us-east-1_abcdefghi/.well-known/jwks.json");
}

TEST_F(KeyCacheTest, TellsAnExpiredTokenFromABadOne) {
  const std::string good = token(old_);
  const std::string short_lived = token(old_, Seconds(60));
  ASSERT_TRUE(verify(good));
  clock_.advance(Seconds(120));
  EXPECT_EQ(code(short_lived), Errc::expired);
  EXPECT_EQ(code(good + "x"), Errc::unauthenticated);
  const test::TestIssuer impostor("old");
  EXPECT_EQ(code(token(impostor)), Errc::unauthenticated);
  EXPECT_EQ(code(old_.id_token("http://elsewhere", kCacheClient, "ann", clock_.wall_now())),
            Errc::unauthenticated);
}

TEST_F(KeyCacheTest, NeverFetchesForWhatIsNoToken) {
  for (const char* garbage : {"", "x", "a.b.c", "e30.e30.c2ln"}) {
    EXPECT_EQ(code(garbage), Errc::unauthenticated) << garbage;
  }
  EXPECT_EQ(fetches(), 0U);
}

TEST_F(KeyCacheTest, FetchesAgainForAnUnknownKeyAtMostOnceAMinute) {
  ASSERT_TRUE(verify(token(old_)));
  serve(200, new_.jwks());
  EXPECT_EQ(code(token(new_)), Errc::unauthenticated);
  EXPECT_EQ(fetches(), 1U);
  clock_.advance(Seconds(61));
  EXPECT_TRUE(verify(token(new_)));
  EXPECT_EQ(fetches(), 2U);
  EXPECT_EQ(code(token(test::TestIssuer("third"))), Errc::unauthenticated);
  EXPECT_EQ(fetches(), 2U);
}

TEST_F(KeyCacheTest, KeepsGoodKeysWhileTheGatewayFails) {
  ASSERT_TRUE(verify(token(old_)));
  serve(503, "");
  clock_.advance(Seconds(61));
  EXPECT_EQ(code(token(new_)), Errc::unauthenticated);
  EXPECT_EQ(fetches(), 2U);
  EXPECT_TRUE(verify(token(old_)));
}

TEST_F(KeyCacheTest, SaysUnavailableUntilTheFirstKeysAreHad) {
  serve(200, "no keys here");
  EXPECT_EQ(code(token(old_)), Errc::unavailable);
  EXPECT_EQ(code(token(old_)), Errc::unavailable);
  EXPECT_EQ(fetches(), 1U);
  serve(200, old_.jwks());
  clock_.advance(Seconds(2));
  EXPECT_TRUE(verify(token(old_)));
}

TEST_F(KeyCacheTest, AnswersNobodyAfterItHasStoppedButUnavailable) {
  cache_.stop();
  EXPECT_EQ(code(token(old_)), Errc::unavailable);
}

}  // namespace
}  // namespace holdfast::sample_app
