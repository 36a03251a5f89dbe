// Tests the pieces of URLs and queries.

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/url.hpp>

namespace holdfast {
namespace {

TEST(UrlTest, KnowsTheDefaultPorts) {
  EXPECT_EQ(default_port("http"), 80);
  EXPECT_EQ(default_port("ws"), 80);
  EXPECT_EQ(default_port("https"), 443);
  EXPECT_EQ(default_port("wss"), 443);
  EXPECT_EQ(default_port("HTTP"), 0);
  EXPECT_EQ(default_port("unix"), 0);
  EXPECT_EQ(default_port(""), 0);
}

TEST(UrlTest, RemovesTheDefaultPortAlone) {
  EXPECT_EQ(without_default_port("a:80", "http"), "a");
  EXPECT_EQ(without_default_port("a:443", "http"), "a:443");
  EXPECT_EQ(without_default_port("a:80", "https"), "a:80");
  EXPECT_EQ(without_default_port("https://[::1]:443", "https"), "https://[::1]");
  EXPECT_EQ(without_default_port("a:8080", "http"), "a:8080");
  EXPECT_EQ(without_default_port("a:80", "app"), "a:80");
  EXPECT_EQ(without_default_port("", "http"), "");
}

TEST(UrlTest, SplitsAtTheFirstSchemesEnd) {
  const auto shown = [](std::string_view text) {
    const auto parts = split_url(text);
    if (!parts) return std::string("none");
    return std::string(parts->scheme) + "|" + std::string(parts->authority) + "|" +
           std::string(parts->rest);
  };
  EXPECT_EQ(shown("https://a:1/p?q#f"), "https|a:1|/p?q#f");
  EXPECT_EQ(shown("https://a?q"), "https|a|?q");
  EXPECT_EQ(shown("https://a#f"), "https|a|#f");
  EXPECT_EQ(shown("https://"), "https||");
  EXPECT_EQ(shown("://a"), "|a|");
  EXPECT_EQ(shown("a://b://c"), "a|b:|//c");
  EXPECT_EQ(shown("/p?to=http://a"), "/p?to=http|a|");
  EXPECT_EQ(shown("https:/a"), "none");
  EXPECT_EQ(shown(""), "none");
}

TEST(UrlTest, FindsThePortBehindBrackets) {
  EXPECT_EQ(port_colon("a:1"), 1U);
  EXPECT_EQ(port_colon("[::1]:1"), 5U);
  EXPECT_EQ(port_colon("[::1]"), std::string_view::npos);
  EXPECT_EQ(port_colon("a"), std::string_view::npos);
  EXPECT_EQ(port_colon("a:"), 1U);
  EXPECT_EQ(port_colon("a:b:1"), 3U);
}

TEST(UrlTest, TakesParametersOneByOne) {
  const auto shown = [](std::string_view query) {
    std::string out;
    while (const auto parameter = take_parameter(query)) {
      out += '[';
      out += parameter->name;
      if (parameter->has_equals) out += '=';
      out += parameter->value;
      out += ']';
    }
    return out;
  };
  EXPECT_EQ(shown(""), "");
  EXPECT_EQ(shown("a=1&b=2"), "[a=1][b=2]");
  EXPECT_EQ(shown("a"), "[a]");
  EXPECT_EQ(shown("a="), "[a=]");
  EXPECT_EQ(shown("=1"), "[=1]");
  EXPECT_EQ(shown("a=1=2"), "[a=1=2]");
  EXPECT_EQ(shown("&"), "[]");
  EXPECT_EQ(shown("a&&b&"), "[a][][b]");
  EXPECT_EQ(shown("a%26b=%3D+c"), "[a%26b=%3D+c]");
}

}  // namespace
}  // namespace holdfast
