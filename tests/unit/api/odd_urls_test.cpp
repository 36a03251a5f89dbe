// Tests what odd URLs are read as.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/api/origins.hpp>
#include <holdfast/net/client.hpp>

namespace holdfast::api {
namespace {

/// A text, and what it is read as: a URL (`scheme host port target authority`) and an origin
/// (`scheme host port`); `-` for none.
struct OddUrl {
  std::string text;
  std::string url;
  std::string origin;
};

std::string url_of(const std::string& text) {
  const auto url = net::parse_url(text);
  if (!url) return "-";
  return url->scheme + " " + url->host + " " + url->port + " " + url->target + " " +
         url->authority();
}

std::string origin_of(const std::string& text) {
  const auto origin = parse_origin(text);
  if (!origin) return "-";
  return origin->scheme + " " + origin->host + " " + std::to_string(origin->port);
}

TEST(OddUrlsTest, AreReadAsEver) {
  const std::vector<OddUrl> rows = {
      {"http://a", "http a 80 / a", "http a 0"},
      {"HTTP://A", "http A 80 / A", "http a 0"},
      {"https://a:443", "https a 443 / a", "https a 0"},
      {"https://a:80", "https a 80 / a:80", "https a 80"},
      {"ws://a/b", "ws a 80 /b a", "-"},
      {"wss://a?x=1", "wss a 443 /?x=1 a", "-"},
      {"http://a/?", "http a 80 /? a", "-"},
      {"http://a?", "http a 80 /? a", "-"},
      {"http://a:", "-", "-"},
      {"http://a:0", "-", "-"},
      {"http://a:65535", "http a 65535 / a:65535", "http a 65535"},
      {"http://a:65536", "-", "-"},
      {"http://a:+1", "-", "-"},
      {"http://a: 1", "-", "-"},
      {"http://:80", "-", "-"},
      {"http://", "-", "-"},
      {"http:///x", "-", "-"},
      {"http:/a", "-", "-"},
      {"http:a", "-", "-"},
      {"//a", "-", "-"},
      {"a", "-", "-"},
      {"", "-", "-"},
      {"ftp://a", "-", "ftp a 0"},
      {"http://u@a", "-", "-"},
      {"http://u:p@a:1", "-", "-"},
      {"http://a/@b", "http a 80 /@b a", "-"},
      {"http://a/b:c", "http a 80 /b:c a", "-"},
      {"http://a//b", "http a 80 //b a", "-"},
      {"http://a/../b", "http a 80 /../b a", "-"},
      {"http://a/%2e", "http a 80 /%2e a", "-"},
      {"http://a%41", "http a%41 80 / a%41", "-"},
      {"http://a%", "http a% 80 / a%", "-"},
      {"http://[::1]", "http ::1 80 / [::1]", "http [::1] 0"},
      {"http://[::1]:8080/x", "http ::1 8080 /x [::1]:8080", "-"},
      {"http://[::1", "-", "-"},
      {"http://::1", "-", "-"},
      {"http://[a]", "-", "-"},
      {"http://[::1]x", "-", "-"},
      {"http://[]", "-", "-"},
      {"http://a]", "-", "-"},
      {"http://a#f", "-", "-"},
      {"http://a\\b", "-", "-"},
      {"http://a b", "-", "-"},
      {"http://\u00e9", "-", "-"},
      {"http://xn--9ca", "http xn--9ca 80 / xn--9ca", "http xn--9ca 0"},
      {"http://a_b", "http a_b 80 / a_b", "http a_b 0"},
      {"http://-", "http - 80 / -", "http - 0"},
      {"http://a.", "http a. 80 / a.", "http a 0"},
      {"http://1.2.3", "http 1.2.3 80 / 1.2.3", "-"},
      {"http://0x7f.1", "http 0x7f.1 80 / 0x7f.1", "-"},
      {"http://127.0.0.1", "http 127.0.0.1 80 / 127.0.0.1", "http 127.0.0.1 0"},
      {"http://http://a", "-", "-"},
      {"file://", "-", "file  0"},
      {"app://a", "-", "app a 0"},
      {"app://a:80", "-", "app a 80"},
      {"unix:/run/s", "unix /run/s  / localhost", "-"},
      {"unix:s", "unix s  / localhost", "-"},
      {"unix:", "-", "-"},
      {"null", "-", "-"},
      {"*", "-", "-"},
      {"http://*", "http * 80 / *", "-"},
  };
  for (const OddUrl& row : rows) {
    SCOPED_TRACE(row.text);
    EXPECT_EQ(url_of(row.text), row.url);
    EXPECT_EQ(origin_of(row.text), row.origin);
  }
}

}  // namespace
}  // namespace holdfast::api
