// Tests the names and URLs of an instance.

#include "app/instance.hpp"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::app {
namespace {

using ::testing::MatchesRegex;

TEST(InstanceTest, MakesUserPoolIdsLikeCognitos) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string id = make_user_pool_id("us-east-1");
    EXPECT_THAT(id, MatchesRegex("us-east-1_[A-Za-z0-9]{9}"));
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(InstanceTest, MakesClientIdsLikeCognitos) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string id = make_client_id();
    EXPECT_THAT(id, MatchesRegex("[a-z0-9]{26}"));
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(UrlsTest, NamesAReachableAddress) {
  EXPECT_EQ(url_of("127.0.0.1:8080"), "http://127.0.0.1:8080");
  EXPECT_EQ(url_of("0.0.0.0:8080"), "http://127.0.0.1:8080");
  EXPECT_EQ(url_of("[::]:8080"), "http://[::1]:8080");
  EXPECT_EQ(url_of("[fe80::1]:1"), "http://[fe80::1]:1");
}

TEST(UrlsTest, HasAnOrigin) {
  EXPECT_EQ(origin_of("https://chat.example.com"), "https://chat.example.com");
  EXPECT_EQ(origin_of("https://chat.example.com:8443/gateway"), "https://chat.example.com:8443");
}

}  // namespace
}  // namespace holdfast::app
